"""All documents in random order, dirt and all: the number to beat."""


def clean(task):
    return task.rng.permutation(len(task.texts))
