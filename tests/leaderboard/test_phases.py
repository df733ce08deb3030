"""Boards of phases: disjoint parts, nothing early, the Ladder, earlier versions kept; computed again by scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness.cli import main
from harness.evaluation.phases import items_of
from harness.leaderboard import recheck
from harness.leaderboard.board import Board, BoardRefused, build
from harness.leaderboard.facts import facts
from harness.leaderboard.index import write_index
from harness.leaderboard.published import protect, write_board
from harness.leaderboard.render import html, markdown
from harness.protocol.challenge import Challenge
from harness.protocol.rules import moment, written
from harness.tracking import ledger
from harness.tracking.entries import hand_in
from harness.tracking.ledger import Ledger
from harness.tracking.record import Record
from tests.tracking import made

from tests.tracking.made import DATA, SEEDS, items_of as made_items, made_run  # isort: skip

PAST, FUTURE = "2026-01-01T00:00:00Z", "2100-01-01T00:00:00Z"
SECRET = "0123456789abcdef" * 2


@pytest.fixture
def phased(tmp_path: Path) -> Callable[..., Challenge]:
    """A challenge with phases and a roster of two, and runs of it in ``runs``."""
    path = tmp_path / "teams.yaml"
    path.write_text("teams:\n  - {id: T1, name: First}\n  - {id: T2, name: Second}\n", encoding="utf-8")

    def of(**public: Any) -> Challenge:
        final = public.pop("final", {})
        more: dict[str, Any] = {name: public.pop(name) for name in ("counts", "version") if name in public}
        phases = {"public": public, "final": final}
        plain: dict[str, Any] = {**made.challenge().pinned(), "secret": SECRET, "phases": phases, **more}
        return Challenge.from_plain(plain).model_copy(update={"teams": path})

    return of


def life(place: Path, challenge: Challenge) -> dict[str, Record]:
    """References, and two runs of each team."""
    for name, skill in (("reference-random", 0.3), ("reference-skyline", 0.99)):
        made_run(place, name, skill, of=challenge)
    records = {}
    for name, skill, team, day in (("a", 0.6, "T1", 1), ("b", 0.8, "T1", 2), ("c", 0.7, "T2", 1), ("d", 0.75, "T2", 3)):
        record = made_run(place, name, skill, of=challenge, team=team)
        time = moment(f"2025-05-0{day}T00:00:00Z")
        hand_in(Ledger(place), challenge.name, team, name, record.submission_digest or "", time, None)
        records[name] = record
    return records


def by_sklearn(challenge: Challenge, name: str, skill: float, phase: Any) -> list[float]:
    """Scores of a made run on a phase's items, by seed."""
    scores = []
    for seed, items in enumerate(made_items(skill, name)):
        part = items_of(challenge, phase, seed, len(items["y_true"]))
        scores.append(f1_score(items["y_true"][part], items["y_pred"][part], average="macro", zero_division=0))
    return scores


def rows(board: Board) -> dict[str, Any]:
    return {row.submission: row for row in (*board.ranked, *board.references, *board.unranked)}


def ended(runs: Path, challenge: Challenge) -> None:
    """The line that ends the competition."""
    name = f"made@{challenge.fingerprint_under(DATA, challenge.commitment(DATA))[:12]}"
    ledger.append(runs, "finalise", who="the jury", note=f"{name} all is run")


def test_scores_of_both_parts_are_those_of_scikit_learn(phased: Callable[..., Challenge], tmp_path: Path) -> None:
    challenge = phased(share=0.4)
    life(tmp_path / "runs", challenge)
    for phase in ("public", "final"):
        board = build(challenge, DATA, tmp_path / "runs", phase=phase, hidden=True)
        for name, skill in (("b", 0.8), ("d", 0.75), ("reference-skyline", 0.99)):
            expected = by_sklearn(challenge, name, skill, phase)
            row = rows(board)[name]
            assert list(row.seed_scores.values()) == pytest.approx(expected)
            assert row.score == pytest.approx(np.mean(expected))
            assert not row.metrics
            assert row.curve is None
        assert board.phase is not None
        assert board.phase["share"] == pytest.approx({"public": 0.4, "final": 0.6}[phase])
        assert [row.rank for row in board.ranked] == [1, 2]


def test_the_best_is_chosen_by_public_scores_alone(phased: Callable[..., Challenge], tmp_path: Path) -> None:
    challenge = phased(counts="best")
    life(tmp_path / "runs", challenge)
    public, final = (
        build(challenge, DATA, tmp_path / "runs", phase=phase, hidden=True) for phase in ("public", "final")
    )
    best = max("ab", key=lambda name: np.mean(by_sklearn(challenge, name, {"a": 0.6, "b": 0.8}[name], "public")))
    for board in (public, final):
        assert next(row.submission for row in board.ranked if row.team == "T1") == best


def test_nothing_is_published_early(phased: Callable[..., Challenge], tmp_path: Path) -> None:
    life(tmp_path / "runs", phased())
    with pytest.raises(BoardRefused, match="opens 2100-01-01T00:00:00Z"):
        build(phased(opens=FUTURE, closes="2101-01-01T00:00:00Z"), DATA, tmp_path / "runs")
    with pytest.raises(BoardRefused, match="not finalised"):
        build(phased(), DATA, tmp_path / "runs", phase="final")
    with pytest.raises(BoardRefused, match="The final phase of made opens 2100"):
        build(phased(final={"opens": FUTURE}), DATA, tmp_path / "runs", phase="final")
    board = build(phased(), DATA, tmp_path / "runs")
    assert board.phase is not None
    assert board.phase["name"] == "public"
    assert not any(row.seed_scores for row in (*board.ranked, *board.references))  # each seed's would be an answer
    whole = [made.macro_f1(items) for items in made_items(0.8, "b")]
    text = json.dumps(board.as_dict()) + markdown(board) + html(board)
    assert not any(f"{value:.6f}"[:7] in text for value in whole if value < 1)


