"""Adult: the counts and the class shares that its authors wrote beside the data, and two of the errors they measured."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np

from harness.data.adult import Adult
from tests.published.table import About, Row, path

ABOUT = About(
    "Adult, as adult.names has it",
    "Kohavi and Becker, 1996, adult.names (UCI repository)",
    "its head, read in the file: counts, class probabilities, and the errors of MLC++ on the test part",
    "Rows of the two files counted. Naive Bayes: scikit-learn's CategoricalNB on the columns, each continuous one in the leaves of a small entropy tree,"
    " trained and tested on the rows without unknowns",
    "equal as printed; the error of naive Bayes within one point, as the bins of MLC++ are its own",
    within=0.005,
    files=tuple(Adult.files()),
)
_CONTINUOUS = (0, 2, 4, 10, 11, 12)


def rows() -> list[Row]:
    train, test = (_rows(path(file)) for file in sorted(Adult.files(), key=lambda file: "test" in file.name))
    known = [[row for row in part if "?" not in row] for part in (train, test)]
    rich, rich_known = (
        100 * np.mean([row[-1].startswith(">") for part in parts for row in part]) for parts in ((train, test), known)
    )
    return [
        Row("instances, training part", 32561, len(train)),
        Row("instances, test part", 16281, len(test)),
        Row("without unknowns, training part", 30162, len(known[0])),
        Row("without unknowns, test part", 15060, len(known[1])),
        Row("percent above 50K", 23.93, float(rich)),
        Row("percent above 50K, without unknowns", 24.78, float(rich_known)),
        Row("error of naive Bayes, percent", 16.12, _naive_bayes(*known), within=1.0),
    ]


def _rows(file: Path) -> list[list[str]]:
    raw = file.read_bytes()
    text = (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode("ascii")
    return [row for row in csv.reader(text.splitlines(), skipinitialspace=True) if len(row) == 15]


def _naive_bayes(train: list[list[str]], test: list[list[str]]) -> float:
    """Percent of the test rows that scikit-learn's categorical naive Bayes gets wrong."""
    from sklearn.naive_bayes import CategoricalNB
    from sklearn.preprocessing import OrdinalEncoder

    cells = [np.array([row[:-1] for row in part], dtype=object) for part in (train, test)]
    rich = [np.array([row[-1].startswith(">") for row in part]) for part in (train, test)]
    levels = [column for column in range(14) if column not in _CONTINUOUS]
    encoder = OrdinalEncoder().fit(np.concatenate(cells)[:, levels])
    binned = [_bins(cells[0][:, c], rich[0], cells[1][:, c]) for c in _CONTINUOUS]
    X = [
        np.column_stack([encoder.transform(part[:, levels]).astype(int), *(pair[which] for pair in binned)])
        for which, part in enumerate(cells)
    ]
    model = CategoricalNB(min_categories=np.concatenate(X).max(axis=0) + 1).fit(X[0], rich[0])
    return float(100 * np.mean(model.predict(X[1]) != rich[1]))


def _bins(train: np.ndarray, rich: np.ndarray, test: np.ndarray) -> list[np.ndarray]:
    """The number of the bin of every training and every test cell of a column."""
    from sklearn.tree import DecisionTreeClassifier

    tree = DecisionTreeClassifier(criterion="entropy", max_leaf_nodes=16, min_samples_leaf=50, random_state=0)
    train, test = (cells.astype(float)[:, None] for cells in (train, test))
    leaves = tree.fit(train, rich).apply(train)
    numbers = np.unique(leaves)
    return [np.searchsorted(numbers, leaves), np.searchsorted(numbers, tree.apply(test))]
