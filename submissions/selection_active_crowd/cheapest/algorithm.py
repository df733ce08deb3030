"""As many random rows as the money buys from the cheapest annotators, one answer a row; second ones when rows run out.

Sheng, Provost and Ipeirotis (KDD 2008) call it single labelling: where labels are cheap, many noisy ones may do.
"""

import numpy as np


def ask(task):
    low = np.flatnonzero(task.prices == task.prices.min())
    free = np.ones((len(task.X), len(task.prices)), bool)
    free[task.asked, task.asked_of] = False
    rows, people = [], []
    for turn in range(len(low) + 1):  # every row is offered to the cheapest in turn, gold rows last
        order = np.r_[task.rng.permutation(np.setdiff1d(np.arange(len(task.X)), task.gold)), task.gold]
        for i, row in enumerate(order):
            person = low[(i + turn) % len(low)]
            fresh = turn or row not in task.labelled
            if fresh and free[row, person] and len(rows) < task.money // task.prices.min():
                free[row, person] = False
                rows.append(row)
                people.append(person)
    return np.array(rows), np.array(people)
