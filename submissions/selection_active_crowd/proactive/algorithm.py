"""Proactive learning: of imperfect annotators with prices, ask the one who is worth most for his price.

Donmez and Carbonell, Proactive learning: cost-sensitive active learning with multiple imperfect oracles, CIKM 2008. How
often each is right is estimated on gold rows and, as in Raykar et al., Learning from crowds, JMLR 2010, against the model
itself, which has not seen the row. An answer is worth its information about the class; annotators little known get the
benefit of the doubt. The rows are those of smallest margin.
"""

import numpy as np

FOLDS = 5
AT_ONCE = 3  # annotators a round


def ask(task):
    n = len(task.X)
    if not len(task.asked):
        return introduce(task)
    right, number = reliability(task)
    hopeful = np.clip(right + 0.5 / np.sqrt(number + 1), 0.01, 0.99)
    best = np.argsort(-information(hopeful, task.n_classes) / task.prices, kind="stable")[:AT_ONCE]
    fresh = np.setdiff1d(np.arange(n), task.labelled)
    top = np.sort(task.model.fit(task.X[task.labelled], task.y_labelled).predict_proba(task.X[fresh]), axis=1)
    rows = iter(fresh[np.argsort(top[:, -1] - top[:, -2], kind="stable")])
    pairs, money = [], task.money
    while money >= task.prices[best].min():
        for person in best:
            row = next(rows, None)
            if row is None:
                return finish(task, pairs)
            if task.prices[person] <= money:
                pairs.append((row, person))
                money -= task.prices[person]
    return finish(task, pairs)


def introduce(task):
    """Everybody is asked about the same gold rows, then about rows of the pool, while the money lasts."""
    rows = [
        *task.rng.permutation(task.gold)[:1],
        *task.rng.permutation(np.setdiff1d(np.arange(len(task.X)), task.gold)),
    ]
    pairs, money = [], task.money
    for row in rows:
        for person in np.argsort(task.prices, kind="stable"):
            if task.prices[person] > money:
                return finish(task, pairs)
            pairs.append((row, person))
            money -= task.prices[person]
    return finish(task, pairs)


def reliability(task):
    """How often each annotator is right [a], and the answers that it is known from [a]."""
    a, m = len(task.prices), len(task.labelled)
    fold = task.rng.permutation(m) % FOLDS
    parts = [np.flatnonzero(fold != f) for f in range(FOLDS)]
    fitted = task.model.fit_many(task.X[task.labelled], task.y_labelled, subsets=parts)
    predicted = np.full(len(task.X), -1)
    predicted[task.labelled] = fitted.predict(task.X[task.labelled])[fold, np.arange(m)]
    skill = max(np.mean(predicted[task.gold] == task.y_gold), 0.3)  # of the model that annotators are held against
    predicted[task.gold] = task.y_gold
    agrees = predicted[task.asked] == task.votes
    worth = np.where(np.isin(task.asked, task.gold), 1.0, 1 / skill)
    number = np.bincount(task.asked_of, minlength=a)
    right = (np.bincount(task.asked_of, agrees * worth, minlength=a) + 1) / (number + 2)
    return np.clip(right, 0.05, 0.95), number


def information(right, n_classes):
    """Nats that an answer tells of a class, all classes and all errors equally likely: [a]."""
    return np.log(n_classes) + right * np.log(right) + (1 - right) * np.log((1 - right) / (n_classes - 1))


def finish(task, pairs):
    """As two arrays; one question to the cheapest annotator who has not had it, where there would be none."""
    if not pairs:
        taken = {*zip(task.asked.tolist(), task.asked_of.tolist(), strict=True)}
        low = np.flatnonzero(task.prices == task.prices.min())
        pairs = [next((i, j) for i in range(len(task.X)) for j in low if (i, j) not in taken)]
    rows, people = np.array(pairs).T
    return rows, people
