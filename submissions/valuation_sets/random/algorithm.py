"""Guess: every gain anywhere between none and all the accuracy that seems to be missing. The floor."""

from __future__ import annotations


def value(task):
    confidence = task.model.fit(task.X, task.y).predict_proba(task.X_sets).max(axis=1).mean()
    return task.rng.uniform(0, 1 - confidence, size=task.n_sets)