def test_a_clock_set_back_publishes_nothing(
    phased: Callable[..., Challenge], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one set back after the end hides nothing: the ledger's last line says how late it is at least."""
    from harness.leaderboard import phase

    challenge = phased(opens=written(datetime.now(UTC) - timedelta(minutes=5)))
    life(tmp_path / "runs", challenge)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime(2020, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(phase, "datetime", Clock)
    assert build(challenge, DATA, tmp_path / "runs").phase is not None
    with pytest.raises(BoardRefused, match="opens 2100"):
        build(phased(opens=FUTURE, closes="2101-01-01T00:00:00Z"), DATA, tmp_path / "runs")


def test_once_finalised_the_final_board_stands_and_the_public_one_beside_it(
    phased: Callable[..., Challenge], tmp_path: Path
) -> None:
    challenge, runs, out = phased(closes=PAST), tmp_path / "runs", tmp_path / "out"
    life(runs, challenge)
    write_board(build(challenge, DATA, runs), out)
    ended(runs, challenge)
    final, public = build(challenge, DATA, runs), build(challenge, DATA, runs, phase="public")
    assert (final.stem, public.stem) == ("made", "made.public")
    for board in (final, public):
        protect(board, out, Ledger(runs), None)
        write_board(board, out)
    write_index(out)
    for stem in ("made", "made.public"):
        problems, notes = recheck.check(out / f"{stem}.json", runs)
        assert problems == []
        assert any("scores are those of a phase" in note for note in notes)
        assert f'href="{stem}.html"' in (out / "index.html").read_text(encoding="utf-8")
    assert "Phase final" in " ".join(facts(final))


def test_an_edited_score_of_a_phase_is_found(phased: Callable[..., Challenge], tmp_path: Path) -> None:
    challenge, runs = phased(), tmp_path / "runs"
    life(runs, challenge)
    ended(runs, challenge)
    path = write_board(build(challenge, DATA, runs), tmp_path / "out")[-1]
    plain = json.loads(path.read_bytes())
    plain["ranked"][1]["score"] += 0.01
    path.write_text(json.dumps(plain), encoding="utf-8")
    assert any("its 4 seeds give" in problem for problem in recheck.check(path, runs)[0])


def test_a_phase_without_items_is_refused(phased: Callable[..., Challenge], tmp_path: Path) -> None:
    challenge = phased(share=0.001)
    life(tmp_path / "runs", challenge)
    code = "On seed 0 a phase of made has no items: 0 of 60 are the public phase's"
    with pytest.raises(Exception, match=code):
        build(challenge, DATA, tmp_path / "runs")


# --- the Ladder ---


def test_the_ladder_shows_steps_and_no_seeds(phased: Callable[..., Challenge], tmp_path: Path) -> None:
    challenge, runs = phased(ladder=0.05), tmp_path / "runs"
    life(runs, challenge)
    board = build(challenge, DATA, runs)
    expected, sign = {}, 1
    for team, names in {"T1": "ab", "T2": "cd"}.items():
        shown = -np.inf
        for name in names:
            score = np.mean(by_sklearn(challenge, name, {"a": 0.6, "b": 0.8, "c": 0.7, "d": 0.75}[name], "public"))
            if sign * score > shown + 0.05:
                shown = round(score / 0.05) * 0.05
        expected[team] = shown
    assert {row.team: row.score for row in board.ranked} == pytest.approx(expected)
    for row in board.ranked:
        assert (row.seed_scores, row.ci95, row.rank_ci95, row.normalised) == ({}, None, None, None)
        assert row.seeds == SEEDS
    path = write_board(board, tmp_path / "out")[-1]
    assert recheck.check(path, runs)[0] == []
    final = build(challenge, DATA, runs, phase="final", hidden=True)
    assert all(row.seed_scores and row.rank_ci95 for row in final.ranked)


# --- versions ---


def test_a_board_of_an_earlier_version_is_kept_and_linked(phased: Callable[..., Challenge], tmp_path: Path) -> None:
    out, runs = tmp_path / "out", tmp_path / "runs"
    life(runs, phased())
    first = write_board(build(phased(), DATA, runs), out)[-1].read_bytes()
    for version in (2, 3):
        corrected = phased(version=version)
        life(runs, corrected)
        board = build(corrected, DATA, runs)
        protect(board, out, Ledger(runs), None)
        write_board(board, out)
        write_board(board, out)  # a second time changes nothing
    page = (out / "made.html").read_text(encoding="utf-8")
    assert page.count("archive/made-v") == 2
    assert "archive/made-v1/made.md" in (out / "made.md").read_text(encoding="utf-8")
    old = out / "archive" / "made-v1" / "made.json"
    assert old.read_bytes() == first
    assert recheck.check(old)[0] == []
    with pytest.raises(BoardRefused, match="of the fingerprint"):
        protect(build(phased(version=2), DATA, runs), out, Ledger(runs), None)


def test_phases_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs").mkdir()
    assert main(["leaderboard", "debugging_wine", "--runs-dir", str(tmp_path / "runs"), "--phase", "final"]) == 1
    assert "has no final phase" in capsys.readouterr().err
    assert main(["leaderboard", "--suite", "quick", "--runs-dir", str(tmp_path / "runs"), "--hidden"]) == 2
