"""The conformance suite a participant runs against their own folder, in the real sandbox, before a long run.

It draws a seed of the challenge's own protocol that no run uses, so nothing an algorithm can see tells a check from a
run. Each check is small, named, and says what it found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.data.fetch import cache_dir
from harness.errors import BenchmarkError, HarnessError, ProtocolError, Status, SubmissionError
from harness.evaluation.launchers.base import compute
from harness.evaluation.launchers.serial import Serial
from harness.evaluation.session import Session
from harness.evaluation.work import Work
from harness.packages.provide import provide
from harness.protocol import submission
from harness.protocol.catalogue import quick_challenge
from harness.protocol.compose import compose
from harness.protocol.params import of_overrides, shown
from harness.protocol.submission import Submission
from harness.sandbox.cell import Cell
from harness.sandbox.log import clean, last_lines
from harness.sandbox.tiers import AUTO, resolve_tier
from harness.tracking.files import write_text_atomic
from harness.tracking.runs import RunsDir, StoredCell
from harness.tracks.base import Reference

_SEEDS = range(1_000_003, 1_000_023)  # beyond any seed of a challenge; many, as on some nothing may be measurable


@dataclass(frozen=True)
class Finding:
    """One check: its name, whether it passed, what it found."""

    name: str
    passed: bool
    found: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def check(path: str, overrides: Sequence[str] = (), config_dir: str | None = None) -> list[Finding]:
    """Run the suite on a folder (or a baseline's name). Stops at the first check that makes the others pointless.

    Raises ProtocolError where there is no such folder or challenge.
    """
    with Cell() as place:
        return list(_checks(path, overrides, config_dir, RunsDir(place.path)))


def _checks(path: str, overrides: Sequence[str], config_dir: str | None, place: RunsDir) -> Iterator[Finding]:
    named = any(word.startswith("challenge=") for word in overrides)
    given = of_overrides(overrides)[0]
    kind = compose(overrides, config_dir, with_params=True).challenge.track_type.task if named else None
    folder = submission.find(path, kind.kind if kind else "")
    try:
        entry = submission.load(folder, kind=kind).with_params(given)
    except SubmissionError as error:
        yield Finding("manifest", False, str(error))
        return
    called = f"{entry.name}, {entry.track}, entry {entry.module}:{entry.function}"
    yield Finding("manifest", True, called + (f", called with {shown(entry.params)}" if entry.params else ""))

    if not named:
        overrides = [f"challenge={quick_challenge(entry.track)}", *overrides]
    config = compose(overrides, config_dir, with_params=True)
    once = config.challenge.model_copy(update={"draws": 1})  # form is checked, not luck: no second draw is needed
    if config.challenge.track_type.task.kind != entry.track:
        found = f"the submission is for {entry.track}, {config.challenge.name} is a {config.challenge.track_type.task.kind} challenge"
        yield Finding("track", False, found)
        return
    session = Session.open(config.challenge, runs_dir=config.runs_dir, device="cpu", tier=config.tier)
    session = replace(session, challenge=once)  # opened whole: with one draw it would be another challenge than was run
    yield Finding("track", True, f"checked against {config.challenge.name} under {session.tier}")

    try:
        provided = provide(entry.requires, config.challenge.packages)
    except (SubmissionError, HarnessError) as error:
        yield Finding("packages", False, str(error))
        return
    if provided:
        found = ", ".join(f"{package.name} {package.version}" for package in provided.lock.packages)
        yield Finding("packages", True, found or "the harness has them all")
    entry = place.keep_submission(entry)  # as in a run
    if provided:
        entry = replace(entry, lock=provided.lock, packages=provided.folder)
    first = _measurable_cell(session, entry, _SEEDS[:10])
    if first.cell.status is Status.SKIPPED:
        yield Finding("measurable", False, f"the challenge has nothing to measure: {first.cell.reason}")
        return
    yield from _ran(first)
    yield _printed(first, entry, shown=once.practice)
    if first.cell.status is not Status.OK:
        return
    again = _cell(session, entry, first.cell.seed)
    same = first.cell.output_digest == again.cell.output_digest
    yield Finding(
        "reproducible",
        same,
        "two runs on the same view return the same"
        if same
        else "two runs on the same view differ; draw randomness from task.rng alone, not from time or global state",
    )
    other = _measurable_cell(session, entry, _SEEDS[10:])
    answered = other.cell.status in (Status.OK, Status.SKIPPED)  # skipped: no fault of the submission's
    yield Finding("another seed", answered, other.cell.reason or "a second view is answered as well")
    yield from _elsewhere(session, entry, first)
    yield _affordable(session, first)
    yield _score(session, first)


def _cell(session: Session, whose: Submission | Reference, seed: int) -> StoredCell:
    """As in a run, where Ctrl-C ends the sandbox."""
    ((_, stored),) = compute([Work(session, whose, seed)], Serial())
    if stored.cell.status is Status.CANCELLED:
        raise KeyboardInterrupt
    return stored


def _measurable_cell(session: Session, entry: Submission, seeds: Sequence[int]) -> StoredCell:
    """The cell of the first seed with something to measure; of the last seed where there is none."""
    for seed in seeds:
        stored = _cell(session, entry, seed)
        if stored.cell.status is not Status.SKIPPED:
            break
    return stored


def _ran(stored: StoredCell) -> Iterator[Finding]:
    cell = stored.cell
    if cell.status is Status.CONTRACT_VIOLATION:
        yield Finding("runs", True, f"ended after {cell.seconds.submission:.2f} s")
        yield Finding("output", False, cell.reason)
    elif cell.status is Status.OK:
        yield Finding("runs", True, f"ended after {cell.seconds.submission:.2f} s")
        shapes = ", ".join(f"{name} {array.dtype}{list(array.shape)}" for name, array in stored.output.items())
        yield Finding("output", True, shapes)
    else:
        yield Finding("runs", False, f"{cell.status}: {cell.reason}")


def _printed(stored: StoredCell, entry: Submission, *, shown: bool) -> Finding:
    """Informative: the last lines of what it wrote to stdout and stderr, and the file that has all of it.

    Not of a challenge that keeps its secret: they may hold it.
    """
    text = clean(stored.log).strip()
    count = len(text.splitlines())
    if not count:
        return Finding("printed", True, "nothing")
    lines = "1 line" if count == 1 else f"{count} lines"
    if not shown:
        return Finding("printed", True, f"{lines}, which are not shown where a challenge keeps its secret")
    last = last_lines(text)
    try:
        path = cache_dir() / "checks" / f"{entry.name}.log"
        write_text_atomic(path, text + "\n")
        where = f"all of it, until the next check, in {path}"
    except BenchmarkError as error:
        where = f"all of it is kept nowhere: {error.reason}"
    few = "" if len(last.splitlines()) == count else f", of which the last {len(last.splitlines())} are below"
    return Finding("printed", True, f"{lines}{few}; {where}\n{last}")


def _elsewhere(session: Session, entry: Submission, first: StoredCell) -> Iterator[Finding]:
    """Informative: what another tier that works here and may rank makes of it, since other machines may use that."""
    for tier in AUTO if session.tier in AUTO and not session.challenge.limits.gpu else ():
        if tier == session.tier:
            continue
        try:
            resolve_tier(tier, session.challenge.minimum_isolation)
        except ProtocolError:
            continue
        there = _cell(replace(session, tier=tier), entry, first.cell.seed).cell
        if there.status is not Status.OK:
            found = f"works in {session.tier} and not under {tier}, which machines without it use: {there.reason}"
        elif there.output_digest != first.cell.output_digest:
            found = f"returns something else under {tier} than in {session.tier}"
        else:
            found = f"returns the same under {tier}"
        yield Finding("other tiers", True, found)


def _affordable(session: Session, stored: StoredCell) -> Finding:
    limits, cell = session.challenge.limits, stored.cell
    used = cell.seconds.submission / limits.seconds
    found = f"{cell.seconds.submission:.2f} s of {limits.seconds:g} s, {cell.peak_memory_mb or 0:.0f} MB of {limits.memory_mb} MB"
    too_close = used > 0.5
    return Finding("within limits", not too_close, found + (": too close on a slower machine" if too_close else ""))


def _score(session: Session, stored: StoredCell) -> Finding:
    """Informative: a low score is no fault of form, so this check always passes and says what it saw."""
    floor = _cell(session, "random", stored.cell.seed).cell.score
    skyline = _cell(session, "skyline", stored.cell.seed).cell.score
    found = f"{session.track.metric} {stored.cell.score:.4f} on one seed (random {floor:.4f}, skyline {skyline:.4f})"
    return Finding("score", True, found)
