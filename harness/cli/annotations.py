"""The words of ``harness annotations``; what they do is in :mod:`harness.cli.annotate`."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add ``harness annotations report``, ``import`` and ``export``."""
    annotations = commands.add_parser(
        "annotations",
        help="labels by several people: report, import, export",
        description="Labels by several people.",
    )
    steps = annotations.add_subparsers(dest="step", required=True, metavar="STEP")
    _report(_step(steps, "report", "annotate:report", "how far annotators agree, and how good they are"))
    _import(_step(steps, "import", "annotate:take", "make a data set of votes and the rows they are about"))
    _export(_step(steps, "export", "annotate:ask", "write a Label Studio project of the rows to label next"))


def _step(where: Any, name: str, handler: str, help: str) -> argparse.ArgumentParser:
    step: argparse.ArgumentParser = where.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    step.set_defaults(handler=handler)
    return step


def _report(step: argparse.ArgumentParser) -> None:
    _votes(step)
    step.add_argument("--truth", metavar="FILE", help="columns item, truth: how good are majority and Dawid-Skene?")
    step.add_argument("--gold", metavar="FILE", help="columns item, truth: how good is every annotator?")
    step.add_argument("--plot", metavar="FILE.svg", help="write a plot")
    _json(step)


def _import(step: argparse.ArgumentParser) -> None:
    _votes(step)
    step.add_argument("--to", metavar="DATASET", required=True, help="name of the new data set; none is overwritten")
    step.add_argument("--rows", metavar="EXISTING", help="data set whose rows these are (default: the tasks' own data)")
    step.add_argument(
        "--truth", choices=["majority", "dawid_skene"], default="majority",
        help="where there is no gold (default: majority; ties are drawn)",
    )  # fmt: skip
    step.add_argument("--text", metavar="FIELD", help="tasks of texts: the field that holds them (default: text)")
    step.add_argument("--label", metavar="COLUMN", default="label", help="what the column of labels is to be called")
    step.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a further key of the data set")
    step.add_argument(
        "--config-dir", metavar="DIR", default="conf", help="where to write, made if need be (default: conf)"
    )
    _json(step)


def _export(step: argparse.ArgumentParser) -> None:
    step.add_argument("challenge")
    step.add_argument("--out", metavar="DIR", required=True, help="a new folder")
    step.add_argument("--n", metavar="N", type=int, default=100, help="how many rows (default: 100)")
    step.add_argument(
        "--by", choices=["margin", "entropy", "random"], default="margin", help="which rows first (default: margin)"
    )
    step.add_argument("--config-dir", metavar="DIR", help="your own config directory, added to the shipped one")
    _json(step)


def _votes(step: argparse.ArgumentParser) -> None:
    step.add_argument(
        "file", metavar="FILE",
        help="item,annotator,label[,round or time] as .csv, .tsv or .jsonl; Label Studio's .json; or counts, a column a class",
    )  # fmt: skip
    step.add_argument("--counts", metavar="A,B,C", help="columns of counts, a class each (default: all but item)")
    step.add_argument("--item", metavar="FIELD", help="Label Studio: the field of the data that names a row")
    step.add_argument("--control", metavar="NAME", help="Label Studio: which choices, where there are several")
    step.add_argument(
        "--drop", action="append", default=[], metavar="LABEL", help="leave out votes for it, e.g. unsure; repeatable"
    )


def _json(step: argparse.ArgumentParser) -> None:
    step.add_argument("--json", action="store_true", help="print JSON for scripts")
