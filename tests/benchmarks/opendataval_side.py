"""opendataval's side of ``scripts/bench``; runs in an environment of its own (it pins numpy below 2) and prints JSON.

Usage: ``python opendataval_side.py METHOD ROWS FITS`` with METHOD leave_one_out, tmc_shapley, banzhaf or data_oob.
"""

import json
import sys
import time
import warnings
from unittest.mock import MagicMock

import numpy as np
import torch

warnings.filterwarnings("ignore")
for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.datasets"):
    sys.modules[name] = MagicMock()  # it imports them for its image and text data sets, which nobody asks for here
sys.modules["transformers"] = MagicMock()

from opendataval.dataval import DataBanzhaf, DataOob, DataShapley, LeaveOneOut, TMCSampler  # noqa: E402
from opendataval.metrics import accuracy  # noqa: E402
from opendataval.model.api import ClassifierSkLearnWrapper  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

FITS = 0


class Counted(ClassifierSkLearnWrapper):
    """Its wrapper of scikit-learn's model, counting how often it is fitted."""

    def fit(self, *args, **kwargs):
        global FITS
        FITS += 1
        return super().fit(*args, **kwargs)


def rising_accuracy(y, predicted):
    """Accuracy plus a trifle that grows from fit to fit: its sampler then cuts no permutation short, as ours does not."""
    return accuracy(y, predicted) + 1e-6 * FITS


def main(method: str, rows: int, fits: int) -> None:
    torch.set_num_threads(1)
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    X, y = torch.tensor(data.data[order] / 16, dtype=torch.float32), torch.eye(10)[data.target[order]]
    valuation = {
        "leave_one_out": lambda: LeaveOneOut(random_state=0),
        "tmc_shapley": lambda: DataShapley(
            TMCSampler(mc_epochs=max(fits // rows, 1), min_cardinality=50, cache_name=None, random_state=0)
        ),
        "banzhaf": lambda: DataBanzhaf(num_models=fits, random_state=0),
        "data_oob": lambda: DataOob(num_models=fits, random_state=0),
    }[method]()
    metric = rising_accuracy if method == "tmc_shapley" else accuracy
    valuation.input_model_metric(Counted(LogisticRegression, 10, C=1.0), metric)
    valuation.input_data(X[:rows], y[:rows], X[-300:], y[-300:])
    start = time.process_time()
    valuation.train_data_values().evaluate_data_values()
    print(json.dumps({"cpu_s": time.process_time() - start, "fits": FITS}))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
