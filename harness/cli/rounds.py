"""The words of ``harness round``; what they do is in :mod:`harness.cli.wheel`."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add ``harness round new``, ``ask``, ``next`` and ``table``."""
    rounds = commands.add_parser(
        "round",
        help="what competitions find makes the next version of the data: new, ask, next, table",
        description="What competitions find makes the next version of the data.",
    )
    steps = rounds.add_subparsers(dest="step", required=True, metavar="STEP")
    _new(_step(steps, "new", "set up round 1: a data set, and challenges that find, repair and buy"))
    ask = _step(steps, "ask", "list the rows that people have to look at before the next round")
    ask.add_argument("--out", metavar="FILE.csv", help="write them: item, why, said, run")
    _runs(ask)
    turn = _step(
        steps, "next", "make the next version of data set and challenges, and measure it on what arrived since"
    )
    turn.add_argument(
        "--arrivals", metavar="FILE", required=True, help="the next period's rows: measured on, then waiting"
    )
    turn.add_argument("--votes", metavar="FILE", help="what people said: item, annotator, label")
    _runs(turn)
    _step(steps, "table", "the table of rounds")


def _step(steps: Any, name: str, help: str) -> argparse.ArgumentParser:
    step: argparse.ArgumentParser = steps.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    step.set_defaults(handler=f"wheel:{name}")
    step.add_argument("name", metavar="CHALLENGE", help="the name of the rounds, or of one of their challenges")
    step.add_argument("--config-dir", metavar="DIR", default="conf", help="where it is kept (default: conf)")
    step.add_argument("--json", action="store_true", help="print JSON for scripts")
    return step


def _runs(step: argparse.ArgumentParser) -> None:
    step.add_argument("--runs-dir", metavar="DIR", default="runs", help="where records are (default: runs)")
    step.add_argument(
        "--take",
        action="append",
        default=[],
        metavar="KIND=RUN",
        help="find, repair or buy: this run, not the best one",
    )


def _new(step: argparse.ArgumentParser) -> None:
    step.add_argument("--data", metavar="FILE", required=True, help="labelled rows of the first period")
    step.add_argument("--waiting", metavar="FILE", required=True, help="rows that wait for labels, same columns")
    step.add_argument("--label", metavar="COLUMN", required=True, help="the true labels, as far as they are known")
    step.add_argument("--id", metavar="COLUMN", required=True, help="a stable id of every row")
    step.add_argument("--given", metavar="COLUMN", help="the labels in force, where these may be wrong")
    step.add_argument("--text", metavar="COLUMN", help="documents: a collection of texts")
    step.add_argument("--group", metavar="COLUMN", help="rows of one group are never both trained and tested on")
    step.add_argument("--slice", metavar="COLUMN=VALUE", help="a rare slice to be watched")
    step.add_argument("--votes", metavar="FILE", help="what people said: item, annotator, label")
    step.add_argument("--test", type=float, default=0.4, metavar="SHARE", help="of the first rows (default: 0.4)")
    step.add_argument(
        "--sample", type=int, default=60, metavar="N", help="rows of every period that are tested on (default: 60)"
    )
    for name, what in (("find", "failures"), ("repair", "suspected labels"), ("buy", "labels to buy")):
        step.add_argument(f"--{name}", type=int, default=40, metavar="N", help=f"{what} a round (default: 40)")
    step.add_argument("--seeds", type=int, default=3, metavar="S", help="of the challenges (default: 3)")
    step.add_argument("--model", default="logistic", help="the fixed model (default: logistic)")
    step.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a further key of the data set")
