"""The words of ``harness dataset``; what its steps do is in :mod:`harness.cli.data`."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add ``harness dataset release``, ``validate``, ``diff`` and ``card``."""
    dataset = commands.add_parser(
        "dataset",
        help="a data set and its versions: release, validate, diff, card",
        description="A data set and its versions.",
    )
    steps = dataset.add_subparsers(dest="step", required=True, metavar="STEP")
    release = _step(steps, "release", "write a release: data, descriptions, card, licence")
    release.add_argument("name", help="a data set with a specification, spec/NAME.yaml")
    release.add_argument("out", metavar="OUT", help="the folder to write, which must not be there yet")
    release.add_argument("--zip", action="store_true", help="write OUT.zip too")
    release.add_argument(
        "--format", choices=["csv", "parquet"], help="of tables (default: csv; parquet for over 100 columns)"
    )
    validate = _step(steps, "validate", "is a release what it says, a data set what its specification says?")
    validate.add_argument("what", metavar="RELEASE_OR_NAME", help="a folder or zip, or the name of a data set")
    diff = _step(steps, "diff", "what two versions do not share, and whether the version number says so")
    for which in ("a", "b"):
        diff.add_argument(which, metavar=which.upper(), help="a release (folder or zip), or the name of a data set")
    card = _step(steps, "card", "print the card of a data set, made from its specification")
    card.add_argument("name", help="a data set with a specification")
    card.add_argument("--write", action="store_true", help="write cards/NAME.md in your config directory")


def _step(where: Any, name: str, help: str) -> argparse.ArgumentParser:
    step: argparse.ArgumentParser = where.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
    step.set_defaults(handler=f"data:{name}")
    step.add_argument("--config-dir", metavar="DIR", help="your own config directory, added to the shipped one")
    if name != "card":
        step.add_argument("--json", action="store_true", help="print JSON for scripts")
    return step
