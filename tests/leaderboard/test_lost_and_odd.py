"""Runs directories with any name, and boards after MLflow has lost something: a real store, a real board each time."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.leaderboard.board import build
from harness.protocol.challenge import Challenge
from harness.tracking import delivery
from harness.tracking.addresses import sqlite_path, sqlite_uri, tracking_uri
from harness.tracking.mlflow_store import open_store
from tests.tracking import made
from tests.tracking.made import DATA, FINGERPRINT, made_run

ODD = ["a b", "a%20b", "a%", "a?b", "a#b", "a;b=c", "a'b\"c", "größe 中", "a\\b", "a&b+c", "~a"]


@pytest.mark.parametrize("name", ODD)
def test_a_runs_directory_may_have_any_name(name: str, challenge: Challenge, tmp_path: Path) -> None:
    made_run(tmp_path / name, "reference-random", 0.3)
    made_run(tmp_path / name, "reference-skyline", 0.97)
    made_run(tmp_path / name, "good", 0.9)
    made_run(tmp_path / name, "fair", 0.6, deliver=False)
    delivery.mark(tmp_path / name / made.run_id("fair"))
    assert delivery.sync(tmp_path / name) == ([made.run_id("fair")], {})
    board = build(challenge, DATA, tmp_path / name)
    assert [row.submission for row in board.ranked] == ["good", "fair"]
    assert (tmp_path / name / "mlflow.db").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["made", name]), (
        "something was written beside the runs directory"
    )
    (run, *_) = delivery.runs_of(open_store(tracking_uri(tmp_path / name)), "made", FINGERPRINT)
    assert any((tmp_path / name / "mlartifacts").rglob(f"{run.info.run_id}/artifacts/record.json"))


@pytest.mark.parametrize("name", ODD)
def test_a_databases_uri_can_be_turned_back(name: str) -> None:
    path = Path("/somewhere") / name / "mlflow.db"
    assert sqlite_path(sqlite_uri(path)) == path


def _delete_run(runs_dir: Path) -> None:
    client = open_store(tracking_uri(runs_dir))
    for run in delivery.runs_of(client, "made", FINGERPRINT):
        if run.info.run_name == "good":
            client.delete_run(run.info.run_id)


def _delete_experiment(runs_dir: Path) -> None:
    client = open_store(tracking_uri(runs_dir))
    (run, *_) = delivery.runs_of(client, "made", FINGERPRINT)
    client.delete_experiment(run.info.experiment_id)


def _remove_artifacts(runs_dir: Path) -> None:
    shutil.rmtree(runs_dir / "mlartifacts")


@pytest.mark.parametrize("lose", [_delete_run, _delete_experiment, _remove_artifacts])
def test_what_mlflow_has_lost_is_delivered_again(lose, challenge: Challenge, runs_dir: Path) -> None:
    before = build(challenge, DATA, runs_dir)
    lose(runs_dir)
    with pytest.raises(HarnessError, match="harness sync"):
        build(challenge, DATA, runs_dir)
    delivered, left = delivery.sync(runs_dir)
    assert made.run_id("good") in delivered
    assert left == {}
    assert build(challenge, DATA, runs_dir) == before
    assert delivery.sync(runs_dir) == ([], {})


def test_a_database_that_was_removed_is_filled_again(runs_dir: Path) -> None:
    """In a process of its own: mlflow keeps the old file open as long as it lives."""
    (runs_dir / "mlflow.db").unlink()
    line = [sys.executable, "-m", "harness", "sync", "--runs-dir", str(runs_dir)]
    assert subprocess.run(line, capture_output=True, text=True, check=True).stdout == "5 delivered, 0 left\n"
    with closing(sqlite3.connect(runs_dir / "mlflow.db")) as database:
        names = [row[0] for row in database.execute("SELECT name FROM runs ORDER BY name")]
    assert names == ["equal", "fair", "good", "reference-random", "reference-skyline"]


def test_what_a_killed_leaderboard_left_is_swept(challenge: Challenge, tmp_path: Path) -> None:
    """Killed between writing a file and renaming it; the next one that writes there removes what it left."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom harness.tracking import files\n"
        "files.Path.replace = lambda *_: (print('written', flush=True), time.sleep(60))\n"
        "with files.one_writer(Path(sys.argv[1])):\n    files.write_text_atomic(Path(sys.argv[1]) / 'board.md', 'x')\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [p.name for p in (tmp_path / "out").iterdir() if p.name.startswith(".tmp-board.md")]
    from harness.tracking.files import one_writer

    with one_writer(tmp_path / "out"):
        assert list((tmp_path / "out").iterdir()) == []
