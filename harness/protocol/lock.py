"""``NAME.lock`` beside a challenge's file: what was fixed when it was frozen. It holds no secret and no path."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ProtocolError

_MAX_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Lock:
    """A frozen challenge's facts, by group, as settings, data, versions, packages; and when and by whom."""

    facts: Mapping[str, Mapping[str, Any]]
    frozen: str  # UTC, ISO 8601
    who: str

    @property
    def sha256(self) -> str:
        """Digest of all of it, as the ledger keeps it."""
        return hashlib.sha256(json.dumps(vars(self), sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def content(self) -> bytes:
        """The file: indented JSON with its own digest."""
        return (json.dumps({**vars(self), "sha256": self.sha256}, indent=2, sort_keys=True) + "\n").encode()


def place(root: Path, name: str) -> Path:
    """Where the lock of a challenge lies: beside its file in the config directory ``root``."""
    return root / "challenge" / f"{name}.lock"


def read(path: Path) -> Lock | None:
    """The lock in a file, None where there is none. Raises ProtocolError where it was edited, or is none."""
    try:
        if not path.exists():
            return None
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise ValueError("it is not a file of a lock's size")
        plain = json.loads(path.read_bytes())
        lock = Lock(plain["facts"], plain["frozen"], plain["who"])
        if plain != {**vars(lock), "sha256": lock.sha256}:
            raise ValueError("its digest is that of another content")
        return lock
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ProtocolError(
            f"{path} is not the lock that was written when the challenge was frozen ({error!s:.120}).",
            "Restore it from a copy; `harness challenge freeze` writes a new one and says what has changed.",
        ) from error
