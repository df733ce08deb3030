"""A row of a published board run again by whoever has the board's JSON file and the harness, and nothing else.

The board pins the challenge and names every submission by the digest of its files; the files come from the shipped
baselines or from a folder. What is compared is the score of every seed. Nothing is recorded: a verdict in a ledger belongs
to the runs that a board was made of (:mod:`harness.verification.reproduce`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import BenchmarkError, HarnessError, ProtocolError, Status, SubmissionError
from harness.evaluation.admission import find_entry
from harness.evaluation.bench import Bench
from harness.evaluation.launchers.base import compute
from harness.evaluation.launchers.local import Local
from harness.evaluation.work import Work
from harness.leaderboard import seal
from harness.leaderboard.published import ROW_KINDS, read
from harness.leaderboard.recheck import in_phases, row_problems, withheld
from harness.packages.lock import Lock, Package
from harness.packages.overlay import overlay
from harness.protocol import submission
from harness.protocol.challenge import NOWHERE, Challenge
from harness.protocol.compose import homes_of, load_challenge
from harness.protocol.submission import Submission
from harness.tracking import provenance
from harness.tracking.runs import RunsDir, StoredCell
from harness.tracks.base import Reference
from harness.verification.reproduce import Verdict, missing_package, tolerance

Plain = Mapping[str, Any]
_REFERENCES: dict[str, Reference] = {"reference-random": "random", "reference-skyline": "skyline"}


def rows(board: Path, asked: str | None) -> list[str]:
    """Run ids of the rows meant by a run id or a submission's name; of all rows for None.

    Raises ProtocolError where there is no board, no such row, or several of that name.
    """
    plain = read(board)
    known = {row["run_id"]: row["submission"] for kind in ROW_KINDS for row in plain[kind]}
    if asked is None:
        return list(known)
    found = [run_id for run_id, name in known.items() if asked in (run_id, name)]
    if not found:
        raise ProtocolError(
            f"There is no row {asked!r:.80} on {board}.", f"Its rows are {', '.join(known.values()) or 'none'}."
        )
    if len(found) > 1:
        raise ProtocolError(f"{len(found)} rows of {board} are called {asked!r}.", f"Say which: {', '.join(found)}.")
    return found


def reproduce(
    board: Path,
    run_id: str,
    *,
    folder: Path | None = None,
    config_dir: Path | str | None = None,
    device: str = "auto",
    workers: int | None = None,
) -> Verdict:
    """Run one published row again and compare the score of every seed.

    Parameters
    ----------
    folder: the submission's files, where it is no shipped baseline; they must have the digest that the board names.
    config_dir: your directory with the challenge in it, where the board shows neither its secret nor its data.
    """
    plain = read(board)
    try:
        (row,) = (row for kind in ROW_KINDS for row in plain[kind] if row["run_id"] == run_id)
        if seal.forged(plain):
            return _verdict(row, "differs", "the board was edited after it was signed: its signature is not of it")
        if wrong := list(row_problems(row, plain)):
            return _verdict(row, "differs", f"the row does not agree with itself: {'; '.join(wrong)}")
        if withheld(plain) or in_phases(plain):
            return _verdict(row, "cannot run", "the board shows scores of a phase; only the organiser has whole ones")
        return _run_again(row, plain, folder, config_dir, device, workers)
    except BenchmarkError as error:
        return _verdict(row, "cannot run", str(error))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise HarnessError(f"{board} is not a board: {error!r:.200}.", "It was edited; build it again.") from error


def _run_again(
    row: Plain, plain: Plain, folder: Path | None, config_dir: Path | str | None, device: str, workers: int | None
) -> Verdict:
    with tempfile.TemporaryDirectory() as place:  # cells run from a copy: the folder may change meanwhile
        bench = _bench(row, plain, config_dir, device)
        reference = _REFERENCES.get(row["submission"]) if row["isolation"] == "trusted" else None
        whose = reference or _submission(row, bench, folder, RunsDir(Path(place) / "runs"))
        works = [Work(bench, whose, seed) for seed in range(plain["seeds"])]
        ended = {work.seed: stored for work, stored in compute(works, Local([bench], workers))}
    if any(stored.cell.status is Status.CANCELLED for stored in ended.values()):
        raise KeyboardInterrupt  # a verdict from half of the cells would be none
    return _compare(row, ended, bench.device)


def _bench(row: Plain, plain: Plain, config_dir: Path | str | None, device: str) -> Bench:
    """The board's challenge made ready. Raises ProtocolError where data, scorer or model here are not the board's."""
    settings = dict(plain["settings"])
    if settings.get("secret") is None:
        settings["secret"] = load_challenge(plain["challenge"], config_dir=config_dir).secret
    homes = homes_of(plain["challenge"], config_dir) if config_dir else NOWHERE
    tier = "auto" if row["isolation"] in ("trusted", "none") else row["isolation"]
    bench = Bench.ready(Challenge.from_plain(settings, homes), device=device, tier=tier)
    if bench.fingerprint != plain["fingerprint"]:
        raise ProtocolError(
            f"data, scorer or fixed model are not those of the board: fingerprint {bench.fingerprint[:12]} here, "
            f"{plain['fingerprint'][:12]} there",
            _checkout(row),
        )
    return bench


def _submission(row: Plain, bench: Bench, folder: Path | None, runs: RunsDir) -> Submission:
    """The row's submission by its digest. Raises ProtocolError where the files are not to be had, or are others."""
    name, digest = str(row["submission"]), str(row["submission_digest"])
    kind = bench.challenge.track_type.task
    try:
        place = find_entry(bench.challenge, folder or f"{kind.kind}/{name}")
    except ProtocolError as error:
        if folder:
            raise
        raise ProtocolError(f"{name} is not a baseline of this harness.", "--submission names its folder.") from error
    try:
        entry = submission.load(place, kind=kind).with_params(row.get("params", {}))
    except SubmissionError as error:
        raise ProtocolError(f"{place} cannot be read as a submission: {error.reason}", error.hint) from error
    if entry.digest != digest:
        hint = "" if folder else f"{_checkout(row)} Or --submission names a folder that has them."
        raise ProtocolError(
            f"the files of {name} are others: digest {entry.digest[:12]} here, {digest[:12]} there", hint
        )
    lock = Lock.of([Package.model_validate(package) for package in row["packages"]])
    entry = runs.keep_submission(entry)
    return replace(entry, lock=lock, packages=overlay(lock)) if entry.requires else entry


