"""A job from a few lines of source."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import TASKS
from harness.sandbox import Job, Limits, probe
from harness.tracks.base import Arrays, View

TIERS = [report.name for report in probe() if report.works and report.name != "none"]
ROWS, BUDGET = 60, 5


def view() -> View:
    rng = np.random.default_rng(3)
    arrays: Arrays = {"X": rng.random((ROWS, 4), dtype=np.float32), "y": rng.integers(0, 3, ROWS)}
    return View(arrays, {"budget": BUDGET, "n_classes": 3})


def job(
    folder: Path,
    source: str,
    *,
    task: str = "selection",
    function: str = "select",
    shown: View | None = None,
    reply: Callable[[int, Arrays], Arrays | None] | None = None,
    **limits: Any,
) -> Job:
    folder.mkdir(exist_ok=True)
    (folder / "algorithm.py").write_text(textwrap.dedent(source))
    allowed = Limits(**{"seconds": 60.0, "memory_mb": 1024, "processes": 32, "output_mb": 8, "log_kb": 64, **limits})
    model: dict[str, str | int] = {"name": "logistic", "n_classes": 3}
    return Job(shown or view(), TASKS[task], model, (1, 2, 3), folder, "algorithm", function, allowed, reply=reply)
