"""Releases made once, and a network that is not there."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.pipeline.release.write import release
from tests.pipeline.release.data import ALL


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wants to go elsewhere fails."""

    def refused(*_: Any) -> None:
        pytest.fail("something went to the network")

    monkeypatch.setattr(socket.socket, "connect", refused)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """``conf/`` with all data sets, and a release of each beside it."""
    root = tmp_path_factory.mktemp("releases")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        for name, make in ALL.items():
            make(root / "conf")
            release(name, root / name, root / "conf", archive=True)
        yield root


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A release of one's own to spoil."""

    def copy(name: str) -> Path:
        shutil.copytree(made / name, tmp_path / name)
        return tmp_path / name

    return copy
