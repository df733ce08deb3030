"""Rosters: read, refused, added to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from harness.errors import ProtocolError
from harness.protocol import roster

GOOD = """# the teams
teams:
  - {id: T1, name: First, token_sha256: DIGEST, contact: one@example.org}
  - id: T17
    name: Nearest Neighbours
""".replace("DIGEST", hashlib.sha256(b"word").hexdigest())


def read(tmp_path: Path, text: str | bytes) -> roster.Roster:
    path = tmp_path / "teams.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return roster.read(path)


def test_a_roster(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD)
    assert [team.name for team in found.teams.values()] == ["First", "Nearest Neighbours"]
    assert found.team("T1").admits("word")
    assert not found.team("T1").admits("other")
    assert not found.team("T17").admits("")
    assert "example.org" not in repr(found)
    with pytest.raises(ProtocolError, match="Did you mean T1"):
        found.team("T2")


def test_a_bare_list_and_other_words_for_the_digest(tmp_path: Path) -> None:
    bare = GOOD.replace("teams:\n", "").replace("token_sha256", "token")
    assert read(tmp_path, "\ufeff" + bare).teams == read(tmp_path, GOOD).teams


def test_the_digest_is_of_who_takes_part(tmp_path: Path) -> None:
    first = read(tmp_path, GOOD).digest
    assert read(tmp_path, GOOD.replace("one@", "two@")).digest == first
    assert read(tmp_path, GOOD.replace("Nearest", "Next")).digest != first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must hold keys and values"),
        ("teams: []", "one key, teams, with a list"),
        ("teams: {T1: First}", "one key, teams, with a list"),
        ("others:\n  - {id: T1, name: A}", "one key, teams, with a list"),
        ("teams:\n  - T1", "team 1: "),
        ("teams:\n  - {id: T1}", "team 1: name is missing"),
        ("teams:\n  - {id: T 1, name: A}", "team 1: id"),
        ("teams:\n  - {id: ../T1, name: A}", "team 1: id"),
        ("teams:\n  - {id: T1, name: A, token_sha256: word}", "team 1: token_sha256"),
        ("teams:\n  - {id: T1, name: A, prize: 5}", "team 1: prize is not a known setting"),
        ("teams:\n  - {id: T1, name: A}\n  - {id: t1, name: B}", "T1 and t1 have the same id"),
        ("teams:\n  - {id: T1, name: A}\n  - {id: T1, name: B}", "T1 and T1 have the same id"),
        ("teams:\n  - {id: T1, name: Deep Data}\n  - {id: T2, name: deep-dаta}", "T1 and T2 have the same name"),
        (
            f"teams:\n  - {{id: A, name: A, token: {'a' * 64}}}\n  - {{id: B, name: B, token: {'a' * 64}}}",
            "A and B have the same token",
        ),
        ("teams:\n  - {id: T1, name: reference-skyline}", "a name of the harness's own rows"),
        ("teams:\n  - {id: T1, name: A", "is not readable YAML"),
        (b"teams:\n  - {id: T1, name: \xff}", "is not UTF-8"),
        ("teams:\n  - !!python/name:os.system {id: T1, name: A}", "is not readable YAML"),
    ],
)
def test_wrong_rosters_are_named(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        read(tmp_path, text)
    assert words in caught.value.reason
    assert "teams.yaml" in caught.value.reason


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="There is no roster"):
        roster.read(tmp_path)


def test_a_team_is_added_and_its_token_kept_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "teams.yaml"
    path.write_text(GOOD.rstrip("\n"), encoding="utf-8")
    token = roster.added(path, "T3", "Third: 'team' #3", "three@example.org")
    found = roster.read(path)
    assert found.team("T3").admits(token)
    assert found.team("T3").name == "Third: 'team' #3"
    assert found.teams["T1"] == read(tmp_path / ".", GOOD).teams["T1"]
    assert token not in path.read_text(encoding="utf-8")
    roster.added(tmp_path / "new.yaml", "T1", "First")
    assert list(roster.read(tmp_path / "new.yaml").teams) == ["T1"]


def test_a_team_that_cannot_be_added_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "teams.yaml"
    path.write_text(GOOD, encoding="utf-8")
    for team_id, name in (("T1", "Other"), ("T9", "first"), ("T 9", "Ninth"), ("T9", "random")):
        with pytest.raises(ProtocolError):
            roster.added(path, team_id, name)
    assert path.read_text(encoding="utf-8") == GOOD
    assert [place.name for place in tmp_path.iterdir()] == ["teams.yaml"]
