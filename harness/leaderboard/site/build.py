"""What of a site is written where, and how it comes into its place: whole, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ProtocolError
from harness.leaderboard.board import Board
from harness.leaderboard.row import Row
from harness.leaderboard.site import challenge, dataset, layout, row, start, swap, track
from harness.leaderboard.site.kept import kept, with_curves
from harness.leaderboard.site.published import Published, read, typed
from harness.protocol import source
from harness.protocol.submission import shipped_digests

TITLE = "Leaderboards"
BOARDS = "boards"
"""The folder of a site with the boards' own files, as they were published: what `harness verify` reads."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Built:
    """What was written."""

    out: str
    challenges: int
    tracks: int
    rows: int
    rows_with_runs: int  # of which the runs directory has the record
    datasets: int
    pages: int
    bytes: int  # of all files


def build(
    out: Path | str, boards_dir: Path | str, runs_dir: Path | str | None = None, progress: Progress | None = None
) -> Built:
    """Write the site over the boards of a directory into ``out``, in the place of the site that is there.

    Parameters
    ----------
    runs_dir: what it has of a row is shown as well; a row without it is made from the board alone.
    progress: is told how many of all boards are done.

    Raises
    ------
    ProtocolError: no boards; ``out`` holds what is no site; the disk refuses.
    HarnessError: a file is no board.
    """
    published = read(boards_dir)
    if runs_dir is not None and not Path(runs_dir).is_dir():
        raise ProtocolError(f"There is no runs directory {runs_dir}.", "--runs-dir names another place.")
    with swap.into(out) as stage:
        for name in layout.ASSETS:
            _write(stage / name, layout.asset(name))
        _copy(Path(boards_dir), stage / BOARDS, published)
        _overviews(stage, published)
        counts = _boards(stage, published, Path(runs_dir) if runs_dir else None, progress)
        files = [path for path in stage.rglob("*") if path.is_file()]
        return Built(
            out=str(out),
            pages=sum(path.suffix == ".html" and BOARDS not in path.relative_to(stage).parts for path in files),
            bytes=sum(path.stat().st_size for path in files),
            **counts,
        )


def _overviews(stage: Path, published: Published) -> None:
    """The start page, tracks and data sets."""
    _page(stage / "index.html", TITLE, start.body(published), 0)
    for name in sorted({board["track"] for board in published.boards}):
        _page(stage / "tracks" / f"{name}.html", f"Track {name}", track.body(name, published), 1)
    for name in sorted({board["dataset"]["name"] for board in published.boards if board.get("dataset")}):
        _page(stage / "datasets" / f"{name}.html", f"Data set {name}", dataset.body(name, published), 1)


def _boards(stage: Path, published: Published, runs_dir: Path | None, progress: Progress | None) -> dict[str, Any]:
    """Pages of challenges and their rows; of a competition the final board's rows before the public one's."""
    ours, known, rows, with_runs = shipped_digests(), set(source.names(None)), set(), 0
    files = {path.name for path in (stage / BOARDS).iterdir()}
    boards = sorted(published.boards, key=lambda plain: plain["page"] != plain["challenge"])
    for done, plain in enumerate(boards, 1):
        board = typed(plain)
        found = {one.run_id: more for one in _rows(board) if (more := kept(runs_dir, board, one))}
        board = with_curves(board, found)
        title = f"{board.title} - leaderboard"
        _page(stage / "challenges" / f"{plain['page']}.html", title, challenge.body(board, files), 1, board.description)
        for one in _rows(board):
            if one.run_id not in rows:
                text = row.body(
                    board,
                    one,
                    found.get(one.run_id),
                    page=plain["page"],
                    shipped=one.submission_digest in ours,
                    config="" if board.challenge in known else " --config-dir DIR",
                )
                title = f"{one.submission} on {board.challenge}"
                _page(stage / "rows" / f"{one.run_id}.html", title, text, 1, one.description)
                with_runs += one.run_id in found
                rows.add(one.run_id)
        if progress:
            progress(done, len(boards))
    return {
        "challenges": len(boards),
        "tracks": len({plain["track"] for plain in boards}),
        "rows": len(rows),
        "rows_with_runs": with_runs,
        "datasets": len({plain["dataset"]["name"] for plain in boards if plain.get("dataset")}),
    }


def _rows(board: Board) -> Iterator[Row]:
    yield from (*board.ranked, *board.references, *board.unranked)


def _copy(boards: Path, place: Path, published: Published) -> None:
    """The published files themselves, so that a reader can verify them; earlier versions with them."""
    place.mkdir()
    names = [f"{plain['page']}.json" for plain in published.boards]
    names += [f"suite_{plain['suite']}.json" for plain in published.suites]
    names += [Path(name).name for plain in (*published.boards, *published.suites) for name in plain["files"]]
    for name in names:
        if (boards / name).is_file():
            shutil.copyfile(boards / name, place / name)
    for path in sorted((boards / "archive").glob("*/*")):
        if path.suffix in (".html", ".json", ".md", ".csv") and path.is_file():
            (place / "archive" / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place / "archive" / path.parent.name / path.name)


def _page(path: Path, title: str, body: str, depth: int, description: str = "") -> None:
    _write(path, layout.page(title, body, depth=depth, description=description))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode("utf-8", errors="replace"))
