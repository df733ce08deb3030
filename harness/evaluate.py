"""From a challenge and a submission to a record: the way the data go, on one page.

For every seed: the track draws a view and its key; the sandbox runs the submission on the view; the track reads what
came back, or refuses it; the fixed model is trained and scored against the key. Cells run side by side, are kept as
soon as they finish and are used again by the next run. No step reaches back: the scorer never imports a submission,
the sandbox never sees a key.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from harness import draws, randomness, sandbox
from harness import folder as folders
from harness import submission as submissions
from harness.bench import Bench, OnCell
from harness.challenge import Challenge, load_challenge
from harness.errors import ProtocolError, Status, SubmissionError
from harness.models.base import FitCount, counting_fits
from harness.pool import failed
from harness.sandbox.base import Job
from harness.submission import Submission
from harness.summary import Entrant, References
from harness.tracking.record import CellRecord, Record, Seconds
from harness.tracking.runs import StoredCell, arrays_digest
from harness.tracks.base import Arrays, Reference, Score, View

_WAIT = 3600.0  # seconds: what another harness is computing in the same runs directory is waited for


def evaluate(
    challenge: Challenge | str,
    submission: str | Path,
    *,
    runs_dir: Path | str = "runs",
    device: str = "auto",
    tier: str = "auto",
    workers: int | None = None,
    tracking_uri: str | None = None,
    force: bool = False,
    on_cell: OnCell | None = None,
) -> Record:
    """Run a submission on all seeds of a challenge and record it; what ``harness run`` calls.

    Parameters
    ----------
    challenge: from :func:`harness.load_challenge`, or the name of a shipped one.
    submission: name of a baseline or path of a folder; ``"default"`` is the challenge's own baseline.
    runs_dir: where cells, records and (unless ``tracking_uri`` is given) the MLflow store are.
    device: ``auto``, ``cpu`` or ``cuda``: where the harness trains the fixed model.
    tier: isolation, ``auto`` or the name of a tier.
    workers: cells side by side; None: one per core.
    force: run finished cells again.

    Raises
    ------
    ProtocolError: no such submission, data, device or tier, or a submission for another track.
    HarnessError: the disk refuses, or another harness holds the run for too long.
    """
    if isinstance(challenge, str):
        challenge = load_challenge(challenge)
    if not isinstance(challenge, Challenge):
        raise ProtocolError(
            f"A challenge is needed, got {type(challenge).__name__}.",
            "Pass its name, or what harness.load_challenge(name, overrides, config_dir) returns.",
        )
    bench = Bench.open(challenge, runs_dir=runs_dir, device=device, tier=tier)
    return run_submission(bench, submission, workers=workers, tracking_uri=tracking_uri, force=force, on_cell=on_cell)


def run_submission(
    bench: Bench,
    name: str | Path,
    *,
    workers: int | None = None,
    tracking_uri: str | None = None,
    force: bool = False,
    on_cell: OnCell | None = None,
) -> Record:
    """One submission on an open bench; parameters as for :func:`evaluate`."""
    return run_folder(
        bench,
        find_entry(bench.challenge, name),
        workers=workers,
        tracking_uri=tracking_uri,
        force=force,
        on_cell=on_cell,
    )


def run_folder(
    bench: Bench,
    folder: Path,
    *,
    workers: int | None = None,
    tracking_uri: str | None = None,
    force: bool = False,
    on_cell: OnCell | None = None,
) -> Record:
    """The submission in a folder, which may have gone since it was found: that is its row, too."""
    folders.keep_apart(folder, bench.runs.path)
    try:
        entry = load_entry(bench.challenge, folder)
    except SubmissionError as error:
        entrant = Entrant.broken(folder)
        reason = str(error).replace(f"{folder}/", "").replace(str(folder), folder.name)  # no paths of this machine
        refused = [failed(seed, error.status, reason) for seed in range(bench.challenge.seeds)]
        with bench.runs.lock(bench.run_id(entrant), wait_seconds=_WAIT):
            return bench.record(entrant, refused, None, tracking_uri)
    entrant = Entrant.of(entry)
    entry = bench.runs.keep_submission(entry)  # cells run from this copy: the folder may change meanwhile

    def run_cell(seed: int) -> StoredCell:
        return evaluate_cell(bench, entry, seed)

    with bench.runs.lock(bench.run_id(entrant), wait_seconds=_WAIT):
        if not force and (finished := bench.finished(entrant)):
            return finished
        cells = bench.cells(entrant, run_cell, workers=workers, force=force, on_cell=on_cell)
        stopped = any(stored.cell.status is Status.CANCELLED for stored in cells)
        references = None if stopped else run_references(bench, tracking_uri, on_cell)
        return bench.record(entrant, cells, references, tracking_uri)


def find_entry(challenge: Challenge, name: str | Path) -> Path:
    """The folder meant by a name or path for this challenge. Raises ProtocolError where there is none."""
    return submissions.find(challenge.baseline if name == "default" else str(name), challenge.track_type.task)


def load_entry(challenge: Challenge, folder: Path) -> Submission:
    """The submission in a folder. Raises SubmissionError if it is broken, ProtocolError if it does not fit the challenge."""
    entry, task = submissions.load(folder), challenge.track_type.task
    if entry.track != task:
        raise ProtocolError(
            f"{folders.shown(folder)} is a submission for {entry.track}, but {challenge.name} is a {task} challenge.",
            "`harness list challenges` shows the challenges of each track.",
        )
    if unmet := sorted(challenge.track.left_out().intersection(entry.needs)):
        raise ProtocolError(
            f"{entry.name} needs {' and '.join(f'task.{field}' for field in unmet)}, which {challenge.name} leaves out.",
            "submission=all runs the baselines that fit.",
        )
    return entry


def run_references(bench: Bench, tracking_uri: str | None = None, on_cell: OnCell | None = None) -> References:
    """The harness's own rows, floor and skyline: scored like submissions, computed once per fingerprint."""
    if bench.references:
        return bench.references[0]

    def cells_of(which: Reference) -> list[StoredCell]:
        entrant = Entrant.reference(which)

        def run_cell(seed: int) -> StoredCell:
            return reference_cell(bench, which, seed)

        with bench.runs.lock(bench.run_id(entrant), wait_seconds=_WAIT):
            recorded = bench.finished(entrant)
            cells = bench.cells(entrant, run_cell, workers=1, on_cell=on_cell)
            if recorded is None:
                bench.record(entrant, cells, None, tracking_uri)
        return cells

    references = References.of(bench, cells_of("random"), cells_of("skyline"))
    if references.replicates is not None or not references.skyline:  # the second: no seed can be measured
        bench.references.append(references)
    return references


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
    session = track.session(view, key, seed) if track.rounds else None
    job = Job(
        view=view,
        task=track.task,
        model={**challenge.model.model_dump(), "n_classes": track.dataset.n_classes},
        entropy=tuple(randomness.seed_sequence(challenge.secret, seed, draws.purpose(draw)).generate_state(8).tolist()),
        folder=entry.folder,
        module=entry.module,
        function=entry.function,
        limits=challenge.limits,
        quiet=not challenge.practice,
        reply=session.reply if session else None,
        alone=bench.alone,
    )
    with bench.engine if challenge.limits.gpu else nullcontext():  # the GPU has one user at a time: scoring or a cell
        outcome = sandbox.run(job, bench.tier)
    if outcome.arrays is None:
        return failed(seed, outcome.status, outcome.reason, outcome.seconds, outcome.peak_memory_mb, outcome.log)
    started = time.perf_counter()
    try:
        output = track.read_output(session.output() if session else outcome.arrays, view)
        with _turn(bench) as scored:
            score = track.score(output, view, key, seed)
    except SubmissionError as error:  # breaks a rule that the view shows, or one that only the key can tell
        return failed(seed, error.status, str(error), outcome.seconds, outcome.peak_memory_mb, outcome.log)
    seconds = Seconds(submission=outcome.seconds, scoring=time.perf_counter() - started)
    return _scored(seed, score, seconds, scored.fits, output, outcome.peak_memory_mb, outcome.log, outcome.fits)


def reference_cell(bench: Bench, which: Reference, seed: int) -> StoredCell:
    """One cell of the harness's own floor or skyline: no sandbox, since no stranger's code runs."""
    started = time.perf_counter()
    with _turn(bench) as count:
        view, key = bench.track.prepare(seed)
        score = bench.track.reference(which, view, key, seed)
    return _scored(seed, score, Seconds(scoring=time.perf_counter() - started), count.fits)


@contextmanager
def _turn(bench: Bench) -> Iterator[FitCount]:
    """A turn at the fixed model, as new: a cell's last bits do not depend on those before it. Counts its trainings."""
    with bench.engine, counting_fits() as count:
        bench.track.model.reset()
        yield count


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


class _CallableModule(ModuleType):
    """``from harness import evaluate`` may meet this module, once imported, in place of its function: both can be called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Record:
        return evaluate(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
