"""``scripts/gpu_acceptance`` rehearsed on the CPU, and what it does with steps that fail, die or hang."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.gpu_acceptance.page import accepted, page, report
from tests.gpu_acceptance.plan import Figures, Result, Setting, Skip, Step, run_steps
from tests.gpu_acceptance.steps import compared, steps

SCRIPT = Path(__file__).parents[1] / "scripts" / "gpu_acceptance"
CPU, CUDA = Setting("cpu", quick=True), Setting("cuda")


def _script(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(SCRIPT), *words], capture_output=True, text=True, check=False)


def test_the_rehearsal_does_every_step_and_says_that_it_is_one(tmp_path: Path) -> None:
    done = _script("--rehearse", "--quick", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "rehearsal.json").read_text())
    by_name = {step["name"]: step for step in found["steps"]}
    assert list(by_name) == [step.name for step in steps()]
    assert {name for name, step in by_name.items() if step["status"] != "passed"} <= {"tests"}
    assert by_name["tests"]["status"] == "passed" or "no CUDA device" in by_name["tests"]["why"]
    assert (found["rehearsal"], found["device"], found["accepted"]) == (True, "cpu", True)
    assert by_name["model mlp"]["figures"]["apart_from_cpu"] > 1e-5  # the GPU's way, not one path twice
    assert by_name["logistic 512"]["figures"]["ms_a_fit"] > 0
    assert by_name["memory"]["figures"]["refused"] == [6]
    written = (tmp_path / "rehearsal.md").read_text()
    assert "Rehearsal on the CPU: no GPU was used" in written
    assert all(f"| {name} |" in written for name in by_name)


def test_without_a_gpu_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    done = _script("--out", str(tmp_path))
    assert (done.returncode, done.stdout, list(tmp_path.iterdir())) == (2, "", [])
    assert done.stderr.count("\n") == 1
    assert "--rehearse" in done.stderr


def test_all_steps_fit_into_eight_minutes() -> None:
    assert sum(step.seconds(CUDA) for step in steps()) < 8 * 60


def _fails(_: Setting) -> Figures:
    raise ValueError("wrong\nanswer")


def _skips(_: Setting) -> Figures:
    raise Skip("nothing to do")


def _dies(_: Setting) -> Figures:
    os._exit(3)


def _hangs(_: Setting) -> Figures:
    started = subprocess.Popen(["sleep", "600"])
    Path(os.environ["LEFT_BEHIND"]).write_text(str(started.pid))
    time.sleep(600)
    return {}


def _works(_: Setting) -> Figures:
    return {"ms": 0.5}


def test_whatever_becomes_of_a_step_the_others_are_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEFT_BEHIND", str(tmp_path / "pid"))
    works = [_fails, _skips, _dies, _hangs, _works]
    told: list[Result] = []
    results = run_steps([Step(work.__name__, "", work, 0.5) for work in works], CPU, told.append)
    assert told == results
    assert [result.status for result in results] == ["failed", "skipped", "failed", "failed", "passed"]
    assert "ValueError: wrong answer (test_gpu_acceptance.py:" in results[0].why
    assert [result.why for result in results[1:3]] == ["nothing to do", "Its process died."]
    assert "longer than its 2 s" in results[3].why
    assert results[4].figures == {"ms": 0.5}
    assert _ended(int((tmp_path / "pid").read_text()))
    found = report(results, CPU, ["cell"])
    assert not found["accepted"]
    written = page(found)
    assert "- _fails failed: ValueError: wrong answer" in written
    assert "- _skips skipped: nothing to do" in written
    assert "Not asked for (--only): cell." in written


def _ended(pid: int) -> bool:
    """Whether a process is gone, or dead and waiting for somebody to take note."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_on_a_gpu_nothing_may_be_skipped() -> None:
    results = [Result("a", "", "passed", 1.0), Result("b", "", "skipped", 1.0, "why")]
    assert accepted(results, CPU)
    assert not accepted(results, CUDA)
    assert accepted(results[:1], CUDA)


def test_answers_that_are_too_far_apart_fail() -> None:
    import numpy as np

    y = np.zeros(100, np.int64)
    P = np.full((2, 100, 2), [0.6, 0.4])
    Q = P.copy()
    Q[0, 0] = [0.5996, 0.4004]
    assert compared(P, Q, y, network=False)["apart_from_cpu"] == pytest.approx(4e-4)
    Q[0, 0] = [0.599, 0.401]
    with pytest.raises(AssertionError, match="a probability is"):
        compared(P, Q, y, network=False)
    Q[0, :2] = [0.4, 0.6]
    with pytest.raises(AssertionError, match="an accuracy is"):
        compared(P, Q, y, network=True)
    with pytest.raises(AssertionError, match="rows are"):
        compared(P, P + 0.03, y, network=True)
