"""``harness run --seeds``: a look at some seeds of a run, whose cells the whole run uses again."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from harness.errors import ProtocolError
from harness.protocol.challenge import Challenge
from harness.protocol.compose import RunConfig
from harness.tracking.record import Record

_PART = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


def only(args: Namespace, configs: Sequence[RunConfig]) -> list[tuple[int, ...] | None]:
    """The seeds that ``--seeds`` asks for, of each run; None where all are.

    Raises ProtocolError where they are none of the challenge's, or where a look would be an answer that nobody counts.
    """
    if args.seeds is None:
        return [None] * len(configs)
    if args.force or args.replaces:
        raise ProtocolError(
            f"--seeds is a look at a run, --{'force' if args.force else 'replaces'} changes one.",
            "Leave one of the two out.",
        )
    for config in configs:
        _refuse_free(config)
    return [_of(args.seeds, config.challenge) for config in configs]


def facts(record: Record, seeds: int) -> dict[str, Any]:
    """A look as plain JSON values: the keys of a record that its cells decide, and that it is none."""
    kept = (
        "challenge", "fingerprint", "submission", "submission_digest", "params", "status", "reason", "metric", "direction",
        "score", "ci95", "normalised", "floor", "skyline", "cells",
    )  # fmt: skip
    plain = record.model_dump(mode="json")
    return {"recorded": False, "seeds": [cell.seed for cell in record.cells], "of": seeds} | {k: plain[k] for k in kept}


def remark(record: Record, seeds: int) -> str:
    """What a look is, and what makes a run of it."""
    left = seeds - len(record.cells)
    return (
        f"{len(record.cells)} of {seeds} seeds: not a run, so nothing is recorded and nothing ranks. The same command without "
        f"--seeds finishes it: {left} cells are left to compute."
    )


def _of(text: str, challenge: Challenge) -> tuple[int, ...] | None:
    """Seeds written as ``0-2`` or ``0,3,5-7``."""
    parts = [_PART.fullmatch(part.strip()) for part in text.split(",")]
    spans = [(int(part[1]), int(part[2] or part[1])) for part in parts if part]
    if len(spans) < len(parts) or any(first > last for first, last in spans):
        raise ProtocolError(f"--seeds {text!r:.100} names no seeds.", "Write 0-2, or 0,3,5-7.")
    if (most := max(last for _, last in spans)) >= challenge.seeds:
        raise ProtocolError(
            f"--seeds {text:.100}: {challenge.name} has no seed {most}, its seeds are 0 to {challenge.seeds - 1}."
        )
    found = sorted({seed for first, last in spans for seed in range(first, last + 1)})
    return tuple(found) if len(found) < challenge.seeds else None


def _refuse_free(config: RunConfig) -> None:
    """No look at what is hidden for a competition: the ledger would not know of it, and no quota would count it."""
    challenge = config.challenge
    if config.team:
        raise ProtocolError(
            f"--seeds with team={config.team}: a look at some seeds would be an answer that no entry is counted for.",
            "Leave --seeds out, which makes it an entry, or try it on a practice challenge.",
        )
    if not challenge.practice or challenge.teams is not None or challenge.phases is not None:
        raise ProtocolError(
            f"--seeds: {challenge.name} is a competition's, and a look at some of its seeds would show hidden scores without a "
            "line in the ledger.",
            "Run all its seeds, or look at a challenge for practice: `harness list challenges`.",
        )
