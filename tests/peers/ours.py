"""What the adapters share: our baselines' files, and a count of the tests in which one of them ran.

Loaded inside the environment of another library, which has neither torch nor this project installed: the project's folder
is appended to the path, for the parts of ``harness`` that a baseline imports.
"""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
_ran: list[str] = []


def algorithm(task: str, name: str) -> Any:
    """The module of a baseline; the test that asked for it counts as one of ours."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))  # last: its tests must not hide the library's
    _ran.append(f"{task}/{name}")
    path = ROOT / "submissions" / task / name / "algorithm.py"
    spec = importlib.util.spec_from_file_location(f"{task}_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def remembered(utility: Any) -> Any:
    """The utility of a coalition bool [n], asked once a coalition, in the shape of ``harness.models.coalitions.utilities``."""
    known: dict[bytes, float] = {}

    def of(member: Any) -> float:
        key = member.tobytes()
        if key not in known:
            known[key] = float(utility(member))
        return known[key]

    return lambda model, X, y, weights, X_val, y_val: np.array([of(row > 0) for row in np.asarray(weights)])


def classes_for(nothing: float) -> float:
    """The number of classes whose chance is the utility of no row at all."""
    return 1 / nothing if nothing else np.inf


def pytest_runtest_setup(item: Any) -> None:
    _ran.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Any:
    report = yield
    report.ours = sorted(set(_ran))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """How many of the tests in which a baseline ran passed, by baseline."""
    for outcome in ("passed", "failed"):
        reports = [r for r in terminalreporter.stats.get(outcome, []) if r.when == "call"]
        each = Counter(name for report in reports for name in report.ours)
        ours = sum(bool(report.ours) for report in reports)
        terminalreporter.write_line(
            f"{outcome}: {ours} with a baseline of ours, {len(reports) - ours} without; {dict(each)}"
        )
