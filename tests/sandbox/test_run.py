"""Cells from start to end, on every tier that works here."""

from __future__ import annotations

import dataclasses
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import ProtocolError, Status
from harness.sandbox import cancel, cgroup, resolve_tier, resume, run, supervisor
from harness.tracks.base import Arrays, View
from tests.sandbox.helpers import BUDGET, TIERS, job, view

pytestmark = pytest.mark.parametrize("tier", TIERS)

RETURNS: dict[str, list[int]] = {
    "np.array([1, 2])": [1, 2],
    "[1, 2]": [1, 2],
    "(1, 2)": [1, 2],
    "range(3)": [0, 1, 2],
    "{'indices': [4]}": [4],
    "np.array([1, 2], dtype='>i4')": [1, 2],
    "np.arange(10)[::-2]": [9, 7, 5, 3, 1],
    "np.asfortranarray(np.array([[1, 2], [3, 4]]))": [[1, 2], [3, 4]],  # type: ignore[list-item]
    "np.float16(2)": 2.0,  # type: ignore[dict-item]
    "np.array([0.5], dtype=np.longdouble)": [0.5],  # type: ignore[list-item]
    "np.array([], dtype=int)": [],
    "np.ma.array([1, 2])": [1, 2],
    "task.X[:1, :0]": [[]],  # type: ignore[list-item]
}


def test_what_may_be_returned(tier: str, tmp_path: Path) -> None:
    """One cell returns them all, in rounds, so that the test stays short."""
    seen: list[Any] = []

    def reply(number: int, arrays: Arrays) -> Arrays | None:
        seen.append(arrays["indices"])
        return {"budget": np.array(number + 1)} if number + 1 < len(RETURNS) else None

    body = ", ".join(f"lambda task: {text}" for text in RETURNS)
    source = f"import numpy as np\nmakers = [{body}]\ndef select(task):\n    return makers[task.budget % {len(RETURNS)}](task)\n"
    first = View(view().arrays, {"budget": 0, "n_classes": 3})
    outcome = run(job(tmp_path / "s", source, reply=reply, shown=first), tier)
    assert outcome.status is Status.OK, outcome.reason
    for text, wanted, got in zip(RETURNS, RETURNS.values(), seen, strict=True):
        np.testing.assert_array_equal(got, np.array(wanted), err_msg=text)
        assert type(got) is np.ndarray
        assert got.dtype.isnative
    assert outcome.arrays is not None
    np.testing.assert_array_equal(outcome.arrays["indices"], seen[-1])


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("'text'", "text|str"),
        ("{'rows': [1]}", "rows"),
        ("object()", "object"),
        ("[[1], [1, 2]]", "indices"),
        ("np.array(['a'])", "dtype"),
        ("np.array([1j])", "complex"),
        ("np.zeros(1, 'M8[s]')", "datetime"),
        ("np.zeros(1, [('a', int)])", "dtype"),
        ("(i for i in range(3))", "generator"),
    ],
)
def test_what_may_not_be_returned(value: str, says: str, tier: str, tmp_path: Path) -> None:
    if tier != TIERS[0]:
        pytest.skip("the worker is the same on every tier")
    outcome = run(job(tmp_path / "s", f"import numpy as np\ndef select(task):\n    return {value}\n"), tier)
    assert outcome.status is Status.CONTRACT_VIOLATION
    assert "indices" in outcome.reason
    assert re.search(says, outcome.reason), outcome.reason


def test_several_outputs(tier: str, tmp_path: Path) -> None:
    shown = View(
        {"X": np.zeros((4, 2), np.float32), "y": np.zeros(4, np.int64)},
        {"budget": 4, "low": 0.0, "high": 1.0, "updates": 10, "n_classes": 2},
    )
    for value in ("(task.X, task.y)", "[task.X, task.y]", "{'y': task.y, 'X': task.X}"):
        source = f"def create_training_set(task):\n    return {value}\n"
        outcome = run(
            job(tmp_path / "s", source, task="training_set", function="create_training_set", shown=shown), tier
        )
        assert outcome.status is Status.OK, outcome.reason
        assert outcome.arrays is not None
        assert list(outcome.arrays) == ["X", "y"]
        assert outcome.arrays["X"].shape == (4, 2)
    source = "def create_training_set(task):\n    return task.X\n"
    outcome = run(job(tmp_path / "s", source, task="training_set", function="create_training_set", shown=shown), tier)
    assert outcome.status is Status.CONTRACT_VIOLATION
    assert "X, y" in outcome.reason


