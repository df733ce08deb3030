"""A board: the rows of one fingerprint, each of them verified, ranked where they may be."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import HarnessError, Status
from harness.evaluation.statistics import N_REPLICATES, paired_p_value, ranks
from harness.protocol.catalogue import baseline_names
from harness.sandbox.tiers import STRENGTH
from harness.tracking import delivery
from harness.tracking.ledger import Entry, Ledger
from harness.tracking.record import Record
from harness.tracking.verify import BoardRefused, Verified, verified_runs

if TYPE_CHECKING:
    from harness.protocol.challenge import Challenge

_OURS = (("harness baselines",), ("Harness authors",))  # as the manifests of the shipped baselines have it
LUCKY = "The random baseline and the floor differ by more than chance"
_LUCK = 0.01  # two-sided: one board in a hundred says so of two rows that are the same; so are disjoint intervals rare

__all__ = ["Board", "BoardRefused", "Row", "build"]


@dataclass(frozen=True)
class Row:
    """One row. ``rank`` is None for the harness's own references and for rows that may not rank."""

    rank: int | None
    submission: str
    authors: tuple[str, ...]
    status: str
    reason: str
    score: float | None
    seed_scores: Mapping[int, float]  # of the measured seeds
    ci95: tuple[float, float] | None
    normalised: float | None
    metrics: Mapping[str, float]  # secondary metrics, mean over seeds
    seconds: float | None  # of the algorithm, mean over seeds; None: nothing could be measured on any
    scoring_seconds: float | None
    peak_memory_mb: float | None  # largest over seeds
    submission_fits: float | None  # models it trained, as it reports itself, mean over seeds
    seeds: int  # those on which something could be measured
    isolation: str
    device: str
    date: str
    run_id: str
    submission_digest: str | None
    description: str
    license: str
    reproduced: str  # verdict of the last `harness reproduce`, empty if never tried
    released: str  # who released a suspicious row, empty otherwise
    curve: tuple[tuple[float, float], ...] | None


@dataclass(frozen=True)
class Board:
    """What is rendered: ranked rows best first, the harness's reference rows, rows that do not rank."""

    challenge: str
    title: str
    description: str
    version: int
    track: str
    metric: str
    direction: str
    fingerprint: str
    seeds: int
    draws: int  # of a submission's randomness a seed
    minimum_isolation: str
    curve_axes: tuple[str, str]
    ranked: tuple[Row, ...]
    references: tuple[Row, ...]
    unranked: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())

    def scored(self) -> list[Row]:
        """Ranked and reference rows together, best score first."""
        return sorted(
            [*self.ranked, *self.references], key=lambda row: _place(row.score, row.submission, self.direction)
        )

    def metric_names(self) -> list[str]:
        """Secondary metrics in the order in which the records give them."""
        return list(dict.fromkeys(name for row in self.scored() for name in row.metrics))

    def as_dict(self) -> dict[str, Any]:
        """The board as plain JSON values."""
        plain = asdict(self)
        for key in ("ranked", "references", "unranked"):
            plain[key] = [{k: v for k, v in row.items() if k != "curve"} for row in plain[key]]
        return plain


