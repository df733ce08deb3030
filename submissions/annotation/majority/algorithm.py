"""Majority vote: the class that most annotators name, ties by chance. Soft labels are the shares of the votes."""

import numpy as np


def infer(task):
    share = np.zeros((task.n_items, task.n_classes))
    np.add.at(share, (task.item, task.label), 1)
    share[share.sum(axis=1) == 0] = 1
    return answer(task, share / share.sum(axis=1, keepdims=True))


def answer(task, share):
    """The classes of the largest shares [n, C], ties by chance; the shares themselves where soft labels are asked for."""
    share[task.gold] = np.eye(task.n_classes)[task.y_gold]
    return share if task.soft else (share + 1e-9 * task.rng.random(share.shape)).argmax(axis=1)
