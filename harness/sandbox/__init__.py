"""Strangers' code in a process of its own: ``run`` a cell, ``probe`` what this machine can do, ``resolve_tier``.

Imported lazily: the worker inside the sandbox is part of this package and must not pull in anything of the trusted side.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.sandbox.base import Job, Limits, Outcome
    from harness.sandbox.supervisor import cancel, cancelled, resume, run
    from harness.sandbox.tiers import TierReport, probe, resolve_tier

__all__ = ["Job", "Limits", "Outcome", "TierReport", "cancel", "cancelled", "probe", "resolve_tier", "resume", "run"]

_HOME = {"Job": "base", "Limits": "base", "Outcome": "base"} | dict.fromkeys(
    ("run", "cancel", "cancelled", "resume"), "supervisor"
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'tiers')}"), name)
