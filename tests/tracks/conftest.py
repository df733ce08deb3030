"""Where tests of tracks find real data: HARNESS_DATA_DIR, or ``../shared/data`` beside the checkout; else they skip."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

_BESIDE = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def real_folder(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """The folder of a data set, HARNESS_DATA_DIR pointing there; skips the test where there is none."""

    def folder(name: str) -> Path:
        directory = Path(os.environ.get("HARNESS_DATA_DIR", _BESIDE))
        if not (directory / name).is_dir():
            pytest.skip(f"{name} is not in {directory}")
        monkeypatch.setenv("HARNESS_DATA_DIR", str(directory))
        return directory / name

    return folder
