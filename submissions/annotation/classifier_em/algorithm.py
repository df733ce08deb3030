"""Votes and features together: Raykar et al., Learning from crowds, JMLR 2010; for C classes as Rodrigues and Pereira, 2018.

Dawid and Skene's EM in which the prior of an item is what the fixed model says of its features. The model is trained on
the other folds, weighted by their present shares: trained on the item itself it would only repeat what the item's votes
said. Confusion matrices are smoothed towards the matrix of all annotators together.
"""

import numpy as np

FOLDS, ROUNDS, INNER = 5, 8, 5
STRENGTH = 4.0  # votes with which the common matrix enters each annotator's, spread over its rows


def infer(task):
    n, c = task.n_items, task.n_classes
    fold = task.rng.permutation(n) % FOLDS
    share, log_prior = shares_of_votes(task), np.zeros((n, c))
    for _ in range(ROUNDS):
        log_prior = np.log(out_of_fold(task, share, fold) + 1e-6)
        for _ in range(INNER):
            share = expected(task, log_prior, share)
    return answer(task, share)


def expected(task, log_prior, share):
    """Shares [n, C] after one M-step for the confusion matrices and one E-step."""
    confusion = np.zeros((task.n_annotators, task.n_classes, task.n_classes))  # annotator, vote, truth
    np.add.at(confusion, (task.annotator, task.label), share[task.item])
    common = confusion.sum(axis=0) + 1e-3
    confusion += STRENGTH * common / common.sum(axis=0)
    confusion /= confusion.sum(axis=1, keepdims=True)
    score = log_prior.copy()
    np.add.at(score, task.item, np.log(confusion)[task.annotator, task.label])
    share = np.exp(score - score.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    share[task.gold] = np.eye(task.n_classes)[task.y_gold]
    return share


def out_of_fold(task, share, fold):
    """Probabilities [n, C] of the fixed model trained on the other folds, an item once a class, weighted by its share."""
    row, label = np.nonzero(share > 1e-3)
    weights = share[row, label] * (fold[row] != np.arange(FOLDS)[:, None])
    fitted = task.model.fit_many(task.X[row], label, weights=weights.astype(np.float32))
    return fitted.predict_proba(task.X)[fold, np.arange(task.n_items)].astype(np.float64)


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
