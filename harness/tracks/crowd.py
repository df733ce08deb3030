"""A crowd of annotators who err, each in a way of his own, and the one label a row that their votes come to."""

from __future__ import annotations

import numpy as np

from harness.api import FloatArray, IntArray

_STEPS = 20  # of expectation and maximisation; on a few hundred votes the labels stand still long before
_TIE = 1e-9


def confusions(accuracies: FloatArray, n_classes: int, rng: np.random.Generator) -> FloatArray:
    """What each annotator says of each true class: accuracies [a] -> [a, C, C], rows add up to 1.

    An annotator is right with his accuracy in every class; where he errs, he has his own preferences (Dirichlet with
    parameters 1/2), so that two who err do not err alike.
    """
    a = len(accuracies)
    off = rng.dirichlet(np.full(n_classes - 1, 0.5), size=(a, n_classes))
    table = np.zeros((a, n_classes, n_classes))
    table[:, ~np.eye(n_classes, dtype=bool)] = (off * (1 - accuracies)[:, None, None]).reshape(a, -1)
    table[:, np.arange(n_classes), np.arange(n_classes)] = accuracies[:, None]
    return table


def answers(y: IntArray, confusion: FloatArray, rng: np.random.Generator) -> IntArray:
    """What each annotator would say of each row: y [n], confusion [a, C, C] -> [n, a]. Asking again changes nothing."""
    upto = np.cumsum(confusion, axis=2)[:, y].transpose(1, 0, 2)  # [n, a, C]
    said: IntArray = (rng.random(upto.shape[:2])[..., None] >= upto[..., :-1]).sum(axis=2)
    return said


def consensus(
    rows: IntArray, people: IntArray, votes: IntArray, known: IntArray, ties: FloatArray, n_people: int
) -> tuple[IntArray, IntArray]:
    """The rows with a vote and no known label, rising [m], and the label of each [m].

    Dawid and Skene (1979) with one number an annotator, how often he is right, estimated together with the labels by
    EM: a vote weighs log(p (C - 1) / (1 - p)). Counts begin at one right and one wrong answer (Laplace), so that nobody
    is certain. The order in which votes were bought plays no part.

    Parameters
    ----------
    rows, people, votes: [v] each.
    known: [n] label of each row of the pool whose truth is known, -1 of others. They are what annotators are tested on.
    ties: [n, C] random numbers; of classes equally probable the one with the largest wins, never the lowest class.
    """
    n_classes = ties.shape[1]
    order = np.lexsort((people, rows))
    rows, people, votes = rows[order], people[order], votes[order]
    asked, item = np.unique(rows, return_inverse=True)
    truth = known[asked]
    certain = np.eye(n_classes)[np.maximum(truth, 0)]
    weight = np.ones(n_people)
    posterior = np.zeros((len(asked), n_classes))
    for step in range(_STEPS):
        if step:
            hits = np.bincount(people, posterior[item, votes], minlength=n_people) + 1
            right = hits / (np.bincount(people, minlength=n_people) + 2)
            weight = np.log(right * (n_classes - 1) / (1 - right))
        score = np.bincount(item * n_classes + votes, weight[people], minlength=posterior.size).reshape(posterior.shape)
        posterior = np.exp(score - score.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
        posterior[truth >= 0] = certain[truth >= 0]
    best = posterior >= posterior.max(axis=1, keepdims=True) - _TIE
    label: IntArray = np.where(best, ties[asked], -1.0).argmax(axis=1).astype(np.int64)
    return asked[truth < 0], label[truth < 0]
