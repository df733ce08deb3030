"""How long the site over a hundred boards takes, against rendering the very same boards as Markdown, CSV and single pages.

The site has a page for every row, too: some 1,400 pages more.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.leaderboard.render import rendered
from harness.leaderboard.site.build import build
from harness.leaderboard.site.published import read, typed

BOARDS = 100
SHIPPED = Path(__file__).parents[2] / "leaderboards" / "selection_digits.json"  # 14 rows


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("boards")
    text = SHIPPED.read_text(encoding="utf-8")
    for k in range(BOARDS):
        plain = json.loads(text.replace("selection_digits", f"copy_{k}"))
        for kind in ("ranked", "references", "unranked"):
            for row in plain[kind]:
                row["curve"] = [[float(x), x / 100] for x in range(61)]
        (place / f"copy_{k}.json").write_text(json.dumps(plain), encoding="utf-8")
    return place


@pytest.mark.benchmark(group="a hundred boards of 14 rows")
@pytest.mark.parametrize("way", ["site", "boards"])
def test_a_hundred_boards(benchmark: Any, boards: Path, tmp_path: Path, way: str) -> None:
    def as_boards() -> int:
        return len([rendered(typed(plain)) for plain in read(boards).boards])

    def as_site() -> int:
        return build(tmp_path / "site", boards).challenges

    assert benchmark.pedantic(as_site if way == "site" else as_boards, rounds=3, warmup_rounds=1) == BOARDS
