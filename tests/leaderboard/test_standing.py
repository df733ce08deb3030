"""Whose row is whose, and which run stands for it: teams, lines of submissions, withdrawn, disqualified, late, selected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ProtocolError, Status
from harness.leaderboard.board import Board, Row, build
from harness.protocol.challenge import Challenge
from harness.protocol.rules import moment
from harness.tracking import ledger
from harness.tracking.entries import hand_in, handed
from harness.tracking.ledger import Ledger
from harness.tracking.record import Record
from tests.tracking import made
from tests.tracking.made import DATA, made_run

TEAMS = "teams:\n  - {id: T1, name: First, contact: secret@example.org}\n  - {id: T2, name: Second}\n"
CLOSES = "2026-06-01T00:00:00Z"


@pytest.fixture
def competition(tmp_path: Path) -> Callable[..., Challenge]:
    """The made challenge with a roster and further rules."""

    def of(**rules: Any) -> Challenge:
        path = tmp_path / "teams.yaml"
        path.write_text(TEAMS, encoding="utf-8")
        return Challenge.from_plain({**made.challenge().pinned(), **rules}).model_copy(update={"teams": path})

    return of


def entered(runs: Path, name: str, skill: float, team: str, when: str = "2026-05-01", **changes: Any) -> Record:
    """A team's run, and the ledger's line of when it was handed in."""
    record = made_run(runs, name, skill, team=team, **changes)
    received = moment(f"{when}T12:00:00Z")
    hand_in(Ledger(runs), record.challenge, team, name, record.submission_digest or "", received, None)
    return record


def ranked(board: Board) -> dict[str | None, str]:
    return {row.team: row.run_id for row in board.ranked}


def below(board: Board) -> dict[str, str]:
    return {row.run_id: row.reason for row in board.unranked}


# --- practice: no roster ---


def test_a_strangers_folder_of_the_same_words_replaces_nobody(challenge: Challenge, runs_dir: Path) -> None:
    theirs = made_run(runs_dir, "good", 0.3, description="other files", created="2026-09-09T00:00:00+00:00")
    rows = [row for row in build(challenge, DATA, runs_dir).ranked if row.submission == "good"]
    assert {row.run_id for row in rows} == {made.run_id("good"), theirs.run_id}


def test_whoever_has_the_directory_says_who_replaces_whom(challenge: Challenge, runs_dir: Path) -> None:
    second = made_run(runs_dir, "good", 0.3, description="second", created="2026-02-02T00:00:00+00:00")
    third = made_run(runs_dir, "better", 0.5, description="third", created="2026-03-03T00:00:00+00:00")
    ledger.append(runs_dir, "replace", second.run_id, note=made.run_id("good"))
    ledger.append(runs_dir, "replace", third.run_id, note=second.run_id)
    board = build(challenge, DATA, runs_dir)
    ids = {row.run_id for row in board.ranked}
    assert third.run_id in ids
    assert not {second.run_id, made.run_id("good")} & ids
    assert next(row.attempts for row in board.ranked if row.run_id == third.run_id) == 3


def test_a_failure_is_forgotten_once_a_run_of_the_same_words_ranks(challenge: Challenge, runs_dir: Path) -> None:
    crash = {0: (Status.CRASHED, "it raised")}
    failed = made_run(runs_dir, "mine", 0.5, description="first try", failed=crash)
    assert below(build(challenge, DATA, runs_dir)) == {failed.run_id: "1 of 4 cells failed; seed 0: it raised"}
    made_run(runs_dir, "mine", 0.5, description="second try", authors=("Somebody Else",))
    assert failed.run_id in below(build(challenge, DATA, runs_dir))
    made_run(runs_dir, "mine", 0.5, description="third try", created="2026-02-02T00:00:00+00:00")
    assert below(build(challenge, DATA, runs_dir)) == {}
    later = made_run(runs_dir, "mine", 0.5, description="4th", failed=crash, created="2026-03-03T00:00:00+00:00")
    assert set(below(build(challenge, DATA, runs_dir))) == {later.run_id}


def test_runs_that_replace_each_other_in_a_circle_are_one_row(challenge: Challenge, runs_dir: Path) -> None:
    second = made_run(runs_dir, "good", 0.3, description="second", created="2026-02-02T00:00:00+00:00")
    ledger.append(runs_dir, "replace", second.run_id, note=made.run_id("good"))
    ledger.append(runs_dir, "replace", made.run_id("good"), note=second.run_id)
    assert len([row for row in build(challenge, DATA, runs_dir).ranked if row.submission == "good"]) in (1, 2)


def test_nobody_replaces_a_reference(challenge: Challenge, runs_dir: Path) -> None:
    ledger.append(runs_dir, "replace", made.run_id("good"), note=made.run_id("reference-skyline"))
    board = build(challenge, DATA, runs_dir)
    assert {row.submission for row in board.references} == {"reference-random", "reference-skyline"}


@pytest.mark.parametrize("name", ["Reference-Skyl1ne", "RANDOM", "KCenter-Greedy"])
def test_a_name_of_the_harness_is_no_strangers(name: str, challenge: Challenge, runs_dir: Path) -> None:
    """However it got into the directory: `run` refuses it before."""
    stranger = made_run(runs_dir, name, 0.95)
    assert "not its files" in below(build(challenge, DATA, runs_dir))[stranger.run_id]


# --- teams ---


def test_a_row_belongs_to_a_team_and_names_are_labels(competition: Callable[..., Challenge], runs_dir: Path) -> None:
    first = entered(runs_dir, "mine", 0.8, "T1", "2026-05-01")
    second = entered(runs_dir, "yours", 0.6, "T1", "2026-05-02")
    same = entered(runs_dir, "mine", 0.8, "T2", "2026-05-03")
    board = build(competition(), DATA, runs_dir)
    assert ranked(board) == {"T1": second.run_id, "T2": same.run_id}
    assert first.run_id != same.run_id  # the same files of another team are another run
    rows: dict[str | None, Row] = {row.team: row for row in board.ranked}
    assert (rows["T1"].attempts, rows["T1"].team_name, rows["T2"].attempts) == (2, "First", 1)
    assert "example.org" not in str(board.as_dict())
    assert {row.reason for row in board.unranked} == {"no team handed it in"}


def test_what_counts_is_a_rule(competition: Callable[..., Challenge], runs_dir: Path) -> None:
    good = entered(runs_dir, "one", 0.85, "T1", "2026-05-01")
    last = entered(runs_dir, "two", 0.5, "T1", "2026-05-02")
    assert ranked(build(competition(counts="last"), DATA, runs_dir)) == {"T1": last.run_id}
    assert ranked(build(competition(counts="best"), DATA, runs_dir)) == {"T1": good.run_id}
    assert ranked(build(competition(counts="selected"), DATA, runs_dir)) == {"T1": last.run_id}
    ledger.append(runs_dir, "select", good.run_id, note="our choice")
    assert ranked(build(competition(counts="selected"), DATA, runs_dir)) == {"T1": good.run_id}
    assert ranked(build(competition(counts="last"), DATA, runs_dir)) == {"T1": last.run_id}
    ledger.append(runs_dir, "select", last.run_id, note="changed our mind")
    assert ranked(build(competition(counts="selected"), DATA, runs_dir)) == {"T1": last.run_id}


def test_the_last_is_the_one_handed_in_last_whenever_it_was_run(
    competition: Callable[..., Challenge], runs_dir: Path
) -> None:
    late = entered(runs_dir, "second", 0.5, "T1", "2026-05-02", created="2026-05-20T00:00:00+00:00")
    entered(runs_dir, "first", 0.85, "T1", "2026-05-01", created="2026-05-30T00:00:00+00:00")
    assert ranked(build(competition(), DATA, runs_dir)) == {"T1": late.run_id}


def test_equal_scores_go_by_who_handed_in_first(competition: Callable[..., Challenge], runs_dir: Path) -> None:
    items = made.items_of(0.7, "the same")
    entered(runs_dir, "one", 0.7, "T1", "2026-05-03", items=items, created="2026-05-04T00:00:00+00:00")
    entered(runs_dir, "two", 0.7, "T2", "2026-05-02", items=items, created="2026-05-09T00:00:00+00:00")
    assert [row.team for row in build(competition(), DATA, runs_dir).ranked] == ["T2", "T1"]


def test_a_withdrawn_run_gives_way_to_the_one_before(competition: Callable[..., Challenge], runs_dir: Path) -> None:
    first = entered(runs_dir, "one", 0.6, "T1", "2026-05-01")
    second = entered(runs_dir, "two", 0.8, "T1", "2026-05-02")
    ledger.append(runs_dir, "withdraw", second.run_id, who="T1", note="it read a wrong file")
    board = build(competition(), DATA, runs_dir)
    assert ranked(board) == {"T1": first.run_id}
    assert below(board)[second.run_id] == "withdrawn by T1: it read a wrong file"
    made_run(runs_dir, "two", 0.8, team="T1", created="2026-07-07T00:00:00+00:00")  # run again: it stays withdrawn
    assert ranked(build(competition(), DATA, runs_dir)) == {"T1": first.run_id}
    ledger.append(runs_dir, "reinstate", second.run_id, who="the jury", note="a mistake")
    assert ranked(build(competition(), DATA, runs_dir)) == {"T1": second.run_id}


def test_a_disqualified_run_takes_its_team_out(competition: Callable[..., Challenge], runs_dir: Path) -> None:
    entered(runs_dir, "one", 0.6, "T1", "2026-05-01")
    second = entered(runs_dir, "two", 0.8, "T1", "2026-05-02")
    other = entered(runs_dir, "three", 0.5, "T2", "2026-05-02")
    ledger.append(runs_dir, "disqualify", second.run_id, who="the jury", note="hidden labels in a table")
    board = build(competition(), DATA, runs_dir)
    assert ranked(board) == {"T2": other.run_id}
    assert below(board)[second.run_id] == "disqualified by the jury: hidden labels in a table"
    entered(runs_dir, "again", 0.9, "T1", "2026-05-03")
    assert ranked(build(competition(), DATA, runs_dir)) == {"T2": other.run_id}


def test_late_entries_are_marked_and_never_rank(competition: Callable[..., Challenge], runs_dir: Path) -> None:
    in_time = entered(runs_dir, "one", 0.6, "T1", "2026-05-31", created="2026-06-20T00:00:00+00:00")  # run long after
    late = entered(runs_dir, "two", 0.9, "T1", "2026-06-01")
    board = build(competition(phases={"public": {"closes": CLOSES}}), DATA, runs_dir)
    assert ranked(board) == {"T1": in_time.run_id}
    assert below(board)[late.run_id] == "late: handed in 2026-06-01T12:00:00Z, and entries closed 2026-06-01T00:00:00Z"


def test_a_second_time_is_no_later_time(competition: Callable[..., Challenge], runs_dir: Path) -> None:
    """Handing the same files in again neither makes an entry late nor moves it behind others."""
    record = entered(runs_dir, "one", 0.6, "T1", "2026-05-31")
    entered(runs_dir, "one", 0.6, "T1", "2026-06-30")
    assert len(handed(Ledger(runs_dir).read(), "made")) == 1
    board = build(competition(phases={"public": {"closes": CLOSES}}), DATA, runs_dir)
    assert ranked(board) == {"T1": record.run_id}


def test_a_team_that_is_not_in_the_roster(competition: Callable[..., Challenge], runs_dir: Path) -> None:
    strange = entered(runs_dir, "one", 0.6, "T9")
    assert below(build(competition(), DATA, runs_dir))[strange.run_id] == "team T9 is not in the roster"


def test_a_broken_roster_builds_no_board(competition: Callable[..., Challenge], runs_dir: Path) -> None:
    challenge = competition()
    assert challenge.teams is not None
    challenge.teams.write_text("teams:\n  - {id: T1}", encoding="utf-8")
    with pytest.raises(ProtocolError, match="name is missing"):
        build(challenge, DATA, runs_dir)


def test_an_edited_team_is_found(competition: Callable[..., Challenge], runs_dir: Path) -> None:
    from harness.leaderboard.board import BoardRefused
    from tests.verification.lies import lie

    entered(runs_dir, "one", 0.6, "T1")
    lie(runs_dir, "one", lambda plain: plain.update(team="T2"))
    with pytest.raises(BoardRefused, match="its id does not follow from"):
        build(competition(), DATA, runs_dir)
