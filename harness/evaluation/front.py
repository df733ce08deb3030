"""``harness.evaluate``: recorded and in the sandbox, or in this process and for practice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, overload

from harness.errors import ProtocolError
from harness.evaluation import run
from harness.evaluation.in_process import Function, practise
from harness.evaluation.practice import Practice
from harness.evaluation.session import OnCell
from harness.evaluation.task import challenge_of
from harness.protocol.challenge import Challenge
from harness.protocol.params import NONE, Params
from harness.tracking.record import Record


@overload
def evaluate(
    challenge: Challenge | str,
    submission: str | Path,
    *,
    in_process: Literal[False] = False,
    runs_dir: Path | str = "runs",
    device: str = "auto",
    params: Params = NONE,
    tier: str = "auto",
    workers: int | None = None,
    tracking_uri: str | None = None,
    force: bool = False,
    on_cell: OnCell | None = None,
) -> Record: ...


@overload
def evaluate(
    challenge: Challenge | str,
    submission: str | Path,
    *,
    in_process: Literal[True],
    seeds: int | None = None,
    device: str = "auto",
    params: Params = NONE,
) -> Practice: ...


@overload
def evaluate(
    challenge: Challenge | str,
    submission: Function,
    *,
    in_process: bool = True,
    seeds: int | None = None,
    device: str = "auto",
    params: Params = NONE,
) -> Practice: ...


def evaluate(
    challenge: Challenge | str,
    submission: Function | str | Path,
    *,
    in_process: bool = False,
    seeds: int | None = None,
    device: str = "auto",
    params: Params = NONE,
    **recorded: Any,
) -> Record | Practice:
    """Score a submission on a challenge.

    A baseline's name or a folder is run on all seeds in the sandbox and recorded, as ``harness run`` does:
    :func:`harness.evaluation.run.evaluate` says how, takes ``runs_dir``, ``tier``, ``workers``, ``tracking_uri``,
    ``force`` and ``on_cell``, and returns a ``Record``.

    A function, or a folder with ``in_process=True``, is run here, on ``seeds`` seeds for practice
    (:func:`harness.evaluation.in_process.practise`). Nothing is written. It returns a ``Practice``: ``score``, ``ci95``,
    ``cells``, ``floor``, ``skyline``, ``curve``, ``plot()``, ``compare(other)``; a notebook shows it as a table.

    ``params`` are keyword arguments of the function, in the place of those in ``submission.yaml``.

    Raises
    ------
    ProtocolError: no such challenge, submission, data, device or tier; or arguments of the other way of running.
    """
    if in_process or not isinstance(submission, str | Path):
        if recorded:
            _refuse(recorded, "for recorded runs, and an evaluation in process records nothing", "Leave it out.")
        return practise(challenge_of(challenge), submission, seeds=seeds, device=device, params=params)
    if seeds is not None:
        hint = f'A recorded run has those of its challenge: load_challenge(NAME, ["seeds={seeds}"]) changes them.'
        _refuse(["seeds"], "for evaluations in process", hint)
    return run.evaluate(challenge, submission, device=device, params=params, **recorded)


def _refuse(names: Sequence[str] | dict[str, Any], what: str, hint: str) -> None:
    raise ProtocolError(f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} {what}.", hint)
