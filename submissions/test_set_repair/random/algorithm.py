"""Floor: random rows get the label that the public models give them."""


def repair_test_set(task):
    rows = task.rng.permutation(len(task.y))[: task.budget]
    return rows, task.public_proba.mean(axis=0).argmax(axis=1)[rows]
