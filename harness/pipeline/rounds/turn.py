"""``harness round``: set a wheel up, ask people, turn it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.errors import ProtocolError
from harness.pipeline.rounds import answers, decisions, measure, state, tables, written
from harness.pipeline.rounds.state import BOOK, TEST, TRAIN, WAITING, Round, Settings
from harness.protocol import source, specifications
from harness.randomness import generator


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
    root.mkdir(parents=True, exist_ok=True)
    written.refuse_taken(root, name)
    start, pool = _rows(first, settings), _rows(waiting, settings)
    _same_columns(start, pool, waiting)
    state.needed(start, [given] if given else [], str(first))
    tested = _first_tests(start, test, settings)
    part = [TEST if at in tested else TRAIN for at in range(len(start))]
    noted = zip(start[given or settings.label], start[settings.label], part, strict=True)
    force = [one if where == TRAIN else true for one, true, where in noted]  # what is tested on is true
    start = start.assign(given=force, part=part, how="first", since="1")
    rows = _kept(pd.concat([start, _arrived(pool, 1, settings)], ignore_index=True), settings)
    made = Round(name, 1, root, settings, rows, _votes(None, votes, rows, settings))
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
    came = _rows(arrivals, s)
    _same_columns(made.rows.drop(columns=list(BOOK)), came, arrivals)
    if twice := sorted(set(came[s.id]) & set(made.rows[s.id])):
        raise ProtocolError(
            f"{len(twice)} rows of {arrivals.name} are there already, e.g. {s.id} {twice[0]!r}.",
            "Arrivals are rows that no earlier round has seen.",
        )
    everything = pd.concat([made.rows[[s.id]], came[[s.id]]])
    made = Round(made.name, made.number, root, s, made.rows, _votes(made.votes, votes, everything, s))
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
    rows = _kept(pd.concat([rows, _arrived(came, made.number + 1, s)], ignore_index=True), s)
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


def _rows(path: Path, settings: Settings) -> pd.DataFrame:
    """An organiser's rows, checked. Raises ProtocolError."""
    frame = state.table(path)
    named = [name for name in (settings.text, settings.group, settings.slice[0] if settings.slice else None) if name]
    state.needed(frame, [settings.id, settings.label, *named], path.name)
    if clash := sorted(set(frame.columns) & set(BOOK)):
        raise ProtocolError(
            f"{path.name} has a column {clash[0]!r}, which a round keeps its book in.", "Give it another name."
        )
    twice = frame[settings.id][frame[settings.id].duplicated()]
    if len(twice):
        raise ProtocolError(f"{path.name} has the {settings.id} {twice.iloc[0]!r} twice.", "An id names one row.")
    empty = frame.index[frame[settings.label] == ""]
    if len(empty):
        raise ProtocolError(
            f"{len(empty)} rows of {path.name} have no label, e.g. {settings.id} {frame[settings.id][empty[0]]!r}.",
            "The label's column is what versions are measured with: put in what is known, or leave the rows out.",
        )
    return frame


def _same_columns(first: pd.DataFrame, second: pd.DataFrame, path: Path) -> None:
    if odd := sorted(set(first.columns) ^ set(second.columns)):
        has = "has" if odd[0] in second.columns else "has not"
        raise ProtocolError(f"{path.name} {has} the column {odd[0]!r}, unlike the rows before it.")


def _arrived(rows: pd.DataFrame, number: int, s: Settings) -> pd.DataFrame:
    """New rows: a random sample to be tested on, so that tests are of what comes now, and the rest that waits for labels."""
    sampled = _drawn(rows, min(s.sample, len(rows) // 2), s, generator(s.secret, number, "sampled test rows"))
    part = [TEST if at in sampled else WAITING for at in range(len(rows))]
    how = ["sampled" if one == TEST else "waiting" for one in part]
    return rows.assign(given=rows[s.label], part=part, how=how, since=str(number))


def _kept(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """With the whole book, in a fixed order of columns."""
    selling = {TRAIN: "validation", WAITING: "train", TEST: TEST}
    rows = rows.assign(buying=rows["part"].map(selling))
    for name in BOOK:
        rows[name] = rows[name].fillna("") if name in rows else ""
    return rows[[*(name for name in rows.columns if name not in BOOK), *BOOK]]


def _drawn(rows: pd.DataFrame, count: int, s: Settings, rng: np.random.Generator) -> set[int]:
    """Positions of rows drawn at random: so many, or as many whole groups as make that many."""
    if s.group is None:
        return set(rng.permutation(len(rows))[:count].tolist())
    at: dict[str, list[int]] = {}
    for position, group in enumerate(rows[s.group]):
        at.setdefault(str(group), []).append(position)
    drawn: set[int] = set()
    for group in rng.permutation(sorted(at)).tolist():
        if len(drawn) < count:
            drawn.update(at[group])
    return drawn


def _first_tests(rows: pd.DataFrame, share: float, settings: Settings) -> set[int]:
    """Positions of the first round's test rows, stratified by the label where there are no groups."""
    from harness.data import splits

    if not 0 < share < 1:
        raise ProtocolError(f"--test is {share}; it must be a share between 0 and 1.")
    if settings.group:
        return _drawn(rows, round(share * len(rows)), settings, generator(settings.secret, 1, "first test rows"))
    y = pd.factorize(rows[settings.label], sort=True)[0]
    (tested,) = splits.stratified(y, (round(share * len(rows)),), generator(settings.secret, 1, "first test rows"))
    return set(tested.tolist())


def _votes(before: pd.DataFrame | None, path: Path | None, rows: pd.DataFrame, s: Settings) -> pd.DataFrame | None:
    """All votes on these rows. Raises ProtocolError for one on no row, and for a second one of a person on a row."""
    if path is None:
        return before
    frame = state.table(path).rename(columns={"worker": "annotator"})
    state.needed(frame, ("item", "annotator", "label"), path.name)
    frame = frame[["item", "annotator", "label"]]
    if unknown := sorted(set(frame["item"]) - set(rows[s.id])):
        raise ProtocolError(
            f"{path.name} votes on {len(unknown)} rows that are not there, e.g. {unknown[0]!r}.",
            f"The column item holds the rows' {s.id}.",
        )
    together = frame if before is None else pd.concat([before, frame], ignore_index=True)
    together = together.drop_duplicates()  # the same vote handed in again
    again = together[together.duplicated(["item", "annotator"])]
    if len(again):
        item, who = again.iloc[0]["item"], again.iloc[0]["annotator"]
        raise ProtocolError(f"{path.name}: {who!r} votes differently on {item!r} than before.", "Keep one of the two.")
    return together


def _apart(rows: pd.DataFrame, made: Round) -> None:
    """No row is tested on that any earlier version was trained on; a round that would break it is ours to mend."""
    tested = set(rows.loc[rows["part"] == TEST, made.settings.id])
    for number in state.numbers(made.root, made.name):
        assert not tested & set(state.read(made.root, made.name, number).ids(TRAIN)), f"round {number}"
