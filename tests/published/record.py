"""Run other libraries, each in its own environment, and keep what they say: python -m tests.published.record [values|regmix].

Environments as in tests/oracles/README.md: PYDVL_PYTHON, OPENDATAVAL_PYTHON; LIGHTGBM_PYTHON names one with lightgbm.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tests.published.baselines import RECORDED, digest

_VERSION = "import importlib.metadata as m; print(m.version('{}'))"


def values() -> None:
    """The values of both libraries on the tasks of tests/published/values.py."""
    from tests.oracles.test_other_libraries import oracle
    from tests.published.values import FIGURES, task_of

    found: dict[str, Any] = {}
    for figure in FIGURES:
        task = task_of(figure)
        with tempfile.TemporaryDirectory() as folder:
            told = oracle(figure.peer, figure.method, task, Path(folder))
        found[figure.key] = {
            "version": _version(figure.peer),
            "task": digest(task.X, task.y, task.X_val, task.y_val),
            "values": [round(float(value), 12) for value in told],
        }
        print(figure.key, flush=True)
    _keep("values", found)


def regmix() -> None:
    """LightGBM's predictions for RegMix's 256 test mixtures, with and without stopping on them: see _lightgbm_side.py."""
    from tests.published.regmix import mixtures

    X, losses, X_test, losses_test = mixtures()
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "mixtures.npz", Path(folder) / "predicted.npz"
        np.savez(source, X=X, losses=losses, X_test=X_test, losses_test=losses_test)
        script = Path(__file__).with_name("_lightgbm_side.py")
        subprocess.run([os.environ["LIGHTGBM_PYTHON"], str(script), str(source), str(target)], check=True, timeout=3600)
        with np.load(target) as told:
            found = {name: np.round(told[name], 6).tolist() for name in ("stopped", "whole")}
    _keep("regmix", {"version": _version("lightgbm"), "task": digest(X, losses, X_test, losses_test), **found})


def _version(library: str) -> str:
    interpreter = os.environ[f"{library.upper()}_PYTHON"]
    told = subprocess.run([interpreter, "-c", _VERSION.format(library)], capture_output=True, text=True, check=True)
    return told.stdout.strip()


def _keep(name: str, content: dict[str, Any]) -> None:
    (RECORDED / f"{name}.json").write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for wanted in sys.argv[1:] or ("values", "regmix"):
        {"values": values, "regmix": regmix}[wanted]()
