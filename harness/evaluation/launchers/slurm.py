"""Cells as job arrays of a Slurm cluster, several cells a job, exchanged through a directory that all nodes share.

submitit writes and submits the arrays. How jobs end is asked of ``squeue``, which every cluster answers: submitit's own
way, ``sacct``, needs an accounting database that many have not got.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from harness import sandbox
from harness.errors import HarnessError, ProtocolError, Status
from harness.evaluation.cell import failed
from harness.evaluation.launchers.base import TICK, Launcher
from harness.evaluation.launchers.exchange import OURS, Exchange, key_of
from harness.evaluation.launchers.remote import perform_here
from harness.evaluation.work import Answer, Work
from harness.paths import expanded
from harness.protocol.launch import SlurmLaunch
from harness.protocol.submission import Submission
from harness.tracking.runs import RunsDir, StoredCell

_AHEAD = 2000  # cells that are with Slurm at a time: each of their runs holds a lock here
_AT_ONCE = 1000  # jobs of one array: Slurm's own limit, unless it was raised
_LOOK = 2.0  # seconds between two questions to the cluster
_SIGNALLED = 1.0  # seconds: Slurm ends a sandbox and the job's own process in whatever order
_PARTING = 40.0  # seconds in which jobs of a dead head end; Slurm kills those that do not after half a minute
_SILENCE = 600.0  # seconds for which a cluster may give no answer
_LATE = 10.0  # seconds in which a finished job's files may still be on their way to this machine
_LOST = {"NODE_FAIL", "PREEMPTED", "BOOT_FAIL", "REVOKED", "REQUEUED"}
_GOING = {
    "PENDING",
    "RUNNING",
    "CONFIGURING",
    "COMPLETING",
    "SUSPENDED",
    "STAGE_OUT",
    "SIGNALING",
    "RESIZING",
    "STOPPED",
}

Order = tuple[str, str, int, str]
"""A cell as a job is told of it: file of the bench, file of the submission or name of the reference, seed, key."""


class Slurm(Launcher):
    """One job for every ``launch.cells`` cells.

    Parameters
    ----------
    place: the runs directory, in which the exchange is unless the settings name another place for it.
    """

    def __init__(self, launch: SlurmLaunch, place: Path) -> None:
        self.launch = launch
        self.exchange = Exchange(expanded(launch.exchange).absolute() if launch.exchange else place / "exchange")
        self._waiting: list[Work] = []
        self._jobs: dict[str, list[Work]] = {}  # by the job's id, of an array or alone
        self._tried: dict[Work, int] = {}
        self._taken: list[Work] = []
        self._asked: list[Work] = []  # all that jobs were told of
        self._answers: list[tuple[Work, Answer]] = []
        self._stopped = False
        self._over: dict[str, float] = {}  # jobs that have ended with cells missing: since when
        self._looked = 0.0
        self._silent = 0.0  # since when the cluster does not answer

    def __enter__(self) -> Slurm:
        try:
            from submitit import SlurmExecutor
        except ImportError as error:
            raise ProtocolError(
                "launcher=slurm needs submitit, which is not installed.", "pip install 'harness[slurm]'."
            ) from error
        self.exchange.__enter__()
        try:
            for orphan in self.exchange.orphans():
                _end_jobs(_name(orphan))
            self._executor = SlurmExecutor(self.exchange.own)
        except RuntimeError as error:  # of submitit, which looks for srun
            self.exchange.__exit__()
            raise ProtocolError(
                "launcher=slurm finds no Slurm on this machine (no srun on PATH).", "Run it where sbatch works."
            ) from error
        except BaseException:
            self.exchange.__exit__()
            raise
        launch = self.launch
        chosen = {"partition": launch.partition, "account": launch.account, "qos": launch.qos, "gres": launch.gres}
        self._executor.update_parameters(
            job_name=_name(self.exchange.own),
            time=launch.minutes,
            cpus_per_task=launch.cpus,
            array_parallelism=launch.workers or _AT_ONCE,
            additional_parameters={"no-requeue": True},  # Slurm would wait for two minutes: see _missing
            **{name: value for name, value in chosen.items() if value},
        )
        return self

    def room(self) -> int:
        return _AHEAD - len(self._waiting) - sum(map(len, self._jobs.values()))

    def submit(self, work: Work) -> None:
        if (stored := self.exchange.left(work)) is not None:
            self._take(work, stored)
        else:
            self._waiting.append(work)

    def ended(self, seconds: float) -> list[tuple[Work, Answer]]:
        self._forget_taken()
        if self._waiting:
            self._send()
        if time.monotonic() - self._looked > _LOOK:
            self._look()
        if not self._answers:
            time.sleep(seconds)
        answers, self._answers = self._answers, []
        return answers

    def stop(self) -> None:
        self._stopped = True
        _slurm("scancel", f"--name={_name(self.exchange.own)}")
        self._answers += [(work, _cancelled(work)) for work in self._waiting]
        self._waiting = []
        self._looked = 0.0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._jobs:
            with suppress(HarnessError):
                _end_jobs(_name(self.exchange.own))
        if kind is None:  # else what was taken may not have been kept: it is there for the next head
            for work in (*self._asked, *self._taken):
                self.exchange.forget(work)
        self.exchange.__exit__()

    def _send(self) -> None:
        """Submit what waits, in arrays of jobs of ``launch.cells`` cells."""
        orders = [[self._order(work) for work in part] for part in _parts(self._waiting, self.launch.cells)]
        works = list(_parts(self._waiting, self.launch.cells))
        self._asked += self._waiting
        self._waiting = []
        for jobs, of in zip(_parts(orders, _AT_ONCE), _parts(works, _AT_ONCE), strict=True):
            folder = str(self.exchange.cells.path)
            count = len(jobs)
            try:
                sent = self._executor.map_array(run_batch, [folder] * count, jobs, [self.launch.cpus] * count)
            except Exception as error:  # submitit's own kinds, and what sbatch says
                said = " ".join(str(error).split())[-400:]
                raise ProtocolError(
                    f"Slurm did not take the jobs: {said}.", "Are the settings of launcher=slurm right?"
                ) from error
            self._jobs |= {job.job_id: list(part) for job, part in zip(sent, of, strict=True)}

    def _order(self, work: Work) -> Order:
        whose = str(self.exchange.send(work.whose)) if isinstance(work.whose, Submission) else work.whose
        return str(self.exchange.send(work)), whose, work.seed, key_of(work)

    def _look(self) -> None:
        """Take the cells that are there; of jobs that have ended without theirs, say why."""
        states = self._states()
        self._looked = time.monotonic()
        for job, works in list(self._jobs.items()):
            for work in list(works):
                if (stored := self.exchange.found(work)) is not None:
                    works.remove(work)
                    self._take(work, stored)
            state = "RUNNING" if states is None else states.get(job, "GONE")
            if state in _GOING:
                self._over.pop(job, None)
            if not works:
                del self._jobs[job]
            elif state not in _GOING and self._late(job, state):
                del self._jobs[job]
                for work in works:
                    self._missing(work, job, state)

    def _states(self) -> dict[str, str] | None:
        """How the jobs are; None where the cluster does not say, which a controller that is started again does not."""
        try:
            states = _states(_name(self.exchange.own)) if self._jobs else {}
        except HarnessError:
            self._silent = self._silent or time.monotonic()
            if time.monotonic() - self._silent > _SILENCE:
                raise
            return None
        self._silent = 0.0
        return states

    def _late(self, job: str, state: str) -> bool:
        """Whether nothing more is to be waited for of a job that has ended."""
        since = self._over.setdefault(job, time.monotonic())
        return state == "CANCELLED" or self._stopped or time.monotonic() - since > _LATE

    def _take(self, work: Work, stored: StoredCell) -> None:
        self._answers.append((work, stored))
        self._taken.append(work)

    def _forget_taken(self) -> None:
        """By now the head has kept what it was given."""
        for work in self._taken:
            self.exchange.forget(work)
        self._taken = []

    def _missing(self, work: Work, job: str, state: str) -> None:
        if state == "CANCELLED" or self._stopped:
            self._answers.append((work, _cancelled(work, f"The Slurm job {job} was cancelled.")))
            return
        self._tried[work] = self._tried.get(work, 0) + 1
        if state in _LOST and self._tried[work] <= self.launch.retries:
            self._waiting.append(work)
            return
        why = {
            "TIMEOUT": f"at its time limit: give it more than launcher.minutes={self.launch.minutes}, or fewer launcher.cells",
            "OUT_OF_MEMORY": "for lack of memory",
        }.get(state, f"as {state}{self._last_words(job)}")
        self._answers.append((work, failed(work.seed, Status.HARNESS_ERROR, f"Slurm ended the job {job} {why}.")))

    def _last_words(self, job: str) -> str:
        for path in sorted(self.exchange.own.glob(f"{job}_*.err")):
            lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            own = [line for line in lines if not line.startswith("srun:")]  # which says only that it ended
            if said := own or lines:
                return f", which said: {said[-1][:300]}"
        return ""


def run_batch(cells: str, orders: Sequence[Order], cpus: int) -> None:
    """What a job does: compute its cells one after the other, and keep each in the exchange as soon as it is there."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # submitit's warning before the time limit, which ends the process
    signal.signal(
        signal.SIGTERM, lambda *_: sandbox.cancel()
    )  # else it is Slurm's SIGKILL half a minute later that does
    kept = RunsDir(cells)
    read: dict[str, Any] = {}
    for bench, whose, seed, key in orders:
        if sandbox.cancelled():
            return
        if (kept.cell_dir(key, seed) / "cell.json").exists():  # Slurm has started this job again
            continue
        for path in {bench, whose} - set(read):
            read[path] = _content(path)
        answer = perform_here(read[bench], read[whose], seed, cpus)
        if isinstance(answer, ProtocolError):
            answer = failed(seed, Status.HARNESS_ERROR, str(answer))
        if answer.cell.status is Status.HARNESS_ERROR:
            time.sleep(_SIGNALLED)
        if not (sandbox.cancelled() and answer.cell.status in OURS):
            kept.save_cell(
                key, answer.cell, output=answer.output, items=answer.items, curve=answer.curve, log=answer.log
            )


