"""pip of the running interpreter, under a watch: it starts no other program, and has so much room and time."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, ProtocolError, Status, SubmissionError
from harness.packages import guard
from harness.sandbox.visible import visible

MAX_MB = 2048  # downloads and unpacked files together, at any moment
MAX_SECONDS = 900.0
_TICK = 0.25  # seconds between two looks
_MAX_OUTPUT = 8 * 2**20
_PREFIX = ".building-"
# What a user may have set for an environment of their own and would send packages elsewhere than told.
_OURS = (
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_PYTHON",
    "PIP_REQUIREMENT",
    "PIP_REPORT",
    "PIP_DRY_RUN",
    "PIP_LOG",
)


@dataclass(frozen=True)
class Said:
    """How pip ended, and the last 8 MB of what it printed."""

    code: int
    text: str


def pip(arguments: list[str], work: Path) -> Said:
    """Run ``pip install`` with the user's own pip configuration; whatever it writes lies in ``work``.

    Raises
    ------
    ProtocolError: this interpreter has no pip.
    SubmissionError: more than MAX_MB are needed.
    HarnessError: it takes longer than MAX_SECONDS.
    """
    if importlib.util.find_spec("pip") is None:
        raise ProtocolError(
            f"A submission asks for packages, and {sys.executable} has no pip to get them with.",
            "`python -m ensurepip` (or `uv pip install pip`) in the harness's environment installs it.",
        )
    log = work / "pip.log"
    common = [
        "install",
        "--only-binary=:all:",
        "--no-input",
        "--disable-pip-version-check",
        "--progress-bar=off",
        "-vv",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", guard.__file__, *common, *arguments],  # -P: nothing beside the user is imported
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=work,
            env=_environment(work),
            start_new_session=True,
        )
        try:
            _watch(process, work)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _MAX_OUTPUT))  # what went wrong stands at the end
        text = file.read(_MAX_OUTPUT).decode(errors="replace")
    return Said(process.returncode, text)


@contextlib.contextmanager
def workplace(home: Path) -> Iterator[Path]:
    """A directory in ``home``, gone afterwards; what killed harnesses left there goes first.

    As long as its harness lives it is locked, so that others leave it alone.
    """
    home.mkdir(parents=True, exist_ok=True)
    for litter in home.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _locked(litter):
            if time.time() - litter.stat().st_mtime > 60:  # else it may just be being made
                shutil.rmtree(litter, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
    try:
        with _locked(work):
            yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _environment(work: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if name not in _OURS}
    own |= {"TMPDIR": str(work), "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"}
    if site.getusersitepackages() not in visible().site:  # cells do not see it, so pip must not count on it
        own["PYTHONNOUSERSITE"] = "1"
    return own


def _watch(process: subprocess.Popen[bytes], work: Path) -> None:
    deadline = time.monotonic() + MAX_SECONDS
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_TICK)
        if size(work) > MAX_MB * 2**20:
            raise SubmissionError(
                f"The packages it requires, and what these need, take more than {MAX_MB} MB.",
                "Ask for smaller ones.",
                Status.INVALID_SUBMISSION,
            )
        if process.poll() is not None:
            return
        if time.monotonic() > deadline:
            raise HarnessError(
                f"Getting the packages took longer than {MAX_SECONDS:g} s and was stopped.",
                "Try again: what has been downloaded is in pip's own cache.",
            )


def size(folder: Path) -> int:
    """Bytes of all files below; those that vanish meanwhile count as nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118
    return total
