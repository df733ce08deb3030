"""What the machine may do to a run: full disk, read-only directory, MLflow locked or unreachable, all cells failing."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from harness.tracking import delivery, ledger
from harness.tracking.mlflow_store import create_database

Write = Callable[..., Path]
PROGRESS = re.compile(r"\d+ of \d+ cells")
SMALL = ["seeds=2", "track.train=60", "track.validation=20", "track.test=200", "submission=random"]


@pytest.fixture(autouse=True)
def _no_configured_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def harness(
    *words: object, prefix: tuple[str, ...] = (), before: Callable[[], None] | None = None
) -> tuple[int, str, list[str]]:
    """Exit status, stdout and the paragraphs of stderr of one command in a process of its own."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "harness", *map(str, words)], capture_output=True, text=True, preexec_fn=before
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert "internal error" not in done.stderr
    said = [line for line in done.stderr.splitlines() if not PROGRESS.match(line)]  # which a slow machine alone prints
    return done.returncode, done.stdout, said


def test_an_unreachable_server_is_said_once_and_sync_delivers(tmp_path: Path) -> None:
    runs, server = tmp_path / "runs", "http://127.0.0.1:9"
    status, out, said = harness("run", *SMALL, f"runs_dir={runs}", f"tracking.uri={server}")
    assert status == 0, "every cell is ok; MLflow can wait"
    assert len(said) == 1
    assert said[0].startswith("warning: MLflow did not take run")
    assert f"{server} cannot be reached" in said[0]
    assert f"harness sync --runs-dir {runs} --tracking-uri {server}" in said[0]
    assert "recovery" in out
    assert len(delivery.undelivered(runs)) == 3

    status, out, said = harness("sync", "--runs-dir", runs, "--tracking-uri", server)
    assert (status, out.splitlines()[0]) == (1, "0 delivered, 3 left")
    assert harness("sync", "--runs-dir", runs) == (0, "3 delivered, 0 left\n", [])
    assert ledger.verify(runs) == []


def test_a_locked_store_is_said_once_and_sync_delivers(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    create_database(runs / "mlflow.db")
    with closing(sqlite3.connect(runs / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        status, _, said = harness("run", *SMALL, f"runs_dir={runs}")
        assert status == 0
        assert len(said) == 1
        assert "locked" in said[0]
        assert harness("sync", "--runs-dir", runs)[0] == 1
    assert harness("sync", "--runs-dir", runs) == (0, "3 delivered, 0 left\n", [])


def test_a_later_run_delivers_as_well(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert harness("run", *SMALL, f"runs_dir={runs}", "tracking.uri=http://127.0.0.1:9")[0] == 0
    status, _, said = harness("run", *SMALL, f"runs_dir={runs}")
    assert (status, said) == (0, [])
    assert delivery.undelivered(runs) == []


@pytest.fixture(params=["150k", "1100k"])
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system too small for the MLflow store, or just large enough to make it."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={request.param}", "tmpfs", str(place)]
    if os.getuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_one_paragraph_and_nothing_is_lost(small_disk: Path, tmp_path: Path) -> None:
    runs = small_disk / "runs"
    status, out, said = harness("run", *SMALL, f"runs_dir={runs}")
    assert status == 1
    assert out == ""
    *warnings, last = said
    assert last.startswith("harness run: ")
    assert "No space left on device" in last
    assert len(warnings) <= 1  # none where the disk has no room for a note that MLflow does not have the run
    assert all("No space left on device" in w or "database or disk is full" in w for w in warnings)
    kept = {path: path.stat().st_ino for path in runs.glob("*/cells/*/cell.json")}
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    status, out, said = harness("run", *SMALL, f"runs_dir={runs}", "--json")
    assert (status, said) == (0, [])
    assert all(path.stat().st_ino == inode for path, inode in kept.items())
    calm = json.loads(harness("run", *SMALL, f"runs_dir={tmp_path / 'calm'}", "--json")[1])
    assert (json.loads(out)["score"], json.loads(out)["ci95"]) == (calm["score"], calm["ci95"])
    assert ledger.verify(runs) == []


@pytest.mark.parametrize(("size", "expected"), [(15_000, 1), (150_000, 0)])
def test_files_that_may_not_grow_are_one_paragraph(tmp_path: Path, size: int, expected: int) -> None:
    """RLIMIT_FSIZE, as a quota would: the smaller one stops the sandbox, the larger one the MLflow store alone."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    status, _, said = harness("run", *SMALL, f"runs_dir={tmp_path / 'runs'}", before=limit)
    assert (status, len(said)) == (expected, 1)
    assert "File too large" in said[0]


def test_a_read_only_directory_is_one_paragraph(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir(mode=0o555)
    prefix: tuple[str, ...] = ()
    if os.getuid() == 0:  # root without its licence to write everywhere, in a directory of somebody else
        if not shutil.which("setpriv"):
            pytest.skip("as root this needs setpriv")
        os.chown(runs, 65534, 65534)
        prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    status, out, said = harness("run", *SMALL, f"runs_dir={runs}", prefix=prefix)
    assert (status, out, len(said)) == (1, "", 1)
    assert "Permission denied" in said[0]
    assert str(runs) in said[0]
    assert list(runs.iterdir()) == []


def test_a_sweep_in_which_every_cell_fails_exits_1(tmp_path: Path, write_submission: Write) -> None:
    sources = {"raises": "def rank(task): raise ValueError('a')\n", "nothing": "def rank(task): pass\n"}
    folders = [str(write_submission(name, source)) for name, source in sources.items()]
    words = ["run", "-m", *SMALL[:-1], f"submission={','.join(folders)}", f"runs_dir={tmp_path / 'runs'}"]
    status, out, said = harness(*words)
    assert status == 1
    for name, failed in (("raises", "crashed"), ("nothing", "no_output")):
        assert re.search(rf"{name} +{failed}\n +2 of 2 cells failed; seed 0: ", out)
    assert said == []


def test_directories_that_are_not_there(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    for words in (["sync"], ["release", "a", "--who", "me", "--why", "because"], ["reproduce", "a"]):
        status, out, said = harness(*words, "--runs-dir", nowhere)
        assert (status, out, len(said)) == (2, "", 1)
        assert str(nowhere) in said[0]
    assert not nowhere.exists()
