"""``harness annotations report``: the facts for scripts, the tables for people, the plot."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cli import main
from harness.pipeline.annotations.report import report
from tests.pipeline.annotations.conftest import Crowd, annotation, task

VOTES = """item,annotator,label,round
a,ann,x,1
a,ben,x,1
a,cem,y,2
b,ann,y,1
b,ben,x,1
b,cem,y,2
c,ann,x,1
c,ben,x,1
c,cem,x,2
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "votes.csv").write_text(VOTES)
    (tmp_path / "truth.csv").write_text("item,truth\na,x\nb,y\nz,x\n")
    return tmp_path


def facts(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["annotations", "report", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_the_facts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = facts(capsys, "votes.csv", "--truth", "truth.csv")
    assert (found["items"], found["annotators"], found["labels"]) == (3, 3, 9)
    assert found["alpha_ci95"][0] <= found["alpha"] <= found["alpha_ci95"][1]
    assert found["fleiss"] == pytest.approx(0, abs=1e-12)  # (5/9 - 5/9) / (1 - 5/9)
    assert found["majority_accuracy"] == 1
    assert found["dawid_skene_accuracy"] is not None
    assert {(pair["a"], pair["b"]): pair["kappa"] for pair in found["pairs"]} == {
        ("ann", "ben"): pytest.approx(0), ("ann", "cem"): pytest.approx(0.4), ("ben", "cem"): pytest.approx(0),
    }  # fmt: skip
    assert found["cohen_mean"] == pytest.approx(0.4 / 3)
    by_name = {one["annotator"]: one for one in found["per_annotator"]}
    assert by_name["cem"] == {
        "annotator": "cem", "votes": 3, "compared": 3, "agreement": pytest.approx(0.5), "gold": 2, "accuracy": 0.5,
        "labels_used": 2,
    }  # fmt: skip
    assert [one["label"] for one in found["per_class"]] == ["x", "y"]
    assert [(one["round"], one["labels"]) for one in found["per_round"]] == [("1", 6), ("2", 3)]
    assert found["per_round"][1]["alpha"] is None
    assert "no item has two votes" in found["undefined"]["per_round"]
    assert "1 items of the truth have no vote and are passed over." in found["notes"]
    assert "majority_accuracy" not in facts(capsys, "votes.csv")


def test_pairs_that_say_one_label_alone_are_undefined(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "one.csv").write_text("item,worker,label\na,1,x\na,2,x\nb,1,x\nb,2,x\n")
    found = facts(capsys, "one.csv")
    assert found["alpha"] is found["alpha_ci95"] is found["fleiss"] is found["cohen_mean"] is None
    assert found["pairs"] == [{"a": "1", "b": "2", "shared": 2, "kappa": None}]
    assert "0/0" in found["undefined"]["cohen_mean"]
    assert main(["annotations", "report", "one.csv"]) == 0
    said = capsys.readouterr().out
    assert "undefined" in said
    assert "nan" not in said.lower().replace("annotator", "")


def test_unequal_numbers_of_votes_leave_fleiss_undefined(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "short.csv").write_text(VOTES.rsplit("\n", 2)[0] + "\n")
    found = facts(capsys, "short.csv")
    assert found["fleiss"] is None
    assert "2 to 3 votes" in found["undefined"]["fleiss"]


def test_names_out_of_a_file_command_no_terminal(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "odd.csv").write_text("item,annotator,label\na,\x1b[2Jann,x\na,[bold]<b>,y\nb,\x1b[2Jann,x\n")
    assert main(["annotations", "report", "odd.csv", "--plot", "odd.svg"]) == 0
    said = capsys.readouterr().out
    assert "\x1b[2J" not in said
    assert "[bold]<b>" in said
    ET.parse(here / "odd.svg")


def test_gold_judges_people_and_truth_the_consensus(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "gold.csv").write_text("item,truth\nc,y\n")
    found = facts(capsys, "votes.csv", "--truth", "truth.csv", "--gold", "gold.csv")
    assert [(one["gold"], one["accuracy"]) for one in found["per_annotator"]] == [(1, 0)] * 3
    assert found["majority_accuracy"] == 1


def test_counts_know_no_annotators(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "counts.csv").write_text("item,cat,dog\na,3,0\nb,1,2\nc,0,3\n")
    (here / "classes.csv").write_text("item,truth\na,cat\nb,cat\nc,dog\n")
    found = facts(capsys, "counts.csv", "--truth", "classes.csv", "--plot", "counts.svg")
    assert found["annotators"] is found["cohen_mean"] is found["dawid_skene_accuracy"] is None
    assert (found["labels"], found["majority_accuracy"]) == (9, pytest.approx(2 / 3))
    assert found["fleiss"] is not None
    assert "cat" in (here / "counts.svg").read_text()


def test_people_read_tables_and_a_plot(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["annotations", "report", "votes.csv", "--truth", "truth.csv", "--plot", "plot.svg"]) == 0
    said = capsys.readouterr().out
    for word in ("Krippendorff's alpha", "Fleiss' kappa", "Cohen's kappa", "annotators", "rounds", "classes", "cem"):
        assert word in said
    assert ET.parse(here / "plot.svg").getroot().tag.endswith("svg")
    assert "ben" in (here / "plot.svg").read_text()


def test_label_studio_and_its_gold(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = [task(k, [annotation(1, "ja"), annotation(2, "nein" if k else "ja"),
                      annotation(3, "ja", ground_truth=True)]) for k in range(3)]  # fmt: skip
    (here / "project.json").write_text(json.dumps(tasks))
    tasks.append(task(9, [annotation(3, "ja", ground_truth=True)]))  # gold without a vote is no item of the votes
    (here / "project.json").write_text(json.dumps(tasks))
    found = facts(capsys, "project.json")
    assert found["items"] == 3
    assert found["fleiss"] is not None
    assert [(one["annotator"], one["accuracy"]) for one in found["per_annotator"]] == [
        ("1", 1),
        ("2", pytest.approx(1 / 3)),
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["absent.csv"], "There is no file absent.csv"),
        (["votes.csv", "--truth", "absent.csv"], "There is no file absent.csv"),
        (["truth.csv"], "neither a column of annotators nor two of counts"),
    ],
)
def test_a_mistake_is_one_paragraph(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str) -> None:
    assert main(["annotations", "report", *words]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1


def test_many_annotators_list_the_pairs_that_share_most() -> None:
    from harness.pipeline.annotations.ballots import ballots

    rng = np.random.default_rng(0)
    people = [rng.permutation(60)[:8] for _ in range(400)]
    flat = [(f"i{i}", f"w{k}") for i, chosen in enumerate(people) for k in chosen]
    votes = ballots([i for i, _ in flat], [f"c{c}" for c in rng.integers(0, 3, len(flat))], [k for _, k in flat])
    found = report(votes)
    assert found["pairs_total"] == len({pair for chosen in people for pair in combinations(sorted(chosen), 2)})
    assert len(found["pairs"]) == 1000
    assert found["pairs"][0]["shared"] >= found["pairs"][-1]["shared"]


def test_a_published_crowd(crowd: Crowd) -> None:
    found = report(*crowd("bluebird"))
    assert (found["items"], found["annotators"], found["labels"]) == (108, 39, 4212)
    assert found["alpha"] == pytest.approx(0.1255, abs=5e-5)
    assert found["majority_accuracy"] == pytest.approx(1 - 0.2407, abs=5e-5)
    assert found["dawid_skene_accuracy"] == pytest.approx(0.898, abs=5e-4)
    assert found["pairs_total"] == 39 * 38 // 2
