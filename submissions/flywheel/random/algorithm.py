"""Label random rows of every period: the floor."""


def choose(task):
    return task.rng.permutation(len(task.X))[: task.budget]
