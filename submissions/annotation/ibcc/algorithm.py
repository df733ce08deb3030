"""Independent Bayesian classifier combination: Dawid and Skene's model with Dirichlet priors, by variational Bayes.

Kim and Ghahramani, Bayesian classifier combination, AISTATS 2012; the variational updates are those of Simpson, Roberts,
Psorakis and Smith, Dynamic Bayesian combination of multiple imperfect classifiers, 2013. The prior holds an annotator for
somewhat better than chance: OFF votes in each cell of a matrix and ON more on its diagonal.
"""

import numpy as np

ITERATIONS = 100
OFF, ON = 0.3, 1.0


def infer(task):
    c = task.n_classes
    share = shares_of_votes(task)
    for _ in range(ITERATIONS):
        before = share
        alpha = np.tile(OFF + ON * np.eye(c), (task.n_annotators, 1, 1))  # annotator, vote, truth
        np.add.at(alpha, (task.annotator, task.label), share[task.item])
        nu = share.sum(axis=0) + 1
        score = np.tile(digamma(nu) - digamma(nu.sum()), (task.n_items, 1))
        expected = digamma(alpha) - digamma(alpha.sum(axis=1, keepdims=True))
        np.add.at(score, task.item, expected[task.annotator, task.label])
        share = np.exp(score - score.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        share[task.gold] = np.eye(c)[task.y_gold]
        if np.abs(share - before).max() < 1e-6:
            break
    return answer(task, share)


def digamma(x):
    """The derivative of log gamma for x > 0: six steps up by the recurrence, then the asymptotic series."""
    steps = sum(1 / (x + k) for k in range(6))
    z = x + 6
    return np.log(z) - 1 / (2 * z) - 1 / (12 * z**2) + 1 / (120 * z**4) - 1 / (252 * z**6) - steps


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
