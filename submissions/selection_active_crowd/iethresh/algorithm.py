"""IEThresh: Donmez, Carbonell and Schneider, Efficiently learning the accuracy of labeling sources for selective sampling,
KDD 2009.

An annotator's reward is 1 where he agrees with the consensus; the upper end of its confidence interval says whom to ask:
all whose end is at least 0.9 of the highest. Each of the rows of smallest margin is asked of all of them. Rows asked of a
single annotator say nothing about him and are left out.
"""

import numpy as np

SHARE = 0.9  # of the highest upper end; epsilon in the paper


def ask(task):
    upper = interval(task)
    chosen = np.flatnonzero(upper >= SHARE * upper.max())
    chosen = chosen[np.argsort(task.prices[chosen], kind="stable")]
    fresh = np.setdiff1d(np.arange(len(task.X)), task.labelled)
    top = np.sort(task.model.fit(task.X[task.labelled], task.y_labelled).predict_proba(task.X[fresh]), axis=1)
    pairs, money = [], task.money
    for row in fresh[np.argsort(top[:, -1] - top[:, -2], kind="stable")]:
        for person in chosen:
            if task.prices[person] <= money:
                pairs.append((row, person))
                money -= task.prices[person]
    if not pairs:  # nobody is affordable, or no row is new: one question to the cheapest who has not had it
        taken = {*zip(task.asked.tolist(), task.asked_of.tolist(), strict=True)}
        low = np.flatnonzero(task.prices == task.prices.min())
        pairs = [next((i, j) for i in range(len(task.X)) for j in low if (i, j) not in taken)]
    rows, people = np.array(pairs).T
    return rows, people


def interval(task):
    """Upper end of the reward's interval: [a]; 1 of two answers is what everybody starts from."""
    a, n = len(task.prices), len(task.X)
    label = np.zeros(n, np.int64)
    label[task.labelled] = task.y_labelled
    shared = np.bincount(task.asked, minlength=n) > 1
    shared[task.gold] = True
    counts = shared[task.asked]
    of, agrees = task.asked_of[counts], (task.votes == label[task.asked])[counts]
    number = np.bincount(of, minlength=a) + 2
    mean = (np.bincount(of, agrees, minlength=a) + 1) / number
    return mean + 2 * np.sqrt(mean * (1 - mean) / number)  # the paper has Student's t, about 2 from ten answers on
