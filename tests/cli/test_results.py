"""`harness results`: every cell of every run as a row."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest

from harness import evaluate
from harness.cli import main
from harness.tracking.runs import RunsDir


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("results") / "runs"
    evaluate("debugging_wine", "random", runs_dir=place)
    return place


def test_rows_are_those_of_the_records(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "--runs-dir", str(runs), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    records = [RunsDir(runs).load_record(run_id) for run_id in RunsDir(runs).run_ids()]
    cells = [(record.run_id, cell.seed, cell.score, cell.output_digest) for record in records for cell in record.cells]
    assert [(row["run_id"], row["seed"], row["score"], row["output_digest"]) for row in rows] == cells
    assert {row["status"] for row in rows} <= {"ok", "skipped"}

    assert main(["results", "debugging_wine", "--runs-dir", str(runs)]) == 0
    table = list(csv.DictReader(StringIO(capsys.readouterr().out)))
    assert [(row["run_id"], int(row["seed"])) for row in table] == [cell[:2] for cell in cells]


@pytest.mark.parametrize("words", [["--runs-dir", "/nowhere"], ["no_such_challenge"]])
def test_nothing_there_is_said(runs: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    line = ["results", *words] if "--runs-dir" in words else ["results", *words, "--runs-dir", str(runs)]
    assert main(line) == 2
    assert "There are no recorded runs" in capsys.readouterr().err
