"""A pytest plug-in for pyDVL's tests: its valuation methods compute by our baselines.

``u`` of the method is asked for every coalition; nothing of ours is fitted. A method's own sampler gives the generator alone.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from ours import algorithm, classes_for, remembered
from pydvl.utils.status import Status
from pydvl.valuation import methods
from pydvl.valuation.dataset import GroupedDataset
from pydvl.valuation.result import ValuationResult
from pydvl.valuation.types import Sample

ORDERS, FITS = 2000, 20_000


def _semivalue(name: str, **settings: Any) -> Any:
    """A ``fit`` that takes the values of a semivalue baseline."""

    def fit(self: Any, data: Any, continue_from: Any = None) -> Any:
        utility, indices = self.utility.with_dataset(data), np.asarray(data.indices)
        module = algorithm("valuation", name)
        module.utilities = remembered(lambda member: utility(Sample(None, indices[member])))
        module.score = lambda task, coalitions: module.utilities(None, None, None, coalitions, None, None)
        rng = getattr(self.sampler, "_rng", None) or np.random.default_rng(0)
        nobody, labels = np.zeros(len(indices), bool), np.zeros(len(indices), int)
        nothing = float(utility(Sample(None, indices[nobody])))
        task = SimpleNamespace(
            X=None, y=labels, X_val=None, y_val=None, n_classes=classes_for(nothing), model=None, rng=rng
        )
        own = {key: getattr(self, key) for key in ("alpha", "beta") if name == "beta_shapley"}
        return _told(self, data, module.value(task, **settings, **own))

    return fit


def _told(valuation: Any, data: Any, values: Any) -> Any:
    valuation._result = ValuationResult(
        algorithm="ours", status=Status.Converged, values=np.asarray(values), variances=np.zeros(len(values)),
        counts=np.ones(len(values), int), indices=np.asarray(data.indices), data_names=np.asarray(data.names),
    )  # fmt: skip
    return valuation


_their_knn = methods.KNNShapleyValuation.fit


def _knn(self: Any, data: Any, continue_from: Any = None) -> Any:
    if isinstance(data, GroupedDataset):
        return _their_knn(self, data, continue_from)
    (X, y), (X_val, y_val) = data.data(), self.test_data.data()
    task = SimpleNamespace(X=X, y=y, X_val=X_val, y_val=y_val)
    return _told(
        self, data, algorithm("valuation", "knn_shapley").value(task, k=self.model.get_params()["n_neighbors"])
    )


methods.KNNShapleyValuation.fit = _knn
methods.LOOValuation.fit = _semivalue("leave_one_out")
methods.ShapleyValuation.fit = _semivalue("tmc_shapley", orders=ORDERS, tolerance=-1.0)  # never truncated
methods.BetaShapleyValuation.fit = _semivalue("beta_shapley", orders=ORDERS, left_out=0.0)
methods.BanzhafValuation.fit = _semivalue("banzhaf", fits=FITS)
