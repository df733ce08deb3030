"""Which phase of a competition a board is of, and the scores that this phase shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.evaluation.phases import PhaseScores
from harness.evaluation.tally import References
from harness.protocol.rules import PhaseName, moment, written
from harness.tracking.chain import Entry
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir
from harness.verification.directory import BoardRefused
from harness.verification.judge import Judge
from harness.verification.run import Checked

if TYPE_CHECKING:
    from harness.protocol.challenge import Challenge


def now(entries: Sequence[Entry]) -> datetime:
    """The time, never before that of the ledger's last line: a clock that was set back publishes nothing early."""
    times = [datetime.now(UTC)]
    with suppress(ValueError):  # a line that was edited, as verification says
        times += [moment(entry.time) for entry in entries[-1:]]
    return max(times)


def board_name(challenge: str, fingerprint: str) -> str:
    """What ledger lines call a board."""
    return f"{challenge}@{fingerprint[:12]}"


def finalised(entries: Iterable[Entry], name: str) -> bool:
    """Whether somebody has ended the competition of a board."""
    return any(entry.kind == "finalise" and entry.note.split()[:1] == [name] for entry in entries)


def phase_of(
    challenge: Challenge, fingerprint: str, entries: Sequence[Entry], asked: PhaseName | None, *, hidden: bool
) -> PhaseName | None:
    """The phase that a board shows: the one asked for, else the final one once it is finalised; None without phases.

    Raises BoardRefused where nothing of that phase may be published yet; ``hidden``: it is for the organiser's eyes.
    """
    phases = challenge.phases
    if phases is None or (asked == "final" and phases.final is None):
        if asked is not None:
            raise BoardRefused(f"{challenge.name} has no {asked} phase.", "`phases` in the challenge makes them.")
        return None
    over = phases.final is not None and finalised(entries, board_name(challenge.name, fingerprint))
    phase: PhaseName = asked or ("final" if over else "public")
    opens = phases.public.opens if phase == "public" else phases.final and phases.final.opens
    if not hidden and opens and now(entries) < opens:
        raise BoardRefused(
            f"The {phase} phase of {challenge.name} opens {written(opens)}; nothing of it is published before.",
            "--hidden shows it on this terminal alone.",
        )
    if not hidden and phase == "final" and not over:
        raise BoardRefused(
            f"{challenge.name} is not finalised, so nothing of its final phase is published.",
            f"`harness challenge finalise {challenge.name}` ends the competition; --hidden shows it on this terminal alone.",
        )
    return phase


def scored(
    challenge: Challenge, official: Sequence[Checked], phase: PhaseName, runs: RunsDir, config_dir: Path | str | None
) -> dict[str, Record]:
    """The records of a board by run id, with their scores in a phase."""
    judge = Judge(runs, Path(config_dir) if config_dir else None)
    found = {}
    for one in official:
        record = one.record
        found[record.run_id] = record
        if record.score is not None and not one.notes and challenge.phases and challenge.phases.final:
            cells = [runs.read_cell(record.run_id, cell.seed) for cell in record.cells]
            track = challenge.track_type.without_data(challenge.track, record.n_classes)
            against = _references(judge, record)
            found[record.run_id] = PhaseScores(challenge, track, phase).record(record, cells, against)
    return found


def _references(judge: Judge, record: Record) -> References | None:
    """Floor and skyline of a row; of the harness's own, None until both are there."""
    try:
        return judge.references(record)
    except HarnessError:
        if record.reference:
            return None
        raise


def ladder(runs: Sequence[Record], step: float, direction: str) -> Record:
    """What the Ladder shows of an owner's runs, in the order in which they were handed in (Blum and Hardt 2015).

    The public score moves, to the nearest multiple of ``step``, only when a run is better than it by more than ``step``;
    so whoever tries many variants learns next to nothing of those that are not much better. Seed scores stay hidden.
    """
    sign = 1.0 if direction == "max" else -1.0
    best, shown = runs[0], -float("inf")
    for run in runs:
        if (score := sign * (run.score or 0.0)) > shown + step:
            best, shown = run, round(score / step) * step
    return unscored(best).model_copy(update={"score": round(sign * shown, 12)})


def unscored(record: Record) -> Record:
    """The record without anything that says how well it did."""
    cells = tuple(cell.model_copy(update={"score": None, "metrics": {}}) for cell in record.cells)
    nothing = dict.fromkeys(("score", "ci95", "normalised", "normalised_ci95", "curve"))
    return record.model_copy(update={**nothing, "cells": cells})


def facts(
    challenge: Challenge, fingerprint: str, entries: Iterable[Entry], phase: PhaseName | None
) -> Mapping[str, Any] | None:
    """What a board says of its phase."""
    phases = challenge.phases
    if phases is None or phase is None:
        return None
    share = 1.0 if phases.final is None else phases.public.share
    over = finalised(entries, board_name(challenge.name, fingerprint))
    return {
        "name": phase,
        "share": share if phase == "public" else 1 - share,
        "finalised": over,
        "seeds_withheld": bool(phase == "public" and phases.final and not over),
        "ladder": phases.public.ladder if phase == "public" else None,
        "closes": written(phases.public.closes) if phases.public.closes else None,
        "final_opens": written(phases.final.opens) if phases.final and phases.final.opens else None,
    }
