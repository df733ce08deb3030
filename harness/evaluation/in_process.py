"""A function in this process, for practice: ``print`` prints, ``pdb`` stops, and what it raises is raised here.

Nothing is isolated, limited, recorded or ranked. Seeds are for practice: other draws of split and noise than any that the
challenge reports, under the open secret whatever its own is. They are draws from the same data, so a row can be hidden in
both. Beside that a cell is what a sandboxed one is, and its score the very same.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import Dataset
from harness.errors import HarnessError, NothingToMeasure, ProtocolError, Status, SubmissionError
from harness.evaluation import draws, transfer
from harness.evaluation.admission import find_entry, load_entry
from harness.evaluation.bench import Bench
from harness.evaluation.cell import failed, reference_cell
from harness.evaluation.practice import Practice, Row
from harness.evaluation.tally import References, tally
from harness.evaluation.task import PRACTICE_SEED, for_practice, next_round, task_of
from harness.evaluation.work import single_threaded
from harness.models.backend import resolve_device
from harness.protocol.challenge import Challenge
from harness.protocol.params import NONE, Params
from harness.protocol.submission import Submission
from harness.sandbox.inside.returned import call, with_params
from harness.tracking.record import CellRecord, Seconds
from harness.tracking.runs import StoredCell, arrays_digest
from harness.tracks.base import Arrays, Reference, View

Function = Callable[[Any], Any]
"""A submission's function: it takes the task and returns the arrays that the track names."""
Loaded = Callable[[], AbstractContextManager[Function]]
_USUAL, _MOST = 5, 1000  # seeds
_REFERENCES: tuple[Reference, ...] = ("random", "skyline")


def practise(
    challenge: Challenge,
    submission: Function | str | Path,
    *,
    seeds: int | None = None,
    device: str = "auto",
    params: Params = NONE,
) -> Practice:
    """Run a function, or a folder's, on seeds for practice, and score it beside floor and skyline.

    Parameters
    ----------
    submission: the function, or what :func:`harness.evaluation.run.evaluate` takes: then its module is loaded anew for
        every seed, from where it lies, with the packages that this interpreter has.
    seeds: how many, from ``2_000_000`` on; None: 5, or all of a challenge that has fewer.
    device: ``auto``, ``cpu`` or ``cuda``: where the harness trains the fixed model; the function's own is on the CPU.
    params: keyword arguments of the function, in the place of those in its manifest.

    Raises
    ------
    SubmissionError: what was returned breaks a rule, with the first row that does; or a broken folder.
    ProtocolError: no such submission, data or device, or another track's submission.
    Whatever the function raises, as it is, with a note that names the seed.
    """
    challenge = for_practice(challenge)
    wanted = _count(challenge, seeds)
    name, fresh = _functions(challenge, submission, params)
    bench = bench_of(challenge, device)
    numbers = range(PRACTICE_SEED, PRACTICE_SEED + wanted)
    with single_threaded():  # as in a cell: sums over several threads differ in their last bits
        cells = [_noted(bench, fresh, seed) for seed in numbers]
        floor, skyline = ([_measured(reference_cell, bench, which, seed) for seed in numbers] for which in _REFERENCES)
        fixed = same_view(bench)
    references = References.of(floor, skyline)
    counted = tally(bench.track, bench.fingerprint, cells, references, name)
    return Practice(
        name=name,
        score=counted.score,
        ci95=counted.ci95,
        cells=tuple(stored.cell for stored in cells),
        curves=_curves(cells),
        challenge=challenge.name,
        fingerprint=bench.fingerprint,
        metric=bench.track.metric,
        direction=bench.track.direction,
        status=counted.status,
        normalised=counted.normalised,
        curve=counted.curve,
        floor_row=_reference_row(bench, "floor", floor),
        skyline_row=_reference_row(bench, "skyline", skyline),
        axes=bench.track.curve_axes,
        remarks=tuple(_remarks(challenge, counted.status, counted.reason, cells, fixed=fixed)),
    )


def _count(challenge: Challenge, seeds: int | None) -> int:
    if seeds is None:
        return min(_USUAL, challenge.seeds)
    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 1 <= seeds <= _MOST:
        raise ProtocolError(
            f"seeds must be a whole number from 1 to {_MOST}, got {seeds!r:.60}.", "It says how many, not which."
        )
    return seeds


def _functions(challenge: Challenge, submission: Function | str | Path, params: Params) -> tuple[str, Loaded]:
    """The row's name, and what gives the function for one draw."""
    if isinstance(submission, str | Path):
        entry = load_entry(challenge, find_entry(challenge, submission), params)
        return entry.name, lambda: _loaded(entry)
    if not callable(submission):
        raise ProtocolError(
            f"A submission is a function, a baseline's name or the path of a folder, got {type(submission).__name__}."
        )
    name = getattr(submission, "__name__", type(submission).__name__)
    return str(name), lambda: nullcontext(with_params(submission, params))


@contextmanager
def _loaded(entry: Submission) -> Iterator[Function]:
    """The function of a folder as it is now. Inside, its helpers can be imported; afterwards nothing of it is loaded."""
    folder, before = str(entry.folder), sys.dont_write_bytecode
    spec = importlib.util.spec_from_file_location(f"practised_{entry.module}", entry.folder / f"{entry.module}.py")
    if spec is None or spec.loader is None:
        raise HarnessError(f"{entry.module}.py of {entry.name} cannot be loaded as a module.")
    sys.path.append(folder)  # last, so that it shadows nothing
    sys.dont_write_bytecode = True  # its folder stays as it is
    try:
        sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = getattr(module, entry.function, None)
        if not callable(found):
            raise SubmissionError(
                f"{entry.module}.py has no function {entry.function!r}.", "`entry` names it.", Status.INVALID_SUBMISSION
            )
        yield with_params(found, entry.params)
    finally:
        sys.dont_write_bytecode = before
        sys.path.remove(folder)
        own = [name for name, one in sys.modules.items() if str(getattr(one, "__file__", "")).startswith(f"{folder}/")]
        for name in own:
            del sys.modules[name]


