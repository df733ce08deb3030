"""The JSON file of a published board: digests of the files beside it, and a signature over all of that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, ProtocolError
from harness.tracking.files import json_bytes, write_text_atomic
from harness.tracking.signature import Key, verified

SUFFIXES = ("md", "csv", "html")
_BUILT = (".csv", ".html")  # pages that are built: not kept under version control
_MAX_MB = 64


def write(out: Path, stem: str, texts: Mapping[str, str], facts: Mapping[str, Any], key: Key | None) -> list[Path]:
    """Write ``<stem>.md, .csv, .html`` and last ``.json``, which binds them; returns their paths. HarnessError if it cannot.

    Parameters
    ----------
    texts: by suffix.
    facts: what the JSON file holds beside ``files`` and ``signature``.
    """
    plain = json.loads(json_bytes(dict(facts)))
    plain["files"] = {f"{stem}.{suffix}": sha256(text.encode()) for suffix, text in texts.items()}
    plain["signature"] = {"public_key": key.public, "ed25519": key.sign(_signed(plain))} if key else None
    contents = {**texts, "json": json_bytes(plain).decode()}
    paths = [Path(out) / f"{stem}.{suffix}" for suffix in contents]
    for path, text in zip(paths, contents.values(), strict=True):
        write_text_atomic(path, text)
    return paths


def read(path: Path, needed: set[str]) -> dict[str, Any]:
    """The content of a published JSON file.

    Raises ProtocolError where there is none, HarnessError where it is no board's, or an older version's.
    """
    try:
        if not path.is_file() or path.stat().st_size > _MAX_MB * 2**20:
            raise ProtocolError(
                f"There is no board at {path}.", "Name the .json file that `harness leaderboard` wrote."
            )
        plain = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise HarnessError(f"{path} is not a board: {error!r:.200}.", "Remove it, or build it again.") from error
    wanted = needed | {"files", "signature"}
    if not isinstance(plain, dict) or (missing := sorted(wanted - plain.keys())):
        lacks = f" It lacks {', '.join(missing)}." if isinstance(plain, dict) else ""
        raise HarnessError(f"{path} is not a board of this version of the harness.{lacks}", "Build it again.")
    return plain


def problems(plain: Mapping[str, Any], path: Path, notes: list[str]) -> Iterator[str]:
    """What of signature and files does not agree; what could not be checked is added to ``notes``."""
    if plain["signature"] is None:
        notes.append("The board is not signed: whoever can write the file can change it.")
    elif forged(plain):
        yield "The signature is not of this board: it was edited after it was published."
    if set(plain["files"]) != (expected := {f"{path.name.removesuffix('.json')}.{suffix}" for suffix in SUFFIXES}):
        yield f"It binds {', '.join(plain['files']) or 'no files'}, not {', '.join(sorted(expected))}."
    for name, digest in plain["files"].items():
        beside = path.parent / Path(name).name
        if not beside.is_file() and beside.suffix in _BUILT:
            notes.append(f"{beside.name} is not here, so it was not checked.")
        elif not beside.is_file():
            yield f"{beside.name} is missing."
        elif sha256(beside.read_bytes()) != digest:
            yield f"{beside.name} is not the file that was published with it."


def forged(plain: Mapping[str, Any]) -> bool:
    """Whether a published file carries a signature that is not of its content."""
    held = plain["signature"]
    return held is not None and not verified(held["public_key"], held["ed25519"], _signed(plain))


def public_key(plain: Mapping[str, Any]) -> str:
    """Whose signature a published file says it carries; empty for none."""
    return str((plain["signature"] or {}).get("public_key", ""))


def sha256(content: bytes) -> str:
    """In hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _signed(plain: Mapping[str, Any]) -> bytes:
    """What the signature is over: all of it but the signature, as canonical JSON, and what it is."""
    content = {key: value for key, value in plain.items() if key != "signature"}
    return b"harness board\n" + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
