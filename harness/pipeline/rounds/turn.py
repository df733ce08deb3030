"""``harness round``: set a wheel up, ask people, turn it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.errors import HarnessError, ProtocolError
from harness.pipeline.rounds import answers, decisions, incoming, measure, state, tables, written
from harness.pipeline.rounds.state import BOOK, TEST, TRAIN, WAITING, Round, Settings
from harness.protocol import source, specifications


@dataclass(frozen=True)
class Turned:
    """A round that was written."""

    round: Round
    files: tuple[Path, ...]
    facts: Mapping[str, Any]


def new(
    name: str, root: Path, first: Path, waiting: Path, settings: Settings, *, votes: Path | None = None,
    given: str | None = None, test: float = 0.4,
) -> Turned:  # fmt: skip
    """Round 1: labelled rows, of which a share is tested on, and rows that wait for labels.

    Parameters
    ----------
    first, waiting: tables with the same columns.
    votes: item, annotator, label.
    given: a column with the labels in force, where these are not the true ones; default: the label's.
    test: share of the first rows, stratified.

    Raises
    ------
    ProtocolError: a name that is none or is taken, columns that are missing or have names of the book, ids that are there twice.
    """
    source.check_name(f"{name}_r1", root / "challenge" / f"{name}_r1_find.yaml")
    if re.search(r"_r\d+(_|$)", name):
        raise ProtocolError(f"{name!r:.80} looks like a round of a wheel.", "Leave the _r and the number out.")
    if state.numbers(root, name):
        raise ProtocolError(f"{name} is a wheel already; nothing was written.", "Choose another name.")
    start, pool = incoming.rows(first, settings), incoming.rows(waiting, settings)
    incoming.same_columns(start, pool, waiting)
    state.needed(start, [given] if given else [], str(first))
    tested = incoming.first_tests(start, test, settings)
    part = [TEST if at in tested else TRAIN for at in range(len(start))]
    noted = zip(start[given or settings.label], start[settings.label], part, strict=True)
    force = [one if where == TRAIN else true for one, true, where in noted]  # what is tested on is true
    start = start.assign(given=force, part=part, how="first", since="1")
    rows = incoming.kept(pd.concat([start, incoming.arrived(pool, 1, settings)], ignore_index=True), settings)
    made = Round(name, 1, root, settings, rows, incoming.votes(None, votes, rows, settings))
    files = written.write(made, None, "First round.", {})
    return Turned(made, tuple(files), {part: len(made.ids(part)) for part in (TRAIN, TEST, WAITING)})


def ask(name: str, root: Path, runs_dir: Path, take: Mapping[str, str]) -> tuple[Round, list[dict[str, str]]]:
    """The rows that people have to look at before the wheel turns, with why and what is said of them so far."""
    made = state.read(root, name)
    found = answers.found(made, runs_dir, take)
    wanted = decisions.asked(made, found)
    rows = made.rows.set_index(made.settings.id, drop=False)
    claims = found["find"].claims if "find" in found else {}
    said = {"find": claims, "repair": {row: str(rows.at[row, "given"]) for row in wanted.repair}, "buy": {}}
    cast = Counter(made.votes["item"] if made.votes is not None else ())
    return made, [
        {"item": row, "why": kind, "said": said[kind].get(row, ""), "votes": str(cast[row]), "run": found[kind].run_id}
        for kind in ("find", "repair", "buy")
        for row in getattr(wanted, kind)
    ]


def next_round(
    name: str, root: Path, runs_dir: Path, arrivals: Path, *, votes: Path | None = None, take: Mapping[str, str] = {},
) -> Turned:  # fmt: skip
    """The next round: decided, measured on the arrivals, which are then the rows that wait.

    Raises
    ------
    ProtocolError: no runs, no votes on what was found, arrivals with ids that are there already or other columns.
    BoardRefused: runs that were edited.
    """
    made = state.read(root, name)
    s = made.settings
    came = incoming.rows(arrivals, s)
    incoming.same_columns(made.rows.drop(columns=list(BOOK)), came, arrivals)
    if twice := sorted(set(came[s.id]) & set(made.rows[s.id])):
        raise ProtocolError(
            f"{len(twice)} rows of {arrivals.name} are there already, e.g. {s.id} {twice[0]!r}.",
            "Arrivals are rows that no earlier round has seen.",
        )
    everything = pd.concat([made.rows[[s.id]], came[[s.id]]])
    made = Round(made.name, made.number, root, s, made.rows, incoming.votes(made.votes, votes, everything, s))
    found = answers.found(made, runs_dir, take)
    wanted = decisions.asked(made, found)
    decided = decisions.decide(made, found, wanted, measure.predicted(made))
    if not any(decided.counts[kind] for kind in ("failures", "checked", "repaired", "bought")):
        raise ProtocolError(
            f"People agree on none of the {len(wanted)} rows that were found, so nothing would change.",
            "`harness round ask` lists them; --votes takes what people say (item, annotator, label).",
        )
    measured = measure.compare(made, decided.rows, came, len(wanted))
    rows = decided.rows
    _apart(rows, made)
    rows = incoming.kept(pd.concat([rows, incoming.arrived(came, made.number + 1, s)], ignore_index=True), s)
    after = Round(made.name, made.number + 1, root, s, rows, made.votes)
    facts = {
        "round": after.number,
        "runs": {kind: {"run": one.run_id, "submission": one.submission} for kind, one in found.items()},
        "without": sorted(set(made.challenges) - set(found)),
        "train": len(after.ids(TRAIN)), "test": len(after.ids(TEST)), "waiting": len(after.ids(WAITING)),
        **decided.counts,
        "measured": {kind: asdict(one) for kind, one in measured.items()},
    }  # fmt: skip
    spec_file = specifications.find(made.stem, root)
    spec = specifications.read(spec_file) if spec_file else None
    beside = {"turn.json": json.dumps(facts, indent=2) + "\n"}
    files = written.write(after, spec, tables.sentence(facts), beside)
    return Turned(after, (*files, *tables.write(root, made.name)), facts)


def _apart(rows: pd.DataFrame, made: Round) -> None:
    """Raise HarnessError where a row is tested on that any earlier version was trained on."""
    tested = set(rows.loc[rows["part"] == TEST, made.settings.id])
    for number in state.numbers(made.root, made.name):
        if both := sorted(tested & set(state.read(made.root, made.name, number).ids(TRAIN))):
            raise HarnessError(
                f"Row {both[0]} was trained on in round {number} and would be tested on now: rows were edited."
            )