def bench_of(challenge: Challenge, device: str) -> Bench:
    """A bench without a sandbox. Raises ProtocolError where this machine has not got the data or the device."""
    try:
        device = resolve_device(device)
    except HarnessError as error:  # asking for what this machine lacks is a matter of usage
        raise ProtocolError(error.reason, error.hint) from error
    dataset: Dataset = challenge.load_dataset()
    return Bench(
        challenge=challenge,
        track=challenge.load_track(dataset, device),
        transfer=challenge.load_track(dataset, device, challenge.transfer) if challenge.transfer else None,
        fingerprint=challenge.fingerprint(dataset),
        data_digest=dataset.digest(),
        tier="in process",
        device=device,
    )


def _noted(bench: Bench, fresh: Loaded, seed: int) -> StoredCell:
    """The cell of a seed; an error that leaves it says on which seed that was."""
    try:
        return _measured(_cell, bench, fresh, seed)
    except Exception as error:
        error.add_note(
            f"On practice seed {seed} of {bench.challenge.name}: harness.load_task(..., seed={seed}) is its task."
        )
        raise


def _measured(compute: Callable[..., StoredCell], bench: Bench, whose: Any, seed: int) -> StoredCell:
    try:
        return compute(bench, whose, seed)
    except NothingToMeasure as error:
        return failed(seed, Status.SKIPPED, str(error))


def _cell(bench: Bench, fresh: Loaded, seed: int) -> StoredCell:
    """As :func:`harness.evaluation.cell.evaluate_cell`: a second draw that changes nothing is the last."""
    with _turn(bench):
        view, key = bench.track.prepare(seed)
    drawn: list[StoredCell] = []
    for draw in range(bench.challenge.draws):
        with fresh() as function:
            stored = _draw(bench, function, view, key, seed, draw)
        if draw == 1 and stored.cell.output_digest == drawn[0].cell.output_digest:
            break
        drawn.append(stored)
    return draws.joined(drawn)


def _draw(bench: Bench, function: Function, view: View, key: Any, seed: int, draw: int) -> StoredCell:
    track, task = bench.track, task_of(bench.challenge, bench.track, view, seed, draw)
    started = time.perf_counter()
    arrays = _answer(bench, function, task, view, key, seed)
    answered = time.perf_counter()
    with _turn(bench), np.errstate(all="ignore"):
        output = track.read_output(arrays, view)
        score = track.score(output, view, key, seed)
        score = replace(score, metrics={**transfer.metrics(bench, seed, output), **score.metrics})
    cell = CellRecord(
        seed=seed,
        status=Status.OK,
        score=score.value,
        metrics=dict(score.metrics),
        output_digest=arrays_digest(output),
        seconds=Seconds(submission=answered - started, scoring=time.perf_counter() - answered),
        submission_fits=task.model.fits,
    )
    return StoredCell(cell=cell, output=output, items=score.items, curve=score.curve, log="")


def _answer(bench: Bench, function: Function, task: Any, view: View, key: Any, seed: int) -> Arrays:
    """What the function returns; in a protocol with rounds, over all of them."""
    names = bench.track.task.outputs
    if not bench.track.rounds:
        return call(function, task, names)
    dialogue, round = bench.track.dialogue(view, key, seed), 0
    while (fields := dialogue.reply(round, call(function, task, names))) is not None:
        task, round = next_round(task, fields), round + 1
    return dialogue.output()


@contextmanager
def _turn(bench: Bench) -> Iterator[None]:
    with bench.turn():
        bench.track.model.reset()  # as new: a cell's last bits do not depend on those before it
        yield


def same_view(bench: Bench) -> bool:
    """Whether the protocol draws nothing: one split is all it has, as where a paper's own files are scored."""
    try:
        first, second = (bench.track.prepare(PRACTICE_SEED + k)[0] for k in range(2))
    except NothingToMeasure:
        return False
    return arrays_digest(first.arrays) == arrays_digest(second.arrays)


def _reference_row(bench: Bench, name: str, cells: list[StoredCell]) -> Row:
    counted = tally(bench.track, bench.fingerprint, cells, None, name)
    return Row(name, counted.score, counted.ci95, tuple(stored.cell for stored in cells), _curves(cells))


def _curves(cells: list[StoredCell]) -> tuple[Any, ...]:
    return tuple(stored.curve for stored in cells if stored.curve is not None)


def _remarks(
    challenge: Challenge, status: Status, reason: str, cells: list[StoredCell], *, fixed: bool
) -> Iterator[str]:
    if fixed:
        yield "This protocol draws nothing by seed: what is hidden here is what its board is scored on."
    if status is Status.SUSPICIOUS:
        yield "Better than the skyline allows, by more than chance: a recorded run would be held until a person has looked."
    elif reason:
        yield reason
    slowest = max(stored.cell.seconds.submission for stored in cells)
    if slowest > challenge.limits.seconds:
        yield f"The slowest seed took {slowest:.1f} s; a recorded run is stopped after {challenge.limits.seconds:g} s."
