"""From what a dead cell left to its status, reason and arrays. Everything it left may be forged."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Any

from harness.api import Task
from harness.errors import HarnessError, Status, SubmissionError
from harness.sandbox.base import Job
from harness.sandbox.inside import wire
from harness.sandbox.log import clean
from harness.sandbox.quiet import quiet_reason
from harness.tracks.base import Arrays

Verdict = tuple[Status, str, Arrays | None]

# What a worker may say of itself. It lies in the submission's power, to its own harm only: none of these is better
# than what honest files get, and files are checked whoever wrote them.
_SAYABLE = {
    Status.OK,
    Status.INVALID_SUBMISSION,
    Status.CONTRACT_VIOLATION,
    Status.NO_OUTPUT,
    Status.CRASHED,
    Status.OUT_OF_MEMORY,
}


@dataclass(frozen=True)
class Found:
    """What the supervisor knows when all processes are dead."""

    ending: tuple[Status, str] | None  # a limit that was passed
    code: int  # exit status: above 128 a signal of the submission's process, below 0 one of our own guard
    outputs: int  # open output directory, -1 if the worker never came that far
    arrays: Arrays | None  # of the last round, in protocols with rounds
    out_of_memory: bool  # the kernel killed something of the cell for memory
    log: str


def judge(found: Found, job: Job) -> Verdict:
    """Status, reason and arrays. Raises HarnessError where the failure is ours."""
    if found.ending is not None:
        return *found.ending, None
    if found.code < 0:
        raise HarnessError(f"The sandbox's own process was killed from outside ({_signal(-found.code)}).")
    if found.outputs < 0:
        why = f" under the memory limit of {job.limits.memory_mb} MB" if found.out_of_memory else ""
        tail = " ".join(found.log[-600:].split())
        raise HarnessError(f"The sandbox ended (status {found.code}) before loading the submission{why}: {tail}")
    if found.code > 128:
        if found.out_of_memory:
            return Status.OUT_OF_MEMORY, memory_reason(job), None
        if found.code - 128 == signal.SIGXCPU:
            return Status.TIMEOUT, "The submission used up its CPU time.", None
        return Status.CRASHED, f"The submission's process was killed by {_signal(found.code - 128)}.", None
    try:
        data = wire.read_file(found.outputs, "report.json", wire.MAX_JSON)
        if not data:  # the worker could make the file and write nothing into it
            raise FileNotFoundError
        return _read(found, job, wire.read_json(data, "report.json"))
    except FileNotFoundError:
        if found.out_of_memory:
            return Status.OUT_OF_MEMORY, memory_reason(job), None
        return Status.NO_OUTPUT, _ENDED.format(found.code), None
    except SubmissionError as error:
        return error.status, _shown(error.status, str(error), job), None


def _shown(status: Status, said: str, job: Job) -> str:
    """A reason made of what the submission wrote: in its own words in practice alone."""
    return quiet_reason(status, said, job.folder) if job.quiet else clean(said)


_ENDED = (
    "The submission's process ended with exit status {} before what its function returned was handed over: "
    "it exited by itself (os._exit), or set limits of its own (RLIMIT_FSIZE, RLIMIT_NOFILE) under which nothing can be "
    "written."
)


def _read(found: Found, job: Job, report: dict[str, Any]) -> Verdict:
    said = str(report.get("status"))
    status = Status(said) if said in set(Status) else None
    reason = report.get("reason")
    if status not in _SAYABLE or not isinstance(reason, str):
        raise SubmissionError("report.json is not what the harness's worker writes.")
    if status is not Status.OK:
        if found.out_of_memory and status is not Status.CONTRACT_VIOLATION:
            return Status.OUT_OF_MEMORY, memory_reason(job), None
        if report.get("child") is True and (said := last_error(found.log, reason)):
            reason = f"{reason} The last error its other processes printed: {said}."
        return status, _shown(status, reason, job), None
    most, fits = job.view.scalars.get("max_fits"), report.get("fits")
    if most is not None and not (type(fits) is int and 0 <= fits <= int(most)):
        raise SubmissionError(
            f"task.model trained more than the {most} models that it may, by the submission's own report."
        )
    if job.reply is not None:
        if found.arrays is None:
            return Status.NO_OUTPUT, "The submission ended before its first round.", None
        return Status.OK, "", found.arrays
    arrays, left = {}, job.limits.output_mb * 2**20
    for name in job.task.outputs:
        data = wire.read_file(found.outputs, f"{name}.npy", left)
        left -= len(data)
        arrays[name] = wire.decode(data, f"{name}.npy")
    return Status.OK, "", arrays


def last_error(log: str, known: str) -> str:
    """The last line of a log that names an error, as ``ModuleNotFoundError: No module named 'x'``, and is not ``known``.

    The exception the worker itself reports comes last in its log, after those of the processes it started.
    """
    for line in reversed(log.splitlines()):
        match = _ERROR.fullmatch(line)
        if match and " ".join(match[1].split())[:200] not in known:
            return match[1][:300].rstrip(" .")
    return ""


_ERROR = re.compile(r"(?:\w+\.)*(\w*(?:Error|Exception)(?:: .*)?)")


def named(arrays: dict[str, wire.Array] | None, task: type[Task]) -> dict[str, wire.Array]:
    """A round's arrays in the order of ``task.outputs``. Raises SubmissionError where they have other names."""
    names = task.outputs
    if arrays is None or set(arrays) != set(names):
        raise SubmissionError(f"A round must deliver {' and '.join(names)}.")
    return {name: arrays[name] for name in names}


def reported_fits(outputs: int) -> int | None:
    """How many models the submission says it trained, None where its report says nothing that could be true."""
    try:
        fits = wire.read_json(wire.read_file(outputs, "report.json", wire.MAX_JSON), "report.json").get("fits")
    except (OSError, SubmissionError):
        return None
    return fits if type(fits) is int and 0 <= fits < 2**53 else None


def memory_reason(job: Job) -> str:
    """The paragraph for ``out_of_memory``."""
    return f"The submission used more than its {job.limits.memory_mb} MB of memory."


def _signal(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
