"""One seller alone: the one who has most rows to offer for the money.

No paper of its own; the setting is that of Chen et al.: Data acquisition: a new frontier in data-centric AI, 2023,
arXiv:2311.13712.
"""

from __future__ import annotations

import numpy as np


def buy(task):
    affordable = np.minimum(task.rows, (task.budget / task.prices).astype(np.int64))
    best = affordable.argmax(axis=1)
    bought = np.zeros_like(task.rows)
    markets = np.arange(len(best))
    bought[markets, best] = affordable[markets, best]
    return bought
