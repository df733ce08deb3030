"""The committed boards as a site reads them, and ones whose participants wrote more than their names."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

NASTY = '<script>document.title="owned"</script>'
HIDDEN = "\u202eevil\u200b\x1b[31m\r\nnew line"
LEADERBOARDS = Path(__file__).parents[3] / "leaderboards"


@dataclass(frozen=True)
class Published:
    """What the pages are made from."""

    boards: tuple[dict[str, Any], ...] = ()
    suites: tuple[dict[str, Any], ...] = ()


@cache
def committed() -> Published:
    """The boards and suites of this repository; not to be changed."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(LEADERBOARDS.glob("*.json"))]
    boards, suites = [p for p in found if "suite" not in p], [p for p in found if "suite" in p]
    return Published(tuple(boards), tuple(suites))


def some(*challenges: str) -> list[dict[str, Any]]:
    """Copies of committed boards."""
    return [copy.deepcopy(board) for board in committed().boards if board["challenge"] in challenges]


def nasty() -> Published:
    """Three boards and a suite in which every text that a stranger may write is markup, or moves what is around it."""
    boards = some("debugging_digits", "debugging_wine", "slicing_digits")
    suites = [copy.deepcopy(suite) for suite in committed().suites if suite["suite"] in ("debugging", "quick")]
    for board in boards:
        board |= {
            "title": f"t {NASTY}",
            "description": NASTY,
            "card": f"# {NASTY}\n\n{NASTY} {HIDDEN}\n\n| a |\n|---|\n| {NASTY} |\n",
        }
        board["dataset"] |= {"title": f"d {NASTY}", "license": NASTY, "version": NASTY}
        for row in board["ranked"][:2]:
            row |= {"submission": f"{NASTY} {HIDDEN} {row['rank']}", "authors": [NASTY, HIDDEN], "description": NASTY}
        board["ranked"][2] |= {"team": "t1", "team_name": NASTY}
    for suite in suites:
        suite |= {"title": f"s {NASTY}", "description": NASTY, "notes": [f"{NASTY} {HIDDEN}"]}
        suite["ranked"][0] |= {"submission": f"{NASTY} {HIDDEN}"}
        suite["ranked"][1]["places"]["debugging_wine"]["missing"] = NASTY
    return Published(tuple(boards), tuple(suites))


def harmless(html: str) -> bool:
    """Whether nothing of :func:`nasty` was taken for markup or left to move what is around it."""
    return "<script" not in html and not any(c in html for c in "\u202e\u200b\x1b") and "&lt;script&gt;document" in html