def test_the_task_is_what_the_view_says(tier: str, tmp_path: Path) -> None:
    source = """
    import numpy as np

    def select(task):
        assert task.X_val is None and task.y_val is None
        assert task.budget == 5 and task.n_classes == 3
        assert type(task.X) is np.ndarray and task.X.dtype == np.float32
        assert not task.X.flags.writeable and not task.y.flags.writeable
        return np.concatenate([task.y, [task.rng.integers(1 << 40)], task.X.ravel().view(np.int32)])
    """
    shown = view()
    outcome = run(job(tmp_path / "s", source), tier)
    assert outcome.arrays is not None, outcome.reason
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((1, 2, 3))))
    wanted = [*shown.arrays["y"], rng.integers(1 << 40), *np.asarray(shown.arrays["X"]).ravel().view(np.int32)]
    assert outcome.arrays["indices"].tolist() == wanted


def test_the_fixed_model_is_the_scorers(tier: str, tmp_path: Path) -> None:
    from harness.models import load_model

    source = """
    import sys

    def select(task):
        assert "torch" not in sys.modules
        return task.model.fit(task.X, task.y).predict_proba(task.X)
    """
    shown = view()
    outcome = run(job(tmp_path / "s", source), tier)
    assert outcome.arrays is not None, outcome.reason
    X, y = shown.arrays["X"], shown.arrays["y"]
    wanted = load_model("logistic", n_classes=3, device="cpu").fit(X, y).predict_proba(X)
    np.testing.assert_allclose(outcome.arrays["indices"], wanted, atol=1e-5)


def test_files_beside_the_algorithm(tier: str, tmp_path: Path) -> None:
    folder = tmp_path / "s"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "__init__.py").touch()
    (folder / "parts" / "inner.py").write_text("from helper import ONE\nTWO = 2 * ONE\n")
    (folder / "helper.py").write_text("ONE = 1\n")
    (folder / "table.csv").write_text("3,4\n")
    source = """
    from pathlib import Path
    from parts.inner import TWO

    def select(task):
        return [TWO, *map(int, (Path(__file__).parent / "table.csv").read_text().split(","))]
    """
    outcome = run(job(folder, source), tier)
    assert outcome.arrays is not None, outcome.reason
    assert outcome.arrays["indices"].tolist() == [2, 3, 4]
    assert not list(folder.rglob("__pycache__"))


def test_reasons_name_file_and_line(tier: str, tmp_path: Path) -> None:
    source = "def select(task):\n    return inner(task)\n\ndef inner(task):\n    return task.y[1000]\n"
    outcome = run(job(tmp_path / "s", source), tier)
    assert outcome.status is Status.CRASHED
    assert "IndexError" in outcome.reason
    assert "(algorithm.py, line 5)" in outcome.reason
    assert "line 5" in outcome.log
    assert "worker.py" not in outcome.log


def test_rounds(tier: str, tmp_path: Path) -> None:
    source = """
    rounds = []

    def select(task):
        rounds.append(task.budget)
        print("round", len(rounds), int(task.y.sum()))
        return [len(rounds), int(task.y.sum()), task.budget]
    """
    heard: list[list[int]] = []

    def reply(number: int, arrays: Arrays) -> Arrays | None:
        assert number == len(heard)
        heard.append(arrays["indices"].tolist())
        return {"y": np.full(3, number + 1), "budget": np.array(10 + number)} if number < 2 else None

    outcome = run(job(tmp_path / "s", source, reply=reply), tier)
    assert outcome.status is Status.OK, outcome.reason
    assert heard == [[1, int(view().arrays["y"].sum()), BUDGET], [2, 3, 10], [3, 6, 11]]
    assert outcome.arrays is not None
    assert outcome.arrays["indices"].tolist() == heard[-1]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("channel.sendall(b'\\xff' * 8); time.sleep(30)", Status.CONTRACT_VIOLATION),
        ("channel.sendall((5).to_bytes(8, 'little') + b'[[]]]')", Status.CONTRACT_VIOLATION),
        ("channel.sendall((0).to_bytes(8, 'little')); time.sleep(30)", Status.CONTRACT_VIOLATION),
        ("[(channel.sendall(b'\\1'), time.sleep(0.5)) for _ in range(1000)]", Status.TIMEOUT),
        ("channel.close(); time.sleep(30)", Status.TIMEOUT),
        ("channel.shutdown(2)", Status.NO_OUTPUT),
    ],
)
def test_rounds_with_a_forged_channel(body: str, status: Status, tier: str, tmp_path: Path) -> None:
    source = f"""
    import gc, os, socket, time

    def select(task):
        channel = next(o for o in gc.get_objects() if isinstance(o, socket.socket))
        {body}
        os._exit(0)
    """
    outcome = run(job(tmp_path / "s", source, reply=lambda n, a: None, seconds=2.0), tier)
    assert outcome.status is status, outcome.reason
    assert outcome.seconds < 3.0


