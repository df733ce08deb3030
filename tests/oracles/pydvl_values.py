"""Run inside pyDVL's own environment: pydvl_values.py TASK.npz VALUES.npz. Imports nothing of the harness."""

import sys

import numpy as np
from pydvl.valuation import (
    BanzhafValuation,
    BetaShapleyValuation,
    DataOOBValuation,
    Dataset,
    DeterministicUniformSampler,
    KNNShapleyValuation,
    LOOValuation,
    ModelUtility,
    NoStopping,
    ShapleyValuation,
    SupervisedScorer,
)
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier


class Logistic(LogisticRegression):
    """Answers the only class there is where a coalition has one class only, as the fixed model does."""

    def fit(self, X, y, sample_weight=None):
        self.only_ = y[0] if len(set(y)) == 1 else None
        return self if self.only_ is not None else super().fit(X, y, sample_weight)

    def predict(self, X):
        return super().predict(X) if self.only_ is None else np.full(len(X), self.only_)


def accuracy(model, X, y):
    return float(np.mean(model.predict(X) == y))


def main(source, target):
    task = np.load(source, allow_pickle=False)
    train, validation = Dataset(task["X"], task["y"]), Dataset(task["X_val"], task["y_val"])
    method, chance = str(task["method"]), float(task["chance"])
    scorer = SupervisedScorer(accuracy, validation, default=chance, range=(0, 1))
    utility = ModelUtility(Logistic(C=1.0, tol=1e-10, max_iter=10_000), scorer, catch_errors=False, show_warnings=False)
    every = {"is_done": NoStopping(), "progress": False}
    if method == "knn_shapley":
        valuation = KNNShapleyValuation(KNeighborsClassifier(n_neighbors=5), validation, progress=False)
    elif method == "leave_one_out":
        valuation = LOOValuation(utility)
    elif method == "data_oob":
        bags = BaggingClassifier(LogisticRegression(C=1.0, max_iter=1000), n_estimators=300, random_state=0)
        valuation = DataOOBValuation(bags.fit(task["X"], task["y"]))
    elif method == "tmc_shapley":
        valuation = ShapleyValuation(utility, DeterministicUniformSampler(), **every)
    elif method == "beta_shapley":
        sampler = DeterministicUniformSampler()
        valuation = BetaShapleyValuation(utility, sampler, alpha=16, beta=1, **every)
    else:
        valuation = BanzhafValuation(utility, DeterministicUniformSampler(), **every)
    result = valuation.fit(train).result
    values = np.empty(len(train))
    values[result.indices] = result.values
    np.savez(target, values=values)


if __name__ == "__main__":
    main(*sys.argv[1:])
