"""``harness round new``, ``ask``, ``next``, ``table``."""

from __future__ import annotations

import csv
import json
import secrets
import sys
from argparse import Namespace
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from harness.cli.organise import further
from harness.cli.terminal import command, say
from harness.cli.terminal import table as grid
from harness.errors import ProtocolError
from harness.paths import expanded

_PARTS = {"train": "to train on", "test": "to test on", "validation": "waiting"}


def new(args: Namespace) -> int:
    """Set round 1 up and say what to run."""
    from harness.pipeline.rounds.state import Settings
    from harness.pipeline.rounds.turn import new as started
    from harness.registry import problems

    rare = args.slice.split("=", 1) if args.slice else None
    if rare is not None and len(rare) != 2:
        raise ProtocolError(f"--slice {args.slice!r:.80} is not of the form COLUMN=VALUE.")
    said = {
        key: getattr(args, key)
        for key in ("label", "id", "text", "group", "model", "seeds", "sample", "find", "repair", "buy")
    }
    try:
        settings = Settings(**said, slice=rare, keys=further(args.set), secret=secrets.token_hex(16))
    except ValidationError as error:
        raise ProtocolError(f"{'; '.join(problems(error))}.") from None
    votes = expanded(args.votes) if args.votes else None
    made = started(
        args.name, Path(args.config_dir), expanded(args.data), expanded(args.waiting), settings,
        votes=votes, given=args.given, test=args.test,
    )  # fmt: skip
    if args.json:
        print(
            json.dumps(
                {**made.facts, "challenges": made.round.challenges, "files": [str(f) for f in made.files]}, indent=2
            )
        )
        return 0
    say(
        f"round 1 of {made.round.name}: "
        + ", ".join(f"{count} rows {_PARTS[part]}" for part, count in made.facts.items())
    )
    _next(made.round.challenges, args)
    return 0


def ask(args: Namespace) -> int:
    """List, or write, what people have to look at."""
    from harness.pipeline.rounds.turn import ask as asked

    made, rows = asked(args.name, Path(args.config_dir), Path(args.runs_dir), _take(args))
    if args.out:
        with expanded(args.out).open("w", encoding="utf-8", newline="") as stream:
            _csv(rows, stream)
        say(f"{args.out}: {len(rows)} rows of round {made.number}", label="written  ")
    elif args.json:
        print(json.dumps(rows, indent=2))
    else:
        _csv(rows, sys.stdout)
    return 0


def next(args: Namespace) -> int:
    """Turn the wheel and say what came of it."""
    from harness.pipeline.rounds import tables
    from harness.pipeline.rounds.turn import next_round

    root = Path(args.config_dir)
    votes = expanded(args.votes) if args.votes else None
    made = next_round(
        args.name, root, Path(args.runs_dir), expanded(args.arrivals), votes=votes, take=_take(args)
    )  # fmt: skip
    if args.json:
        print(json.dumps({**made.facts, "files": [str(file) for file in made.files]}, indent=2))
        return 0
    for kind, one in made.facts["runs"].items():
        say(f"{one['submission']} ({one['run']})", label=f"{kind:<7}  ")
    for kind in made.facts["without"]:
        say("no ranked run: nobody entered, or there was nothing to win", label=f"{kind:<7}  ")
    say(tables.sentence(made.facts))
    _print_table(tables.turns(root, args.name))
    say(
        f"{made.round.stem}: version {made.round.number} of data set and challenges, and {made.files[-2]}",
        label="written  ",
    )
    _next(made.round.challenges, args)
    return 0


def table(args: Namespace) -> int:
    """Print the table of rounds."""
    from harness.pipeline.rounds import tables

    turns = tables.turns(Path(args.config_dir), args.name)
    if args.json:
        print(json.dumps(turns, indent=2))
    elif turns:
        _print_table(turns)
    else:
        print("The wheel has not turned yet.")
    return 0


def _print_table(turns: list[dict[str, object]]) -> None:
    from harness.pipeline.rounds.tables import MEASURES, rows_of

    numbers = ("rows", "before", "random", "after", "gain, 95 %")
    rows = [
        (
            row["round"], MEASURES[row["measure"]], row["rows"],
            *(f"{row[key]:.3f}" for key in ("before", "random", "after")),
            f"{row['gain_low']:+.3f} to {row['gain_high']:+.3f}",
        )
        for row in rows_of(turns)
    ]  # fmt: skip
    grid([("round", "right"), ("measured", "left"), *((name, "right") for name in numbers)], rows)


def _next(challenges: dict[str, str], args: Namespace) -> None:
    print("Next:")
    for name in challenges.values():
        command(f"harness run challenge={name} submission=all --config-dir {args.config_dir}")


def _csv(rows: list[dict[str, str]], stream: IO[str]) -> None:
    writer = csv.DictWriter(stream, ["item", "why", "said", "votes", "run"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _take(args: Namespace) -> dict[str, str]:
    pairs = [word.partition("=") for word in args.take]
    if odd := [kind for kind, _, run in pairs if not run]:
        raise ProtocolError(f"--take {odd[0]!r:.80} is not of the form KIND=RUN.", "For example --take find=RUN.")
    return {kind: run for kind, _, run in pairs}
