"""A head that is watched, as a process of its own: what it costs, what its cells do, how its memory grows.

``python -m tests.benchmarks.scale.head REPORT cells OVERRIDES``: cells in a launcher, each kept, no run recorded.
``... REPORT run OVERRIDES``: ``harness run``, as it is. ``... REPORT reference OVERRIDES``: its floor alone.
``--config-dir DIR`` comes last. REPORT is a JSON file.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from harness.evaluation import run, sweep
from harness.evaluation.admission import admit, find_entry
from harness.evaluation.entrants import Entrant
from harness.evaluation.launchers import launcher, local, serial
from harness.evaluation.launchers.base import Pool, compute
from harness.evaluation.session import Session
from harness.evaluation.summary import record
from harness.evaluation.work import Answer, Work, perform
from harness.protocol.compose import RunConfig, compose
from harness.protocol.submission import Submission
from harness.tracking import delivery
from tests.benchmarks.scale.places import cpu_with_children

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """Clocks around the parts of a head; seconds are since the process began to work."""

    def __init__(self, trace: Path) -> None:
        self._began = time.perf_counter()
        self._trace = trace  # to which workers write, each line by one write
        self.times: dict[str, list[list[float]]] = {}  # of a part: [wall, CPU of this process] of each call
        self.marks: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self.given: list[str] = []  # whose cell, in the order in which they were handed out
        self.taken: list[tuple[float, float, float]] = []  # of every cell: when, seconds it says it took, our megabytes

    def mark(self, name: str) -> None:
        """Now."""
        self.marks[name] = time.perf_counter() - self._began
        self.cpu[name] = time.process_time()

    def timed(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, its calls timed."""

        def acting(*args: Any, **named: Any) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return act(*args, **named)
            finally:
                spent = [time.perf_counter() - wall, time.process_time() - cpu]
                self.times.setdefault(name, []).append(spent)
                if name == "record":
                    self.mark("recorded")
                if name == "keep":
                    self._took(args[2].cell.seconds)

        return acting

    def _took(self, seconds: Any) -> None:
        self.mark("last")
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6
        self.taken.append((self.marks["last"], seconds.submission + seconds.scoring, resident))

    def handed_out(self, submit: Callable[[Pool, Work], None]) -> Callable[[Pool, Work], None]:
        """Pool.submit, noted."""

        def submitting(pool: Pool, work: Work) -> None:
            if not self.given:
                self.mark("first")
            self.given.append(_name(work))
            submit(pool, work)

        return submitting

    def performed(self, work: Work, cores: int) -> Answer:
        """``perform``, in whatever process of this machine, noted with what it took."""
        wall, cpu = time.perf_counter(), cpu_with_children()
        answer = perform(work, cores)
        spent = [time.perf_counter() - wall, cpu_with_children() - cpu]
        with self._trace.open("a") as file:
            file.write(json.dumps([_name(work), work.seed, *spent]) + "\n")
        return answer

    @contextmanager
    def opened(self, opening: Callable[[Pool], Any], pool: Pool) -> Iterator[Pool]:
        """Pool.opened, with the moments before and after it."""
        self.mark("before")
        with opening(pool):
            yield pool
        self.mark("after")

    def report(self) -> dict[str, Any]:
        """All of it, for JSON."""
        performed = [json.loads(line) for line in self._trace.read_text().splitlines()] if self._trace.exists() else []
        return {
            "marks": self.marks, "cpu": self.cpu, "given": self.given, "taken": self.taken,
            "times": self.times, "performed": performed, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        }  # fmt: skip

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Its clocks in the harness's own code."""
        opening = Pool.opened
        patches: list[Any] = [
            patch.object(Session, "keep", self._method("keep", Session.keep)),
            patch.object(sweep, "record", self.timed("record", record)),
            patch.object(delivery, "deliver", self.timed("deliver", delivery.deliver)),
            patch.object(Pool, "submit", self.handed_out(Pool.submit)),
            patch.object(Pool, "opened", lambda pool: self.opened(opening, pool)),
            patch.object(local, "perform", self.performed),
            patch.object(serial, "perform", self.performed),
        ]
        with ExitStack() as stack:
            for one in patches:
                stack.enter_context(one)
            yield

    def _method(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        timed = self.timed(name, act)
        return lambda *args: timed(*args)


def _name(work: Work) -> str:
    whose = work.whose.name if isinstance(work.whose, Submission) else f"reference-{work.whose}"
    return f"{work.bench.challenge.name} {whose}"


def _opened(overrides: list[str], config_dir: str | None) -> tuple[RunConfig, Session]:
    config = compose(overrides, config_dir)
    runs_dir, elsewhere = config.runs_dir, config.launch.elsewhere
    return config, Session.open(config.challenge, runs_dir=runs_dir, tier=config.tier, elsewhere=elsewhere)


def cells(overrides: list[str], config_dir: str | None) -> None:
    """The cells of a submission and of floor and skyline in turn, computed and kept."""
    config, session = _opened(overrides, config_dir)
    entrants: dict[object, Entrant] = {who: sweep.Wanted(session, who).admitted[0] for who in ("random", "skyline")}
    entrant, whose = admit(session, find_entry(config.challenge, config.submission))
    assert isinstance(whose, Submission), whose
    works = [Work(session, one, seed) for seed in range(config.challenge.seeds) for one in (whose, "random", "skyline")]
    for work, stored in compute(works, launcher(config.launch, [session], session.runs.path)):
        assert stored.cell.status == "ok", stored.cell.reason
        session.keep(entrant if work.whose is whose else entrants[work.whose], stored)


def reference(overrides: list[str], config_dir: str | None) -> None:
    """The harness's own ``random`` alone, recorded: cells that cost next to nothing and need no sandbox."""
    config, session = _opened(overrides, config_dir)
    list(run.sweep([sweep.Wanted(session, "random")], config.launch))


def whole(overrides: list[str], config_dir: str | None) -> None:
    """``harness run``."""
    from harness.cli import main as command

    sweeping = ["-m"] if any("," in one or one == "submission=all" for one in overrides) else []
    code = command(["run", *sweeping, *overrides, *(["--config-dir", config_dir] if config_dir else [])])
    assert code == 0, f"harness run ended with {code}"


def main() -> None:
    report, what, *overrides = sys.argv[1:]
    config_dir = None
    if overrides[-2:-1] == ["--config-dir"]:
        *overrides, _, config_dir = overrides
    watch = Watch(Path(f"{report}.trace"))
    watch.mark("began")
    with watch.watching():
        {"cells": cells, "run": whole, "reference": reference}[what](overrides, config_dir)
    watch.mark("ended")
    Path(report).write_text(json.dumps(watch.report()))


if __name__ == "__main__":
    main()
