"""The roster: who takes part in a competition. A file ``teams.yaml`` that stays with the organiser.

::

    teams:
      - {id: T17, name: Nearest Neighbours, token_sha256: 9f86..., contact: neighbours@example.org}

``id`` and ``name`` are shown; the contact never leaves this file; of a team's token only the digest is kept.
"""

from __future__ import annotations

import difflib
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from harness.errors import ProtocolError
from harness.protocol import plain_yaml
from harness.protocol.names import reserved, skeleton
from harness.registry import problems

_MAX_BYTES = 4 * 2**20


class Team(BaseModel):
    """One team as the roster has it."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")
    name: str = Field(min_length=1, max_length=200)
    token_sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        validation_alias=AliasChoices("token_sha256", "token_digest", "token"),
        repr=False,
    )
    contact: str = Field("", max_length=500, repr=False)

    def admits(self, token: str) -> bool:
        """Whether ``token`` is this team's."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        return self.token_sha256 is not None and hmac.compare_digest(digest, self.token_sha256)


@dataclass(frozen=True)
class Roster:
    """All teams, by id."""

    path: Path
    teams: Mapping[str, Team]

    def team(self, team_id: str) -> Team:
        """The team of an id. Raises ProtocolError with the nearest ones where there is none."""
        if team_id in self.teams:
            return self.teams[team_id]
        near = difflib.get_close_matches(team_id, self.teams, n=3, cutoff=0.5)
        known = f"Did you mean {' or '.join(near)}?" if near else f"It has {len(self.teams)} teams, by their ids."
        raise ProtocolError(f"There is no team {team_id!r:.60} in the roster {self.path.name}.", known)

    @property
    def digest(self) -> str:
        """SHA-256 over ids and names: who takes part, without tokens and contacts."""
        lines = "".join(f"{team.id}\0{team.name}\n" for team in sorted(self.teams.values(), key=lambda team: team.id))
        return hashlib.sha256(lines.encode()).hexdigest()


def read(path: Path) -> Roster:
    """Read a roster.

    Raises ProtocolError: there is none, it is not plain YAML, a team lacks something, or two teams share id, name (in any
    spelling), token, or one has a name of the harness's own rows.
    """
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise ProtocolError(
                f"There is no roster {path}.", "`teams` in the challenge names it, relative to the config directory."
            )
        return _parsed(path.read_bytes(), path)
    except OSError as error:
        raise ProtocolError(f"The roster {path} cannot be read: {error.strerror or error}.") from error


def added(path: Path, team_id: str, name: str, contact: str = "") -> str:
    """Add a team to a roster, which is made where there is none; returns its token, which is kept nowhere.

    Raises ProtocolError where the roster would not be valid, or does not end in its list of teams.
    """
    token = secrets.token_hex(16)
    values = {
        "id": team_id,
        "name": name,
        "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
        "contact": contact,
    }
    line = yaml.safe_dump({k: v for k, v in values.items() if v}, default_flow_style=True, sort_keys=False, width=10**6)
    try:
        before = path.read_bytes() if path.exists() else b"teams:\n"
        after = before + (b"" if before.endswith(b"\n") else b"\n") + f"  - {line.strip()}\n".encode()
        if team_id not in _parsed(after, path).teams:
            raise ProtocolError(
                f"{path} does not end in its list of teams.", "A line each, as `  - {id: T1, name: First}`."
            )
        building = path.with_name(f".{path.name}.new")
        building.write_bytes(after)
        building.replace(path)
    except OSError as error:
        raise ProtocolError(f"The roster {path} cannot be written: {error.strerror or error}.") from error
    return token


def _parsed(content: bytes, path: Path) -> Roster:
    content = content.removeprefix(b"\xef\xbb\xbf")
    bare = re.match(rb"(?:[ \t\r]*(?:#[^\n]*)?\n)*[ \t]*-(?!-)", content)  # a list without the key above it
    try:
        values = plain_yaml.read(b"teams:\n" + content if bare else content, plain_yaml.Values)
    except plain_yaml.NotPlain as error:
        raise ProtocolError(f"The roster {path} {error}.", error.hint or "See docs/competition.md.") from error
    listed = values.get("teams")
    if set(values) != {"teams"} or not isinstance(listed, list) or not listed:
        raise ProtocolError(
            f"The roster {path} must hold one key, teams, with a list of teams.",
            "As `teams:` and below it `  - {id: T1, name: The first}`; `harness team new` adds one.",
        )
    teams, wrong = _teams(listed)
    if wrong := [*wrong, *_doubles(teams)]:
        more = f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise ProtocolError(
            f"The roster {path} is not valid: {'; '.join(wrong[:5])}{more}.", "See docs/competition.md."
        )
    return Roster(path, {team.id: team for team in teams})


def _teams(listed: list[Any]) -> tuple[list[Team], list[str]]:
    teams, wrong = [], []
    for number, values in enumerate(listed, 1):
        try:
            teams.append(Team.model_validate(values))
        except ValidationError as error:
            wrong += [f"team {number}: {problem}" for problem in problems(error)]
    return teams, wrong


def _doubles(teams: list[Team]) -> list[str]:
    """Teams that could be taken for each other, or for a row of the harness's own."""
    found = [
        f"team {team.id} has a name of the harness's own rows, {team.name!r:.60}"
        for team in teams
        if reserved(team.name)
    ]
    of_each: dict[str, list[str | None]] = {
        "id": [skeleton(team.id) for team in teams],
        "name": [skeleton(team.name) for team in teams],
        "token": [team.token_sha256 for team in teams],
    }
    for what, values in of_each.items():
        for i, team in enumerate(teams):
            if values[i] and (first := values.index(values[i])) < i:
                found.append(f"{teams[first].id} and {team.id} have the same {what}")
    return found