def _content(path: str) -> Any:
    """What the head has put into a file; the name of a reference stands for itself."""
    return pickle.loads(Path(path).read_bytes()) if os.sep in path else path  # noqa: S301 - of the same user's head


def _name(head: Path) -> str:
    return f"harness-{head.name}"


def _cancelled(work: Work, why: str = "The run was stopped before this cell ended.") -> StoredCell:
    return failed(work.seed, Status.CANCELLED, why)


def _end_jobs(name: str) -> None:
    """Cancel the jobs of a name and wait until they have gone: what they finish meanwhile is kept."""
    _slurm("scancel", f"--name={name}")
    deadline = time.monotonic() + _PARTING
    while _GOING.intersection(_states(name).values()) and time.monotonic() < deadline:
        time.sleep(TICK)


def _states(name: str) -> dict[str, str]:
    """How the jobs of a name are, by their ids; those that ended some minutes ago are not known any more."""
    said = _slurm("squeue", "--noheader", f"--name={name}", "--states=all", "--format=%F %K %T", "--array")
    found = {}
    for line in said.splitlines():
        job, index, state = line.split()
        found[f"{job}_{index}" if index.isdigit() else job] = state
    return found


def _slurm(*words: str) -> str:
    """What a command of Slurm's says. Raises HarnessError where the cluster does not answer."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True, start_new_session=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = " ".join(str(getattr(error, "stderr", None) or error).split())[:300]
        raise HarnessError(
            f"Slurm does not answer: {words[0]}: {said}.", "Finished cells are kept; run it again."
        ) from error
    return done.stdout


def _parts(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), size):
        yield values[start : start + size]
