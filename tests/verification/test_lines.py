"""Lines that somebody adds to a ledger by hand, and what a published board tells of a chain that was written anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ProtocolError
from harness.leaderboard import published, recheck
from harness.leaderboard.board import Board, BoardRefused, build
from harness.protocol.challenge import Challenge
from harness.tracking.ledger import LEDGER, Ledger
from harness.tracking.signature import Key, new_key
from harness.verification.directory import verify
from tests.tracking.made import DATA, made_run
from tests.verification.lies import (
    append_line,
    bind,
    edit_cell,
    edit_record,
    forget,
    lie,
    load,
    record_path,
    reseal,
    retally,
    rewrite,
)


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return new_key(tmp_path / "keys" / "key.pem")[0]


def run_id(runs: Path, name: str) -> str:
    return record_path(runs, name).parent.name


def row(board: Board, name: str) -> tuple[int | None, str]:
    """Rank and who released it."""
    (found,) = [row for row in (*board.ranked, *board.unranked) if row.submission == name]
    return found.rank, found.released


# --- lines by hand ---


def test_a_release_that_names_no_record_releases_nothing(challenge: Challenge, runs: Path) -> None:
    append_line(runs, "release", run_id(runs, "magic"), bound=False)
    assert Ledger(runs).problems() == []
    assert row(build(challenge, DATA, runs), "magic") == (None, "")


def test_a_release_by_hand_is_believed_only_where_nothing_is_signed_which_the_board_says(
    challenge: Challenge, runs: Path
) -> None:
    append_line(runs, "release", run_id(runs, "magic"))
    board = build(challenge, DATA, runs)
    assert row(board, "magic") == (1, "a judge")
    assert "The ledger is not signed: whoever can write the runs directory can add lines to it." in board.notes


@pytest.mark.parametrize("signature", ["", "ab" * 64, "of another key"])
@pytest.mark.parametrize("kind", ["release", "reproduce", "publish", "withdrawn"])
def test_a_line_by_hand_in_a_signed_ledger_is_named(
    kind: str, signature: str, challenge: Challenge, runs: Path, key: Key, tmp_path: Path
) -> None:
    build(challenge, DATA, runs, key=key)  # the first signature
    assert build(challenge, DATA, runs, key=key).ledger["public_key"] == key.public
    of = run_id(runs, "magic") if kind != "publish" else ""
    if signature == "of another key":
        signature = new_key(tmp_path / "keys" / "another.pem")[0].sign(b"something")
    append_line(runs, kind, of or run_id(runs, "good"), note="reproduced: all of it", signature=signature)
    with pytest.raises(BoardRefused) as caught:
        build(challenge, DATA, runs, key=key)
    line = f"line {len(Ledger(runs).path.read_bytes().splitlines())} ({kind}"
    assert f"{line} {of or run_id(runs, 'good')}) is not signed by the key of line" in caught.value.reason
    assert any(line in problem.what for problem in verify(runs).problems)


def test_the_harness_adds_no_line_without_the_key(challenge: Challenge, runs: Path, key: Key, tmp_path: Path) -> None:
    build(challenge, DATA, runs, key=key)
    before = (runs / LEDGER).read_bytes()
    for other in (None, new_key(tmp_path / "keys" / "another.pem")[0]):
        with pytest.raises(ProtocolError, match=f"is signed with the key {key.public}"):
            Ledger(runs).append("release", run_id(runs, "magic"), key=other)
        with pytest.raises(ProtocolError, match=f"is signed with the key {key.public}"):
            Ledger(runs).trust("12" * 32, key=other)  # type: ignore[arg-type]
    assert (runs / LEDGER).read_bytes() == before


def test_a_key_by_hand_is_named(challenge: Challenge, runs: Path, key: Key, tmp_path: Path) -> None:
    """A line that names the forger's key, signed with it, and a release signed with that key."""
    build(challenge, DATA, runs, key=key)
    forger = new_key(tmp_path / "keys" / "forger.pem")[0]
    entries = Ledger(runs).read()
    named = replace(entries[-1], kind="key", key=forger.public, run_id="", record_sha256=None, signature="")
    released = replace(named, kind="release", run_id=run_id(runs, "magic"), record_sha256="00" * 32)
    rewrite(runs, [*entries, named, released])
    with pytest.raises(BoardRefused, match="is not signed by the key of line"):
        build(challenge, DATA, runs, key=key)


# --- behind a published board ---


def removed(runs: Path, name: str) -> None:
    """A run that never was: directory, line and MLflow."""
    gone = run_id(runs, name)
    shutil.rmtree(runs / gone)
    rewrite(runs, [entry for entry in Ledger(runs).read() if entry.run_id != gone])
    forget(runs, gone)


def cut_behind(runs: Path) -> None:
    """The last runs that were recorded."""
    entries = Ledger(runs).read()
    for entry in entries[-4:]:
        shutil.rmtree(runs / entry.run_id)
        forget(runs, entry.run_id)
    rewrite(runs, entries[:-4])


def earlier(runs: Path) -> None:
    """Before everybody else, which decides between equal scores."""
    lie(runs, "good", lambda plain: plain.update(created="2020-01-01T00:00:00+00:00"))


def best_seed_everywhere(runs: Path) -> None:
    """The cell of the best seed in place of all, each with its own number: record, ledger and MLflow follow."""
    place = record_path(runs, "fair").parent / "cells"
    best = max(range(4), key=lambda seed: float(load(place / str(seed) / "cell.json")["score"]))
    for seed in range(4):
        if seed != best:
            shutil.rmtree(place / str(seed))
            shutil.copytree(place / str(best), place / str(seed))
            edit_cell(runs, "fair", seed, lambda plain, seed=seed: plain.update(seed=seed))  # type: ignore[misc]
    bind(runs, "fair")
    retally(runs, "fair")
    reseal(runs)


