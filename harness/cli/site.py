"""``harness site``: the boards as pages."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def site(args: Namespace) -> int:
    """Write the site over all published boards."""
    from harness.leaderboard.site.build import build

    runs = args.runs_dir or ("runs" if Path("runs").is_dir() else None)
    columns = (TextColumn("boards"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=args.json) as progress:
        task = progress.add_task("boards", total=None)
        built = build(
            args.out, args.boards, runs, lambda done, total: progress.update(task, completed=done, total=total)
        )
    if args.json:
        print(json.dumps(asdict(built), indent=2))
        return 0
    counts = {"challenge": built.challenges, "track": built.tracks, "row": built.rows, "data set": built.datasets}
    said = ", ".join(f"{count} {what}{'s' * (count != 1)}" for what, count in counts.items())
    print(f"written  {Path(args.out) / 'index.html'}: {said}, {built.bytes / 1e6:.1f} MB")
    if built.rows_with_runs < built.rows:
        print(
            f"{built.rows - built.rows_with_runs} of {built.rows} rows are shown from their boards alone: their records are not in "
            f"{runs or 'a runs directory (--runs-dir DIR)'}."
        )
    return 0
