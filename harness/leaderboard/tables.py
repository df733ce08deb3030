"""Recorded runs as tables for other programs: cells as plain rows and CSV, runs as a LaTeX table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from harness.errors import Status
from harness.leaderboard.text import clean, csv_cell
from harness.protocol.params import called, shown
from harness.tracking.record import Record

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}  # fmt: skip


def cells(records: Sequence[Record]) -> list[dict[str, Any]]:
    """A row for every cell, those that failed too, as plain JSON values."""
    return [
        {
            "challenge": record.challenge,
            "submission": record.submission,
            "params": dict(record.params),
            "run_id": record.run_id,
            "seed": cell.seed,
            "status": cell.status.value,
            "score": cell.score,
            "output_digest": cell.output_digest,
            "reason": cell.reason,
            "team": record.team,
        }
        for record in records
        for cell in record.cells
    ]


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Rows of the same keys; text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: csv_cell(_plain(value)) for key, value in row.items()} for row in rows)
    return buffer.getvalue()


def latex(records: Sequence[Record]) -> str:
    """A table of runs for the packages booktabs and, for letters of other languages, fontenc or a Unicode engine.

    The runs of a challenge stand together, best first. Behind the sign for plus or minus is half the width of the 95 % interval. A run without a
    score has dashes and its status.
    """
    lines = [r"\begin{tabular}{llrrl}", r"\toprule"]
    lines.append(r"Challenge & Submission & Score & Normalised & Status \\")
    for challenge in sorted({record.challenge for record in records}):
        lines.append(r"\midrule")
        for record in sorted((one for one in records if one.challenge == challenge), key=_best_first):
            words = [escaped(word) for word in (challenge, called(record.submission, record.params))]
            lines.append(" & ".join([*words, *_numbers(record), escaped(_status(record))]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is, on one line and without any command in it."""
    return "".join(_LATEX.get(c, c) for c in clean(text)).replace("--", "-{}-")  # else a dash


def _plain(value: Any) -> Any:
    return shown(value) if isinstance(value, dict) else value


def _numbers(record: Record) -> tuple[str, str]:
    if record.score is None:
        return "--", "--"
    half = rf" $\pm$ {(record.ci95[1] - record.ci95[0]) / 2:.4f}" if record.ci95 else ""
    return f"{_signed(record.score, 4)}{half}", "--" if record.normalised is None else _signed(record.normalised, 3)


def _signed(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if value >= 0 else f"$-${-value:.{decimals}f}"


def _status(record: Record) -> str:
    """``ok``, or what else; a run with one failed seed has no score, and how many have one is said."""
    if record.status is Status.OK or not record.seed_scores:
        return record.status.value
    return f"{record.status.value}, {len(record.seed_scores)} of {len(record.measured)} seeds scored"


def _best_first(record: Record) -> tuple[bool, float, str]:
    sign = -1.0 if record.direction == "max" else 1.0
    return record.score is None, sign * (record.score or 0.0), record.run_id
