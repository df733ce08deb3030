"""Import what only the trusted side may have, with and without help from sys.path."""

import importlib
import json
import sys
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())
NAMES = (
    "protocol",
    "protocol.challenge",
    "protocol.compose",
    "protocol.submission",
    "evaluation",
    "evaluation.run",
    "evaluation.cell",
    "tracks",
    "tracks.base",
    "data",
    "tracking",
    "leaderboard",
    "cli",
    "sandbox.base",
    "sandbox.supervisor",
    "randomness",
    "paths",
)


def select(task):
    found = []
    for extra in (None, TARGETS["repository"]):
        if extra:
            sys.path.insert(0, extra)
            for name in [n for n in sys.modules if n.split(".")[0] == "harness"]:
                del sys.modules[name]
            importlib.invalidate_caches()
        for name in NAMES:
            try:
                found.append(importlib.import_module(f"harness.{name}").__name__)
            except (ImportError, OSError):
                pass
    print(found)
    return [len(found)]
