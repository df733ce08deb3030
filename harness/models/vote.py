"""Soft vote of a support vector machine and logistic regression, as in DataPerf's speech selection.

Mazumder et al. 2023 (arXiv:2207.10062): scikit-learn's ``VotingClassifier(voting="soft")`` over ``SVC(probability=True)``
and ``LogisticRegression()``, all else at its defaults. One fit after the other on the CPU: the machine has no shared
structure to exploit.
"""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.api import FloatArray
from harness.errors import HarnessError
from harness.models.base import Batch, BoolArray, FittedModels, FixedModel, ModelSettings, flat_rows


class VoteSettings(ModelSettings):
    """``random_state`` seeds the shuffling inside the support vector machine's probability calibration."""

    version: ClassVar[int] = 1
    name: Literal["svc_logistic_vote"] = "svc_logistic_vote"
    random_state: int = Field(0, ge=0)

    def build(self, *, device: str, n_classes: int | None) -> Vote:
        return Vote(self, device=device, n_classes=n_classes)


class Vote(FixedModel):
    """Weights go to both members as sample weights; rows of weight 0 are left out before either sees them.

    Equal requests of one call are fitted once.
    """

    settings: VoteSettings

    def _fit(self, batch: Batch) -> FittedModels:
        present, keys, X = batch.present(), batch.keys(), flat_rows(batch.X)
        voters: dict[bytes, Any] = {}
        for b in np.flatnonzero(present.sum(axis=1) > 1):
            if keys[b] not in voters:
                voters[keys[b]] = self._one(batch, int(b), X)
        fitted = FittedVote([voters.get(key) for key in keys], present)
        fitted.fits = len(voters)
        return fitted

    def _one(self, batch: Batch, b: int, X: FloatArray) -> Any:
        from sklearn.ensemble import VotingClassifier
        from sklearn.linear_model import LogisticRegression
        from sklearn.svm import SVC

        weights, labels = batch.row(b)
        live = weights > 0
        state = self.settings.random_state
        with warnings.catch_warnings():  # the original's settings, deprecated or short of convergence as they may be
            warnings.simplefilter("ignore")
            try:
                machine = SVC(probability=True, random_state=state)
            except TypeError:
                raise HarnessError(
                    "The soft vote pins SVC(probability=True), which this scikit-learn no longer has.",
                    "Install scikit-learn 1.9 or older.",
                ) from None
            members: list[tuple[str, Any]] = [("svm", machine), ("lr", LogisticRegression(random_state=state))]
            voter = VotingClassifier(members, voting="soft")
            return voter.fit(X[live], labels[live], sample_weight=weights[live])


class FittedVote(FittedModels):
    """Where fewer than two classes are present: probability 1 for the only one, 1/C without any row."""

    def __init__(self, voters: list[Any], present: BoolArray) -> None:
        self.voters, self.present = voters, present
        self.size, self.classes = present.shape
        self.gradient_norm = np.full(self.size, np.nan)

    def _proba(self, X: FloatArray) -> FloatArray:
        flat = flat_rows(X)
        out = np.zeros((self.size, len(X), self.classes), np.float32)
        for b, voter in enumerate(self.voters if len(X) else []):
            if voter is not None:
                out[b][:, voter.classes_] = voter.predict_proba(flat)
            else:
                out[b] = self.present[b] if self.present[b].any() else 1 / self.classes
        return out
