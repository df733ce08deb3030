"""A published board read again: signature and files, every number that follows from the seeds, and the ledger behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.leaderboard import seal
from harness.leaderboard.phase_scores import phase_scores
from harness.leaderboard.published import ROW_KINDS, head, read
from harness.leaderboard.row import Place, thinned
from harness.leaderboard.row import row as make_row
from harness.statistics.intervals import FEWEST_SEEDS
from harness.statistics.normalised import normalised
from harness.statistics.rank_sets import rank_sets
from harness.tracking import ledger
from harness.tracking.files import json_bytes
from harness.tracking.ledger import Ledger

_NEEDS_SECRET = "Its scores are those of a phase: with --runs-dir and --config-dir they are computed again from the cells and the secret."
_OF_A_PHASE = {"score", "ci95", "normalised", "normalised_ci95", "metrics", "seed_scores", "curve"}
_OF_THE_BOARD = {
    "rank",
    "rank_ci95",
    "team",
    "team_name",
    "attempts",
    "reason",
    "reproduced",
    "reproduced_how",
    "released",
}


def check(path: Path, runs_dir: Path | None = None, config_dir: str | None = None) -> tuple[list[str], list[str]]:
    """What of a published board, or suite, does not agree, and what could not be checked: a sentence each.

    From the file alone: signature, digests of the files beside it, scores and places from the seeds' scores. With the
    runs directory: that its ledger goes on from the head that was published, with the very records; of a phase, with the
    directory that holds the challenge and its secret, the scores as well. Of a suite: signature, files, and that the boards
    beside it are those it was made of.
    """
    plain = seal.read(path, set())
    notes: list[str] = []
    try:
        found = list(seal.problems(plain, path, notes))
        if key := seal.public_key(plain):
            notes.append(f"Signed with {key}: compare with the key that the organiser has published.")
        if "suite" in plain:
            return [*found, *_suite(plain, path)], notes
        plain = read(path)
        if withheld(plain):
            notes.append(
                "Scores of single seeds are withheld until the competition is over, so means and places were not checked."
            )
        if in_phases(plain):
            wrong, left = (
                phase_scores(plain, runs_dir, config_dir) if runs_dir and config_dir else ([], [_NEEDS_SECRET])
            )
            found, notes = [*found, *wrong], [*notes, *left]
        found += _ranks(plain)
        for kind in ROW_KINDS:
            found += [f"{row['run_id']}: {what}" for row in plain[kind] for what in row_problems(row, plain)]
        if runs_dir is not None:
            found += _against(plain, Ledger(runs_dir))
        else:
            notes.append("Rows were not computed again from their cells: --runs-dir names the runs.")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise HarnessError(f"{path} is not a board: {error!r:.200}.", "It was edited; build it again.") from error
    return found, notes


def _suite(plain: Mapping[str, Any], path: Path) -> Iterator[str]:
    for name, digest in plain["boards"].items():
        board = path.parent / f"{Path(name).name}.json"
        if not board.is_file() or seal.sha256(board.read_bytes()) != digest:
            yield f"{board.name} is not the board that the suite was made of: build the suite again."


def row_problems(row: Mapping[str, Any], plain: Mapping[str, Any]) -> Iterator[str]:
    """A row's mean, interval and place between floor and skyline, from seed scores."""
    scores = _scores(row)
    if row["score"] is None or withheld(plain):
        return
    values = np.array(list(scores.values()))
    if len(scores) != row["seeds"] or not np.isclose(values.mean(), row["score"], rtol=1e-9, atol=1e-9):
        yield f"score is {row['score']}, its {len(scores)} seeds give {values.mean() if len(values) else 'none'}"
        return
    if len(values) >= FEWEST_SEEDS and np.ptp(values) > 1e-9:
        from scipy.stats import t

        half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
        if not np.allclose(row["ci95"], [values.mean() - half, values.mean() + half], rtol=1e-9, atol=1e-9):
            yield f"ci95 is {row['ci95']}, its seeds give {values.mean() - half:.6g} to {values.mean() + half:.6g}"
    own = {
        r["submission"]: _scores(r)
        for r in plain["references"]
        if r["submission"].startswith("reference-") and r["score"] is not None and r["device"] == row["device"]
    }
    if row["normalised"] is not None and len(own) == 2 and row["submission"] not in own and len(scores) > 1:
        place = normalised(scores, own["reference-random"], own["reference-skyline"])
        if place is None or not np.isclose(place.value, row["normalised"], rtol=1e-9, atol=1e-9):
            yield f"normalised is {row['normalised']}, the seeds give {place.value if place else 'none'}"


