"""Every folder under ``cases/`` is a hostile or broken submission; ``case.yaml`` says how its cell must end.

Keys of ``case.yaml``: ``expect`` (a status, a list of them, or one or the other per tier), ``limits``, ``reason`` (pattern that
the reason must contain), ``nothing_found`` (the output must be [0]: the attack counts what it reached),
``truncated``, ``twice``. To add a case, add a folder.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import py_compile
import re
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from harness.api import SelectionTask
from harness.errors import Status, SubmissionError
from harness.sandbox import Job, Limits, Outcome, probe, run
from harness.sandbox.cgroup import place
from harness.sandbox.inside.launcher import descendants
from harness.tracks import checks
from harness.tracks.base import View
from tests.redteam.targets import Targets

CASES = Path(__file__).parent / "cases"
NAMES = sorted(str(path.parent.relative_to(CASES)) for path in CASES.glob("*/*/case.yaml"))
TIERS = [report.name for report in probe() if report.works and report.name != "none"]
LIMITS: dict[str, Any] = {"seconds": 20.0, "memory_mb": 512, "processes": 32, "output_mb": 8, "log_kb": 64}
BUDGET, ROWS, ENTROPY = 5, 60, (11, 22, 33)


def view() -> View:
    rng = np.random.default_rng(7)
    arrays: dict[str, np.ndarray] = {"X": rng.random((ROWS, 6), dtype=np.float32), "y": rng.integers(0, 3, ROWS)}
    return View(arrays, {"budget": BUDGET, "n_classes": 3})


def folder_of(name: str, targets: Targets, tmp_path: Path) -> Path:
    folder = tmp_path / "submission"
    shutil.copytree(CASES / name, folder)
    targets.write(folder)
    if name == "shadow/stale_bytecode":
        (folder / "forged.py").write_text("VALUE = 1\n")
        cached = importlib.util.cache_from_source(str(folder / "helper.py"))
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(folder / "forged.py"), cached, doraise=True, invalidation_mode=unchecked)
    if name == "broken/syntax_error":
        (folder / "algorithm.py").write_text("def select(task):\n    return [0\n")
    if name == "broken/not_utf8":
        (folder / "algorithm.py").write_bytes(b"def select(task):\n    return '\xff\xfe\x00'\n")
    return folder


def judged(outcome: Outcome, shown: View) -> tuple[Status, str, list[int] | None]:
    """What the harness would make of it: the sandbox's word, then the track's validators."""
    if outcome.arrays is None:
        return outcome.status, outcome.reason, None
    assert outcome.status is Status.OK
    try:
        budget = int(shown.scalars["budget"])
        found = checks.indices(outcome.arrays["indices"], name="indices", n=ROWS, at_most=budget)
    except SubmissionError as error:
        return error.status, str(error), None
    return Status.OK, "", found.tolist()


@pytest.fixture
def nothing_left(targets: Targets) -> Any:
    """No process, temporary directory or control group more than before; nothing reached."""
    where = place()
    groups = [d for d in (where.memory, where.pids) if d]

    def litter() -> set[str]:
        mine = {str(p) for p in Path(tempfile.gettempdir()).glob("harness-cell-*") if _held_by_us(p)}
        return mine | {str(pid) for pid in descendants(os.getpid())}

    before = litter()
    yield
    assert litter() <= before
    assert targets.touched() == []
    for directory in groups:
        for group in directory.glob("harness-cell-*"):
            assert not _held_by_us(Path(tempfile.gettempdir()) / group.name)


def _held_by_us(path: Path) -> bool:
    held = {os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")}
    return str(path / "lock") in held


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("name", NAMES)
def test_attack(
    name: str, tier: str, targets: Targets, tmp_path: Path, table: dict[str, dict[str, str]], nothing_left: None
) -> None:
    case = yaml.safe_load((CASES / name / "case.yaml").read_text())
    limits = Limits(**{**LIMITS, **case.get("limits", {})})
    shown = view()
    originals = {key: array.copy() for key, array in shown.arrays.items()}
    job = Job(
        shown,
        SelectionTask,
        {"name": "logistic", "n_classes": 3},
        ENTROPY,
        folder_of(name, targets, tmp_path),
        "algorithm",
        "select",
        limits,
    )
    outcomes = [run(job, tier) for _ in range(2 if case.get("twice") else 1)]
    outcome = outcomes[-1]
    status, reason, output = judged(outcome, shown)
    table.setdefault(name, {})[tier] = str(status)

    expected = case["expect"]
    if isinstance(expected, dict):
        expected = expected[tier]
    assert str(status) in (expected if isinstance(expected, list) else [expected]), f"{reason}\n{outcome.log}"
    assert outcome.tier == tier
    assert re.search(case.get("reason", ""), reason), reason
    if case.get("nothing_found"):
        assert output == [0], outcome.log
    if status is not Status.OK:
        assert reason
        assert len(reason) <= 2100
        assert "\x1b" not in reason
        assert "Traceback" not in reason
    assert outcome.seconds < limits.seconds + 20.0  # about none on a quiet machine
    assert len(outcome.log) <= limits.log_kb * 1024 + 100
    assert outcome.log_truncated == case.get("truncated", False)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", outcome.log)
    assert all(np.array_equal(originals[key], array) for key, array in shown.arrays.items())
    assert targets.canary not in outcome.log
    extra = EXTRA.get(name)
    if extra:
        extra(outcome, output, shown)


def _honest(outcome: Outcome, output: list[int] | None, shown: View) -> None:
    X, y = shown.arrays["X"], shown.arrays["y"]
    distance = [float(((X[i] - X[y == y[i]].mean(0)) ** 2).sum()) for i in range(ROWS)]
    assert output == sorted(range(ROWS), key=distance.__getitem__)[:BUDGET]


def _random(outcome: Outcome, output: list[int] | None, shown: View) -> None:
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(ENTROPY)))
    assert output == rng.choice(ROWS, BUDGET, replace=False).tolist()


def _is_three(outcome: Outcome, output: list[int] | None, shown: View) -> None:
    assert output == [3]
    assert outcome.arrays is not None
    assert type(outcome.arrays["indices"]) is np.ndarray


def _outside_clock(outcome: Outcome, output: list[int] | None, shown: View) -> None:
    assert outcome.seconds > 0.4


EXTRA = {
    "control/honest": _honest,
    "control/random": _random,
    "reach_in/monkey_patch": _outside_clock,
    "forge/print_score": _is_three,
    "forge/write_record": _is_three,
    "forge/array_subclass": _is_three,
    "forge/lazy_object": _is_three,
    "outlive/daemon": _is_three,
    "outlive/holds_the_log": _is_three,
    "outlive/late_thread": _is_three,
    "outlive/exit_hooks": _is_three,
}


@pytest.mark.parametrize("tier", TIERS)
def test_nothing_tells_one_call_from_another(tier: str, targets: Targets, tmp_path: Path) -> None:
    folder = folder_of("cheat/tell_check_from_run", targets, tmp_path)
    logs = []
    for arrays in (1, 2):
        job = Job(
            view(), SelectionTask, {"name": "logistic"}, (arrays,), folder, "algorithm", "select", Limits(**LIMITS)
        )
        logs.append(run(job, tier).log)
    assert logs[0] == logs[1]
    assert "PYTHONHASHSEED" in logs[0]


@pytest.mark.parametrize("tier", TIERS)
def test_memory_of_the_harness_stays_flat(tier: str, targets: Targets, tmp_path: Path) -> None:
    folder = folder_of("exhaust/output_400_mb", targets, tmp_path)
    job = Job(
        view(),
        SelectionTask,
        {"name": "logistic"},
        (1,),
        folder,
        "algorithm",
        "select",
        Limits(**{**LIMITS, "seconds": 30}),
    )
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = run(job, tier)
    assert outcome.log_truncated
    assert "bytes dropped" in outcome.log
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_every_class_has_its_cases() -> None:
    classes = {name.split("/")[0] for name in NAMES}
    assert {
        "control",
        "look",
        "reach_out",
        "reach_in",
        "forge",
        "outlive",
        "exhaust",
        "poison",
        "shadow",
        "carry_over",
        "cheat",
    } <= classes
    assert len(NAMES) >= 40
    assert {"control/honest", "control/random"} <= set(NAMES)
    assert TIERS, "no isolation tier works here: nothing was tested"


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("seconds", [0.05, 1.0])
def test_time_limits_hold(seconds: float, tier: str, targets: Targets, tmp_path: Path) -> None:
    folder = folder_of("exhaust/endless_loop", targets, tmp_path)
    job = Job(view(), SelectionTask, {"name": "logistic"}, (1,), folder, "algorithm", "select", Limits(seconds=seconds))
    before = time.monotonic()
    outcome = run(job, tier)
    assert outcome.status is Status.TIMEOUT
    assert outcome.seconds < seconds + 20.0  # well under one on a quiet machine; many tests may run side by side
    if tier != "container":  # Podman takes its time before and after
        assert time.monotonic() - before < seconds + 40.0
