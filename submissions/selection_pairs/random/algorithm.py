"""The examples of each concept against random rows, taken not to show it: the floor."""

from __future__ import annotations

import numpy as np


def select(task):
    concepts, indices, labels = [], [], []
    for concept in range(task.n_concepts):
        present = task.examples[task.concept_of == concept][: task.budget // 2]
        others = np.setdiff1d(np.arange(len(task.X)), present)
        absent = task.rng.permutation(others)[: task.budget - len(present)]
        concepts.append(np.full(len(present) + len(absent), concept))
        indices += [present, absent]
        labels += [np.ones(len(present), int), np.zeros(len(absent), int)]
    return np.concatenate(concepts), np.concatenate(indices), np.concatenate(labels)
