"""Benchmark harness for data-centric AI: the model is pinned, algorithms compete on data.

>>> from harness import evaluate, load_challenge, load_task
>>> record = evaluate(load_challenge("debugging_digits"), "knn_shapley")  # in the sandbox, as `harness run`
>>> task = load_task("debugging_digits", seed=0)  # what a submission's function is given
>>> evaluate("debugging_digits", lambda task: task.rng.permutation(len(task.y)))  # here, on seeds for practice

The names are imported on first use, so that ``import harness``
(and ``harness --help``) stays instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.evaluation.front import evaluate
    from harness.evaluation.task import load_task
    from harness.protocol.compose import load_challenge

__all__ = ["evaluate", "load_challenge", "load_task"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "evaluate":
        from harness.evaluation.front import evaluate

        return evaluate
    if name == "load_task":
        from harness.evaluation.task import load_task

        return load_task
    if name == "load_challenge":
        from harness.protocol.compose import load_challenge

        return load_challenge
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
