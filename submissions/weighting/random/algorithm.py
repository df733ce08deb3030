"""Weights that know nothing of the rows, drawn within a hundredth of equal ones.

The more such weights differ, the fewer rows they leave in effect: drawn from 0 to 1 they cost three points on digits.
"""


def weigh(task):
    return task.rng.uniform(0.99, 1.01, task.n_sources if task.by_source else len(task.y))
