"""What tests of several rooms share."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

Write = Callable[..., Path]

# A shell's background jobs start with Ctrl-C ignored, and all their children too; tests mean a terminal's.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def write_submission(tmp_path: Path) -> Write:
    """Writes a submission folder: ``write_submission("name", source, track="debugging", function="rank")``."""

    def write(name: str, source: str, track: str = "debugging", function: str = "rank", **manifest: object) -> Path:
        folder = tmp_path / "submissions" / name
        folder.mkdir(parents=True)
        content = {
            "name": name,
            "track": track,
            "entry": f"algorithm:{function}",
            "authors": ["Tester"],
            "description": "made by a test",
            "license": "Apache-2.0",
            **manifest,
        }
        (folder / "submission.yaml").write_text(yaml.safe_dump(content))
        (folder / "algorithm.py").write_text(source)
        return folder

    return write
