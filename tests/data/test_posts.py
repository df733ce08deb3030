"""Tweets and comments: against the published files read by pandas, the figures stated of them, and that no text is printed."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.cli import main
from harness.data import load_dataset, settings_class
from harness.data.base import Dataset
from harness.data.own import hashing
from harness.data.own.text import Text
from harness.data.posts import EMOTIONS, _balanced, _one_of
from harness.errors import ProtocolError

Load = Callable[..., Dataset]


def csv_of(folder: Path, name: str, **how: Any) -> pd.DataFrame:
    """A published file as pandas reads it, packed by us or as published."""
    packed = folder / f"{name}.gz"
    table: pd.DataFrame = pd.read_csv(packed if packed.exists() else folder / name, **how)
    return table


def test_tweets_are_those_of_the_published_file(real: Load, data_dir: Path) -> None:
    data = real("hate_offensive")
    table = csv_of(data_dir / "hate_offensive", "labeled_data.csv")
    assert data.texts is not None
    assert len(table) == len(data.y) == 24_783
    same = list(data.texts) == table["tweet"].tolist()  # not asserted as it stands: pytest would print what differs
    assert same
    assert np.array_equal(data.extras["votes"], table[list(data.class_names)])
    assert np.array_equal(data.y, table["class"])
    assert np.array_equal(data.extras["votes"].sum(axis=1), table["count"])
    assert np.array_equal(data.extras["votes"].argmax(axis=1), data.y)  # the majority, never tied:
    assert ((data.extras["votes"] == data.extras["votes"].max(axis=1, keepdims=True)).sum(axis=1) == 1).all()
    assert np.bincount(data.y).tolist() == [1430, 19190, 4163]
    unanimous = data.extras["votes"].max(axis=1) == data.extras["votes"].sum(axis=1)
    assert unanimous.mean() == pytest.approx(0.705, abs=5e-4)
    assert np.array_equal(data.X[::2000], hashing.hashed(table["tweet"].tolist()[::2000], 1024))


def test_one_vote_is_one_of_the_rows_votes_as_often_as_it_was_cast(real: Load) -> None:
    data = real("hate_offensive")
    votes, one = data.extras["votes"].astype(np.int64), data.extras["one_vote"].astype(np.int64)
    assert (votes[np.arange(len(one)), one] > 0).all()
    for counts in ([1, 2, 0], [0, 1, 2], [0, 2, 1]):
        drawn = one[(votes == counts).all(axis=1)]
        expected, error = np.array(counts) / 3, np.sqrt(2 / 9 / len(drawn))
        assert len(drawn) > 500
        assert np.abs(np.bincount(drawn, minlength=3) / len(drawn) - expected).max() < 3.5 * error
    assert np.mean(one != data.y) == pytest.approx(0.0926, abs=1e-4)


def test_a_vote_nobody_cast_is_never_drawn_and_the_draw_is_pinned() -> None:
    votes = np.tile([[2, 0, 1], [0, 3, 0], [0, 1, 2]], (2000, 1))
    one = _one_of(votes).reshape(-1, 3)
    assert [sorted(set(column)) for column in one.T] == [[0, 2], [1], [1, 2]]
    assert np.mean(one[:, 0] == 0) == pytest.approx(2 / 3, abs=0.04)
    assert np.array_equal(one, _one_of(votes).reshape(-1, 3))


def test_balanced_rows_are_whole_rows_and_blind_to_votes(real: Load) -> None:
    some, whole = real("hate_offensive", balanced=True), real("hate_offensive")
    assert some.texts is not None
    assert whole.texts is not None
    assert np.bincount(some.y).tolist() == [1430] * 3
    rows = _balanced(whole.y)
    assert np.array_equal(some.X, whole.X[rows])
    assert np.array_equal(some.extras["votes"], whole.extras["votes"][rows])
    assert np.array_equal(some.extras["one_vote"], whole.extras["one_vote"][rows])
    same = list(some.texts[::500]) == list(whole.texts[rows[::500]])
    assert same
    assert set(np.flatnonzero(whole.y == 0)) <= set(rows)  # the rarest class is whole
    agreed = [v.max(axis=1) == v.sum(axis=1) for v in (some.extras["votes"], whole.extras["votes"])]
    for c in (1, 2):  # as many disputed rows among those drawn as among all
        one, all_ = agreed[0][some.y == c], agreed[1][whole.y == c]
        assert abs(one.mean() - all_.mean()) < 4 * np.sqrt(all_.var() / len(one))


def test_comments_are_those_with_one_of_the_twelve_most_frequent_emotions(real: Load, data_dir: Path) -> None:
    data = real("goemotions")
    folder = data_dir / "goemotions"
    parts = [
        csv_of(folder, f"{part}.tsv", sep="\t", header=None, quoting=3, keep_default_na=False)
        for part in ("train", "dev", "test")
    ]
    assert [len(part) for part in parts] == [43410, 5426, 5427]
    assert data.texts is not None
    table = pd.concat(parts, keys=range(3)).reset_index(level=0, names="part")
    table = table[~table[1].astype(str).str.contains(",")]
    assert len(table) / 54_263 == pytest.approx(0.84, abs=0.005)
    labels = table[1].astype(int)
    known = (folder / "labels.txt").read_text().split()
    often = labels[labels != known.index("neutral")].value_counts().index[:12]
    table = table[labels.isin(often)]
    assert {code: known[code] for code in sorted(often)} == EMOTIONS
    assert tuple(EMOTIONS.values()) == data.class_names
    assert [data.class_names[c] for c in data.y] == [known[int(code)] for code in table[1]]
    same = list(data.texts) == table[0].tolist()
    assert same
    assert np.array_equal(data.extras["part"], table["part"])
    assert np.bincount(data.extras["part"].astype(int)).tolist() == [17358, 2202, 2183]
    assert np.array_equal(data.X[::2000], hashing.hashed(table[0].tolist()[::2000], 1024))


@pytest.mark.parametrize("name", ["hate_offensive", "goemotions"])
def test_files_as_published_serve_and_others_are_refused_without_a_word_of_their_text(
    name: str, real: Load, data_dir: Path, tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = real(name, dimension=16)
    folder = tmp_path / name
    folder.mkdir()
    for file in settings_class(name).files():
        raw = (data_dir / file.folder / file.name).read_bytes()
        (folder / file.name.removesuffix(".gz")).write_bytes(gzip.decompress(raw))
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path))
    assert load_dataset(name, dimension=16).digest() == packed.digest()
    with next(folder.iterdir()).open("ab") as stream:
        stream.write(b"one more text\n")
    with pytest.raises(ProtocolError, match="is not the pinned file") as refused:
        load_dataset(name, dimension=16)
    assert "one more text" not in str(refused.value)


def test_a_text_that_offends_is_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [f"plain words {i},{'ab'[i % 2]}" for i in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,kind", *rows]) + "\n")
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("name: text\npath: rows.csv\nlabel: kind\ndimension: 16\n")
    (tmp_path / "challenge").mkdir()
    (tmp_path / "challenge" / "mine.yaml").write_text(
        "defaults:\n  - override /track: selection\n  - override /dataset: mine\n  - override /model: logistic\n"
        "title: Mine\nbaseline: random\ntrack: {pool: 20, budget: 4}\n"
    )
    words = ["view", "mine", "--config-dir", str(tmp_path)]
    assert main(words) == 0
    assert "plain words" in capsys.readouterr().out
    monkeypatch.setattr(Text, "offensive", True)
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "plain words" not in shown
    assert "task.texts: not printed" in shown


@pytest.mark.parametrize("name", ["debugging_text_hate", "selection_text_goemotions"])
def test_neither_view_nor_protocol_shows_a_text(name: str, real: Load, capsys: pytest.CaptureFixture[str]) -> None:
    data = real("hate_offensive", balanced=True) if "hate" in name else real("goemotions")
    assert data.texts is not None
    for words in (["view", name], ["show", name], ["show", name, "--json"]):
        assert main(words) == 0
        shown = capsys.readouterr().out
        assert "texts" in shown
        assert not any(text in shown for text in data.texts if len(text) > 15)
