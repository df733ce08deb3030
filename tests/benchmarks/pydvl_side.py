"""pyDVL's side of ``scripts/bench``; runs in an environment of its own (pyDVL pins numpy below 2) and prints JSON.

Usage: ``python pydvl_side.py METHOD ROWS FITS`` with METHOD leave_one_out, tmc_shapley, banzhaf or data_oob.
"""

import json
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")

from pydvl.valuation import (  # noqa: E402
    DataOOBValuation,
    Dataset,
    LOOValuation,
    MaxUpdates,
    ModelUtility,
    MSRBanzhafValuation,
    NoTruncation,
    SupervisedScorer,
    TMCShapleyValuation,
)
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.ensemble import BaggingClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

FITS = 0


class Counted(LogisticRegression):
    """scikit-learn's model, counting how often it is fitted."""

    def fit(self, X, y, sample_weight=None):
        global FITS
        FITS += 1
        return super().fit(X, y, sample_weight)


def main(method: str, rows: int, fits: int) -> None:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    X, y = data.data[order] / 16, data.target[order]
    names = [f"p{i}" for i in range(64)]
    train, test = Dataset(X[:rows], y[:rows], names), Dataset(X[-300:], y[-300:], names)
    model = Counted(C=1.0)
    utility = ModelUtility(model, SupervisedScorer("accuracy", test, default=0.0), show_warnings=False)
    if method == "leave_one_out":
        valuation = LOOValuation(utility)
    elif method == "tmc_shapley":
        valuation = TMCShapleyValuation(utility, NoTruncation(), MaxUpdates(max(fits // rows, 1)), seed=0)
    elif method == "banzhaf":
        valuation = MSRBanzhafValuation(utility, MaxUpdates(fits // 2), seed=0)  # two fits an update
    else:
        bags = BaggingClassifier(model, n_estimators=fits, random_state=0)
    start = time.process_time()
    if method == "data_oob":
        bags.fit(*train.data())
        valuation = DataOOBValuation(bags)
    valuation.fit(train)
    seconds = time.process_time() - start
    print(json.dumps({"cpu_s": seconds, "fits": fits if method == "data_oob" else FITS}))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
