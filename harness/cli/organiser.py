"""The words of an organiser's commands; what they do is in :mod:`harness.cli.organise`."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add ``harness challenge new``, ``freeze``, ``bundle``, ``finalise``, ``reveal`` and, by itself, ``harness bundle``."""
    challenge = commands.add_parser(
        "challenge",
        help="an organiser's steps: new, freeze, bundle, finalise, reveal",
        description="An organiser's steps.",
    )
    steps = challenge.add_subparsers(dest="step", required=True, metavar="STEP")
    _new(_step(steps, "new", "organise:new", "make a challenge of your own data"))
    _freeze(_step(steps, "freeze", "organise:freeze", "keep its secret elsewhere and fix all that decides a score"))
    _finalise(_step(steps, "finalise", "compete:finalise", "end a competition and publish its final phase"))
    _reveal(_step(steps, "reveal", "organise:reveal", "publish the secret of a competition that is over"))
    for where in (steps, commands):
        _bundle(_step(where, "bundle", "organise:bundle", "write the folder that participants get"))


def _step(where: Any, name: str, handler: str, help: str) -> argparse.ArgumentParser:
    step: argparse.ArgumentParser = where.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    step.set_defaults(handler=handler)
    return step


def _new(found: argparse.ArgumentParser) -> None:
    found.add_argument("name", help="lower-case letters, digits and '_'")
    found.add_argument("--track", help="debugging, selection, selection_active, slicing, valuation, training_set ...")
    found.add_argument("--data", metavar="PATH", help="a .csv, .tsv, .jsonl, .npz, or a folder of pictures or texts")
    found.add_argument("--label", metavar="COLUMN", help="the column of classes")
    found.add_argument("--text", metavar="COLUMN", help="the column of documents: a collection of texts")
    for key, what in (
        ("id", "a stable id of every row"),
        ("group", "rows of one group never straddle parts"),
        ("time", "train on the earlier, test on the later rows"),
        ("part", "the official part: train, validation, test"),
    ):
        found.add_argument(f"--{key}", metavar="COLUMN", help=what)
    found.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a further key of the data set")
    found.add_argument("--title", default="", help="one line for people")
    found.add_argument(
        "--config-dir", metavar="DIR", default="conf", help="where to write, made if need be (default: conf)"
    )
    _json(found)


def _freeze(step: argparse.ArgumentParser) -> None:
    _of_a_challenge(step)
    step.add_argument("--who", help="who freezes it, for lock and ledger (default: your login name)")
    step.add_argument(
        "--secret-file",
        metavar="PATH",
        help="where to keep the secret (default: harness/secrets in your config directory)",
    )
    step.add_argument("--new-secret", action="store_true", help="draw another secret, whatever there is")


def _reveal(step: argparse.ArgumentParser) -> None:
    _of_a_challenge(step)
    step.add_argument("--who", required=True, help="who decides so")
    step.add_argument("--why", required=True, help="for what reason")
    step.add_argument("--out", metavar="DIR", default="leaderboards", help="where to publish (default: leaderboards)")


def _finalise(step: argparse.ArgumentParser) -> None:
    step.add_argument("challenge")
    step.add_argument("--who", required=True, help="who ends it")
    step.add_argument("--why", required=True, help="on what ground")
    step.add_argument("--out", metavar="DIR", default="leaderboards", help="where boards are (default: leaderboards)")
    step.add_argument("--replace", action="store_true", help="replace a published board of another protocol or history")
    step.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: the one under the runs directory)")
    step.add_argument("--config-dir", metavar="DIR", help="your own config directory, added to the shipped one")
    step.add_argument("--runs-dir", metavar="DIR", default="runs", help="where records are (default: runs)")
    step.add_argument("--json", action="store_true", help="print JSON for scripts")


def _bundle(step: argparse.ArgumentParser) -> None:
    _of_a_challenge(step)
    step.add_argument("--out", metavar="PATH", required=True, help="a new folder, or a new file that ends in .zip")
    step.add_argument(
        "--practice", metavar="DATASET", help="data to practise on, of your config directory (default: made-up data)"
    )


def _of_a_challenge(step: argparse.ArgumentParser) -> None:
    step.add_argument("challenge")
    step.add_argument("--config-dir", metavar="DIR", required=True, help="your own config directory")
    step.add_argument("--runs-dir", metavar="DIR", default="runs", help="where records are (default: runs)")
    _json(step)


def _json(step: argparse.ArgumentParser) -> None:
    step.add_argument("--json", action="store_true", help="print JSON for scripts")
