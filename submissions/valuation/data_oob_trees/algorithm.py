"""Data-OOB as in its paper: Kwon and Zou, Data-OOB: out-of-bag estimate as a simple and efficient data value, ICML 2023.

The share of bagged decision trees, among those whose bootstrap bag lacks the row, that predict its label. No validation
row and no fixed model is needed. Trees look at a random root of the features at each split, as in a random forest.
"""

import numpy as np

from harness.models.coalitions import OutOfBag

TREES = 800  # as in the paper


def value(task, trees=TREES):
    from sklearn.tree import DecisionTreeClassifier

    n = len(task.y)
    X, values = task.X.reshape(n, -1), OutOfBag(n)
    for _ in range(trees):
        bag = task.rng.integers(0, n, n)
        tree = DecisionTreeClassifier(max_features="sqrt", random_state=int(task.rng.integers(2**31)))
        right = tree.fit(X[bag], task.y[bag]).predict(X) == task.y
        values.add(np.bincount(bag, minlength=n)[None], right[None])
    return values.values()
