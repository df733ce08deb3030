"""Cells are whole or absent, one writer at a time, whatever is killed when."""

from __future__ import annotations

import hashlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from harness.errors import HarnessError, Status
from harness.protocol import submission
from harness.tracking.record import CellRecord
from harness.tracking.runs import RunsDir, arrays_digest
from harness.tracks.base import Array


def save(runs: RunsDir, seed: int, status: Status = Status.OK, score: float = 0.5) -> None:
    cell = CellRecord(seed=seed, status=status, score=score if status is Status.OK else None)
    arrays = {"indices": np.arange(10) + seed}
    curve = np.array([[0.0, 1.0], [1.0, 2.0]])
    runs.save_cell("r", cell, output=arrays, items={"right": np.eye(3)}, curve=curve, log="héllo \udcff")


def test_a_cell_comes_back_as_it_was(tmp_path: Path) -> None:
    runs = RunsDir(tmp_path)
    save(runs, 3)
    stored = runs.load_cell("r", 3)
    assert stored is not None
    digest = hashlib.sha256((runs.cell_dir("r", 3) / "cell.json").read_bytes()).hexdigest()
    assert stored.cell == CellRecord(seed=3, status=Status.OK, score=0.5, sha256=digest)
    np.testing.assert_array_equal(stored.output["indices"], np.arange(10) + 3)
    np.testing.assert_array_equal(stored.items["right"], np.eye(3))
    np.testing.assert_array_equal(stored.curve, [[0.0, 1.0], [1.0, 2.0]])
    assert stored.log == "héllo ?"
    save(runs, 3, score=0.75)
    assert runs.load_cell("r", 3).cell.score == 0.75  # type: ignore[union-attr]
    assert sorted(p.name for p in runs.cell_dir("r", 3).parent.iterdir()) == ["3"]


def test_failed_absent_and_damaged_cells_are_run_again(tmp_path: Path) -> None:
    runs = RunsDir(tmp_path)
    assert runs.load_cell("r", 0) is None
    save(runs, 0, Status.TIMEOUT)
    assert runs.load_cell("r", 0) is None
    save(runs, 1)
    folder = runs.cell_dir("r", 1)
    np.save(folder / "items" / "right.npy", np.zeros((3, 3)))
    assert runs.load_cell("r", 1) is None
    for damage in ({"files": {"../../x.npy": ""}}, {"files": None}, {"files": {"output/a b.npy": 1}}, {}):
        save(runs, 1)
        kept = json.loads((folder / "cell.json").read_text())
        kept.pop("files")
        (folder / "cell.json").write_text(json.dumps(kept | damage))
        assert runs.load_cell("r", 1) is None
    shutil.copytree(folder, runs.cell_dir("r", 9))  # another seed's cell under this one's name
    assert runs.load_cell("r", 9) is None


@pytest.mark.parametrize("name", ["", "..", "a/b", "submissions", ".lock", "a\n", "x" * 300, "ledger.jsonl"])
def test_odd_run_ids_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HarnessError, match="not a run id"):
        RunsDir(tmp_path).run_dir(name)


def test_digest_depends_on_names_types_shapes_and_bytes() -> None:
    base: dict[str, Array] = {"a": np.arange(4), "b": np.zeros(2)}
    assert arrays_digest(base) == arrays_digest(dict(reversed(base.items())))
    others: list[dict[str, Array]] = [
        {"a": np.arange(4)},
        base | {"a": np.arange(4, dtype=np.int32)},
        base | {"a": np.arange(4).reshape(2, 2)},
    ]
    assert len({arrays_digest(x) for x in [base, *others, base | {"b": np.ones(2)}]}) == 5


