"""Where the tests find real data: HARNESS_DATA_DIR, or ``../shared/data`` beside the checkout; else they skip."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.data import load_dataset, settings_class
from harness.data.base import Dataset
from harness.data.fetch import find

_BESIDE = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    return Path(os.environ.get("HARNESS_DATA_DIR", _BESIDE))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "harness"


@pytest.fixture
def real(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Dataset]:
    """Load a data set if all the files it needs here are on this machine, skip the test otherwise. Never downloads."""

    def load(name: str, **params: object) -> Dataset:
        monkeypatch.setenv("HARNESS_DATA_DIR", str(data_dir))
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # so that nothing is fetched by a test
        task = str(params.get("task", "")).replace("_", "-")
        needed = [
            f for f in settings_class(name).files() if not task or f.name.startswith((f"{task}_", f"dataset_{task}_"))
        ]
        absent = [file.name for file in needed if find(file) is None]
        if absent:
            pytest.skip(f"{name}: {absent[0]} is neither in {data_dir} nor in the cache")
        return load_dataset(name, **params)

    return load
