"""The store made again from the records: the old one is kept under another name, and boards are as they were."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from harness.cli import main
from harness.leaderboard.board import build
from harness.tracking import delivery, ledger
from harness.tracking.addresses import sqlite_uri, tracking_uri
from harness.tracking.failures import StoreError, store_errors
from harness.tracking.mlflow_store import create_database, open_store
from harness.tracking.rebuild import rebuild
from tests.tracking.made import DATA, challenge, made_run, run_id
from tests.tracking.test_held import ALL, LATEST, REFERENCES, artifact, compared, edit, forge, sql


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))  # no key of the one who tests


@pytest.fixture(scope="module")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("rebuilt") / "runs"
    for name, skill in (*REFERENCES, ("good", 0.9), ("fair", 0.6)):
        made_run(place, name, skill)
    return place


@pytest.fixture
def place(_made_once: Path, tmp_path: Path) -> Path:
    shutil.copytree(_made_once, tmp_path / "runs")
    return tmp_path / "runs"


def other_version(place: Path) -> None:
    sql(place, "UPDATE alembic_version SET version_num = 'ffffffffffff'")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "no database": lambda p: (p / "mlflow.db").write_bytes(b"not a database at all" * 100),
    "deleted": lambda p: (p / "mlflow.db").unlink(),
    "tables of another version": other_version,
    "metric": lambda p: sql(p, LATEST, "score"),
    "artifact": lambda p: edit(artifact(p)),
    "row without a run": lambda p: forge(p, "made-nobody"),
    "nothing": lambda p: None,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_the_store_is_made_again(damage: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a process of its own, as a person would."""
    before = build(challenge(), DATA, place)
    DAMAGE[damage](place)
    broken = (place / "mlflow.db").read_bytes() if (place / "mlflow.db").exists() else None
    old_artifacts = sorted(path.name for path in (place / "mlartifacts").rglob("*"))
    line = [sys.executable, "-m", "harness", "sync", "--rebuild", "--who", "a judge", "--runs-dir", str(place)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "4 delivered, 0 left"
    assert compared(place) == []
    after = build(challenge(), DATA, place)
    assert after.ranked == before.ranked
    last = ledger.read(place)[-1]
    assert (last.kind, last.run_id, last.who) == ("rebuild", "", "a judge")
    aside = {path.name.split(".")[0]: path for path in place.glob("*.????????T*Z")}
    assert sorted(path.name for path in aside["mlartifacts"].rglob("*")) == old_artifacts
    if broken is not None:
        assert aside["mlflow"].read_bytes() == broken


def test_in_one_process_as_well(place: Path) -> None:
    """mlflow keeps connections open; none of them leads to the old file."""
    old = {run.info.run_id for run in delivery.runs_of(open_store(tracking_uri(place)), "made", _fingerprint(place))}
    rebuilt = rebuild(place)
    assert set(rebuilt.delivered) == ALL
    assert rebuilt.left == {}
    new = {run.info.run_id for run in delivery.runs_of(open_store(tracking_uri(place)), "made", _fingerprint(place))}
    assert len(new) == 4
    assert not new & old
    with closing(sqlite3.connect(rebuilt.aside[0])) as database:
        kept = {row[0] for row in database.execute("SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active'")}
    assert kept == old


def _fingerprint(place: Path) -> str:
    from tests.tracking.made import FINGERPRINT

    return FINGERPRINT


KILLED = """
import os, signal, sys
from harness.tracking import delivery, rebuild
seen = []
def dying(*args, **kwargs):
    seen.append(1)
    if len(seen) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)
if sys.argv[2] == "0":
    rebuild.sync_directory = lambda path: os.kill(os.getpid(), signal.SIGKILL)
real, delivery._deliver = delivery._deliver, dying
rebuild.rebuild(sys.argv[1])
"""


@pytest.mark.parametrize("deliveries", [0, 1, 3])
def test_a_kill_in_the_middle_loses_nothing(deliveries: int, place: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(place), str(deliveries)], check=False)
    assert killed.returncode == -signal.SIGKILL
    line = [sys.executable, "-m", "harness", "sync", "--runs-dir", str(place)]
    subprocess.run(line, check=True, capture_output=True)
    assert compared(place) == []
    assert len(list(place.glob("mlflow.db.*Z"))) == 1


def test_a_shared_store_gets_what_differs(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    create_database(tmp_path / "shared.db")
    uri = sqlite_uri(tmp_path / "shared.db")
    made_run(place, "late", 0.8)
    assert len(delivery.sync(place, uri)[0]) == 5
    lines = len(ledger.read(place))
    assert rebuild(place, uri).delivered == ()
    assert len(ledger.read(place)) == lines, "nothing was done"
    with closing(sqlite3.connect(tmp_path / "shared.db")) as database:
        query = "UPDATE latest_metrics SET value = 0.99 WHERE key = 'score' AND run_uuid = ?"
        (fair,) = database.execute("SELECT run_uuid FROM runs WHERE name = 'fair'").fetchone()
        database.execute(query, [fair])
        (good,) = database.execute("SELECT run_uuid FROM runs WHERE name = 'good'").fetchone()
        database.commit()
    (cells,) = (tmp_path / "mlartifacts").glob(f"*/{good}/artifacts/cells.zip")
    cells.unlink()
    assert main(["sync", "--rebuild", "--runs-dir", str(place), "--tracking-uri", uri]) == 0
    assert capsys.readouterr().out == "2 delivered, 0 left\n"
    assert compared(place, uri) == []
    assert ledger.read(place)[-1].note == f"what differed in {uri}"
    assert not list(place.glob("*.*Z"))


def test_a_row_of_nobody_in_a_shared_store_is_named(place: Path, tmp_path: Path) -> None:
    create_database(tmp_path / "shared.db")
    uri = sqlite_uri(tmp_path / "shared.db")
    delivery.sync(place, uri)
    with closing(sqlite3.connect(tmp_path / "shared.db")) as database:
        database.execute("UPDATE tags SET value = 'nobody' WHERE value = ?", [run_id("fair")])
        database.commit()
    rebuilt = rebuild(place, uri)
    assert rebuilt.delivered == (run_id("fair"),)
    assert list(rebuilt.left) == ["nobody"]


@pytest.mark.parametrize("damage", ["no database", "tables of another version"])
def test_what_is_said_of_a_broken_store_is_true(damage: str, place: Path) -> None:
    DAMAGE[damage](place)
    with pytest.raises(StoreError, match="harness sync --rebuild"), store_errors():
        open_store(tracking_uri(place)).search_experiments()
