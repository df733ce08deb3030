"""``votes``: a file of counts, where nobody knows whose the votes are."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.data import settings_class
from harness.data.base import Dataset
from harness.errors import ProtocolError


def load(here: Path, counts: str) -> Dataset:
    (here / "rows.csv").write_text("name,age,kind\nr1,1,a\nr2,2,b\nr3,3,a\nr4,4,b\n")
    (here / "votes.csv").write_text(counts)
    plain = {"name": "table", "path": "rows.csv", "id": "name", "label": "kind", "votes": "votes.csv"}
    return settings_class("table").model_validate(plain, context={"root": here}).load()


def test_counts_are_votes_without_annotators(tmp_path: Path, own_cache: Path) -> None:
    data = load(tmp_path, "item,b,a\nr3,1,4\nr1,0,2\n")
    assert data.extras["votes"].tolist() == [[2, 0], [0, 0], [4, 1], [0, 0]]
    assert not {"vote_label", "vote_annotator"} & set(data.extras)


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ("item,a,b\nr9,1,0\n", "rows that are not there"),
        ("item,a,b\nr1,1,0\nr1,1,0\n", "row 2 .line 3. of votes.csv counts the votes of an item a second time"),
        ("item,a,c\nr1,1,0\n", "'c' of votes.csv is no class"),
        ("item,a,b\nr1,1,half\n", "'half' in row 1 .line 2., no count"),
    ],
)
def test_what_is_no_count_is_said(tmp_path: Path, own_cache: Path, counts: str, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        load(tmp_path, counts)
