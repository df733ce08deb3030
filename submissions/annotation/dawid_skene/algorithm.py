"""Dawid and Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm, Applied Statistics 1979.

Every annotator has a confusion matrix; EM goes from the shares of votes to the most likely matrices and truth. Counts are
not smoothed, as in the paper: half a vote a cell costs five points where annotators cast few votes each.
"""

import numpy as np

ITERATIONS = 100
FLOOR = 1e-10  # a vote never seen is no proof that it never comes


def infer(task):
    share = shares_of_votes(task)
    for _ in range(ITERATIONS):
        before, prior = share, share.mean(axis=0) + FLOOR
        confusion = np.full((task.n_annotators, task.n_classes, task.n_classes), FLOOR)  # annotator, vote, truth
        np.add.at(confusion, (task.annotator, task.label), share[task.item])
        confusion /= confusion.sum(axis=1, keepdims=True)
        score = np.tile(np.log(prior), (task.n_items, 1))
        np.add.at(score, task.item, np.log(confusion)[task.annotator, task.label])
        share = np.exp(score - score.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        share[task.gold] = np.eye(task.n_classes)[task.y_gold]
        if np.abs(share - before).max() < 1e-4:
            break
    return answer(task, share)


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
