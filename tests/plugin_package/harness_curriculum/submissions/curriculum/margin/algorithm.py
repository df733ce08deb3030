"""The rows the fixed model is surest of first, trained on all of them."""

import numpy as np


def order(task):
    confidence = task.model.fit(task.X, task.y).predict_proba(task.X)[np.arange(len(task.y)), task.y]
    return np.argsort(-confidence, kind="stable")