def _ranks(plain: Mapping[str, Any]) -> Iterator[str]:
    rows = plain["ranked"]
    sign = 1.0 if plain["direction"] == "max" else -1.0
    if [row["rank"] for row in rows] != list(range(1, len(rows) + 1)):
        yield "The ranks are not 1, 2, 3 ... in the order of the rows."
    if unscored := [row["run_id"] for row in rows if row["score"] is None]:
        yield f"{', '.join(unscored)}: ranked without a score."
        return
    for above, below in pairwise(rows):
        if sign * (above["score"] - below["score"]) < -1e-9:
            yield f"{below['run_id']} stands below {above['run_id']}, and has the better score."
    if any(row["rank"] is not None for kind in ("references", "unranked") for row in plain[kind]):
        yield "A row that is not ranked has a rank."
    if withheld(plain) or any(row["rank_ci95"] is None for row in rows):
        return  # the second: a protocol with a rule of its own
    sets = rank_sets({row["run_id"]: _scores(row) for row in rows}, plain["direction"])
    for row in rows:
        low, high = sets[row["run_id"]]
        if row["rank_ci95"] != [min(low, row["rank"]), max(high, row["rank"])]:
            yield f"{row['run_id']}: the confidence set of its rank is {row['rank_ci95']}, the seeds give {[low, high]}."


def _against(plain: Mapping[str, Any], runs: Ledger) -> Iterator[str]:
    """The board against the ledger it was published from."""
    if not runs.holds(head(plain)):
        yield (
            f"The ledger of {runs.runs.path} does not go on from line {head(plain).lines}, which the board names as its head: "
            "it is another directory's, or lines were removed or written anew."
        )
    latest = ledger.latest_records(runs.read())
    for kind in ROW_KINDS:
        for row in plain[kind]:
            if latest.get(row["run_id"]) != row["record_sha256"]:
                has = "another record of it now" if row["run_id"] in latest else "no line for it"
                yield f"{row['run_id']}: the ledger has {has}."
            else:
                left_out = _OF_THE_BOARD | (_OF_A_PHASE if in_phases(plain) else set())
                yield from (f"{row['run_id']}: {what}" for what in _of_its_record(row, runs, left_out))


def withheld(plain: Mapping[str, Any]) -> bool:
    """Whether a board keeps the scores of single seeds back: those of a public phase that goes on, or of the Ladder."""
    phase = plain.get("phase") or {}
    return bool(phase and (phase["ladder"] or phase["seeds_withheld"]))


def in_phases(plain: Mapping[str, Any]) -> bool:
    """Whether a board shows scores on a part of the hidden items, or those of the Ladder."""
    phase = plain.get("phase") or {}
    return bool(phase and (phase["share"] < 1 or phase["ladder"]))


def _of_its_record(row: Mapping[str, Any], runs: Ledger, left_out: set[str]) -> Iterator[str]:
    """A row against the record that the ledger holds; its place, and what was said of it, are not the record's."""
    try:
        record = runs.runs.load_record(row["run_id"])
    except HarnessError as error:
        yield error.reason
        return
    made = make_row(record, row["record_sha256"], Place(), "", "", "")
    expected = json.loads(json_bytes({**vars(made), "curve": thinned(made.curve)}))
    if "curve" not in row:  # a board of an older version
        del expected["curve"]
    said = {"params": {}, **row}  # left out where there are none
    for name in sorted(expected.keys() - left_out):
        if said.get(name) != expected[name]:
            yield f"{name} is {said.get(name)!r:.100}, its record says {expected[name]!r:.100}"


def _scores(row: Mapping[str, Any]) -> dict[int, float]:
    return {int(seed): float(score) for seed, score in row["seed_scores"].items()}
