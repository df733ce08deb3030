"""The lines above a board's table: what is compared, by which rules, and what it rests on."""

from __future__ import annotations

from harness.leaderboard.board import Board
from harness.leaderboard.text import md

_COUNTS = {
    "last": "of several entries the last one counts",
    "best": "of several entries the best one counts",
    "selected": "the entry that its team selected counts, else the last",
}

READING = (
    "Score: mean over seeds; 95 % interval by Student's t over seeds. Rank: by score, behind it the 95 % confidence set for "
    "the rank (all sets hold together; rows whose set holds 1 cannot be told from the first). "
    "Fits: trainings of the fixed model inside the submission, as it reports them itself. "
    "Normalised: 0 is the random reference, 1 the skyline; a dash where the two cannot be told apart. References are the "
    "harness's own rows and are not ranked."
)


def facts(board: Board) -> list[str]:
    """A line each: challenge and metric, the rules of a competition where it is one, fingerprint, ledger."""
    better = "higher" if board.direction == "max" else "lower"
    draws = f", {board.draws} draws of an algorithm's randomness a seed" if board.draws > 1 else ""
    ties = f" Equal scores go by {board.tie_break}, then by time." if board.tie_break else " Equal scores go by time."
    return [
        f"Challenge {board.challenge}, version {board.version}, track {board.track}; metric {board.metric} "
        f"({better} is better); {board.seeds} seeds{draws}; isolation at least {board.minimum_isolation}.{ties}",
        *map(md, data(board)),
        *competition(board),
        f"Fingerprint {board.fingerprint}; secret: {board.secret}",
        history(board),
    ]


def data(board: Board) -> list[str]:
    """What the data are and under which licence, where a specification says so."""
    if not (said := board.dataset):
        return []
    title = f" ({said['title'].rstrip('.')})" if said["title"] else ""
    return [f"Data {said['name']} {said['version']}{title}; licence: {said['license']}"]


def competition(board: Board) -> list[str]:
    """Who takes part, what counts, and which part of the hidden data is shown."""
    said = [f"Frozen on {board.frozen['when']}, lock {board.frozen['lock_sha256'][:16]}."] if board.frozen else []
    if board.teams is not None and not board.frozen:
        said.append("Not frozen: nothing holds the organiser to these rules.")
    if board.teams is not None:
        said.append(f"{board.teams} teams; {_COUNTS[board.counts]}.")
    if phase := board.phase:
        closes = f"; entries close {phase['closes']}" if phase["closes"] else ""
        opens = f", published from {phase['final_opens']}" if phase["final_opens"] else ""
        what = f"Phase {phase['name']}: scored on {phase['share']:.0%} of the hidden items{closes}."
        if phase["name"] == "public" and phase["share"] < 1:
            what += f" The final phase decides, on the others{opens}."
        if phase["seeds_withheld"]:
            what += " Scores of single seeds are shown when it is over: they would answer many questions at once."
        if phase["ladder"]:
            what += f" Scores move in steps of {phase['ladder']:g} (the Ladder), so that trying many variants teaches nothing."
        said.append(what)
    return said


def history(board: Board) -> str:
    """What the board rests on: the head of the ledger, and whose signature is under it."""
    head = board.ledger
    signed = f"signed with {head['public_key']}" if head["public_key"] else "not signed: there is no key"
    return f"Ledger of {head['lines']} lines, head {head['sha256']}, {signed}"
