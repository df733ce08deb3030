"""The words of ``harness run``; what it does is in :mod:`harness.cli.run`."""

from __future__ import annotations

import argparse


def add(run: argparse.ArgumentParser) -> None:
    """Add its overrides and options."""
    run.add_argument(
        "overrides", nargs="*", default=[], metavar="KEY=VALUE",
        help="challenge=NAME (all, or a pattern) submission=NAME_OR_PATH (or all) submission.params.k=5 team=ID "
        "device=auto|cpu|cuda runs_dir=DIR launcher=local|serial|ray|slurm launcher.workers=N (cells side by side; default: one "
        "per core), any Hydra override (seeds=3, model.C=10)",
    )  # fmt: skip
    run.add_argument("-m", "--multirun", action="store_true", help="run all combinations of comma-separated values")
    run.add_argument("--seeds", metavar="S", help="a look at some seeds, as 0-2 or 0,3,5-7: kept for the whole run")
    run.add_argument("--force", action="store_true", help="run finished cells again")
    run.add_argument(
        "--replaces", metavar="RUN_ID", help="take the place of an earlier run on a board without a roster"
    )
    run.add_argument("--cfg", "-c", metavar="job", help="print the composed config and run nothing")
    run.add_argument(
        "--info", "-i", nargs="?", const="all", metavar="WHAT", help="config, defaults-tree or searchpath; runs nothing"
    )
