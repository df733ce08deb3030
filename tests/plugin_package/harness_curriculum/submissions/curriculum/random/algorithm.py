"""A random order: what every method has to beat."""


def order(task):
    return task.rng.permutation(len(task.y))
