"""A directory that anybody may enter: pytest's own are their owner's alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory in which everybody may write."""
    folder = Path(tempfile.mkdtemp(prefix="harness-test-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
