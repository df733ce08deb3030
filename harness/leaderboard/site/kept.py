"""What a runs directory adds to a published row: its cells seed by seed, their curves, what a failed one printed.

Only what is of the very record that the board binds is used, and nothing of a competition in phases, whose records hold
scores that are not published.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from harness.api import FloatArray
from harness.errors import HarnessError, Status
from harness.leaderboard.board import Board
from harness.leaderboard.row import Row
from harness.leaderboard.text import clean
from harness.tracking.files import parse_array, read_bytes
from harness.tracking.record import CellRecord, Record, parse_kept_cell, parse_record
from harness.tracking.runs import RunsDir

_LINES, _LETTERS = 40, 8000
_NOT_THEIRS = (Status.OK, Status.SKIPPED, Status.CANCELLED, Status.HARNESS_ERROR)


@dataclass(frozen=True)
class Kept:
    """``log``: the last lines that the first failed cell printed, empty where none failed or the challenge keeps logs."""

    cells: tuple[CellRecord, ...]
    curves: tuple[FloatArray, ...]  # [p, 2] a seed, of the seeds that have one
    curve: tuple[tuple[float, float], ...] | None  # their mean, in full
    log: str
    log_seed: int | None


def kept(runs_dir: Path | None, board: Board, row: Row) -> Kept | None:
    """What is at hand of a row; None where its record is not, or is another one by now."""
    if runs_dir is None or board.phase is not None:
        return None
    runs = RunsDir(runs_dir)
    try:
        path = str(runs.run_dir(row.run_id) / "record.json")
        content = read_bytes(path)
        if hashlib.sha256(content).hexdigest() != row.record_sha256:
            return None
        record = parse_record(content, path)
    except HarnessError:
        return None
    practice = board.settings.get("secret") is not None
    cells = record.cells if practice else tuple(_without_reason(cell) for cell in record.cells)
    curves = [curve for cell in record.cells if (curve := _curve(runs, record, cell)) is not None]
    shown = practice or board.settings.get("logs") == "shown"
    failed = next((cell for cell in record.cells if cell.status not in _NOT_THEIRS), None)
    log = _tail(runs, record, failed) if shown and failed else ""
    return Kept(cells, tuple(curves), record.curve, log, failed.seed if failed and log else None)


def with_curves(board: Board, found: dict[str, Kept]) -> Board:
    """The board with the mean curves of records, where its JSON, of an older version, has none."""

    def filled(row: Row) -> Row:
        return row if row.curve or row.run_id not in found else replace(row, curve=found[row.run_id].curve)

    return replace(
        board,
        ranked=tuple(map(filled, board.ranked)),
        references=tuple(map(filled, board.references)),
        unranked=tuple(map(filled, board.unranked)),
    )


def _without_reason(cell: CellRecord) -> CellRecord:
    """A cell without its reason, which may tell of the view or of the organiser's machine: for a secret that is kept."""
    return cell.model_copy(update={"reason": ""})


def _files(runs: RunsDir, record: Record, cell: CellRecord) -> dict[str, str]:
    """Digests of a cell's files, where its cell.json is the one that the record binds."""
    path = str(runs.cell_dir(record.run_id, cell.seed) / "cell.json")
    try:
        content = read_bytes(path)
        if hashlib.sha256(content).hexdigest() != cell.sha256:
            return {}
        return parse_kept_cell(content, path)[2]
    except HarnessError:
        return {}


def _content(runs: RunsDir, record: Record, cell: CellRecord, name: str) -> bytes | None:
    digest = _files(runs, record, cell).get(name)
    if digest is None:
        return None
    try:
        content = read_bytes(str(runs.cell_dir(record.run_id, cell.seed) / name))
    except HarnessError:
        return None
    return content if hashlib.sha256(content).hexdigest() == digest else None


def _curve(runs: RunsDir, record: Record, cell: CellRecord) -> FloatArray | None:
    if record.curve is None or (content := _content(runs, record, cell, "curve.npy")) is None:
        return None
    try:
        curve = parse_array(content, f"the curve of seed {cell.seed}")
    except HarnessError:
        return None
    return curve if curve.ndim == 2 and curve.shape[1] == 2 and len(curve) > 1 else None


def _tail(runs: RunsDir, record: Record, cell: CellRecord) -> str:
    content = _content(runs, record, cell, "log.txt") or b""
    lines = content.decode("utf-8", errors="replace")[-_LETTERS:].splitlines()
    return "\n".join(clean(line) for line in lines[-_LINES:]).strip()
