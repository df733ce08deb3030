"""Rules of a competition: dates with zones, phases in order, what is in a fingerprint and what is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from harness.errors import ProtocolError
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.protocol.rules import moment, written

DATA = "ab" * 32


def challenge(**rules: Any) -> Challenge:
    return Challenge.from_plain({**load_challenge("selection_digits").pinned(), **rules})


@pytest.mark.parametrize(
    ("said", "utc"),
    [
        ("2027-01-31T23:59:00+01:00", "2027-01-31T22:59:00Z"),
        ("2027-01-31T23:59:59-12:00", "2027-02-01T11:59:59Z"),  # anywhere on Earth
        ("2027-01-31T23:59:00Z", "2027-01-31T23:59:00Z"),
        ("2027-01-31 23:59+05:45", "2027-01-31T18:14:00Z"),
    ],
)
def test_times_of_other_zones(said: str, utc: str) -> None:
    assert written(moment(said)) == utc
    assert moment(written(moment(said))) == moment(said)


@pytest.mark.parametrize("said", ["2027-01-31", "2027-01-31T23:59:00", "tomorrow", "", 5, None, "2027-02-30T00:00:00Z"])
def test_a_time_without_a_zone_is_refused(said: object) -> None:
    with pytest.raises(ValueError, match="with its zone"):
        moment(said)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"phases": {"public": {"closes": "2027-01-31"}}}, "phases.public.closes: must be a time with its zone"),
        ({"phases": {"public": {"share": 1.0}}}, "phases.public.share"),
        ({"phases": {"final": {}, "third": {}}}, "phases.third is not a known setting"),
        (
            {"phases": {"public": {"opens": "2027-02-01T00:00:00Z", "closes": "2027-01-01T00:00:00Z"}}},
            "closes 2027-01-01T00:00:00Z is not after opens",
        ),
        (
            {"phases": {"public": {"closes": "2027-02-01T00:00:00Z"}, "final": {"opens": "2027-01-01T00:00:00Z"}}},
            "final opens 2027-01-01T00:00:00Z before public closes",
        ),
        ({"quota": {"per_day": 0}}, "quota.per_day"),
        ({"quota": {"weekly": 3}}, "quota.weekly is not a known setting"),
        ({"counts": "first"}, "counts"),
        ({"logs": "sold"}, "logs"),
    ],
)
def test_wrong_rules_are_named(rules: dict[str, Any], words: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        challenge(**rules)
    assert words in caught.value.reason


def test_rules_leave_the_fingerprint_alone_but_for_the_parts() -> None:
    plain = challenge()
    same = challenge(
        counts="best",
        quota={"total": 3},
        logs="shown",
        phases={"public": {"closes": "2027-01-01T00:00:00Z"}},
        teams="x.yaml",
    )
    assert same.fingerprint_under(DATA, same.commitment(DATA)) == plain.fingerprint_under(DATA, plain.commitment(DATA))
    parts = [challenge(phases={"public": {"share": share}, "final": {}}) for share in (0.5, 0.4)]
    prints = {one.fingerprint_under(DATA, one.commitment(DATA)) for one in (plain, *parts)}
    assert len(prints) == 3


def test_rules_are_kept_beside_a_run_and_read_again() -> None:
    one = challenge(
        counts="best", phases={"public": None, "final": {"opens": "2027-01-01T01:00:00+01:00"}}, quota={"total": 9}
    )
    again = Challenge.from_plain(one.pinned())
    assert again == one
    assert again.phases is not None
    assert again.phases.final is not None
    assert again.phases.final.opens == datetime(2027, 1, 1, tzinfo=UTC)
    public = challenge(phases={"public": {"closes": "2027-01-01T00:00:00Z"}})
    assert Challenge.from_plain(public.pinned()) == public  # no final phase comes of none
    assert "teams" not in challenge(teams="teams.yaml").published()
    assert not {"counts", "phases", "quota", "logs"} & set(
        challenge().pinned()
    )  # as challenges without them always were
