"""A pytest plug-in for opendataval's tests: its evaluators give the values of our baselines."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import numpy as np

for _name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.datasets"):
    sys.modules[_name] = MagicMock()  # it imports them for image and text data sets, which nobody asks for here
sys.modules["transformers"] = MagicMock()

from opendataval import dataval  # noqa: E402
from ours import algorithm, classes_for, remembered  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

_loader: Any = DataLoader
_made = DataLoader.__init__
# It asks for pinned memory, which today's torch warns of without an accelerator, and its test makes errors of warnings.
_loader.__init__ = lambda self, *args, pin_memory=False, **kwargs: _made(self, *args, **kwargs)


class _Bags:
    """The fixed model that a Data-OOB baseline asks for: a copy of theirs fitted on every bag."""

    def __init__(self, evaluator: Any) -> None:
        self.evaluator = evaluator
        self.fitted: list[Any] = []

    def fit_many(self, X: Any, y: Any, weights: Any) -> Any:
        e, self.fitted = self.evaluator, []
        for bag in weights:
            rows = np.repeat(np.arange(len(bag)), bag.astype(int))
            self.fitted.append(e.pred_model.clone())
            self.fitted[-1].fit(e.x_train[rows], e.y_train[rows])
        return self

    def predict(self, X: Any) -> Any:
        return np.stack([np.asarray(m.predict(self.evaluator.x_train).argmax(dim=1)) for m in self.fitted])


def _task(self: Any, utility: Any = None) -> Any:
    x_valid, y_valid = (
        getattr(self, f"{part}_valid", getattr(self, f"{part}_train")) for part in "xy"
    )  # Data-OOB has none
    X, X_val = (np.asarray(x, float) for x in (self.x_train, x_valid))
    y, y_val = (np.asarray(y.argmax(dim=1)) for y in (self.y_train, y_valid))
    state = getattr(self, "random_state", None)  # those with a sampler have none of their own
    rng = np.random.default_rng(state.randint(2**31 - 1) if state else 0)
    chance = 1 / self.y_train.shape[1]
    return SimpleNamespace(
        X=X, y=y, X_val=X_val, y_val=y_val, n_classes=classes_for(chance), rng=rng, model=_Bags(self)
    )


def _utility(self: Any) -> Any:
    def of(member: Any) -> float:
        if not member.any():
            return float(1 / self.y_train.shape[1])
        model = self.pred_model.clone()
        model.fit(self.x_train[member], self.y_train[member])
        return float(self.evaluate(self.y_valid, model.predict(self.x_valid)))

    return remembered(of)


def _given(evaluator: Any, name: str, **settings: Any) -> None:
    """The evaluator's values become those of the baseline."""

    def train(self: Any, *args: Any, **kwargs: Any) -> Any:
        module = algorithm("valuation", name)
        if hasattr(self, "pred_model"):
            module.utilities = _utility(self)
            module.score = lambda task, coalitions: module.utilities(None, None, None, coalitions, None, None)
        own = {"k": self.k_neighbors} if name == "knn_shapley" else settings
        self.ours = np.asarray(module.value(_task(self), **own))
        return self

    evaluator.train_data_values = train
    evaluator.evaluate_data_values = lambda self: self.ours


_given(dataval.KNNShapley, "knn_shapley")
_given(dataval.LeaveOneOut, "leave_one_out")
_given(dataval.DataOob, "data_oob", bags=20)
_given(dataval.DataBanzhaf, "banzhaf", fits=20)
_given(dataval.DataShapley, "tmc_shapley", orders=2)
_given(dataval.BetaShapley, "beta_shapley", orders=2)
