"""Random: the rows that task.rng draws. The test draws the same from the same entropy."""


def select(task):
    return task.rng.choice(len(task.X), task.budget, replace=False)
