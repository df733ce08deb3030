"""Which code gave a score: a digest of the harness's own source, the commit it stands at, and the machine.

A ``scorer_version`` is a promise of whoever changes a scorer; the digest needs none. Cells of another source are run
again, records of other statistics summed up again, and rows of several sources never share a ranking.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_SCORING = (
    "tracks",
    "models",
    "data",
    "api",
    "randomness.py",
    "registry.py",
    "evaluation/cell.py",
    "evaluation/draws.py",
)
_SUMMING = (
    "statistics/bootstrap.py", "statistics/intervals.py", "statistics/differences.py", "statistics/maxt.py",
    "statistics/normalised.py", "evaluation/tally.py",
)  # fmt: skip
_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "pandas", "hydra-core", "mlflow")
_HERE = Path(__file__).parents[1]


def source() -> str:
    """SHA-256 over paths and contents of all modules that a cell's score goes through."""
    return digest_of(*_SCORING)


def statistics() -> str:
    """The same of those by which a run's cells are summed up."""
    return digest_of(*_SUMMING)


@cache
def digest_of(*names: str) -> str:
    """SHA-256 over paths and contents of modules and rooms of the harness."""
    files = [file for name in names for file in _modules(_HERE / name)]
    sha = hashlib.sha256()
    for file in sorted(files):
        content = file.read_bytes()
        sha.update(f"{file.relative_to(_HERE).as_posix()}\0{len(content)}\0".encode())
        sha.update(content)
    return sha.hexdigest()


@cache
def commit() -> tuple[str, bool] | None:
    """The commit of a checkout and whether files of it were changed since; None where the harness is in none."""
    if not _git("ls-files", "--error-unmatch", "harness/__init__.py"):
        return None
    return _git("rev-parse", "HEAD").strip(), bool(_git("status", "--porcelain", "--", "harness", "conf").strip())


@cache
def versions() -> dict[str, str]:
    """Versions of whatever can change a score, and the machine."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "processor": _processor()}
    found["harness"] = sys.modules["harness"].__version__  # the package that this room is in
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # mlflow-skinny in place of mlflow, for example
            continue
    return found


def _modules(place: Path) -> list[Path]:
    return [place] if place.is_file() else list(place.rglob("*.py"))


def _git(*words: str) -> str:
    """What git says in the directory that holds the package; nothing where there is no git, or no checkout of it."""
    try:
        said = subprocess.run(
            ["git", "-C", str(_HERE.parent), *words], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout


def _processor() -> str:
    """The processor's name as the kernel gives it; its instruction set where it gives none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())
