"""Benchmark harness for data-centric AI: the model is pinned, algorithms compete on data.

>>> from harness import evaluate, load_challenge
>>> record = evaluate(load_challenge("debugging_digits"), "knn_shapley")

Both names are what the command line calls. They are imported on first use, so that ``import harness``
(and ``harness --help``) stays instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.evaluation.run import evaluate
    from harness.protocol.compose import load_challenge

__all__ = ["evaluate", "load_challenge"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "evaluate":
        from harness.evaluation.run import evaluate

        return evaluate
    if name == "load_challenge":
        from harness.protocol.compose import load_challenge

        return load_challenge
    raise AttributeError(f"module 'harness' has no attribute {name!r}")
