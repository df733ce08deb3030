"""Rows drawn uniformly at random: the number to beat."""


def select(task):
    return task.rng.permutation(len(task.X))[: task.budget]
