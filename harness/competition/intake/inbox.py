"""An inbox: what lies in it, when it came, and whose it is.

An entry is a folder or an archive. It belongs to the team in whose folder it lies (``INBOX/T17/first.zip``), or to the one
that its ``team.token`` names; a team whose token the roster knows must show it wherever its entry lies. The token is taken
out before anything else is done with an entry, and is kept nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from harness.competition.intake.unpack import contents
from harness.errors import ProtocolError, SubmissionError
from harness.protocol.folder import invalid, shown
from harness.protocol.manifest import MANIFEST
from harness.protocol.roster import Roster, Team

TOKEN = "team.token"
_IGNORED = (".part", ".partial", ".crdownload", ".tmp", ".filepart", "~")  # an upload that goes on
_MAX_TOKEN = 4096


@dataclass(frozen=True)
class Found:
    """One thing in an inbox."""

    path: Path
    place: str  # relative to the inbox, as people read it
    team: str | None  # in whose folder it lies
    received: datetime  # UTC


@dataclass(frozen=True)
class Entry:
    """What was handed in, read whole, and by whom."""

    found: Found
    team: Team
    contents: Mapping[str, bytes] = field(repr=False)


def look(inbox: Path, roster: Roster, received: datetime | None = None) -> list[Found]:
    """Everything in an inbox, the earliest first.

    Parameters
    ----------
    received: when all of it was handed in; None: when it came to lie here, by the kernel's own time of change, which
        nobody who uploads can set back.

    Raises ProtocolError where there is no such folder, or it cannot be read.
    """
    try:
        if not inbox.is_dir():
            raise ProtocolError(f"There is no inbox {inbox}.", "Name the folder in which entries arrive.")
        found = []
        for path in _entries(inbox):
            of_team = path.name in roster.teams and path.is_dir() and not path.is_symlink() and not _is_entry(path)
            team = path.name if of_team else None
            for one in _entries(path) if team else [path]:
                place = shown(one.relative_to(inbox))
                found.append(Found(one, place, team, received or _changed(one)))
    except OSError as error:
        raise ProtocolError(f"The inbox {inbox} cannot be read: {error.strerror or error}.") from error
    return sorted(found, key=lambda one: (one.received, one.place))


def read(found: Found, roster: Roster) -> Entry:
    """Read one entry and say whose it is.

    Raises SubmissionError: it cannot be read as a submission, it names no team, another than its folder's, or shows no
    token, or a wrong one.
    """
    files = dict(contents(found.path))
    claims = {name: files.pop(name) for name in list(files) if name.rpartition("/")[2] == TOKEN}
    if len(claims) > 1:
        raise invalid(f"It holds {len(claims)} files {TOKEN}: an entry is of one team.")
    words = next(iter(claims.values()), b"")[:_MAX_TOKEN].decode(errors="replace").split()
    by_token = [team for team in roster.teams.values() if words and team.admits(words[-1])]
    if words and not by_token:
        raise invalid(f"The token in {TOKEN} is no team's.", "It is the one word that the organiser gave to your team.")
    named = {team.id for team in by_token} | ({found.team} if found.team else set()) | {*words[:-1]}
    if len(named) != 1:
        if named:
            raise invalid(f"It is said to be of {' and of '.join(sorted(named)):.100}: an entry is of one team.")
        raise invalid("It says nowhere whose it is.", f"Put your team's token into a file {TOKEN}, beside {MANIFEST}.")
    team = roster.teams.get(named.pop())
    if team is None:
        raise invalid(f"The team that {TOKEN} names is not in the roster.")
    if team.token_sha256 and not by_token:
        raise invalid(f"It shows no token of team {team.id}.", f"Put it into a file {TOKEN}, beside {MANIFEST}.")
    return Entry(found, team, files)


def _entries(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if not path.name.startswith(".") and not path.name.endswith(_IGNORED):
            yield path


def _is_entry(path: Path) -> bool:
    """Whether a folder that has the name of a team is an entry itself."""
    return (path / MANIFEST).exists() or (path / TOKEN).exists()


def _changed(path: Path) -> datetime:
    """The last change of an entry or of anything in it, as the kernel has it. Links are not followed."""
    times = [os.lstat(path).st_ctime]
    if path.is_dir() and not path.is_symlink():
        for place, folders, files in os.walk(path):
            times += [os.lstat(Path(place, name)).st_ctime for name in (*folders, *files)]
    return datetime.fromtimestamp(max(times), UTC).replace(microsecond=0)


__all__ = ["TOKEN", "Entry", "Found", "SubmissionError", "look", "read"]
