"""A row weighs as much as the fixed model, trained on the clean rows alone, believes in its label.

With p the true posterior this is the weight of importance reweighting for noisy labels (Liu and Tao, Classification with
noisy labels by importance reweighting, TPAMI 2016) up to the noise, which is taken as even.
"""

import numpy as np


def weigh(task):
    proba = task.model.fit(task.X_val, task.y_val).predict_proba(task.X)
    return answer(task, proba[np.arange(len(task.y)), task.y].astype(np.float64) + 1e-6)


def answer(task, weights):
    """Row weights [n] as they are, or their mean in each source where the task asks for one weight a source."""
    if not task.by_source:
        return weights
    rows = np.bincount(task.source, minlength=task.n_sources)
    return np.bincount(task.source, weights, task.n_sources) / np.maximum(rows, 1)