@pytest.mark.parametrize(
    "more",
    [
        "frame",  # another round
        "b'\\1'",
        "bytes(8)",
        "b'\\xff' * 8",
        "(5).to_bytes(8, 'little') + b'[[]]]'",
        "frame[:-1]",
    ],
)
def test_nothing_may_be_sent_after_the_last_round(more: str, tier: str, tmp_path: Path) -> None:
    """Whatever it is, and though the process then ends as it should, by returning."""
    source = f"""
    import gc, json, socket, io
    import numpy as np

    def select(task):
        channel = next(o for o in gc.get_objects() if isinstance(o, socket.socket))
        file = io.BytesIO()
        np.lib.format.write_array(file, np.array([0]))
        head = json.dumps([["indices", len(file.getvalue())]]).encode()
        frame = len(head).to_bytes(8, "little") + head + file.getvalue()
        channel.sendall(frame)
        print("end", channel.recv(100), flush=True)
        channel.sendall({more})
        print("more", channel.recv(100), flush=True)
        return [0]
    """
    rounds: list[int] = []
    outcome = run(job(tmp_path / "s", source, reply=lambda n, a: rounds.append(n)), tier)
    assert outcome.status is Status.CONTRACT_VIOLATION, outcome.reason
    assert outcome.reason == "The last of 1 rounds was over; nothing may be sent after it."
    assert rounds == [0]
    assert f"end {bytes(8)!r}" in outcome.log
    assert "more" not in outcome.log


def test_a_violation_in_a_reply_ends_the_cell(tier: str, tmp_path: Path) -> None:
    from harness.errors import SubmissionError

    def reply(number: int, arrays: Arrays) -> Arrays | None:
        raise SubmissionError("round 0: over the budget")

    outcome = run(job(tmp_path / "s", "def select(task):\n    return [0]\n", reply=reply), tier)
    assert (outcome.status, outcome.reason) == (Status.CONTRACT_VIOLATION, "round 0: over the budget")


def test_the_time_of_a_reply_is_not_charged(tier: str, tmp_path: Path) -> None:
    import time

    def reply(number: int, arrays: Arrays) -> Arrays | None:
        time.sleep(2.5)
        return None

    outcome = run(job(tmp_path / "s", "def select(task):\n    return [0]\n", reply=reply, seconds=2.0), tier)
    assert outcome.status is Status.OK
    assert outcome.seconds < 2.0


def test_threads_run_cells_side_by_side(tier: str, tmp_path: Path) -> None:
    def one(number: int) -> int:
        source = f"import time\ndef select(task):\n    print('x' * 10000)\n    time.sleep(0.2)\n    return [{number}]\n"
        outcome = run(job(tmp_path / str(number), source), tier)
        assert outcome.arrays is not None, outcome.reason
        return int(outcome.arrays["indices"][0])

    fds = len(list(Path("/proc/self/fd").iterdir()))
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(one, range(18))) == list(range(18))
    assert len(list(Path("/proc/self/fd").iterdir())) == fds


def test_cancel_ends_what_is_running(tier: str, tmp_path: Path) -> None:
    endless = "import time\ndef select(task):\n    print('started', flush=True)\n    time.sleep(60)\n"
    timer = threading.Timer(0.8, cancel)
    timer.start()
    quick = "def select(task):\n    return [0]\n"
    try:
        with ThreadPoolExecutor(2) as pool:
            outcomes = list(pool.map(lambda n: run(job(tmp_path / str(n), endless, seconds=30.0), tier), range(2)))
        assert run(job(tmp_path / "s", quick), tier).status is Status.CANCELLED  # none begins
    finally:
        resume()
    assert [outcome.status for outcome in outcomes] == [Status.CANCELLED] * 2
    assert max(outcome.seconds for outcome in outcomes) < 5.0
    assert run(job(tmp_path / "t", quick), tier).status is Status.OK


MEMORY = """
def select(task):
    hoard = []
    while True:
        hoard.append(bytearray(b"x" * (1 << 20)))
"""


def test_memory_limit_by_control_group(tier: str, tmp_path: Path) -> None:
    if not cgroup.place().memory:
        pytest.skip("no control group for memory can be made here")
    outcome = run(job(tmp_path / "s", MEMORY, memory_mb=200), tier)
    assert outcome.status is Status.OUT_OF_MEMORY
    assert "200 MB" in outcome.reason
    assert 150 < outcome.peak_memory_mb <= 200


