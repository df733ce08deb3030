"""A ledger of very many lines, written in bulk, to measure what verifying it costs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from harness.tracking import chain
from harness.tracking.ledger import Ledger
from harness.tracking.signature import Key, new_key

CONTENT = json.dumps({"text": "x" * 8000}).encode()  # about as long as a record


def make(place: Path, lines: int, runs: int) -> tuple[Ledger, Key]:
    """Lines about so many runs, each with a record, in ``place/runs``; every hundredth is a release, which is signed."""
    key, _ = new_key(place / "k.pem")
    folder = place / "runs"
    names = [f"challenge-submission-{i:012x}" for i in range(runs)]
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "record.json").write_bytes(CONTENT)
    digest, before, told = hashlib.sha256(CONTENT).hexdigest(), None, set()
    with (folder / "ledger.jsonl").open("wb") as file:
        for i in range(lines):
            kind = "key" if i == 0 else "release" if i % 100 == 0 else "run"
            named: dict[str, Any] = (
                {"key": key.public} if i == 0 else {"run_id": names[i % runs], "record_sha256": digest}
            )
            if kind == "release":
                named["run_id"] = names[1]
            elif kind == "run":
                told.add(names[i % runs])
            entry = chain.following(before, key, kind=kind, who="somebody", **named)
            before = chain.Line(entry, entry.line())
            file.write(before.content)
    for name in set(names) - told:  # their lines became those of key and releases
        (folder / name / "record.json").unlink()
    return Ledger(folder), key
