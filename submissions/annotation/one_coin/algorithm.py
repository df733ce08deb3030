"""One coin an annotator: EM with a single probability of being right, errors falling on the other classes alike.

Demartini, Difallah and Cudre-Mauroux, ZenCrowd, WWW 2012. Classes have equal prior
chances: with estimated ones, annotators who always say the same pull every item to their class. An annotator's accuracy is
kept off 0 and 1 by one right and one wrong vote that were never cast.
"""

import numpy as np

ITERATIONS = 100


def infer(task):
    share, others = shares_of_votes(task), task.n_classes - 1
    cast = np.bincount(task.annotator, minlength=task.n_annotators)
    for _ in range(ITERATIONS):
        before = share
        right = np.bincount(task.annotator, share[task.item, task.label], task.n_annotators)
        accuracy = (right + 1) / (cast + 2)
        gain = np.log(accuracy * others / (1 - accuracy))[task.annotator]  # log-odds of the class voted for
        score = np.zeros_like(share)
        np.add.at(score, (task.item, task.label), gain)
        share = np.exp(score - score.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        share[task.gold] = np.eye(task.n_classes)[task.y_gold]
        if np.abs(share - before).max() < 1e-6:
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
