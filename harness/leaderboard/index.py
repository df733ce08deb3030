"""The page over all boards of a directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.leaderboard.site.layout import page
from harness.leaderboard.site.published import NO_BOARDS
from harness.leaderboard.text import environment
from harness.leaderboard.text import md as _md
from harness.tracking.files import write_text_atomic


def write_index(out: Path) -> list[Path]:
    """Write ``index.html`` and ``README.md`` over all boards, and boards of suites, whose JSON is in ``out``."""
    boards, suites = [], []
    for path in sorted(Path(out).glob("*.json")):
        if path.name.endswith(NO_BOARDS):
            continue
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            if "suite" in plain:
                suites.append(_suite_summary(plain))
            else:
                boards.append({"page": path.stem, **_summary(plain)})
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise HarnessError(f"{path} is not a board: {error!r:.200}.", "Remove it, or build it again.") from error
    boards.sort(key=lambda b: (b["track"], b["challenge"]))
    suites.sort(key=lambda s: (s["track"], s["suite"]))
    index, readme = Path(out) / "index.html", Path(out) / "README.md"
    body = environment().get_template("index.html").render(boards=boards, suites=suites)
    write_text_atomic(index, page("Leaderboards", body, depth=0, alone=True))
    lines = ["# Leaderboards", "", "| track | challenge | metric | ranked | first |", "|---|---|---|---:|---|"]
    lines += [
        f"| {b['track']} | [{b['page']}]({b['page']}.md) | {b['metric']} | {b['ranked']} | {_md(b['first'])} |"
        for b in boards
    ]
    if suites:
        lines += ["", "## Suites", "", "| track | suite | challenges | ranked | first |", "|---|---|---:|---:|---|"]
        lines += [
            f"| {s['track']} | [{s['suite']}](suite_{s['suite']}.md) | {s['challenges']} | {s['ranked']} | {_md(s['first'])} |"
            for s in suites
        ]
    write_text_atomic(readme, "\n".join(lines) + "\n")
    return [index, readme]


def _summary(plain: dict[str, Any]) -> dict[str, Any]:
    """What the index shows of one board's JSON."""
    leading = [row for row in plain["ranked"] if row["rank"] == 1 or 1 in (row.get("rank_ci95") or ())]
    first = [row.get("team_name") or row["submission"] for row in leading]
    return {
        **{key: str(plain[key]) for key in ("challenge", "title", "track", "metric")},
        "ranked": len(plain["ranked"]),
        "first": ", ".join(map(str, first[:3])) + (f" and {len(first) - 3} more" if len(first) > 3 else ""),
    }


def _suite_summary(plain: dict[str, Any]) -> dict[str, Any]:
    """What the index shows of a suite's JSON."""
    return {
        **{key: str(plain[key]) for key in ("suite", "title", "track")},
        "challenges": len(plain["challenges"]),
        "ranked": len(plain["ranked"]),
        "first": ", ".join(str(row["submission"]) for row in plain["ranked"][:1]),
    }
