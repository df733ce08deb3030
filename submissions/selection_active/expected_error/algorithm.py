"""Expected error reduction: label the rows after which the model is expected to be least unsure of the whole pool.

Roy and McCallum, Toward optimal active learning through sampling estimation of error reduction, ICML 2001, with their log
loss: for a candidate and each of its likeliest labels the fixed model is trained with that row added; the entropy of its
predictions on a sample of the pool, weighted by the probability of the label, is the error expected. As there, candidates
are sampled: half of them the rows of smallest margin. A batch is the best of them.
"""

from __future__ import annotations

import numpy as np

CANDIDATES = 60
LABELS = 3  # the likeliest ones of a candidate
POOL = 200  # rows the error is estimated on


def select(task):
    unlabelled = np.setdiff1d(np.arange(len(task.X)), task.labelled)
    proba = task.model.fit(task.X[task.labelled], task.y_labelled).predict_proba(task.X[unlabelled])
    top = np.sort(proba, axis=1)
    close = np.argsort(top[:, -1] - top[:, -2], kind="stable")
    number = min(max(CANDIDATES, 2 * task.batch), len(unlabelled))
    others = task.rng.permutation(close[number // 2 :])
    candidates = np.concatenate([close[: number // 2], others[: number - number // 2]])
    pool = task.rng.permutation(unlabelled)[:POOL]
    error = expected_error(task, unlabelled[candidates], proba[candidates], pool)
    return unlabelled[candidates[np.argsort(error, kind="stable")[: task.batch]]]


def expected_error(task, rows, proba, pool):
    """Mean entropy on the pool's rows after each of ``rows`` [k] got a label, over its likeliest ones: [k]."""
    likely = np.argsort(-proba, axis=1, kind="stable")[:, :LABELS]  # [k, l]
    chance = np.take_along_axis(proba, likely, axis=1)
    chance = chance / np.maximum(chance.sum(axis=1, keepdims=True), 1e-12)
    known = len(task.labelled)
    X = np.concatenate([task.X[task.labelled], np.repeat(task.X[rows], likely.shape[1], axis=0)])
    y = np.concatenate([task.y_labelled, likely.ravel()])
    subsets = [np.append(np.arange(known), known + i) for i in range(likely.size)]
    after = task.model.fit_many(X, y, subsets=subsets).predict_proba(task.X[pool])  # [k * l, pool, C]
    entropy = -(after * np.log(np.maximum(after, 1e-12))).sum(axis=2).mean(axis=1)
    return (chance * entropy.reshape(likely.shape)).sum(axis=1)
