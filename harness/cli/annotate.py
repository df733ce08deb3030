"""``harness annotations report``, ``import``, ``export``: labels by several people."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from harness.cli.terminal import console, say
from harness.paths import expanded


def report(args: Namespace) -> int:
    """Measure the agreement of a file of votes and show it."""
    from harness.pipeline.annotations import reading, showing
    from harness.pipeline.annotations.report import report as measured
    from harness.tracking.files import write_bytes_atomic

    path = expanded(args.file)
    votes = reading.read(path, **_how(args)).ballots
    truth, gold = (reading.read_truth(expanded(file)) if file else None for file in (args.truth, args.gold))
    facts = measured(votes, truth, gold)
    if args.plot:
        write_bytes_atomic(expanded(args.plot), showing.plot(facts, path.name).encode())
    if args.json:
        print(json.dumps(facts, indent=2))
        return 0
    for title, table in showing.tables(facts):
        if title:
            say(title)
        console().print(table)
        print()
    for note in [*facts["notes"], *(f"undefined, {what}: {why}." for what, why in facts["undefined"].items())]:
        say(note, label="note: ")
    return 0


def take(args: Namespace) -> int:
    """Make a data set of votes and say what became of them."""
    from harness.cli.organise import further
    from harness.pipeline.annotations.taking import Wish
    from harness.pipeline.annotations.taking import take as taken

    wish = Wish(
        args.to, expanded(args.file), args.rows, args.truth, args.text, args.label, _how(args), further(args.set)
    )
    made = taken(wish, expanded(args.config_dir))
    if args.json:
        facts = {"dataset": args.to, "rows": len(made.dataset.y), "labels": made.votes, "annotators": made.annotators}
        facts |= {"classes": list(made.dataset.class_names), "sources": dict(made.sources), "notes": list(made.notes)}
        print(json.dumps(facts | {"files": [str(path) for path in made.files]}, indent=2))
        return 0
    people = "annotators that are not known" if made.annotators is None else f"{made.annotators} annotators"
    say(f"{len(made.dataset.y)} rows, {made.votes} votes of {people}, classes: {', '.join(made.dataset.class_names)}")
    for name, count in sorted(made.sources.items()):
        print(f"  label from {name}: {count} rows")
    for note in made.notes:
        say(note, label="  note: ")
    for path in made.files:
        say(path, label="written  ")
    print(f"A challenge on it says `override /dataset: {args.to}`.")
    return 0


def ask(args: Namespace) -> int:
    """Write a Label Studio project and say how it is used."""
    from harness.pipeline.annotations.asking import ask as asked

    config_dir = expanded(args.config_dir) if args.config_dir else None
    made = asked(args.challenge, expanded(args.out), n=args.n, by=args.by, config_dir=config_dir)
    if args.json:
        facts = {"challenge": args.challenge, "tasks": made.tasks, "labelled": made.labelled, "rule": made.rule}
        print(json.dumps(facts | {"files": [str(path) for path in made.files]}, indent=2))
        return 0
    say(f"{made.tasks} rows to label, by a model of {made.labelled} rows; {made.rule}.")
    for path in made.files:
        say(path, label="written  ")
    say(
        "In Label Studio: a new project, label_config.xml as its labelling interface, tasks.json imported; then export as "
        "JSON and take it in with `harness annotations import`."
    )
    return 0


def _how(args: Namespace) -> dict[str, Any]:
    """What the command line says of a file of votes, as :func:`harness.pipeline.annotations.reading.read` takes it."""
    counts = [name.strip() for name in args.counts.split(",")] if args.counts else []
    item = {"item": [args.item]} if args.item else {}
    return {"counts": counts, "control": args.control, "drop": frozenset(args.drop), **item}
