"""Several files that appear together: written into a hidden folder beside their places, moved when all proved sound."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.errors import ProtocolError

_STAGE = ".harness-new-"


@contextlib.contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """An empty hidden folder of ``folder``, a config directory say, which is made if need be; one writer at a time, another waits.

    It is gone afterwards, with whatever was not moved out of it; so are those of writers that were killed.

    Raises ProtocolError where the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            for litter in folder.glob(f"{_STAGE}*"):
                shutil.rmtree(litter, ignore_errors=True)
            stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=folder))
            try:
                yield stage
            finally:
                shutil.rmtree(stage, ignore_errors=True)
    except OSError as error:
        raise ProtocolError(f"{error.filename or folder} cannot be written: {error.strerror or error}.") from error


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class _Dumper(yaml.SafeDumper):
    """Quotes a text that Hydra's reader would take for a number, beside those that PyYAML's own would."""


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d[\d_]*[eE][-+]?\d+\Z"), list("-+0123456789")
)


def yaml_text(plain: Mapping[str, Any], remark: str = "") -> str:
    """YAML in the order given, that Hydra reads as it was meant; ``remark``: a comment above it."""
    text = yaml.dump(dict(plain), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"# {remark}\n{text}" if remark else text


def write(path: Path, text: str) -> None:
    """Write a text into a stage, and make the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
