"""Selective repeated labelling: Sheng, Provost and Ipeirotis, Get another label? KDD 2008.

Half of the money goes to labels that are doubtful, by the geometric mean of the votes' uncertainty (the tail of a Beta
distribution) and the model's (LMU there); they are asked of someone who has not been asked. The rest, and all of it at
first, goes to new random rows. Annotators are taken at random, as the paper knows no difference between them.
"""

import numpy as np


def ask(task):
    from scipy.special import betainc

    n, a = len(task.X), len(task.prices)
    counts = np.zeros((n, task.n_classes))
    np.add.at(counts, (task.asked, task.votes), 1)
    top = np.sort(counts, axis=1)
    votes = betainc(top[:, -1] + 1, top[:, -2] + 1, 0.5)  # chance that the runner-up is the majority in truth
    proba = task.model.fit(task.X[task.labelled], task.y_labelled).predict_proba(task.X)
    label = np.zeros(n, np.int64)
    label[task.labelled] = task.y_labelled
    doubt = np.sqrt(votes * (1 - proba[np.arange(n), label]))
    old = np.setdiff1d(task.labelled, task.gold)
    old = old[np.argsort(-doubt[old], kind="stable")]
    new = task.rng.permutation(np.setdiff1d(np.arange(n), task.labelled))
    free = np.ones((n, a), bool)
    free[task.asked, task.asked_of] = False
    pairs = []
    money = buy(task, old, free, pairs, task.money // 2) + task.money - task.money // 2
    money = buy(task, new, free, pairs, money)
    buy(task, np.r_[old, task.gold], free, pairs, money)
    rows, people = np.array(pairs).T
    return rows, people


def buy(task, rows, free, pairs, money):
    """One question a row while the money lasts; what is left of it."""
    for row in rows:
        able = np.flatnonzero(free[row] & (task.prices <= money))
        if len(able):
            person = int(task.rng.choice(able))
            free[row, person] = False
            pairs.append((row, person))
            money -= task.prices[person]
    return money
