"""A regression tree on the residuals: its leaves with the largest mean residual are the slices.

The residual of a validation row is 1 less the probability of its true class. Model trees of residuals are the classical
error analysis of tabular models (e.g. Singla et al., Understanding failures of deep networks via robust feature
extraction, CVPR 2021). Splits use what is known of a test row too: its features and the model's probabilities.
"""

import numpy as np

LEAF = 20  # least validation rows in a leaf


def find_slices(task):
    from sklearn.tree import DecisionTreeRegressor

    known, known_test = (
        np.column_stack([X.reshape(len(X), -1), proba])
        for X, proba in ((task.X_val, task.proba_val), (task.X_test, task.proba_test))
    )
    residual = 1 - task.proba_val[np.arange(len(task.y_val)), task.y_val]
    tree = DecisionTreeRegressor(min_samples_leaf=LEAF, max_leaf_nodes=4 * task.max_slices, random_state=0)
    leaf, leaf_test = tree.fit(known, residual).apply(known), tree.apply(known_test)
    leaves = np.unique(leaf)
    mean = np.array([residual[leaf == one].mean() for one in leaves])
    worst = np.argsort(-mean, kind="stable")[: task.max_slices]
    doubt = 1 - task.proba_test.max(axis=1, keepdims=True)  # in a leaf, the rows the model doubts come first
    return np.where(leaf_test[:, None] == leaves[worst], mean[worst] + 0.1 * doubt, 0.0)
