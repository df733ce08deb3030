"""Rows and votes as they come in: checked, drawn for tests, entered into the book."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from harness.data import splits
from harness.errors import ProtocolError
from harness.pipeline.rounds import state
from harness.pipeline.rounds.state import BOOK, TEST, TRAIN, WAITING, Settings
from harness.randomness import generator


def rows(path: Path, settings: Settings) -> pd.DataFrame:
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


def same_columns(first: pd.DataFrame, second: pd.DataFrame, path: Path) -> None:
    """Raise ProtocolError where the second, of the file ``path``, has other columns than the first."""
    if odd := sorted(set(first.columns) ^ set(second.columns)):
        has = "has" if odd[0] in second.columns else "has not"
        raise ProtocolError(f"{path.name} {has} the column {odd[0]!r}, unlike the rows before it.")


def arrived(rows: pd.DataFrame, number: int, s: Settings) -> pd.DataFrame:
    """New rows: a random sample to be tested on, so that tests are of what comes now, and the rest that waits for labels."""
    sampled = _drawn(rows, min(s.sample, len(rows) // 2), s, generator(s.secret, number, "sampled test rows"))
    part = [TEST if at in sampled else WAITING for at in range(len(rows))]
    how = ["sampled" if one == TEST else "waiting" for one in part]
    return rows.assign(given=rows[s.label], part=part, how=how, since=str(number))


def kept(rows: pd.DataFrame, settings: Settings) -> pd.DataFrame:
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


def first_tests(rows: pd.DataFrame, share: float, settings: Settings) -> set[int]:
    """Positions of the first round's test rows, stratified by the label where there are no groups."""
    if not 0 < share < 1:
        raise ProtocolError(f"--test is {share}; it must be a share between 0 and 1.")
    if settings.group:
        return _drawn(rows, round(share * len(rows)), settings, generator(settings.secret, 1, "first test rows"))
    y = pd.factorize(rows[settings.label], sort=True)[0]
    (tested,) = splits.stratified(y, (round(share * len(rows)),), generator(settings.secret, 1, "first test rows"))
    return set(tested.tolist())


def votes(before: pd.DataFrame | None, path: Path | None, rows: pd.DataFrame, s: Settings) -> pd.DataFrame | None:
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
