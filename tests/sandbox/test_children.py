"""Processes that a submission starts: the same packages, and one outcome in every tier or the reason why not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from harness.errors import Status
from harness.sandbox import run
from tests.sandbox.helpers import TIERS, job

# Works in every tier.
EVERYWHERE = {
    "interpreter": """
        import subprocess, sys

        def select(task):
            for name in ("numpy", "joblib", "sklearn", "harness.api", "helper"):
                subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
            said = subprocess.run([sys.executable, "-c", "import statistics; print(statistics.mean([1]))"],
                                  check=True, capture_output=True, text=True).stdout
            return [int(said)]
    """,
    "joblib": """
        from joblib import Parallel, delayed
        import numpy as np

        def double(i):
            return 2 * int(i)

        def select(task):
            big = np.zeros((100, 1000))
            sums = Parallel(n_jobs=2, max_nbytes=1000)(delayed(np.sum)(big) for _ in range(3))
            return Parallel(n_jobs=2)(delayed(double)(i) for i in range(5)) + [int(sum(sums))]
    """,
    "all cores": """
        from joblib import Parallel, cpu_count, delayed, effective_n_jobs

        def select(task):
            return [effective_n_jobs(-1), cpu_count(), *Parallel(n_jobs=-1)(delayed(int)(i) for i in range(3))]
    """,
    "scikit-learn": """
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_predict

        def select(task):
            return cross_val_predict(LogisticRegression(), task.X, task.y, cv=2, n_jobs=2)
    """,
    "process and pipe": """
        import multiprocessing

        def work(end):
            end.send(3)

        def select(task):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=work, args=(theirs,))
            process.start()
            got = ours.recv()
            process.join()
            return [got]
    """,
    "asyncio": """
        import asyncio

        def select(task):
            async def wait():
                await asyncio.sleep(0)
                return [1]
            return asyncio.run(wait())
    """,
    "temporary files": """
        import tempfile
        from pathlib import Path

        def select(task):
            with tempfile.NamedTemporaryFile("w") as file, tempfile.TemporaryDirectory() as folder:
                file.write("x")
                (Path(folder) / "y").write_text("y")
            Path("z").write_text("z")
            (Path.home() / "w").write_text("w")
            there = {path.name for path in Path(tempfile.gettempdir()).iterdir()}
            print(sorted(there))
            return [int({"w", "z"} <= there)]
    """,
    "executor": """
        from concurrent.futures import ProcessPoolExecutor

        def select(task):
            with ProcessPoolExecutor(2) as pool:
                return list(pool.map(int, range(3)))
    """,
    "pool": """
        import multiprocessing

        def select(task):
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    got = pool.map(int, range(3))
            return got
    """,
    "queue": """
        import multiprocessing

        def select(task):
            queue = multiprocessing.Queue()
            process = multiprocessing.Process(target=queue.put, args=(3,))
            process.start()
            return [queue.get(timeout=10)]
    """,
    "joblib in processes": """
        import os
        from joblib import Parallel, delayed

        def where(i):
            return os.getpid()

        def select(task):
            found = Parallel(n_jobs=2)(delayed(where)(i) for i in range(8))
            return [int(os.getpid() in found)]
    """,
}

# Needs shared memory or sockets with an address.
NOT_UNDER_LANDLOCK = {
    "fork server": """
        import multiprocessing

        def select(task):
            with multiprocessing.get_context("forkserver").Pool(2) as pool:
                return pool.map(int, range(3))
    """,
    "manager": """
        import multiprocessing

        def select(task):
            with multiprocessing.Manager() as manager:
                return list(manager.list([1, 2]))
    """,
    "shared memory": """
        from multiprocessing import shared_memory

        def select(task):
            memory = shared_memory.SharedMemory(create=True, size=10)
            memory.close()
            memory.unlink()
            return [1]
    """,
    "data loader": """
        import torch
        from torch.utils.data import DataLoader, TensorDataset

        def select(task):
            rows = TensorDataset(torch.arange(60))
            return torch.cat([batch for (batch,) in DataLoader(rows, batch_size=20, num_workers=2)])
    """,
}


@pytest.mark.parametrize("name", EVERYWHERE)
def test_the_same_outcome_in_every_tier(name: str, tmp_path: Path) -> None:
    outputs = []
    for tier in TIERS:
        folder = tmp_path / tier
        folder.mkdir()
        (folder / "helper.py").touch()
        (folder / "statistics.py").write_text("raise ImportError('it shadows the standard module')\n")
        outcome = run(job(folder, EVERYWHERE[name], seconds=60), tier)  # libraries load slowly on a busy machine
        assert outcome.arrays is not None, (tier, outcome.reason)
        outputs.append(outcome.arrays["indices"].tolist())
        assert not list(folder.rglob("__pycache__"))
    assert all(output == outputs[0] for output in outputs), (outputs, outcome.log)
    assert name != "temporary files" or outputs[0] == [1]
    assert name != "joblib in processes" or outputs[0] == [0]
    assert name != "all cores" or outputs[0] == [1, 1, 0, 1, 2]


@pytest.mark.parametrize("name", NOT_UNDER_LANDLOCK)
@pytest.mark.parametrize("tier", TIERS)
def test_where_landlock_cannot_the_reason_says_so(name: str, tier: str, tmp_path: Path) -> None:
    outcome = run(job(tmp_path / "s", NOT_UNDER_LANDLOCK[name]), tier)
    if tier != "landlock":
        assert outcome.status is Status.OK, outcome.reason
        return
    assert outcome.status is Status.CRASHED
    assert "Under Landlock there are no shared memory and no sockets with an address" in outcome.reason
    assert "work in bubblewrap" in outcome.reason


@pytest.mark.parametrize("tier", TIERS)
def test_the_temporary_directory_by_its_usual_name(tier: str, tmp_path: Path) -> None:
    outcome = run(job(tmp_path / "s", "def select(task):\n    open('/tmp/x', 'w').close()\n    return [1]\n"), tier)
    if tier != "landlock":
        assert outcome.status is Status.OK
        return
    assert outcome.status is Status.CRASHED
    assert "the private temporary directory is tempfile.gettempdir()" in outcome.reason


BROKEN = {
    "executor": """
        from concurrent.futures import ProcessPoolExecutor

        def start():
            import xgboost

        def select(task):
            with ProcessPoolExecutor(2, initializer=start) as pool:
                return list(pool.map(int, range(3)))
    """,
    "loky": """
        from joblib import Parallel, delayed, parallel_config

        def start():
            import xgboost

        def select(task):
            with parallel_config("loky", initializer=start):
                return Parallel(n_jobs=2)(delayed(int)(i) for i in range(3))
    """,
    "interpreter": """
        import subprocess, sys

        def select(task):
            subprocess.run([sys.executable, "-c", "import xgboost"], check=True)
    """,
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_broke_a_child_is_the_reason(name: str, tmp_path: Path) -> None:
    outcome = run(job(tmp_path / "s", BROKEN[name]), TIERS[0])
    assert outcome.status is Status.CRASHED
    assert outcome.reason.endswith("ModuleNotFoundError: No module named 'xgboost'."), outcome.reason


@pytest.mark.parametrize("tier", TIERS)
def test_no_start_up_hook_runs_in_the_worker(tier: str, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    for name in ("sitecustomize.py", "usercustomize.py"):
        (folder / name).write_text("import builtins\nbuiltins.HOOKED = True\n")
    (folder / "hook.pth").write_text("import builtins; builtins.HOOKED = True\n")
    source = "import builtins\ndef select(task):\n    return [int(hasattr(builtins, 'HOOKED'))]\n"
    outcome = run(job(folder, source), tier)
    assert outcome.arrays is not None, outcome.reason
    assert outcome.arrays["indices"].tolist() == [0]


@pytest.mark.parametrize("tier", TIERS)
def test_a_pair_of_sockets_reaches_nobody_else(tier: str, tmp_path: Path) -> None:
    """Pairs are what asyncio and pipes are made of; of datagrams, each end could send to any socket with a path."""
    source = f"""
    import socket

    def select(task):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
            try:
                ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
            except OSError as error:
                print(error)
                continue
            for send in (lambda: ours.sendto(b"out", {str(tmp_path / "open")!r}), lambda: ours.connect({str(tmp_path / "open")!r})):
                try:
                    send()
                except OSError as error:
                    print(error)
            theirs.close()
        ours, theirs = socket.socketpair()
        ours.send(b"in")
        return [len(theirs.recv(2))]
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as outside:
        outside.bind(str(tmp_path / "open"))
        outside.setblocking(False)
        outcome = run(job(tmp_path / "s", source), tier)
        assert outcome.arrays is not None, outcome.reason
        assert outcome.arrays["indices"].tolist() == [2]
        with pytest.raises(BlockingIOError):
            outside.recv(10)
