"""Our baselines as modules, and what other libraries computed, recorded with their versions."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np

from harness.paths import SUBMISSIONS_DIR

RECORDED = Path(__file__).with_name("recorded")


def algorithm(task: str, name: str) -> Any:
    """The module of a shipped baseline, a fresh one each time, so that its constants may be set."""
    spec = importlib.util.spec_from_file_location(f"{task}_{name}", SUBMISSIONS_DIR / task / name / "algorithm.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def digest(*arrays: np.ndarray) -> str:
    """SHA-256 over dtypes, shapes and bytes: what a recording was made on."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def recorded(name: str) -> dict[str, Any]:
    """A file of recorded outputs."""
    content: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    return content
