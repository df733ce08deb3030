"""Worker agreement with aggregate: votes count by how often their annotator agrees with the majority.

The rule of the Figure Eight (Appen) platform, described by Ustalov, Pavlichenko and Tseitlin, Learning from crowds with
Crowd-Kit, JOSS 2024. Skill starts from the shares of votes and is computed once.
"""

import numpy as np


def infer(task):
    share = shares_of_votes(task)
    top = share == share.max(axis=1, keepdims=True)
    agreed = (top / top.sum(axis=1, keepdims=True))[task.item, task.label]
    cast = np.bincount(task.annotator, minlength=task.n_annotators)
    skill = np.bincount(task.annotator, agreed, task.n_annotators) / np.maximum(cast, 1)
    weighted = np.zeros_like(share)
    np.add.at(weighted, (task.item, task.label), skill[task.annotator] + 1e-9)
    weighted[weighted.sum(axis=1) == 0] = 1
    return answer(task, weighted / weighted.sum(axis=1, keepdims=True))


def shares_of_votes(task):
    """Each item's share of votes for each class [n, C], equal shares where it has none; gold items as they are known."""
    counts = np.zeros((task.n_items, task.n_classes))
    np.add.at(counts, (task.item, task.label), 1)
    counts[counts.sum(axis=1) == 0] = 1
    share = counts / counts.sum(axis=1, keepdims=True)
    share[task.gold] = np.eye(task.n_classes)[task.y_gold]
    return share


def answer(task, share):
    """The classes of the largest shares [n, C], ties by chance; the shares themselves where soft labels are asked for."""
    share[task.gold] = np.eye(task.n_classes)[task.y_gold]
    return share if task.soft else (share + 1e-9 * task.rng.random(share.shape)).argmax(axis=1)