@pytest.mark.parametrize(
    "source",
    [MEMORY, MEMORY.replace("def select", "import os\ndef select").replace("hoard = []", "hoard = [os.fork()]")],
)
def test_memory_limit_by_watchdog(source: str, tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "place", lambda: cgroup.Place(0, None, None))
    monkeypatch.setattr("harness.sandbox.walls.place", lambda: cgroup.Place(0, None, None))
    outcome = run(job(tmp_path / "s", source, memory_mb=300), tier)
    assert outcome.status is Status.OUT_OF_MEMORY, outcome.reason


def test_process_limit_by_watchdog(tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup, "place", lambda: cgroup.Place(0, None, None))
    source = """
    import threading, time

    def select(task):
        for _ in range(100):
            threading.Thread(target=time.sleep, args=(5,)).start()
        time.sleep(5)
        return [0]
    """
    outcome = run(job(tmp_path / "s", source, processes=16), tier)
    assert outcome.status is Status.CRASHED
    assert "16" in outcome.reason or "thread" in outcome.reason


def test_processes_within_the_limit_are_allowed(tier: str, tmp_path: Path) -> None:
    source = """
    import os, threading, time

    def select(task):
        threads = [threading.Thread(target=time.sleep, args=(0.2,)) for _ in range(6)]
        [t.start() for t in threads]
        pids = [os.fork() for _ in range(1)]
        if 0 in pids:
            os._exit(7)
        return [os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in pids]
    """
    outcome = run(job(tmp_path / "s", source, processes=8), tier)
    assert outcome.arrays is not None, outcome.reason
    assert outcome.arrays["indices"].tolist() == [7]


def test_output_up_to_the_limit(tier: str, tmp_path: Path) -> None:
    source = "import numpy as np\ndef select(task):\n    return np.ones({}, dtype=np.int8)\n"
    fits = run(job(tmp_path / "s", source.format(7 << 20), output_mb=8), tier)
    assert fits.arrays is not None, fits.reason
    assert fits.arrays["indices"].sum() == 7 << 20
    for size in (9 << 20, 200 << 20):
        over = run(job(tmp_path / "s", source.format(size), output_mb=8), tier)
        assert over.status is Status.CONTRACT_VIOLATION
        assert "indices" in over.reason


def test_a_folder_that_is_not_there(tier: str, tmp_path: Path) -> None:
    gone = dataclasses.replace(job(tmp_path / "s", ""), folder=tmp_path / "gone")
    assert run(gone, tier).status is Status.INVALID_SUBMISSION
    other = dataclasses.replace(job(tmp_path / "s", ""), module="other")
    assert run(other, tier).status is Status.INVALID_SUBMISSION


def test_our_own_failures_are_ours(tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = job(tmp_path / "s", "def select(task):\n    return [0]\n")
    lists = dataclasses.replace(good, view=View({"X": np.array([None])}, {}))
    assert run(lists, tier).status is Status.HARNESS_ERROR
    missing = dataclasses.replace(good, view=View({"nonsense": np.zeros(3)}, {"budget": 1, "n_classes": 2}))
    outcome = run(missing, tier)
    assert outcome.status is Status.HARNESS_ERROR
    assert "nonsense" in outcome.reason
    with monkeypatch.context() as patch:
        patch.setattr(supervisor, "Cell", lambda: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        assert run(good, tier).status is Status.HARNESS_ERROR
    assert run(good, tier).status is Status.OK


def test_the_environment_is_the_same_for_everyone(tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("LD_PRELOAD", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    source = """
    import os, sys

    def select(task):
        assert os.environ["OMP_NUM_THREADS"] == "1" and "LD_PRELOAD" not in os.environ
        assert os.environ["PYTHONPATH"].split(":") == sys.path and "/elsewhere" not in sys.path
        assert sys.flags.no_user_site and sys.flags.no_site and sys.flags.safe_path
        return [hash("text") % 1000]
    """
    first, second = (run(job(tmp_path / "s", source), tier) for _ in range(2))
    assert first.arrays is not None, first.reason
    assert second.arrays is not None
    assert first.arrays["indices"] == second.arrays["indices"]


def test_tier_by_name_and_auto(tier: str) -> None:
    assert resolve_tier(tier, "none") == tier
    assert resolve_tier("auto", "landlock") == TIERS[0]
    with pytest.raises(ProtocolError, match="no isolation tier"):
        resolve_tier("chroot", "none")
    if tier == "landlock":
        with pytest.raises(ProtocolError, match="weaker"):
            resolve_tier(tier, "bubblewrap")