def _checkout(row: Plain) -> str:
    return f"The row was made at commit {row['commit']}: check that out." if row["commit"] else ""


def _compare(row: Plain, ended: Mapping[int, StoredCell], device: str) -> Verdict:
    cells = {seed: stored.cell for seed, stored in sorted(ended.items())}
    then = {int(seed): float(score) for seed, score in row["seed_scores"].items()}
    now = {seed: cell.score for seed, cell in cells.items() if cell.score is not None}
    for seed, cell in cells.items():
        if seed in then and cell.status is not Status.OK and (package := missing_package(ended[seed])):
            return _verdict(row, "cannot run", f"ModuleNotFoundError {package}, which is not installed here")
        if cell.status is Status.HARNESS_ERROR:
            return _verdict(row, "cannot run", f"seed {seed}: {cell.reason}")
    allowed = tolerance(row["device"], device)
    largest = max((abs(then[seed] - now[seed]) for seed in then.keys() & now.keys()), default=None)
    if only := sorted(then.keys() ^ now.keys()):
        said = (f"seed {seed}: {'a score' if seed in then else 'none'} then, {cells[seed].status} now" for seed in only)
        return _verdict(row, "differs", "; ".join(said), now, largest)
    if largest is None:
        return _verdict(row, "reproduced", "no seed has a score, then as now", now)
    if largest > allowed:
        seed = max(then, key=lambda seed: abs(then[seed] - now[seed]))
        moved = f"by {largest:.3g} on seed {seed} ({then[seed]:.6g} there, {now[seed]:.6g} here), more than {allowed:g}"
        return _verdict(row, "differs", moved, now, largest)
    detail = f"the scores of all {len(then)} seeds are those published, largest difference {largest:.3g}"
    return _verdict(row, "reproduced", detail, now, largest)


def _verdict(
    row: Plain, verdict: Any, detail: str, scores: Mapping[int, float] | None = None, largest: float | None = None
) -> Verdict:
    then = dict(row["versions"]) | {"source": (row["source"] or "unknown")[:12]}
    now = provenance.versions() | {"source": provenance.source()[:12]}
    changed = {name: (then.get(name), now.get(name)) for name in {**now, **then} if then.get(name) != now.get(name)}
    if changed and scores is not None:
        detail += f"; here {', '.join(f'{name} {after} (was {was})' for name, (was, after) in changed.items())}"
    return Verdict(
        run_id=row["run_id"],
        verdict=verdict,
        detail=detail,
        recorded_score=row["score"],
        score=sum(scores.values()) / len(scores) if scores else None,
        largest_difference=largest,
        identical_outputs=None,
        seeds=row["seeds"],
        changed=changed,
    )
