"""The loaders of crowds' votes on the real files, against pandas and figures published elsewhere."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.data.base import Dataset
from harness.data.own import hashing

Load = Callable[..., Dataset]


def plain(path: Path) -> str:
    """The text of a file, packed by us or as published."""
    packed = path.with_name(path.name + ".gz")
    return gzip.decompress(packed.read_bytes()).decode() if packed.exists() else path.read_text()


def against_table(data: Dataset, table: np.ndarray) -> None:
    """Votes and counts against the published table, a row an item and a column a worker."""
    label, person = data.extras["vote_label"], data.extras["vote_annotator"]
    again = np.full(table.shape, -1)
    for row in range(len(table)):
        for said, who in zip(label[row], person[row], strict=True):
            assert (said < 0) == (who < 0)
            if said >= 0:
                again[row, who] = said
    assert np.array_equal(again, table)
    counts = np.stack([(table == c).sum(axis=1) for c in range(data.n_classes)], axis=1)
    assert np.array_equal(data.extras["votes"][: len(table)], counts)
    assert not data.extras["votes"][len(table) :].any()


def test_labelme(real: Load, data_dir: Path) -> None:
    data = real("labelme_crowd")
    folder = data_dir / "labelme_crowd"
    assert data.X.shape == (2688, 512)
    assert np.bincount(data.extras["part"].astype(int)).tolist() == [1000, 500, 1188]
    table = pd.read_csv(folder / "answers.txt.gz", sep=" ", header=None).to_numpy()
    assert (table >= 0).sum() == 2547
    against_table(data, table)
    right = table == data.y[:1000, None]
    assert right[table >= 0].mean() == pytest.approx(0.7405, abs=1e-4)
    raw = np.load(folder / "LabelMe_VGG_avg_train.npy").astype(np.float64)
    test = np.load(folder / "LabelMe_VGG_avg_test.npy").astype(np.float64)
    scale = np.where(raw.std(axis=0) > 0, raw.std(axis=0), 1)
    assert data.X[:1000] == pytest.approx((raw - raw.mean(axis=0)) / scale, abs=1e-4)
    assert data.X[1500:] == pytest.approx((test - raw.mean(axis=0)) / scale, abs=1e-4)
    # The repository's file of class names begins so, photograph by photograph.
    named = ["street", "inside city", "tall building", "forest", "coast", "tall building", "highway", "forest"]
    assert [data.class_names[c] for c in data.y[:8]] == named
    assert [data.class_names[c] for c in data.y[[16, 18]]] == ["mountain", "open country"]


def test_sentiment(real: Load, data_dir: Path) -> None:
    data = real("sentiment_crowd")
    folder = data_dir / "sentiment_crowd"
    assert data.texts is not None
    assert (len(data.y), len(data.texts)) == (4999, 4999)
    lines = plain(folder / "Sentiment_text_train.txt").split("\n")
    assert list(data.texts[:50]) == lines[:50]
    assert data.texts[4998] == lines[4998]
    table = np.array([[int(v) for v in line.split()] for line in plain(folder / "answers.txt").splitlines()])
    assert (table.shape, int((table >= 0).sum())) == ((4999, 203), 27746)
    against_table(data, table)
    assert np.array_equal(data.X[:20], hashing.hashed(lines[:20], 1024))
    both = real("sentiment_crowd", phrases=True)
    assert np.bincount(both.extras["part"].astype(int)).tolist() == [4999, 0, 3999]
    assert np.array_equal(both.X[:4999], data.X)
    assert both.texts is not None
    assert list(both.texts[4999:]) == plain(folder / "Sentiment_text_test.txt").split("\n")


@pytest.mark.parametrize(
    ("of", "items", "workers", "votes", "classes", "known"),
    [
        ("bluebird", 108, 39, 4212, 2, 108),
        ("dog", 807, 109, 8070, 4, 807),
        ("product", 8315, 176, 24945, 2, 8315),
        ("rte", 800, 164, 8000, 2, 800),
        ("trec", 19033, 762, 88385, 2, 2275),
        ("web", 2665, 177, 15567, 5, 2653),
    ],
)
def test_truth_inference_sets(
    of: str, items: int, workers: int, votes: int, classes: int, known: int, real: Load, data_dir: Path
) -> None:
    data = real("crowd_labels", of=of)
    cast = pd.read_csv(data_dir / "crowd_labels" / of / "label.csv")
    truth = pd.read_csv(data_dir / "crowd_labels" / of / "truth.csv").set_index("item")["truth"]
    assert (len(data.y), data.n_classes, int(data.extras["known"].sum())) == (items, classes, known)
    assert (len(cast), cast["worker"].nunique(), int(data.extras["vote_annotator"].max()) + 1) == (
        votes,
        workers,
        workers,
    )
    names = np.sort(cast["item"].unique())
    for row in np.random.default_rng(0).permutation(items)[:200]:
        theirs = sorted(cast.loc[cast["item"] == names[row], "label"])
        ours = data.extras["vote_label"][row]
        assert sorted(ours[ours >= 0]) == theirs
        assert bool(data.extras["known"][row]) == (names[row] in truth.index)
        if names[row] in truth.index:
            assert data.y[row] == truth[names[row]]
    assert not data.X.any()