def test_submission_is_copied_once_under_its_digest(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    manifest = "name: mine\ntrack: debugging\nentry: algorithm:rank\nauthors: [A]\ndescription: d\nlicense: MIT\n"
    (folder / "submission.yaml").write_text(manifest)
    (folder / "algorithm.py").write_text("def rank(task): ...\n")
    (folder / "__pycache__").mkdir()
    entry = submission.load(folder)
    runs = RunsDir(tmp_path / "runs")
    (folder / "__pycache__" / "x.pyc").write_bytes(b"hidden")
    (folder / "algorithm.py").write_text("edited since it was read\n")
    kept = runs.keep_submission(entry).folder
    assert runs.keep_submission(entry).folder == kept == runs.submission_dir(entry.digest)
    assert submission.load(kept, everything=True).digest == entry.digest
    assert sorted(p.name for p in kept.iterdir()) == ["algorithm.py", "submission.yaml"]
    assert [p.name for p in kept.parent.iterdir()] == [entry.digest]
    (kept / ".git").mkdir()
    (kept / ".git" / "payload.py").write_text("tampered with\n")
    assert submission.load(kept).digest == entry.digest  # what is left out elsewhere is not, here
    assert runs.keep_submission(entry).folder == kept
    assert sorted(p.name for p in kept.iterdir()) == ["algorithm.py", "submission.yaml"]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root writes everywhere; no setpriv")
def test_a_read_only_directory_is_one_paragraph(tmp_path: Path) -> None:
    """As an ordinary user, since root may write where nobody may."""
    place = tmp_path / "runs"
    place.mkdir(mode=0o555)
    for parent in (tmp_path, *list(tmp_path.parents)[:2]):
        parent.chmod(0o755)
    code = f"""
import sys
sys.dont_write_bytecode = True
from harness.tracking.record import CellRecord
from harness.tracking.runs import RunsDir
from harness.tracking import ledger
from harness.errors import HarnessError
for act in (lambda: RunsDir({str(place)!r}).save_cell("r", CellRecord(seed=0, status="ok")),
            lambda: ledger.append({str(place)!r}, "publish"),
            lambda: RunsDir({str(place)!r}).lock("r").__enter__()):
    try:
        act()
    except HarnessError as error:
        print("refused:", error)
"""
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run([*drop, sys.executable, "-c", code], capture_output=True, text=True, cwd="/", env=_env())
    if "ModuleNotFoundError" in done.stderr or "Permission denied: '/root" in done.stderr or done.returncode == 127:
        pytest.skip("an ordinary user cannot read this interpreter")
    if not done.stdout and done.stderr:
        pytest.skip(f"an ordinary user cannot run this interpreter: {done.stderr[-200:]}")
    assert done.stdout.count("refused: Cannot") == 3, done.stdout + done.stderr
    assert list(place.iterdir()) == []


FULL = """
import resource, sys
import numpy as np
from harness.errors import HarnessError
from harness.tracking import ledger
from harness.tracking.record import CellRecord
from harness.tracking.runs import RunsDir
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
runs = RunsDir(sys.argv[1])
cell = CellRecord(seed=0, status="ok", score=0.5)
for act in (lambda: runs.save_cell("r", cell, items={"right": np.zeros(10_000)}),
            lambda: [ledger.append(sys.argv[1], "publish", note="x" * 1000) for _ in range(100)]):
    try:
        act()
    except HarnessError as error:
        print("refused:", error)
"""


def test_a_disk_that_takes_no_more_is_one_paragraph(tmp_path: Path) -> None:
    """The kernel refuses a file's growth, as a full disk does: the old cell stays, the ledger has no half line."""
    from harness.tracking.ledger import Ledger

    save(RunsDir(tmp_path), 0)
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, env=_env())
    assert done.stdout.count("refused: Cannot") == 2, done.stdout + done.stderr
    assert "File too large" in done.stdout
    assert RunsDir(tmp_path).load_cell("r", 0) is not None
    assert [p.name for p in (tmp_path / "r" / "cells").iterdir()] == ["0"]
    assert (tmp_path / "ledger.jsonl").read_bytes().endswith(b"}\n")
    assert Ledger(tmp_path).verify() == []


