"""``harness list``, ``show``, ``results``, ``doctor``, ``fetch``: looking around."""

from __future__ import annotations

import json
from argparse import Namespace
from itertools import groupby
from pathlib import Path

from harness.cli.terminal import cut, is_terminal, pairs, say
from harness.errors import ProtocolError
from harness.protocol import catalogue

# What 0 means for these settings, as the comments in conf/track/ say.
_ZERO = {"test": "all the rest", "validation": "none", "raw": "all there are", "empty_every": "never"}
_MOST_PLANNED = 1000  # teams, seeds: a challenge has no more seeds


def listing(args: Namespace) -> int:
    """``harness list challenges|submissions|datasets|suites``."""
    config_dir = Path(args.config_dir) if args.config_dir else None
    if config_dir and not config_dir.is_dir():
        raise ProtocolError(f"--config-dir {config_dir} is not a directory.")
    if args.what == "datasets":
        names = catalogue.data_sets(config_dir)
        print(json.dumps(names, indent=2) if args.json else "\n".join(names))
        return 0
    listed = {"challenges": lambda: catalogue.challenges(config_dir), "suites": lambda: catalogue.suites(config_dir)}
    entries = listed.get(args.what, catalogue.baselines)()
    if args.json:
        print(json.dumps([entry.as_dict() for entry in entries], indent=2))
        return 0
    widths = [max(len(getattr(entry, key)) for entry in entries) for key in ("name", "track")]
    if not is_terminal():
        for entry in entries:
            print(f"{entry.name:<{widths[0]}}  {entry.track:<{widths[1]}}  {entry.title}")
        return 0
    for track, group in groupby(sorted(entries, key=lambda entry: entry.track), lambda entry: entry.track):
        print(track)
        for entry in group:
            print(cut(f"  {entry.name:<{widths[0]}}  {entry.title}"))
    return 0


def show(args: Namespace) -> int:
    """``harness show CHALLENGE``."""
    from harness.protocol.compose import load_challenge
    from harness.protocol.describe import describe

    planned = _planned(args)
    challenge = load_challenge(args.challenge, args.overrides, args.config_dir)
    facts = describe(challenge)
    if args.power:
        from harness.evaluation.power import power

        facts["power"] = power(challenge, Path(args.runs_dir), **planned)
    if args.json:
        print(json.dumps(facts, indent=2))
        return 0
    verdict = facts["power"].pop("verdict") if args.power else ""
    say(f"{challenge.name} (version {challenge.version}): {challenge.title}")
    if challenge.description:
        say(challenge.description)
    for heading, values in facts.items():
        if not isinstance(values, dict):
            continue
        rows = []
        for key, value in values.items():
            zero = _ZERO.get(key) if heading == "settings" and value == 0 else None
            shown = _rounded(value) if heading == "power" else str(value)
            rows.append((key, f"{value} ({zero})" if zero else shown))
        print(f"\n{heading.replace('_', ' ')}")
        pairs(rows)
    say(facts["fingerprint"], label="\nfingerprint  ")
    if args.power:
        print()
        say(verdict)
    return 0


def _rounded(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_rounded(of_name)}" for name, of_name in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _planned(args: Namespace) -> dict[str, int]:
    """``--teams`` and ``--seeds``, those that were given. Raises ProtocolError without ``--power``, or for no such number."""
    said = {name: value for name in ("teams", "seeds") if (value := getattr(args, name)) is not None}
    if said and not args.power:
        options = " and ".join(f"--{name}" for name in said)
        raise ProtocolError(f"--power is missing: {options} would describe the board that it judges.", "Add --power.")
    for name, value in said.items():
        if not (value.isascii() and value.isdigit() and 2 <= int(value[:9]) <= _MOST_PLANNED):
            raise ProtocolError(
                f"--{name} must be a whole number from 2 to {_MOST_PLANNED}, not {value!r:.60}.",
                "Comparing needs two rows and two seeds.",
            )
    return {name: int(value) for name, value in said.items()}


def view(args: Namespace) -> int:
    """``harness view CHALLENGE``: what an algorithm is given on one seed, printed and, with --out, written."""
    from harness.protocol.compose import load_challenge
    from harness.protocol.view import arrays_of, save, view_of

    challenge = load_challenge(args.challenge, args.overrides, args.config_dir)
    seen = view_of(challenge, args.seed)
    if args.out:
        save(seen, Path(args.out))
    shown = {name: {"dtype": str(array.dtype), "shape": list(array.shape)} for name, array in arrays_of(seen).items()}
    if args.json:
        print(json.dumps({"challenge": challenge.name, "seed": args.seed, "out": args.out, "fields": shown}, indent=2))
        return 0
    for name, array in arrays_of(seen).items():
        shape = f"{array.dtype}[{', '.join(map(str, array.shape))}]" if array.ndim else str(array)
        say(shape, label=f"task.{name:<14} ")
    for name, texts in seen.texts.items():
        if len(texts) and challenge.dataset.offensive:
            why = f"not printed, as texts of {challenge.dataset.name} may insult people; --out writes them"
            say(why, label=f"task.{name}: ")
        else:
            say(f"task.{name}[0] = {texts[0]!r:.200}" if len(texts) else f"task.{name} is empty")
    if args.out:
        say(f"{args.out}: numpy.load({args.out!r}) reads it", label="written  ")
    return 0


def results(args: Namespace) -> int:
    """``harness results``: one row for every cell of every recorded run, or a table of runs, as kept and not checked."""
    from harness.leaderboard import tables
    from harness.tracking.runs import RunsDir

    runs = RunsDir(args.runs_dir)
    every = map(runs.load_record, runs.run_ids())
    records = [record for record in every if not args.challenges or record.challenge in args.challenges]
    if not records:
        of = f" of {' or '.join(args.challenges)}" if args.challenges else ""
        raise ProtocolError(
            f"There are no recorded runs{of} in {runs.path}.",
            "`harness run` makes some; --runs-dir names another place.",
        )
    if args.format == "latex":
        print(tables.latex(records), end="")
    elif args.format == "json":
        print(json.dumps(tables.cells(records), indent=2))
    else:
        print(tables.as_csv(tables.cells(records)), end="")
    return 0


def fetch(args: Namespace) -> int:
    """``harness fetch DATASET``."""
    from harness.data import OWN, fetch_dataset

    if args.dataset in OWN:
        raise ProtocolError(
            f"{args.dataset} is a kind of an organiser's own data; its files lie in a config directory.",
            "docs/datasets/own.md says how.",
        )
    paths = fetch_dataset(args.dataset)
    say("\n".join(map(str, paths)) or f"{args.dataset} needs no files: it is bundled with scikit-learn.")
    return 0


def doctor(args: Namespace) -> int:
    """``harness doctor``: exit 0 if at least one isolation tier that may rank works."""
    from harness.evaluation.doctor import examine

    report = examine()
    if args.json:
        print(json.dumps(report, indent=2))
    else:
        for heading, rows in report.items():
            print(heading)
            pairs([*rows.items()], indent="  ")
    ranks = ("works" in value for name, value in report["isolation"].items() if name != "none")
    return 0 if any(value for value in ranks) else 1
