"""After DoReMi (Xie et al., NeurIPS 2023): group distributionally robust optimisation over the domains, no target in sight.

A reference model is trained on all domains alike. In every round a weaker proxy, of a quarter of the text, is trained on the mixture
so far, and a domain's weight grows by the exponential of what its held-out documents cost above the reference; the answer
is the mean over the rounds. Theirs is a step of a network's training a round; n-grams are trained anew.
"""

import numpy as np

ROUNDS, STEP, SMOOTHING = 20, 1.0, 1e-3


def weigh(task):
    d = len(task.domains)
    held_out = np.zeros(len(task.texts), bool)
    for k in range(d):
        held_out[np.flatnonzero(task.domain == k)[::5]] = True
    kept = np.flatnonzero(~held_out)
    uniform = np.full(d, 1 / d)
    reference = costs(task, kept, held_out, uniform, task.budget)
    weights, rounds = uniform, []
    for _ in range(ROUNDS):
        excess = np.maximum(costs(task, kept, held_out, weights, task.budget / 4) - reference, 0)
        weights = weights * np.exp(STEP * excess)
        weights = (1 - SMOOTHING) * weights / weights.sum() + SMOOTHING / d
        rounds.append(weights)
    return np.mean(rounds, axis=0)


def costs(task, kept, held_out, weights, budget):
    """Bits per byte of each domain's held-out documents under a model of so many bytes, mixed by the weights."""
    size = np.diff(task.texts.offsets).astype(float)
    chosen = []
    for k, weight in enumerate(weights):
        rows = kept[task.domain[kept] == k]
        chosen.append(rows[np.cumsum(size[rows]) <= weight * budget])
    fitted = task.model.fit_many(
        task.texts, subsets=[np.concatenate(chosen)]
    )  # of nothing, if the budget is for nothing
    asked = np.flatnonzero(held_out)
    bits = np.bincount(task.domain[asked], fitted.bits(task.texts[asked])[0], minlength=len(weights))
    return bits / np.bincount(task.domain[asked], size[asked], minlength=len(weights))
