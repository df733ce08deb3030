"""RegMix's regression (Liu et al., ICLR 2025): gradient-boosted trees, one model a target domain.

They take LightGBM with 1,000 trees, a learning rate of 0.01 and early stopping on the test mixtures; these are scikit-learn's
trees of the same kind, and nothing is looked at but the known mixtures.
"""

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

TREES, RATE, LEAVES = 400, 0.05, 31


def predict(task):
    predicted = []
    for losses in task.losses.T:
        trees = GradientBoostingRegressor(
            n_estimators=TREES, learning_rate=RATE, max_depth=None, max_leaf_nodes=LEAVES, min_samples_leaf=3, subsample=0.5,
            max_features=0.5, random_state=int(task.rng.integers(2**31)),
        )  # fmt: skip
        predicted.append(trees.fit(task.mixtures, losses).predict(task.candidates))
    return np.stack(predicted, axis=1)
