"""Several challenges by one word: ``challenge=all``, ``challenge=selection_*``, ``track=debugging``."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from pathlib import Path

from harness.errors import ProtocolError
from harness.protocol.catalogue import Entry, challenges

Overrides = list[str]


def several(
    overrides: Sequence[str], config_dir: Path | str | None = None
) -> tuple[list[Overrides], dict[str, str], bool]:
    """The overrides once for every challenge that they name.

    ``challenge=`` takes ``all`` or a pattern as file names have it (``*``, ``?``, ``[ab]``). Without ``challenge=``,
    ``track=`` names a track, or a protocol of one, and stands for all its challenges; beside it, it is Hydra's group.

    Returns the command lines, the challenges whose files are broken with the reason, and whether one word stood for several.
    Raises ProtocolError, with near names, where nothing matches.
    """
    directory = Path(config_dir) if config_dir else None
    words = {word.partition("=")[0]: word.partition("=")[2] for word in overrides}
    key = "challenge" if "challenge" in words else "track"
    wanted = words.get(key, "")
    if not (wanted == "all" or any(c in wanted for c in "*?[") if key == "challenge" else wanted):
        return [list(overrides)], {}, False
    entries = challenges(directory)
    found = _matching(wanted, entries) if key == "challenge" else _of_track(wanted, entries)
    if not found:
        raise _nothing(key, wanted, entries)
    others = [word for word in overrides if word.partition("=")[0] != key]
    whole = [[f"challenge={entry.name}", *others] for entry in found if not entry.problem]
    return whole, {entry.name: entry.problem for entry in found if entry.problem}, True


def _matching(pattern: str, entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if pattern == "all" or fnmatch.fnmatchcase(entry.name, pattern)]


def _of_track(name: str, entries: Sequence[Entry]) -> list[Entry]:
    """The challenges of a track; those of a protocol where no track has the name."""
    return [entry for entry in entries if entry.track == name] or [
        entry for entry in entries if entry.detail.split(", ")[0] == name
    ]


def _nothing(key: str, wanted: str, entries: Sequence[Entry]) -> ProtocolError:
    names = {entry.name if key == "challenge" else entry.track for entry in entries if not entry.problem}
    near = difflib.get_close_matches(wanted.strip("*?"), names, n=3, cutoff=0.4)
    listed = f"Did you mean {' or '.join(near)}?" if near else "`harness list challenges` lists them with their tracks."
    what = f"No challenge matches {wanted!r:.200}" if key == "challenge" else f"There is no track {wanted!r:.200}"
    return ProtocolError(f"{what}.", listed)
