"""`harness run --seeds`: a look whose cells the whole run uses again, and which leaves nothing that could rank."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.evaluation import work
from harness.tracking.runs import RunsDir

Write = Callable[..., Path]
SMALL = ["seeds=4", "track.train=60", "track.validation=20", "track.test=200", "launcher=serial"]
SOURCE = "def rank(task, *, first=0):\n    return [first]\n"
KEPT = """
defaults: [debugging_digits, _self_]
title: Digits of a competition
seeds: 2
"""


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every cell that is computed, not read, while a test runs: name or reference, and seed."""
    told: list[tuple[str, int]] = []
    really = work.Work.compute

    def compute(self: work.Work) -> Any:
        told.append((str(getattr(self.whose, "name", self.whose)), self.seed))
        return really(self)

    monkeypatch.setattr(work.Work, "compute", compute)
    return told


def run(capsys: pytest.CaptureFixture[str], place: Path, *words: object, status: int = 0) -> Any:
    """What `harness run ... --json` says."""
    capsys.readouterr()
    line = ["run", "challenge=debugging_digits", *SMALL, f"runs_dir={place}", *map(str, words), "--json"]
    assert main(line) == status
    return json.loads(capsys.readouterr().out)


def test_the_whole_run_computes_the_other_cells_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write_submission: Write, computed: list[tuple[str, int]]
) -> None:
    folder, runs = write_submission("mine", SOURCE), tmp_path / "runs"
    look = run(capsys, runs, f"submission={folder}", "--seeds", "1,3")
    assert (look["recorded"], look["seeds"], look["of"], look["status"]) == (False, [1, 3], 4, "ok")
    assert look["floor"] < look["skyline"]
    assert look["ci95"][0] <= look["score"] <= look["ci95"][1]
    assert sorted(computed) == sorted((name, seed) for name in ("mine", "random", "skyline") for seed in (1, 3))
    assert RunsDir(runs).run_ids() == []
    assert not (runs / "ledger.jsonl").exists()
    assert not (runs / "mlflow.db").exists()

    computed.clear()
    assert main(["run", "challenge=debugging_digits", *SMALL, f"runs_dir={runs}", f"submission={folder}"]) == 0
    assert "2 of 4 cells were kept from before, 2 computed" in " ".join(capsys.readouterr().out.split())
    assert sorted(computed) == sorted((name, seed) for name in ("mine", "random", "skyline") for seed in (0, 2))
    record = run(capsys, runs, f"submission={folder}")
    assert record["fingerprint"] == look["fingerprint"]
    assert [record["cells"][seed] for seed in (1, 3)] == look["cells"]
    assert main(["verify", str(runs)]) == 0

    computed.clear()  # of a run that is whole, a look reads what is there and changes nothing
    before = {path: path.read_bytes() for path in runs.rglob("*.json*")}
    again = run(capsys, runs, f"submission={folder}", "--seeds", "1,3")
    assert again["cells"] == look["cells"]
    assert computed == []
    assert {path: path.read_bytes() for path in runs.rglob("*.json*")} == before
    assert not list(runs.rglob("unfinished"))


def test_a_look_says_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str], write_submission: Write) -> None:
    folder = write_submission("mine", SOURCE)
    line = ["run", "challenge=debugging_digits", *SMALL, f"runs_dir={tmp_path / 'runs'}", f"submission={folder}"]
    assert main([*line, "--seeds", "0-1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "2 of 4 seeds: not a run, so nothing is recorded" in out
    assert "2 cells are left to compute" in out
    assert "95 % interval" in out
    assert "record " not in out
    assert main([*line, "--seeds", "0,2", "-m", "submission.params.first=1,2"]) == 0
    out = capsys.readouterr().out
    assert "mine (first=1)" in out
    assert "mine (first=2)" in out
    assert "not a run" in out


def test_a_look_at_all_seeds_is_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = run(capsys, tmp_path / "runs", "seeds=1", "submission=random", "--seeds", "0")
    assert RunsDir(tmp_path / "runs").recorded(record["run_id"])


def test_a_failed_cell_is_a_failed_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write_submission: Write
) -> None:
    folder = write_submission("broken", "def rank(task):\n    raise ValueError('no')\n")
    look = run(capsys, tmp_path / "runs", f"submission={folder}", "--seeds", "0", status=1)
    assert look["status"] == "crashed"
    assert look["score"] is None


def test_a_kill_in_the_middle_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write_submission: Write, computed: list[tuple[str, int]]
) -> None:
    """The process is killed once a cell of two workers is there; the look that follows computes the rest in one."""
    folder, runs = write_submission("mine", SOURCE), tmp_path / "runs"
    words = ["challenge=debugging_digits", *SMALL[:-1], "launcher.workers=2", f"runs_dir={runs}"]
    words += [f"submission={folder}", "--seeds", "0-2"]
    process = subprocess.Popen([sys.executable, "-m", "harness", "run", *words], stdout=subprocess.DEVNULL)
    while not list(runs.glob("*mine*/cells/?/cell.json")):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there = len(list(runs.glob("*mine*/cells/?/cell.json")))
    look = run(capsys, runs, f"submission={folder}", "--seeds", "0-2")
    assert look["seeds"] == [0, 1, 2]
    assert sum(name == "mine" for name, _ in computed) == 3 - there


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--seeds", "0-4"], "has no seed 4, its seeds are 0 to 3"),
        (["--seeds", "2-1"], "names no seeds"),
        (["--seeds", "all"], "names no seeds"),
        (["--seeds", ""], "names no seeds"),
        (["--seeds=-1"], "names no seeds"),
        (["--seeds", "0", "--force"], "--force changes one"),
        (["--seeds", "0", "--replaces", "x"], "--replaces changes one"),
        (["--seeds", "0", "team=T1"], "no entry is counted for"),
    ],
)
def test_what_is_no_look_is_refused(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "challenge=debugging_digits", *SMALL, f"runs_dir={tmp_path / 'runs'}", *words]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "more",
    [
        "secret: 5f2d8c1e9ab34706d1e0c7b8a9f01234",
        "teams: teams.yaml",
        "phases: {public: {share: 0.5}, final: {opens: '2031-01-01T00:00:00Z'}}",
    ],
)
def test_nobody_looks_at_a_competition_for_nothing(
    more: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hidden scores are shown by runs, which the ledger knows of."""
    (tmp_path / "conf/challenge").mkdir(parents=True)
    (tmp_path / "conf/challenge/kept.yaml").write_text(KEPT + more)
    (tmp_path / "conf/teams.yaml").write_text("teams:\n  - {id: T1, name: One, contact: a@example.org}\n")
    words = ["challenge=kept", "--config-dir", str(tmp_path / "conf"), f"runs_dir={tmp_path / 'runs'}"]
    for team in ([], ["team=T1"]):
        assert main(["run", *words, "--seeds", "0", *team]) == 2
        assert "--seeds" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