def better_answers(runs: Path) -> None:
    """Right answers in a cell, and everything that follows from them."""
    truth = np.load(record_path(runs, "fair").parent / "cells/0/items/y_true.npy")
    edit_cell(runs, "fair", 0, lambda plain: plain.update(score=1.0), {"items/y_pred.npy": truth})
    bind(runs, "fair")
    retally(runs, "fair")
    reseal(runs)


BEHIND: dict[str, tuple[Callable[[Path], object], str]] = {
    "a run removed everywhere": (lambda p: removed(p, "rival"), "rival"),
    "the last runs removed everywhere": (cut_behind, "magic"),
    "created, to win a tie": (earlier, "good"),
    "cells edited, and all that follows": (better_answers, "fair"),
    "the best seed's cell for all seeds": (best_seed_everywhere, "fair"),
    "commit": (lambda p: lie(p, "good", lambda plain: plain.update(commit="0" * 40)), "good"),
    "versions": (lambda p: lie(p, "good", lambda plain: plain["versions"].update(harness="9")), "good"),
}


@pytest.mark.parametrize("edit", BEHIND)
def test_what_was_changed_everywhere_shows_behind_a_published_board(
    edit: str, challenge: Challenge, runs: Path, tmp_path: Path
) -> None:
    """Nothing in the directory speaks against it; the board that was published does, even one that is not signed."""
    act, name = BEHIND[edit]
    board = build(challenge, DATA, runs)
    path = published.write_board(board, tmp_path / "out")[-1]
    assert recheck.check(path, runs)[0] == []
    of = run_id(runs, name)
    act(runs)
    again = build(challenge, DATA, runs)
    problems = recheck.check(path, runs)[0]
    assert any("does not go on from line" in what for what in problems)
    assert any(what.startswith(f"{of}: the ledger has ") for what in problems)
    with pytest.raises(
        BoardRefused, match="is no longer what it was: lines were removed, or the ledger was written anew"
    ):
        published.protect(again, tmp_path / "out", Ledger(runs), None)


def test_a_chain_written_anew_from_scratch_shows(challenge: Challenge, runs: Path, tmp_path: Path, key: Key) -> None:
    """Even its first line is another, so that it might be another directory's: the key tells that it is not."""
    path = published.write_board(build(challenge, DATA, runs, key=key), tmp_path / "out", key)[-1]
    entries = [replace(e, key="", signature="", who="nobody") for e in Ledger(runs).read() if e.kind == "run"]
    rewrite(runs, entries)
    again = build(challenge, DATA, runs, key=key)
    assert any("does not go on from line" in what for what in recheck.check(path, runs)[0])
    with pytest.raises(BoardRefused, match="is no longer what it was"):
        published.protect(again, tmp_path / "out", Ledger(runs), key)


def test_a_record_of_an_older_version_is_shown_unranked_and_left_alone(challenge: Challenge, runs: Path) -> None:
    lie(runs, "good", lambda plain: plain.update(schema_version=1))
    before = record_path(runs, "good").read_bytes()
    board = build(challenge, DATA, runs)
    (old,) = [row for row in board.unranked if row.submission == "good"]
    assert old.reason == "an older version of the harness made its record, which binds neither cells nor source"
    assert verify(runs).ok
    assert [note.run_id for note in verify(runs).notes if note.run_id] == [run_id(runs, "good")]
    assert record_path(runs, "good").read_bytes() == before


@pytest.mark.parametrize("how", ["older schema", "unfinished", "another source"])
def test_a_skyline_that_is_not_checked_lets_nobody_rank(how: str, challenge: Challenge, runs: Path) -> None:
    """The bound of what is suspicious is raised by cells of the skyline that nothing vouches for."""
    skyline = record_path(runs, "reference-skyline").parent
    for seed in range(4):
        truth = np.load(skyline / f"cells/{seed}/items/y_true.npy")
        edit_cell(runs, "reference-skyline", seed, lambda c: c.update(score=1.0), {"items/y_pred.npy": truth})
    bind(runs, "reference-skyline")
    if how == "older schema":
        edit_record(runs, "reference-skyline", lambda plain: plain.update(schema_version=1))
    elif how == "unfinished":
        (skyline / "unfinished").write_text("Its cells are being run again.\n")
    else:
        for seed in range(4):
            edit_cell(runs, "reference-skyline", seed, lambda c: c.update(source="ab" * 32))
        edit_record(runs, "reference-skyline", lambda plain: plain.update(source="ab" * 32))
        bind(runs, "reference-skyline")
        retally(runs, "reference-skyline")
        edit_record(runs, "reference-skyline", lambda plain: plain.update(_of_a_reference(plain)))
    for name in ("good", "rival", "weak", "fair", "magic", "slow"):
        retally(runs, name)
    reseal(runs)
    assert load(record_path(runs, "magic"))["status"] == "ok"
    board = build(challenge, DATA, runs)
    assert board.ranked == ()
    (magic,) = [row for row in board.unranked if row.submission == "magic"]
    assert skyline.name in magic.reason


def _of_a_reference(plain: dict[str, object]) -> dict[str, object]:
    """What a reference's record does not hold."""
    return dict.fromkeys(("floor", "skyline", "suspicious_bound", "normalised_ci95")) | {"normalised": 1.0}


def test_what_is_being_run_again_keeps_no_check_from_others(challenge: Challenge, runs: Path) -> None:
    made_run(runs, "late", 0.6)
    (record_path(runs, "good").parent / "unfinished").write_text("Its cells are being run again.\n")
    lie(runs, "fair", lambda plain: plain.update(score=0.99))
    with pytest.raises(BoardRefused, match=run_id(runs, "fair")):
        build(challenge, DATA, runs)
