"""SliceLine: Sagadeeva and Boehm, SliceLine: fast, linear-algebra-based slice finding for ML model debugging, SIGMOD 2021.

Slices are conjunctions of feature values. Features are binned (0/1 columns stay as they are, of others the quartiles),
and conjunctions grow one condition at a time. A slice of n_S rows with mean error e_S scores

    ALPHA (e_S / e - 1) - (1 - ALPHA) (n / n_S - 1);

only slices of enough rows, whose upper bound beats the best found so far, grow on. To bound memory, at most ``BEAM``
slices a level do. Of overlapping slices the best one is kept, so that the proposals differ.
"""

import numpy as np

ALPHA = 0.95
LEAST, LEAST_SHARE = 20, 0.1  # rows of a slice; of few validation rows this share of them is enough
LEVELS = 3
BEAM = 200
FEATURES = 150  # columns with the largest variance
OVERLAP = 0.5  # largest Jaccard index of two proposals


def find_slices(task):
    X, X_test = (a.reshape(len(a), -1) for a in (task.X_val, task.X_test))
    error = (task.proba_val.argmax(axis=1) != task.y_val).astype(np.float64)
    if not error.any():
        return np.zeros((len(X_test), 1))
    least = max(1, min(LEAST, int(LEAST_SHARE * len(X))))
    columns = np.argsort(-X.var(axis=0), kind="stable")[:FEATURES]
    basic, basic_test, feature = conditions(X[:, columns], X_test[:, columns], least)
    predicted = np.arange(task.n_classes)
    basic = np.column_stack([basic, task.proba_val.argmax(axis=1)[:, None] == predicted])
    basic_test = np.column_stack([basic_test, task.proba_test.argmax(axis=1)[:, None] == predicted])
    feature = np.append(feature, np.full(task.n_classes, -1))  # the predicted class is a feature too
    kept, rated = [], []
    level = [((j,), basic[:, j]) for j in range(basic.shape[1])]
    for _ in range(LEVELS):
        sizes, scores, bounds = rate(np.stack([rows for _, rows in level]), error, least)
        rated += [(score, names, rows) for score, (names, rows) in zip(scores, level, strict=True)]
        rated = sorted((r for r in rated if r[0] > -np.inf), key=lambda r: -r[0])[: 50 * task.max_slices]
        bar = rated[min(len(rated), task.max_slices) - 1][0] if rated else -np.inf
        alive = np.flatnonzero((sizes >= least) & (bounds > bar))
        alive = alive[np.argsort(-bounds[alive], kind="stable")][:BEAM]
        level = grow([level[i] for i in alive], basic, feature, least)
        if not level:
            break
    for _, names, rows in rated:
        if all((rows & other).sum() <= OVERLAP * (rows | other).sum() for _, other in kept):
            kept.append((names, rows))
        if len(kept) == task.max_slices:
            break
    if not kept:  # no condition divides the rows
        return np.zeros((len(X_test), 1))
    inside = np.stack([basic_test[:, list(names)].all(axis=1) for names, _ in kept], axis=1)
    mean = np.array([error[rows].mean() for _, rows in kept])
    doubt = 1 - task.proba_test.max(axis=1, keepdims=True)  # in a slice, the rows the model doubts come first
    return np.where(inside, mean + 0.1 * doubt, 0.0)


def conditions(X, X_test, least):
    """Conditions on single features, true or false of each row: [n, c], [n_test, c], and the feature of each [c]."""
    inside, inside_test, feature = [np.zeros((len(X), 0), bool)], [np.zeros((len(X_test), 0), bool)], []
    for j in range(X.shape[1]):
        if len(np.unique(X[:, j])) == 2:
            high = X[:, j].max()
            pairs = [(X[:, j] == high, X_test[:, j] == high)]
        else:
            edges = np.unique(np.quantile(X[:, j], (0.25, 0.5, 0.75)))
            bins, bins_test = np.digitize(X[:, j], edges), np.digitize(X_test[:, j], edges)
            pairs = [(bins == b, bins_test == b) for b in range(len(edges) + 1)]
        for rows, rows_test in pairs:
            if least <= rows.sum() < len(rows):
                inside.append(rows[:, None])
                inside_test.append(rows_test[:, None])
                feature.append(j)
    return np.hstack(inside), np.hstack(inside_test), np.array(feature, np.int64)


def rate(rows, error, least=LEAST):
    """Sizes, scores and upper bounds of what their parts may score, for slices given as rows [s, n]."""
    n, mean = len(error), error.mean()
    size, wrong = rows.sum(axis=1), rows @ error
    ratio = wrong / np.maximum(size, 1) / mean
    scores = np.where(size >= least, ALPHA * (ratio - 1) - (1 - ALPHA) * (n / np.maximum(size, 1) - 1), -np.inf)
    fewest = np.maximum(wrong, least)  # the best part imaginable holds all the errors and as little else as allowed
    bounds = ALPHA * (wrong / fewest / mean - 1) - (1 - ALPHA) * (n / fewest - 1)
    return size, scores, bounds


def grow(level, basic, feature, least):
    """Every slice of the level with one more condition on another feature; each conjunction once."""
    grown = {}
    for names, rows in level:
        used = set(feature[list(names)])
        for j in np.flatnonzero((rows @ basic.astype(np.float32)) >= least):
            longer = tuple(sorted((*names, int(j))))
            if feature[j] not in used and longer not in grown:
                grown[longer] = rows & basic[:, j]
    return list(grown.items())
