"""Run inside opendataval's own environment: opendataval_values.py TASK.npz VALUES.npz. Imports nothing of the harness."""

import sys
from unittest.mock import MagicMock

import numpy as np
import torch

for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "torchvision.datasets"):
    sys.modules[name] = MagicMock()  # it imports them for its image and text data sets, which nobody asks for here
sys.modules["transformers"] = MagicMock()

from opendataval.dataval import DataBanzhaf, DataOob, KNNShapley, LeaveOneOut  # noqa: E402
from opendataval.metrics import accuracy  # noqa: E402
from opendataval.model.api import ClassifierSkLearnWrapper  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402


def main(source, target):
    task = np.load(source, allow_pickle=False)
    classes = int(task["y"].max()) + 1
    X, X_val = (torch.from_numpy(task[name]) for name in ("X", "X_val"))
    y, y_val = (torch.eye(classes)[task[name]] for name in ("y", "y_val"))
    valuation = {
        "knn_shapley": lambda: KNNShapley(k_neighbors=5, batch_size=len(X)),
        "leave_one_out": lambda: LeaveOneOut(random_state=0),
        "data_oob": lambda: DataOob(num_models=300, random_state=0),
        "banzhaf": lambda: DataBanzhaf(num_models=4000, random_state=0),
    }[str(task["method"])]()
    if str(task["method"]) != "knn_shapley":
        model = ClassifierSkLearnWrapper(LogisticRegression, classes, C=1.0, tol=1e-10, max_iter=10_000)
        valuation.input_model_metric(model, accuracy)
    valuation.input_data(X, y, X_val, y_val).train_data_values()
    np.savez(target, values=valuation.evaluate_data_values())


if __name__ == "__main__":
    main(*sys.argv[1:])
