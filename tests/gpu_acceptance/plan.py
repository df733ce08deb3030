"""Steps with a time budget each: whatever becomes of one, the others are done and all is reported."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, Literal

Figures = dict[str, Any]
Status = Literal["passed", "failed", "skipped"]
_Said = tuple[Status, str, Figures]
_CONTEXT = multiprocessing.get_context("fork")  # what the parent has imported is there; it must not have touched CUDA


class Skip(Exception):
    """Raised by a step that cannot be done here; the message says why."""


@dataclass(frozen=True)
class Setting:
    """What all steps are told. ``device`` is cuda, or cpu in a rehearsal."""

    device: str
    quick: bool = False

    @property
    def rehearsal(self) -> bool:
        return self.device == "cpu"


@dataclass(frozen=True)
class Step:
    """``work(setting)`` returns figures, raises Skip, or fails by any other exception."""

    name: str
    what: str
    work: Callable[[Setting], Figures]
    budget: float  # wall seconds on a GPU

    def seconds(self, setting: Setting) -> float:
        """The budget; a rehearsal has more time, for its machine may be small and busy."""
        return self.budget * (4 if setting.rehearsal else 1)


@dataclass(frozen=True)
class Result:
    """How a step ended. ``why``: of a skipped or failed one."""

    name: str
    what: str
    status: Status
    seconds: float
    why: str = ""
    figures: Figures = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def run_steps(steps: Sequence[Step], setting: Setting, said: Callable[[Result], None]) -> list[Result]:
    """Every step in a process of its own; ``said`` is called after each."""
    results = []
    for step in steps:
        results.append(run_step(step, setting))
        said(results[-1])
    return results


def run_step(step: Step, setting: Setting) -> Result:
    """One step; what outlives its budget is killed with all that it started."""
    began = time.monotonic()
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    child = _CONTEXT.Process(target=_inside, args=(step, setting, theirs))
    child.start()
    theirs.close()
    budget = step.seconds(setting)
    said: _Said = ("failed", f"It took longer than its {budget:g} s and was ended.", {})
    try:
        if ours.poll(budget):
            said = ours.recv()
    except EOFError:
        said = ("failed", "Its process died.", {})
    finally:
        _end(child)
        ours.close()
    status, why, figures = said
    return Result(step.name, step.what, status, round(time.monotonic() - began, 2), why, figures)


def _inside(step: Step, setting: Setting, answer: Connection) -> None:
    os.setsid()  # so that it can be ended with all that it starts
    said: _Said
    try:
        said = ("passed", "", step.work(setting))
    except Skip as reason:
        said = ("skipped", str(reason), {})
    except Exception as error:  # noqa: BLE001 - whatever a step runs into is reported, and the others go on
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = " ".join(str(error).split())[:600]
        said = ("failed", f"{type(error).__name__}: {text} ({Path(place.filename).name}:{place.lineno})", {})
    answer.send(said)


def _end(child: ForkProcess) -> None:
    """Kill the child's group while the child, if only as a zombie, still holds its number; then let it go."""
    wait([child.sentinel], timeout=1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid or 0, signal.SIGKILL)
    child.kill()
    child.join()
