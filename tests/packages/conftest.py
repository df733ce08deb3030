"""An index of hand-made wheels: no network, and whatever a hostile packager might put into one."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.packages import installed

Wheel = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, so that nothing resolved before is used."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "harness"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all pip knows of the world."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def wheel(index: Path) -> Wheel:
    """Writes a wheel into the index: ``wheel("name", "1.0", {"name.py": "X = 1"}, needs=["other"])``."""

    def write(name: str, version: str, files: dict[str, str | bytes], needs: Sequence[str] = ()) -> Path:
        info = f"{name}-{version}.dist-info"
        requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
        whole: dict[str, str | bytes] = {
            **files,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        contents = {path: text.encode() if isinstance(text, str) else text for path, text in whole.items()}
        lines = [f"{path},sha256={_digest(content)},{len(content)}" for path, content in contents.items()]
        contents[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""]).encode()
        path = index / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for inside, content in contents.items():
                archive.writestr(inside, content)
        return path

    return write


@pytest.fixture
def source(tmp_path: Path) -> Callable[[Path, str], Path]:
    """Writes a source archive whose build leaves the file ``built`` in the test's directory."""

    def write(folder: Path, name: str) -> Path:
        marker = tmp_path / "built"
        run = f"open({str(marker)!r}, 'w').close()\n"
        setup = f"{run}from setuptools import setup\nsetup(name={name!r}, version='1.0')\n"
        files = {
            "setup.py": setup,
            "backend.py": run,
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        }
        files["pyproject.toml"] = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        path = folder / f"{name}-1.0.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for inside, text in files.items():
                entry = tarfile.TarInfo(f"{name}-1.0/{inside}")
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        return path

    return write


def installed_version(name: str) -> str:
    return str(installed.installed()[name])  # type: ignore[index]


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
