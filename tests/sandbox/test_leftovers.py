"""Whatever happens to the harness, no process, directory or control group of a cell stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from harness.sandbox import cell, cgroup
from harness.sandbox.inside.launcher import descendants
from tests.sandbox.helpers import TIERS

HARNESS = """
import sys
from pathlib import Path
import numpy as np
from harness.api import SelectionTask
from harness.sandbox import Job, Limits, run
from harness.tracks.base import View
folder, tier = Path(sys.argv[1]), sys.argv[2]
(folder / "algorithm.py").write_text('''
import os, time
def select(task):
    if task.budget == 1:
        return [0]
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.close(1), os.close(2)
            while True: time.sleep(0.1)
        os._exit(0)
    open(os.environ["TMPDIR"] + "/left", "w").write("x")
    time.sleep(60)
''')
def reply(number, arrays):
    print("running", flush=True)
    return {"budget": np.array(2)}
view = View({"X": np.zeros((3, 1), np.float32)}, {"budget": 1, "n_classes": 2})
run(Job(view, SelectionTask, {"name": "logistic"}, (1,), folder, "algorithm", "select", Limits(seconds=60), reply=reply), tier)
"""


def start(tmp_path: Path, tier: str) -> tuple[subprocess.Popen[str], set[int], set[str]]:
    """A harness of its own, its cell's processes and directories, as soon as the submission runs."""
    process = subprocess.Popen([sys.executable, "-c", HARNESS, str(tmp_path), tier], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    made = {d for d in directories() if _owned(d, process.pid)}
    deadline = time.monotonic() + 20
    enough = 3 if tier != "container" else 5  # with the monitor of the container, and Podman itself
    while len(below(process.pid, made)) < enough:  # the daemon takes its time on a busy machine
        assert time.monotonic() < deadline, "the submission's daemon was not born"
        time.sleep(0.05)
    time.sleep(0.5)
    return process, below(process.pid, made), made


def below(pid: int, made: set[str]) -> set[int]:
    """Descendants of a harness, and those of the monitors of its containers, which are nobody's children."""
    monitors = [
        int(file.read_text())
        for file in (Path(directory) / "podman" / "conmon.pid" for directory in made)
        if file.is_file()
    ]
    return {*monitors, *(p for parent in (pid, *monitors) for p in descendants(parent))}


def directories() -> set[str]:
    return {str(path) for path in Path(tempfile.gettempdir()).glob(f"{cell.PREFIX}*")}


def _owned(directory: str, pid: int) -> bool:
    return any(os.path.realpath(fd).startswith(directory) for fd in Path(f"/proc/{pid}/fd").iterdir())


def groups(names: set[str]) -> list[Path]:
    where = cgroup.place()
    found = [d / Path(name).name for d in (where.memory, where.pids) if d for name in names]
    return [path for path in found if path.exists()]


def alive(pids: set[int]) -> set[int]:
    found = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            found.add(pid)
    return found


def wait_until_dead(pids: set[int]) -> set[int]:
    deadline = time.monotonic() + 5
    while alive(pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive(pids)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c(times: int, tier: str, tmp_path: Path) -> None:
    process, pids, made = start(tmp_path, tier)
    assert len(made) == 1
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    process.wait(timeout=10)
    assert wait_until_dead(pids) == set()
    if times == 1:  # a second Ctrl-C may interrupt the tidying itself; the next harness then sweeps
        assert not made & directories()
        assert groups(made) == []
    assert swept_away(made)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_harness(number: signal.Signals, tier: str, tmp_path: Path) -> None:
    process, pids, made = start(tmp_path, tier)
    assert len(made) == 1
    process.send_signal(number)
    process.wait(timeout=10)
    assert wait_until_dead(pids) == set()
    assert swept_away(made)


def swept_away(made: set[str]) -> bool:
    """Whether the next harness removes directories and groups; another one may just be at it."""
    deadline = time.monotonic() + 10
    while made & directories() or groups(made):
        if time.monotonic() > deadline:
            return False
        swept()
    return True


def swept() -> None:
    cell.sweep.cache_clear()
    cell.sweep()


def test_a_sweep_spares_the_living() -> None:
    with cell.Cell() as living:
        swept()
        assert living.path.is_dir()
        old = living.path
    assert not old.exists()


def test_a_group_that_is_still_busy_is_left_to_the_next_harness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a Ctrl-C in the middle of tidying up."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    group = tmp_path / "groups" / f"{cell.PREFIX}busy"
    (group / "process").mkdir(parents=True)
    with cell.Cell() as left:
        left.note_cgroup(group)
    swept()
    assert left.path.is_dir()
    (group / "process").rmdir()
    swept()
    assert not left.path.exists()
    assert not group.exists()


def test_a_sweep_spares_what_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / f"{cell.PREFIX}young").mkdir()  # being made at this moment
    (tmp_path / "other").mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "lock").touch()
    (tmp_path / f"{cell.PREFIX}link").symlink_to(outside)
    stale = tmp_path / f"{cell.PREFIX}stale"
    stale.mkdir()
    (stale / "lock").touch()
    (stale / "cgroups").write_text(f"{outside}\n/\n")
    swept()
    assert not stale.exists()
    assert (tmp_path / f"{cell.PREFIX}young").is_dir()
    assert (tmp_path / "other").is_dir()
    assert (outside / "lock").is_file()


def test_trees_of_any_kind_are_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    inner = top
    inner.mkdir()
    (top / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").write_text("kept")
    here = Path.cwd()
    os.chdir(top)
    try:
        for _ in range(1500):
            os.mkdir("d")  # noqa: PTH102 - relative on purpose: the path grows beyond what the system allows
            os.chdir("d")
        os.chmod(".", 0)  # noqa: PTH101
    finally:
        os.chdir(here)
    cell.remove(top)
    assert not top.exists()
    assert (tmp_path / "kept").read_text() == "kept"
