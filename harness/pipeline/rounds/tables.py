"""The table of rounds: what every turn of the wheel asked, changed and gained."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ProtocolError
from harness.pipeline.rounds.state import folder, numbers, wheel_of
from harness.tracking.files import write_text_atomic

MEASURES = {
    "next": "macro-F1, next period", "slice": "accuracy, rare slice of it", "regression": "macro-F1, first test rows",
}  # fmt: skip
_COUNTS = ("train", "test", "waiting", "asked", "failures", "repaired", "bought")


def turns(root: Path, name: str) -> list[dict[str, Any]]:
    """The facts of every turn, in order. Raises ProtocolError where there is no wheel of that name."""
    name = wheel_of(name)
    there = numbers(root, name)
    if not there:
        raise ProtocolError(f"There is no wheel {name!r:.80} in {root}.", "`harness round new` sets one up.")
    files = (folder(root, name) / str(number) / "turn.json" for number in there)
    return [json.loads(path.read_text(encoding="utf-8")) for path in files if path.exists()]


def write(root: Path, name: str) -> list[Path]:
    """``rounds/NAME/table.md`` and ``.csv``; they are made from the rounds' own files and may be made again."""
    facts = turns(root, name)
    place = folder(root, name)
    write_text_atomic(place / "table.md", markdown(name, facts))
    write_text_atomic(place / "table.csv", as_csv(facts))
    return [place / "table.md", place / "table.csv"]


def sentence(facts: Mapping[str, Any]) -> str:
    """What one turn changed."""
    return (
        f"{facts['asked']} rows looked at: {facts['repaired']} labels repaired, {facts['failures']} failures confirmed "
        f"({facts['failures_tested']} of them tested on), {facts['bought'] + facts['checked']} labels bought."
    )


def rows_of(facts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for every turn and measure."""
    return [
        {"round": turn["round"], **{key: turn[key] for key in _COUNTS}, "measure": kind, "rows": one["rows"],
         "before": one["before"], "random": one["random"], "after": one["after"],
         "gain_low": one["gain"][0], "gain_high": one["gain"][1],
         "over_random_low": one["over_random"][0], "over_random_high": one["over_random"][1]}
        for turn in facts
        for kind, one in turn["measured"].items()
    ]  # fmt: skip


def as_csv(facts: Sequence[Mapping[str, Any]]) -> str:
    """All turns, a line for every measure."""
    buffer = io.StringIO()
    rows = rows_of(facts)
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else ["round"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def markdown(name: str, facts: Sequence[Mapping[str, Any]]) -> str:
    """The table for people."""
    head = ["to round", *_COUNTS, "measured", "before", "random questions", "after", "gain, 95 %", "over random, 95 %"]
    lines = [f"# Rounds of {name}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows_of(facts):
        counts = [str(row[key]) for key in ("round", *_COUNTS)]
        scores = [f"{row[key]:.3f}" for key in ("before", "random", "after")]
        spans = [f"{row[f'{key}_low']:+.3f} to {row[f'{key}_high']:+.3f}" for key in ("gain", "over_random")]
        lines.append(
            "| " + " | ".join([*counts, f"{MEASURES[row['measure']]} ({row['rows']})", *scores, *spans]) + " |"
        )
    lines += [
        "",
        "Before and after: the fixed model trained on the version before and on the new one, measured on rows that arrived after "
        "both. Random questions: the version before and as many labels of waiting rows, drawn at random (mean of 20 draws). "
        "Intervals: bootstrap over the rows measured on.",
    ]
    return "\n".join(lines) + "\n"
