"""The known mixture whose mean loss is least."""


def weigh(task):
    return task.mixtures[task.losses.mean(axis=1).argmin()]
