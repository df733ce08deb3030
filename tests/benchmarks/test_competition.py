"""How long a competition's entries take: two hundred of twelve teams, taken in, run, reported, put on a board.

The peer is the same work without a competition: the same folders as one sweep. The ratio is what teams, quota, archives,
ledger lines, phases and reports add.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from tests.competition.conftest import Place, files, folder, packed, place

__all__ = ["place"]
ENTRIES, TEAMS = 200, 12
RULES = "phases: {public: {}, final: {}}\n"


def _entries(place: Place) -> list[Path]:
    """Archives in teams' folders of the inbox, and the same as plain folders."""
    place.teams(*((f"T{k}", None) for k in range(TEAMS)))
    place.rules(RULES)
    found = []
    for k in range(ENTRIES):
        code = f"def select(task):\n    return list(range({k % 80}, {k % 80} + task.budget))\n"
        contents = files(f"e{k}", f"# {k}\n{code}")
        packed(place.inbox / f"T{k % TEAMS}" / f"e{k}.zip", contents)
        found.append(folder(place.root / "plain" / f"e{k}", contents))
    return found


@pytest.mark.benchmark(group="two hundred entries")
@pytest.mark.parametrize("how", ["intake", "sweep"])
def test_two_hundred_entries(benchmark: Any, place: Place, how: str) -> None:
    folders = _entries(place)
    names = ",".join(map(str, folders))
    words = {
        "intake": place.words("intake", str(place.inbox), "--reports", str(place.reports)),
        "sweep": [
            "run",
            "-m",
            "challenge=flips",
            f"submission={names}",
            f"runs_dir={place.runs}",
            "--config-dir",
            place.conf,
        ],
    }

    def anew() -> None:
        for where in (place.runs, place.reports):
            shutil.rmtree(where, ignore_errors=True)

    go: Callable[[], int] = lambda: main(words[how])  # noqa: E731
    assert benchmark.pedantic(go, setup=anew, rounds=1) == 0
    if how == "intake":
        assert len(list(place.reports.rglob("*.json"))) == ENTRIES


@pytest.mark.benchmark(group="two hundred entries")
@pytest.mark.parametrize("what", ["again", "board"])
def test_what_comes_after(benchmark: Any, place: Place, what: str) -> None:
    _entries(place)
    assert main(place.words("intake", str(place.inbox), "--reports", str(place.reports))) == 0
    words = {
        "again": place.words("intake", str(place.inbox), "--reports", str(place.reports)),
        "board": place.words("leaderboard", "flips", "--out", str(place.root / "boards")),
    }
    assert benchmark.pedantic(lambda: main(words[what]), rounds=1) == 0
