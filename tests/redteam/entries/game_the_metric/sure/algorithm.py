"""The same without the whisper."""

import numpy as np


def infer(task):
    counts = np.zeros((task.n_items, task.n_classes))
    np.add.at(counts, (task.item, task.label), 1)
    return np.eye(task.n_classes)[counts.argmax(axis=1)]
