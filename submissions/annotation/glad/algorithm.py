"""GLAD: Whitehill, Ruvolo, Wu, Bergsma and Movellan, Whose vote should count more, NIPS 2009.

A vote is right with probability sigmoid(skill of the annotator x ease of the item), otherwise any other class. The M-step
is some steps of gradient ascent on the expected log-likelihood under Gaussian priors, each coordinate's step scaled by its
number of votes. Classes have equal prior chances.
"""

import numpy as np

ITERATIONS, STEPS, RATE = 50, 10, 0.5


def infer(task):
    share, others = shares_of_votes(task), task.n_classes - 1
    skill, ease = np.ones(task.n_annotators), np.zeros(task.n_items)  # ease by its logarithm, so that it stays positive
    votes_of = 1 + np.bincount(task.annotator, minlength=task.n_annotators)
    votes_on = 1 + np.bincount(task.item, minlength=task.n_items)
    for _ in range(ITERATIONS):
        before = share
        right = share[task.item, task.label]
        for _ in range(STEPS):
            b = np.exp(ease[task.item])
            surprise = right - sigmoid(skill[task.annotator] * b)
            up = np.bincount(task.annotator, surprise * b, task.n_annotators) + 1 - skill
            easier = np.bincount(task.item, surprise * skill[task.annotator] * b, task.n_items) - ease
            skill += RATE * up / votes_of
            ease = np.clip(ease + RATE * easier / votes_on, -3, 3)
        p = np.clip(sigmoid(skill[task.annotator] * np.exp(ease[task.item])), 1e-10, 1 - 1e-10)
        score = np.zeros_like(share)
        np.add.at(score, (task.item, task.label), np.log(p * others / (1 - p)))
        share = np.exp(score - score.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        share[task.gold] = np.eye(task.n_classes)[task.y_gold]
        if np.abs(share - before).max() < 1e-3:
            break
    return answer(task, share)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -500, 500)))


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