REMOVING = """
import os, sys, time
print("ready", flush=True)
while True:
    time.sleep(0.0005)
    try:
        os.rmdir(sys.argv[1])
    except OSError:
        pass
"""


def test_a_folder_that_others_remove_while_it_is_empty_takes_a_cell(tmp_path: Path) -> None:
    """As a head does that ends, while a job of another one is about to keep a cell."""
    runs = RunsDir(tmp_path)
    folder = runs.cell_dir("r", 0).parent
    with subprocess.Popen([sys.executable, "-c", REMOVING, str(folder)], stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout
            other.stdout.readline()
            for _ in range(150):
                save(runs, 0)
                shutil.rmtree(runs.cell_dir("r", 0))
        finally:
            other.kill()


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    runs = RunsDir(tmp_path)
    with runs.lock("r"):
        with pytest.raises(HarnessError, match=f"process {os.getpid()} on") as caught, runs.lock("r"):
            pass
        assert "no lock" in caught.value.hint
        with runs.lock("other"):
            pass
    with runs.lock("r"):
        pass


WRITER = """
import sys
import numpy as np
from harness.tracking.record import CellRecord
from harness.tracking.runs import RunsDir
from harness.tracking import ledger
runs = RunsDir(sys.argv[1])
with runs.lock("r", wait_seconds=60):
    print("started", flush=True)
    for i in range(10**6):
        arrays = {"indices": np.full(2000, i)}
        cell = CellRecord(seed=i % 3, status="ok", score=float(i))
        runs.save_cell("r", cell, output=arrays, items=arrays, curve=np.full((50, 2), float(i)), log=str(i) * 100)
        ledger.append(sys.argv[1], "publish", note="x" * (i % 2000))
"""


def _env() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}


def writer(place: Path) -> subprocess.Popen[str]:
    started = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place)], stdout=subprocess.PIPE, text=True, env=_env()
    )
    assert started.stdout is not None
    return started


def test_kill_9_at_any_moment_leaves_only_whole_cells(tmp_path: Path) -> None:
    """Twelve killings at random moments; what is visible is whole and consistent, the ledger verifies, the lock is free."""
    from harness.tracking.ledger import Ledger

    runs = RunsDir(tmp_path)
    rng = random.Random(0)
    for _ in range(12):
        process = writer(tmp_path)
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(rng.uniform(0.0, 0.15))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for seed in range(3):
            if not runs.cell_dir("r", seed).exists():
                continue
            stored = runs.load_cell("r", seed)
            assert stored is not None
            i = int(stored.cell.score or 0)
            assert i % 3 == seed
            assert (stored.output["indices"] == i).all()
            assert stored.log == str(i) * 100
        assert Ledger(tmp_path).verify() == []
        with runs.lock("r"):  # at once: no lock outlives its process
            left = [p.name for p in (tmp_path / "r" / "cells").glob(".tmp-*")]
            assert left == []
    count = len(Ledger(tmp_path).read())
    entry = Ledger(tmp_path).append("publish")  # mends a torn last line
    assert entry.seq == count + 1
    assert Ledger(tmp_path).verify() == []
    assert (tmp_path / "ledger.jsonl").read_bytes().endswith(b"\n")


def test_two_harnesses_at_once_wait_for_each_other(tmp_path: Path) -> None:
    first, second = writer(tmp_path), writer(tmp_path)
    try:
        assert first.stdout is not None
        assert second.stdout is not None
        select.select([first.stdout, second.stdout], [], [], 60)  # until one of them has it
        with pytest.raises(HarnessError, match="Another harness"), RunsDir(tmp_path).lock("r"):
            pass
        owner = (tmp_path / "r" / ".lock").read_text()
        holder, waiter = (first, second) if str(first.pid) in owner else (second, first)
        assert str(holder.pid) in owner
        holder.kill()
        assert waiter.stdout is not None
        assert waiter.stdout.readline() == "started\n"  # taken over
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