def build(challenge: Challenge, fingerprint: str, runs_dir: Path | str, uri: str | None = None) -> Board:
    """The board of a challenge's official fingerprint, from MLflow, verified against ledger and records.

    Runs that wait for MLflow are delivered first. Runs with overridden settings and runs without isolation never join;
    of several runs of one submission (name and authors) the newest that may rank stands.

    Parameters
    ----------
    challenge: the challenge as shipped.
    fingerprint: ``challenge.fingerprint(dataset)``; runs of any other fingerprint are not on this board.
    runs_dir: holds ledger and records.
    uri: the MLflow store; default as for runs.

    Raises
    ------
    BoardRefused: something was edited, added or removed afterwards; names every such entry.
    HarnessError: the store cannot be opened.
    """
    runs_dir = Path(runs_dir).absolute()
    _, left = delivery.sync(runs_dir, uri, lost=False)
    notes = [f"{len(left)} runs are recorded but not delivered to MLflow yet, so not shown."] if left else []
    verified = verified_runs(challenge.name, fingerprint, runs_dir, uri)
    ledger = Ledger(runs_dir).read() if verified else []
    official = [v for v in verified if not v.record.modified and (v.record.reference or v.record.isolation != "none")]
    if len(official) < len(verified):
        notes.append(f"{len(verified) - len(official)} runs are left out: overridden settings or no isolation.")
    released = {entry.run_id: entry.who for entry in ledger if entry.kind == "release"}
    reproduced = {entry.run_id: _verdict(entry) for entry in ledger if entry.kind == "reproduce"}

    def row(record: Record, rank: int | None = None, why: str = "") -> Row:
        return _row(record, rank, why, reproduced.get(record.run_id, ""), released.get(record.run_id, ""))

    notes += _lucky(official, challenge.seeds)
    references = [v.record for v in official if v.record.reference]
    may_rank: dict[tuple[str, tuple[str, ...]], Verified] = {}
    unranked: dict[tuple[str, tuple[str, ...]], tuple[Record, str]] = {}
    for run in sorted(official, key=lambda v: (v.record.created, v.record.run_id)):
        record = run.record
        if record.reference:
            continue
        key = (record.submission, record.authors)
        why = _obstacle(run, challenge.minimum_isolation, set(released))
        if why is None:
            may_rank[key] = run
            unranked.pop(key, None)  # a later run mends an earlier failure
        else:
            unranked[key] = (record, why)
    by_id = {run.record.run_id: run for run in may_rank.values()}
    _same_draws(by_id)
    scores = {run_id: run.record.score or 0.0 for run_id, run in by_id.items()}
    replicates = {run_id: run.replicates for run_id, run in by_id.items() if run.replicates is not None}
    seeds = min((len(run.record.measured) for run in by_id.values()), default=challenge.seeds)
    direction = challenge.track_type.direction
    placed = ranks(replicates, scores, direction, seeds)
    if official:
        notes += _missing(challenge, {v.record.submission for v in official})
    notes += _with_packages(run.record for run in by_id.values())
    sign = -1.0 if direction == "max" else 1.0
    order = sorted(by_id, key=lambda i: (sign * scores[i], placed[i], by_id[i].record.submission, i))
    return Board(
        challenge=challenge.name,
        title=challenge.title,
        description=challenge.description,
        version=challenge.version,
        track=challenge.track_type.track,
        metric=challenge.track_type.metric,
        direction=challenge.track_type.direction,
        fingerprint=fingerprint,
        seeds=challenge.seeds,
        draws=challenge.draws,
        minimum_isolation=challenge.minimum_isolation,
        curve_axes=challenge.track_type.curve_axes,
        ranked=tuple(row(by_id[run_id].record, placed[run_id]) for run_id in order),
        references=tuple(row(r) for r in sorted(references, key=lambda r: _place(r.score, r.submission, direction))),
        unranked=tuple(row(record, why=why) for _, (record, why) in sorted(unranked.items())),
        notes=tuple(notes),
    )


def _lucky(runs: Sequence[Verified], seeds: int) -> list[str]:
    """A note where the baseline `random` and the floor, which do the same, have disjoint intervals or are told apart at 1 %."""
    found = {v.record.submission: v for v in runs if v.record.reference or v.record.authors in _OURS}
    random, floor = found.get("random"), found.get("reference-random")
    if random is None or floor is None or random.replicates is None or floor.replicates is None:
        return []
    ours, theirs = random.record.ci95, floor.record.ci95
    apart = ours is not None and theirs is not None and (ours[1] < theirs[0] or theirs[1] < ours[0])
    if not apart and paired_p_value(random.replicates, floor.replicates, seeds) >= _LUCK:
        return []
    return [
        f"{LUCKY}: {random.record.score:.4f} and {floor.record.score:.4f}. One of them was judged by luck; more draws or "
        "seeds would tell."
    ]


