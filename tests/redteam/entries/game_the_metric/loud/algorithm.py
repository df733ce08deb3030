"""Weights a million times too large, so that the fixed model's penalty would count for nothing."""


def weigh(task):
    proba = task.model.fit(task.X_val, task.y_val).predict_proba(task.X)
    return 1e6 * proba[range(len(task.y)), task.y].astype(float)
