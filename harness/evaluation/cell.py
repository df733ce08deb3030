"""One cell: view and key, the sandbox, the output or its rejection, the score. No step reaches back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from harness import plugins, randomness, sandbox
from harness.errors import Status, SubmissionError
from harness.evaluation import draws, transfer
from harness.evaluation.bench import Bench
from harness.models.base import FitCount, counting_fits
from harness.protocol.challenge import Challenge
from harness.protocol.submission import Submission
from harness.sandbox.base import ForeignModel, Job
from harness.tracking.record import CellRecord, Seconds
from harness.tracking.runs import StoredCell, arrays_digest
from harness.tracks.base import Arrays, Reference, Score, View


@np.errstate(all="ignore")  # a stranger's values may overflow: refused or scored, but never the harness's own warning
def evaluate_cell(bench: Bench, entry: Submission, seed: int) -> StoredCell:
    """One cell: view and key, then a score for every draw of the submission's randomness.

    A submission whose second draw answers as the first did leaves nothing to chance: it is asked no more. The first
    draw that fails is what the cell comes to.
    """
    started = time.perf_counter()
    with _turn(bench) as prepared:
        view, key = bench.track.prepare(seed)
        preparing = time.perf_counter() - started
    drawn: list[StoredCell] = []
    for draw in range(bench.challenge.draws):
        stored = _one_draw(bench, entry, seed, draw, view, key)
        cell = stored.cell
        if cell.status is not Status.OK:
            named = f"draw {draw}: {cell.reason}" if bench.challenge.draws > 1 else cell.reason
            return replace(stored, cell=cell.model_copy(update={"reason": named}))
        if draw == 1 and cell.output_digest == drawn[0].cell.output_digest:
            break
        drawn.append(stored)
    whole = draws.joined(drawn)
    costs = {
        "seconds": whole.cell.seconds.model_copy(update={"scoring": preparing + whole.cell.seconds.scoring}),
        "fits": prepared.fits + (whole.cell.fits or 0),
    }
    return replace(whole, cell=whole.cell.model_copy(update=costs))


def _one_draw(bench: Bench, entry: Submission, seed: int, draw: int, view: View, key: Any) -> StoredCell:
    """Sandbox, output or rejection, score."""
    track, challenge = bench.track, bench.challenge
    dialogue = track.dialogue(view, key, seed) if track.rounds else None
    job = Job(
        view=view,
        task=track.task,
        model={**challenge.model.model_dump(), "n_classes": track.dataset.n_classes},
        entropy=tuple(randomness.seed_sequence(challenge.secret, seed, draws.purpose(draw)).generate_state(8).tolist()),
        folder=entry.folder,
        module=entry.module,
        function=entry.function,
        params=entry.params,
        limits=challenge.limits,
        foreign=_foreign_model(challenge),
        quiet=not challenge.practice,
        reply=dialogue.reply if dialogue else None,
        alone=bench.alone,
        packages=entry.packages,
    )
    with bench.turn() if challenge.limits.gpu else nullcontext():  # the GPU has one user at a time: scoring or a cell
        outcome = sandbox.run(job, bench.tier)
    if outcome.arrays is None:
        return failed(seed, outcome.status, outcome.reason, outcome.seconds, outcome.peak_memory_mb, outcome.log)
    started = time.perf_counter()
    try:
        output = track.read_output(dialogue.output() if dialogue else outcome.arrays, view)
        with _turn(bench) as scored:
            score = _beside(bench, track.score(output, view, key, seed), seed, output)
    except SubmissionError as error:  # breaks a rule that the view shows, or one that only the key can tell
        return failed(seed, error.status, str(error), outcome.seconds, outcome.peak_memory_mb, outcome.log)
    seconds = Seconds(submission=outcome.seconds, scoring=time.perf_counter() - started)
    return _scored(seed, score, seconds, scored.fits, output, outcome.peak_memory_mb, outcome.log, outcome.fits)


def _foreign_model(challenge: Challenge) -> ForeignModel | None:
    """What a cell needs of a fixed model that is a plug-in's."""
    cls = type(challenge.model)
    if plugins.of(cls) is None:
        return None
    return ForeignModel(f"{cls.__module__}:{cls.__name__}", *plugins.module_of(cls))


def reference_cell(bench: Bench, which: Reference, seed: int) -> StoredCell:
    """One cell of the harness's own floor or skyline: no sandbox, since no stranger's code runs."""
    started = time.perf_counter()
    with _turn(bench) as count:
        view, key = bench.track.prepare(seed)
        score = _beside(bench, bench.track.reference(which, view, key, seed), seed, which)
    return _scored(seed, score, Seconds(scoring=time.perf_counter() - started), count.fits)


def _beside(bench: Bench, score: Score, seed: int, answer: Arrays | Reference) -> Score:
    """The score with what a second fixed model makes of the same answer among its metrics."""
    return replace(
        score, metrics={**transfer.metrics(bench, seed, answer), **score.metrics}
    )  # first: boards show a few


@contextmanager
def _turn(bench: Bench) -> Iterator[FitCount]:
    """A turn at the fixed model, as new: a cell's last bits do not depend on those before it. Counts its trainings."""
    with bench.turn(), counting_fits() as count:
        bench.track.model.reset()
        yield count


def failed(
    seed: int, status: Status, reason: str, seconds: float = 0.0, peak_memory_mb: float | None = None, log: str = ""
) -> StoredCell:
    """A cell that did not end ``ok``: kept to be shown; a run that resumes takes over only those that did."""
    cell = CellRecord(
        seed=seed, status=status, reason=reason, seconds=Seconds(submission=seconds), peak_memory_mb=peak_memory_mb
    )
    return StoredCell(cell=cell, output={}, items={}, curve=None, log=log)


def _scored(
    seed: int,
    score: Score,
    seconds: Seconds,
    fits: int,
    output: Arrays | None = None,
    peak_memory_mb: float | None = None,
    log: str = "",
    submission_fits: int | None = None,
) -> StoredCell:
    cell = CellRecord(
        seed=seed,
        status=Status.OK,
        score=score.value,
        metrics=dict(score.metrics),
        output_digest=arrays_digest(output) if output else None,
        seconds=seconds,
        fits=fits,
        peak_memory_mb=peak_memory_mb,
        submission_fits=submission_fits,
    )
    return StoredCell(cell=cell, output=output or {}, items=score.items, curve=score.curve, log=log)
