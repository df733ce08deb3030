"""What every kind of file says, and one clear paragraph where it makes no sense."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import ProtocolError
from harness.pipeline.annotations import reading
from harness.pipeline.annotations.ballots import NOBODY, OTHER
from tests.pipeline.annotations.conftest import annotation, task

KEYS = (
    "id", "data", "annotations", "annotator", "label", "result", "value", "choices", "from_name", "completed_by", "email",
    "was_cancelled", "ground_truth", "updated_at", "item", "annotation_id",
)  # fmt: skip
Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def write(content: object, name: str = "votes.csv") -> Path:
        path = tmp_path / name
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refused(path: Path, **how: Any) -> str:
    with pytest.raises(ProtocolError) as said:
        reading.read(path, **how)
    assert "\n" not in str(said.value)
    return str(said.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "item,annotator,label\nb,w2,yes\na,w1,no\nb,w1,no\n"),
        ("a.csv", "item,worker,label,note\nb,w2,yes,x\nb,w1,no,y\na,w1,no,\n"),
        ("a.tsv", "label\titem\tannotator\nyes\tb\tw2\nno\ta\tw1\nno\tb\tw1\n"),
        ("a.jsonl", "\n".join(json.dumps(dict(zip(("item", "annotator", "label"), row, strict=True)))
                              for row in (("b", "w2", "yes"), ("a", "w1", "no"), ("b", "w1", "no")))),
    ],
)  # fmt: skip
def test_long_tables(put: Put, name: str, text: str) -> None:
    votes = reading.read(put(text, name)).ballots
    assert votes.items == ("a", "b")
    assert votes.classes == ("no", "yes")
    assert votes.counts.tolist() == [[1, 0], [1, 1]]
    assert votes.cast is not None
    assert votes.cast.annotators == ("w1", "w2")
    assert votes.cast.item.tolist() == [0, 1, 1]
    assert votes.cast.annotator.tolist() == [0, 0, 1]


def test_numbers_are_classes_in_their_order(put: Put) -> None:
    votes = reading.read(put("item,worker,label\n1,1,10\n1,2,9.0\n2,1,9\n")).ballots
    assert votes.classes == ("9", "10")
    coded = votes.coded({"1": "10.0", "2": "8", "3": "9"})
    assert coded.tolist() == [1, OTHER]
    assert votes.coded({"2": "9"}).tolist() == [NOBODY, 0]


def test_half_filled_rows_are_no_votes_and_said(put: Put) -> None:
    votes = reading.read(put("item,annotator,label\na,w1,x\na,w2,\nb,w1,y\nb,w2, \n")).ballots
    assert votes.counts.sum() == 2
    assert votes.notes == ("2 rows without a label are no votes.",)
    assert "item of row 1 (line 2)" in refused(put("item,annotator,label\n,w1,x\n"))
    assert "annotator of row 2 (line 3)" in refused(put("item,annotator,label\na,w1,x\na,,x\n"))
    assert "not a single vote" in refused(put("item,annotator,label\na,w1,\n"))


def test_doubled_votes_are_refused_unless_one_came_later(put: Put) -> None:
    said = refused(put("item,annotator,label\na,w1,x\na,w1,y\nb,w1,x\n"))
    assert "annotator 'w1' labels item 'a' more than once, as 'x' and 'y'" in said
    for text in ("item,annotator,label,round\na,w1,x,2\na,w1,y,10\na,w2,x,2\n",
                 "item,annotator,label,time\na,w1,y,2024-02-01\na,w1,x,2024-01-01\na,w2,x,2024-01-01\n"):  # fmt: skip
        votes = reading.read(put(text)).ballots
        assert votes.counts.tolist() == [[1, 1]]
        assert "1 votes were given again later" in votes.notes[0]
    assert "more than once" in refused(put("item,annotator,label,round\na,w1,x,2\na,w1,y,2\n"))


def test_rounds_keep_their_own_votes(put: Put) -> None:
    votes = reading.read(put("item,annotator,label,round\na,w1,x,2\na,w1,y,10\na,w2,x,2\nb,w2,y,10\n")).ballots
    assert list(votes.rounds) == ["2", "10"]
    assert votes.rounds["2"].counts.tolist() == [[2, 0], [0, 0]]
    assert votes.rounds["10"].counts.tolist() == [[0, 1], [0, 1]]
    lines = [f"i{k},w,x,2024-01-{k + 1:02}" for k in range(8)]
    quarters = reading.read(put("\n".join(["item,annotator,label,time", *lines]))).ballots.rounds
    assert [each.counts.sum() for each in quarters.values()] == [2, 2, 2, 2]
    assert "neither a date" in refused(put("item,annotator,label,time\na,w1,x,yesterday\n"))


def test_counts(put: Put) -> None:
    votes = reading.read(put("item,cat,dog\nb,2,0\na,0,1\n")).ballots
    assert votes.cast is None
    assert votes.items == ("b", "a")
    assert votes.counts.tolist() == [[2, 0], [0, 1]]
    chosen = put("count,hate,offensive,tweet\n3,1,2,hello\n3,0,3,you\n")
    assert reading.read(chosen, counts=["hate", "offensive"]).ballots.counts.tolist() == [[1, 2], [0, 3]]
    assert "--counts A,B,C" in refused(chosen)
    assert "no column 'love'" in refused(chosen, counts=["hate", "love"])
    assert "'a' has two lines" in refused(put("item,cat,dog\na,2,0\na,0,1\n"))
    assert "every count is 0" in refused(put("item,cat,dog\na,0,0\n"))
    assert "holds '-1'" in refused(put("item,cat,dog\na,-1,0\n"))
    assert "none that says whose" in refused(put("item,label\na,x\n"))


def test_addresses_never_come_through(put: Put) -> None:
    votes = reading.read(put("item,annotator,label\na,jo@example.org,x\na,w2,x\n")).ballots
    assert votes.cast is not None
    assert sorted(votes.cast.annotators)[1] == "w2"
    assert not any("@" in name for name in votes.cast.annotators)
    assert reading.pseudonym("one", "7") == reading.pseudonym("one", "7") != reading.pseudonym("two", "7")


def test_files_that_are_none(put: Put, tmp_path: Path) -> None:
    assert "There is no file" in refused(tmp_path / "absent.csv")
    assert "of no kind" in refused(put("x", "votes.xlsx"))
    assert "is not JSON" in refused(put("{", "a.json"))
    assert "no list of tasks" in refused(put([1], "a.json"))
    assert "no export of Label Studio" in refused(put([{"data": {"text": "x"}}], "a.json"))
    many = "\n".join(f"i{k},w,{k}.5x" for k in range(20000))
    assert "20,000 different labels" in refused(put(f"item,annotator,label\n{many}\n"))


def test_truth(put: Put) -> None:
    assert reading.read_truth(put("item,truth\na,x\nb,\n")) == {"a": "x"}
    assert reading.read_truth(put("item,gold\na,x\n")) == {"a": "x"}
    with pytest.raises(ProtocolError, match="says 'y' of item 'a'"):
        reading.read_truth(put("item,truth\na,x\na,y\n"))
    with pytest.raises(ProtocolError, match="no column 'truth'"):
        reading.read_truth(put("item,label_of\na,x\n"))


def project() -> list[dict[str, Any]]:
    """Two people, one of them an object with an address, a skipped, an empty, a doubled and a gold annotation."""
    jo = {"id": 2, "email": "jo@example.org", "first_name": "Jo", "last_name": "Doe"}
    return [
        task(11, [annotation(1, "schön"), annotation(jo, "可")]),
        task(12, [annotation(1, "schön", was_cancelled=True), annotation(2, "schön"), annotation(1)]),
        task(13, [annotation(1, "可", at="2024-05-02T10:00:00.000000Z"), annotation(1, "schön")]),
        task(14, [annotation(9, "可", ground_truth=True), annotation(jo, "schön")]),
        task(15, []),
    ]


def test_label_studio(put: Put) -> None:
    read = reading.read(put(project(), "project.json"))
    votes = read.ballots
    assert votes.items == ("11", "12", "13", "14")
    assert votes.classes == ("schön", "可")
    assert votes.counts.tolist() == [[1, 1], [1, 0], [0, 1], [1, 0]]
    assert votes.gold.tolist() == [NOBODY, NOBODY, NOBODY, 1]
    assert votes.cast is not None
    assert votes.cast.annotators == ("1", "2")
    assert set(votes.notes) == {
        "1 annotations that were skipped (was_cancelled) are left out.",
        "1 annotations without a choice are left out.",
        "1 votes were given again later by the same annotator: the last one counts.",
    }
    assert list(read.tasks) == ["11", "12", "13", "14", "15"]
    assert read.tasks["11"] == {"text": "document 11"}
    hidden = reading.read(put(project(), "project.json"), salt="reviews").ballots
    assert hidden.cast is not None
    assert sorted(hidden.cast.annotators) == sorted(reading.pseudonym("reviews", who) for who in "12")


def test_label_studio_json_min(put: Put) -> None:
    def record(number: int, who: object, **choice: Any) -> dict[str, Any]:
        return {"text": f"document {number}", "source": "a", "id": number, **choice, "annotator": who, "annotation_id": 5,
                "created_at": "2024-05-01T10:00:00Z", "updated_at": "2024-05-01T10:00:00Z", "lead_time": 3.1}  # fmt: skip

    records = [record(1, 1, label="可"), record(1, "jo@example.org", label={"choices": ["不可"]}), record(2, 1)]
    read = reading.read(put(records, "min.json"))
    assert read.ballots.counts.sum() == 2
    assert read.ballots.classes == ("不可", "可")
    assert read.tasks["1"] == {"text": "document 1", "source": "a"}
    assert read.ballots.notes == ("1 annotations without a choice are left out.",)
    two = [record(1, 1, mood="a", tone="b")]
    assert "--control" in refused(put(two, "min.json"))
    assert reading.read(put(two, "min.json"), control="tone").ballots.classes == ("b",)
    first = [{"id": k, **{key: value for key, value in record(k, 1, label="a").items() if key != "id"}} for k in (1, 2)]
    assert reading.read(put(first, "min.json")).tasks["2"] == {"text": "document 2", "source": "a"}


@pytest.mark.parametrize(
    ("annotations", "why"),
    [
        ([annotation(1, "a", "b")], "2 choices"),
        ([annotation(None, "a")], "whose it is"),
        ([annotation(1, "a"), annotation(1, "b")], "more than once"),
        ([annotation(1, "a", ground_truth=True), annotation(2, "b", ground_truth=True)], "ground truth"),
        (["x"], "no list of objects"),
        ([annotation(1, "a", result="x")], "no list"),
        ([annotation(1)], "not a single vote"),
    ],
)
def test_annotations_that_make_no_sense(put: Put, annotations: list[Any], why: str) -> None:
    assert why in refused(put([task(1, annotations)], "bad.json"))


def test_items_are_named_by_a_field_of_the_data(put: Put) -> None:
    tasks = [task(k, [annotation(1, "ab"[k % 2])], item=f"row {k}", text="t", code=7) for k in range(4)]
    assert reading.read(put(tasks, "p.json")).ballots.items[0] == "row 0"
    assert "have different data" in refused(put(tasks, "p.json"), item=["code"])
    two = annotation(1, "a")
    two["result"].append({**two["result"][0], "from_name": "tone"})
    assert "several controls: 'label', 'tone'" in refused(put([task(1, [two])], "p.json"))
    assert reading.read(put([task(1, [two])], "p.json"), control="tone").ballots.counts.sum() == 1


def test_labels_that_are_no_answer_can_be_left_out(put: Put) -> None:
    path = put("item,annotator,label\na,w1,x\na,w2,unsure\nb,w1,y\n")
    votes = reading.read(path, drop={"unsure"}).ballots
    assert votes.classes == ("x", "y")
    assert votes.notes == ("1 votes for unsure are left out.",)
    assert np.array_equal(votes.voted, [1, 1])
    assert reading.read(put("item,x,unsure,y\na,1,4,1\n"), drop={"unsure"}).ballots.counts.tolist() == [[1, 1]]


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(["", "x", "a@b.c", "2024-05-01"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), ODD, max_size=8), min_size=1, max_size=3))
@settings(deadline=None, max_examples=300)
def test_whatever_json_says_it_is_votes_or_a_paragraph(tmp_path_factory: pytest.TempPathFactory, plain: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "odd.json"
    path.write_text(json.dumps(plain))
    with suppress(ProtocolError):
        assert reading.read(path).ballots.counts.sum() > 0


@given(st.text(alphabet='ab12,.-"\n\t @:', max_size=60), st.sampled_from(["round", "time", "note"]))
@settings(deadline=None, max_examples=300)
def test_whatever_a_table_says_it_is_votes_or_a_paragraph(
    tmp_path_factory: pytest.TempPathFactory, body: str, beside: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "odd.csv"
    for head in (f"item,annotator,label,{beside}", "item,a,b"):
        path.write_text(f"{head}\n{body}")
        with suppress(ProtocolError):
            assert reading.read(path).ballots.counts.sum() > 0
