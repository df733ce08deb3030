"""RegMix (Liu et al., ICLR 2025): a regression from mixtures to losses, asked about many simulated mixtures.

Gradient-boosted trees for each target; the answer is the mean of the best hundred of 20,000 mixtures drawn as the known ones, as
there.
"""

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor

SIMULATED, BEST = 20_000, 100
FEW = 8  # known mixtures that no tree learns from
TREES, RATE, LEAVES = 300, 0.05, 8


def weigh(task):
    if len(task.mixtures) < FEW:
        return task.mixtures[task.losses.mean(axis=1).argmin()]
    drawn = task.rng.dirichlet(np.ones(len(task.domains)), SIMULATED)
    predicted = np.zeros(SIMULATED)
    for losses in task.losses.T:
        trees = GradientBoostingRegressor(
            n_estimators=TREES, learning_rate=RATE, max_depth=None, max_leaf_nodes=LEAVES, min_samples_leaf=3, subsample=0.5,
            random_state=int(task.rng.integers(2**31)),
        )  # fmt: skip
        predicted += trees.fit(task.mixtures, losses).predict(drawn)
    best = np.argsort(predicted, kind="stable")[:BEST]
    return drawn[best].mean(axis=0)