def _with_packages(records: Iterable[Record]) -> list[str]:
    """A note for each row that had packages beside the harness's own: another version of one is another run."""
    return [
        f"{record.submission} ran with {', '.join(f'{p.name} {p.version}' for p in record.packages)}."
        for record in sorted(records, key=lambda record: record.submission)
        if record.packages
    ]


def _missing(challenge: Challenge, present: set[str]) -> list[str]:
    """A note where baselines that fit the challenge have no row to compare with."""
    names = baseline_names(challenge.track_type.task.kind, challenge.track.left_out())
    missing = [name for name in names if name not in present]
    if not missing:
        return []
    return [
        f"{len(missing)} of {len(names)} baselines have not been run here: `harness run challenge={challenge.name} "
        "submission=all` runs them."
    ]


def _obstacle(run: Verified, minimum: str, released: set[str]) -> str | None:
    """Why a run may not rank, None if it may."""
    record = run.record
    if record.status is Status.SUSPICIOUS and record.run_id in released and record.score is not None:
        pass
    elif record.status is not Status.OK or record.score is None:
        return record.reason
    if STRENGTH.get(record.isolation, 0) < STRENGTH[minimum]:
        return f"isolation {record.isolation} is weaker than {minimum}, which this challenge demands"
    if run.replicates is None:
        return "no bootstrap replicates were kept with it"
    return None


def _same_draws(runs: Mapping[str, Verified]) -> None:
    """Paired tests need replicates of one length; another number comes from another version of the harness."""
    for run_id, run in runs.items():
        if run.replicates is not None and run.replicates.shape != (N_REPLICATES,):
            raise HarnessError(
                f"Run {run_id} has replicates of shape {list(run.replicates.shape)}; this harness pairs {N_REPLICATES}.",
                "Run it again: finished cells are reused and the replicates drawn anew.",
            )


def _row(record: Record, rank: int | None, why: str, reproduced: str, released: str) -> Row:
    cells = record.measured
    memory = [cell.peak_memory_mb for cell in cells if cell.peak_memory_mb is not None]
    fits = [cell.submission_fits for cell in cells if cell.submission_fits is not None]
    return Row(
        rank=rank,
        submission=record.submission,
        authors=record.authors,
        status=record.status.value,
        reason=why or record.reason,
        score=record.score,
        seed_scores={cell.seed: cell.score for cell in cells if cell.score is not None},
        ci95=record.ci95,
        normalised=record.normalised,
        metrics=_mean_metrics(record),
        seconds=_mean([cell.seconds.submission for cell in cells]),
        scoring_seconds=_mean([cell.seconds.scoring for cell in cells]),
        peak_memory_mb=max(memory, default=None),
        submission_fits=_mean(fits) if fits else None,
        seeds=len(cells),
        isolation=record.isolation,
        device=record.device,
        date=record.created[:10],
        run_id=record.run_id,
        submission_digest=record.submission_digest,
        description=record.description,
        license=record.license,
        reproduced=reproduced,
        released=released,
        curve=record.curve,
    )


def _mean_metrics(record: Record) -> dict[str, float]:
    names = dict.fromkeys(name for cell in record.cells for name in cell.metrics)
    values = {name: [v for cell in record.cells if (v := cell.metrics.get(name)) is not None] for name in names}
    return {name: float(np.mean(found)) for name, found in values.items() if found}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _place(score: float | None, name: str, direction: str) -> tuple[float, str]:
    """Sorts better scores first, and rows that have none last."""
    if score is None:
        return math.inf, name
    return (-score if direction == "max" else score), name


def _verdict(entry: Entry) -> str:
    """``reproduced``, ``differs`` or ``cannot run``: what stands before the colon of the ledger's note."""
    return entry.note.partition(":")[0]
