"""Parameters of a submission on their way: from manifest and command line into the cell, the record, the board, and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import evaluate, load_challenge
from harness.cli import main
from harness.errors import Status
from harness.evaluation.check import check
from harness.leaderboard import recheck
from harness.leaderboard.board import build
from harness.leaderboard.published import write_board
from harness.leaderboard.render import as_csv, html, markdown
from harness.protocol import submission
from harness.tracking import description
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir
from harness.verification.reproduce import reproduce

Write = Callable[..., Path]
SOURCE = """
def rank(task, *, first=0, kind="x", more=()):
    print("given", [first, kind, list(more)])
    return [first, *more]
"""
PARAMS = {"first": 3, "kind": "1e-3", "more": [5, 7]}


@pytest.fixture(scope="module")
def conf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A challenge of two seeds."""
    folder = tmp_path_factory.mktemp("params") / "challenge"
    folder.mkdir()
    small = "track: {train: 60, validation: 20, test: 200}"
    (folder / "tiny.yaml").write_text(f"defaults: [debugging_digits, _self_]\ntitle: Tiny\nseeds: 2\n{small}\n")
    return folder.parent


@pytest.fixture(scope="module")
def runs(conf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A submission with its own parameters, with another value of one, and one that has none."""
    place = tmp_path_factory.mktemp("runs")
    challenge = load_challenge("tiny", config_dir=conf)
    folder = place / "mine"
    folder.mkdir()
    (folder / "algorithm.py").write_text(SOURCE)
    manifest = "name: mine\ntrack: debugging\nentry: algorithm:rank\nauthors: [A]\ndescription: d\nlicense: MIT\n"
    for words, params in (
        (f"params: {json.dumps(PARAMS)}\n", {}),
        (f"params: {json.dumps(PARAMS)}\n", {"first": 9}),
        ("", {}),
    ):
        (folder / "submission.yaml").write_text(manifest + words)
        evaluate(challenge, folder, runs_dir=place / "runs", workers=1, params=params)
    return place / "runs"


def records(runs: Path) -> list[Record]:
    """Those of submissions, in the order in which they were made."""
    found = [RunsDir(runs).load_record(run_id) for run_id in RunsDir(runs).run_ids()]
    ours = [record for record in found if not record.reference]
    return sorted(ours, key=lambda record: -len(json.dumps(record.params)) - (record.params.get("first") == 3))


def test_the_function_is_called_with_them(runs: Path) -> None:
    own, other, none = records(runs)
    assert (own.params, other.params, none.params) == (PARAMS, {**PARAMS, "first": 9}, {})
    said = [RunsDir(runs).read_cell(record.run_id, 0).log for record in (own, other, none)]
    assert [log.splitlines()[0] for log in said] == [
        "given [3, '1e-3', [5, 7]]",
        "given [9, '1e-3', [5, 7]]",
        "given [0, 'x', []]",
    ]
    outputs = [RunsDir(runs).read_cell(record.run_id, 0).output["indices"][:3].tolist() for record in (own, other)]
    assert outputs == [[3, 5, 7], [9, 5, 7]]


def test_other_values_are_another_run_whose_archive_says_them(runs: Path) -> None:
    own, other, none = records(runs)
    assert len({record.submission_digest for record in (own, other, none)}) == 3
    for record in (own, other, none):
        kept = submission.load(RunsDir(runs).submission_dir(record.submission_digest or ""), everything=True)
        assert (kept.digest, kept.params) == (record.submission_digest, record.params)
    logged = [{one.key: one.value for one in description.params(record)} for record in (own, other, none)]
    assert logged[1]["param.first"] == "9"
    assert not any(key.startswith("param.") for key in logged[2])


def test_a_board_has_a_column_where_a_row_has_parameters(runs: Path, conf: Path, tmp_path: Path) -> None:
    challenge = load_challenge("tiny", config_dir=conf)
    board = build(challenge, challenge.load_dataset().digest(), runs, config_dir=conf)
    assert sorted((dict(row.params) for row in board.ranked), key=str) == [
        {**PARAMS, "first": 3},
        {**PARAMS, "first": 9},
        {},
    ]
    for text in (markdown(board), as_csv(board), html(board)):
        assert "params" in text
        assert "first=9" in text
    assert "| rank | submission | params | authors |" in markdown(board)
    assert ["params" in row for row in board.as_dict()["ranked"]].count(True) == 2
    (*_, published) = write_board(board, tmp_path)
    assert recheck.check(published, runs)[0] == []
    edited = published.read_text().replace('"first": 9', '"first": 8')
    published.write_text(edited)
    assert any(problem.partition(": ")[2].startswith("params is") for problem in recheck.check(published, runs)[0])
    assert main(["verify", str(runs), "--config-dir", str(conf)]) == 0


def test_a_board_without_parameters_says_nothing_of_them(conf: Path, tmp_path: Path) -> None:
    challenge = load_challenge("tiny", config_dir=conf)
    evaluate(challenge, "random", runs_dir=tmp_path, workers=1)
    board = build(challenge, challenge.load_dataset().digest(), tmp_path, config_dir=conf)
    assert not any(
        "params" in text for text in (markdown(board), as_csv(board), html(board), json.dumps(board.as_dict()))
    )


def test_a_record_that_says_other_values_is_found_out(runs: Path, conf: Path) -> None:
    from harness.verification.judge import Judge
    from harness.verification.run import check as check_run

    own = records(runs)[0].model_copy(update={"params": {"first": 4}})
    problems = check_run(own, Judge(RunsDir(runs), conf)).problems
    assert any(problem.startswith("params is {'first': 4}") for problem in problems)


def test_it_is_reproduced_with_the_same_values(runs: Path, conf: Path) -> None:
    assert reproduce(records(runs)[1].run_id, runs, config_dir=conf, workers=1).verdict == "reproduced"


def test_what_the_function_does_not_take_is_said(
    conf: Path, tmp_path: Path, write_submission: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_submission("mine", "def rank(task, *, k=5, depth=2):\n    return [k]\n", params={"kk": 5})
    words = [str(folder), "challenge=tiny", "--config-dir", str(conf)]
    assert main(["check", *words]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert (
        "rank does not take kk, which params of submission.yaml or of the command line give it. It takes k and depth."
        in out
    )
    record = evaluate(load_challenge("tiny", config_dir=conf), folder, runs_dir=tmp_path / "runs", workers=1)
    assert record.status is Status.INVALID_SUBMISSION
    plain = write_submission("plain", "def rank(work):\n    return [0]\n")
    found = check(str(plain), ["challenge=tiny", "submission.params.k=1"], str(conf))
    assert "Write `def rank(task, *, k=...)`." in found[-1].found
    anything = write_submission("anything", "def rank(task, **given):\n    return [given['k']]\n")
    findings = check(str(anything), ["challenge=tiny", "submission.params.k=1"], str(conf))
    assert "called with k=1" in findings[0].found
    assert all(finding.passed for finding in findings)


def test_a_sweep_gives_a_baseline_rows_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A shipped baseline with another parameter has its own name and is no impostor."""
    words = ["challenge=attribution_digits", "submission=knn", "submission.params.k=2,3", f"runs_dir={tmp_path}"]
    assert main(["run", "-m", *words, "seeds=1", "launcher=serial", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [record["params"] for record in found] == [{"k": 2}, {"k": 3}]
    assert {record["submission"] for record in found} == {"knn"}
    assert len({record["submission_digest"] for record in found}) == 2
