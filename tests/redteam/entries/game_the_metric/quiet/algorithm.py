"""The same weights a million times too small, so that the fixed model's penalty would count for everything."""


def weigh(task):
    proba = task.model.fit(task.X_val, task.y_val).predict_proba(task.X)
    return 1e-6 * proba[range(len(task.y)), task.y].astype(float)
