"""A round as it lies on disk: ``rounds/NAME/settings.yaml``, and for round N ``rounds/NAME/N/`` with its rows and votes.

``rows.csv`` has the columns that the rows came with and behind them where every row comes from: see ``BOOK``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.data.own import sheet
from harness.errors import ProtocolError
from harness.protocol import plain_yaml
from harness.registry import problems

BOOK = ("given", "part", "buying", "how", "since", "by", "repaired")
"""Columns of the book: the label in force; the part (train, validation: waiting, test) and the same for those who buy labels
(train: for sale); how the row came in (first, sampled, waiting, failure, checked, bought), with which round, by which run; repairs."""
TRAIN, WAITING, TEST = "train", "validation", "test"
_KINDS = ("find", "repair", "buy")


class Settings(BaseModel):
    """What an organiser says once, when the wheel is set up."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    label: str
    id: str
    text: str | None = None
    group: str | None = None  # rows of one group are never both trained and tested on
    slice: tuple[str, str] | None = None  # a column and the value that is the rare slice
    keys: Mapping[str, Any] = {}  # further keys of the data set
    model: str = "logistic"
    seeds: int = Field(3, ge=1)
    find: int = Field(40, ge=1)  # failures to be voted on in a round
    repair: int = Field(40, ge=1)  # suspected labels to be voted on
    buy: int = Field(40, ge=1)  # labels to be bought
    sample: int = Field(60, ge=0)  # rows of every period, drawn at random, that are tested on from then on
    test_share: float = Field(0.5, ge=0, lt=1)  # of the confirmed failures; the others are trained on
    secret: str = Field(min_length=8)


@dataclass(frozen=True)
class Round:
    """Round ``number`` of the wheel ``name`` in a config directory."""

    name: str
    number: int
    root: Path
    settings: Settings
    rows: pd.DataFrame  # of strings
    votes: pd.DataFrame | None  # item, annotator, label

    @property
    def stem(self) -> str:
        """The data set's name, and the beginning of its challenges' names."""
        return f"{self.name}_r{self.number}"

    @property
    def folder(self) -> Path:
        """Where its rows are."""
        return folder(self.root, self.name) / str(self.number)

    @property
    def challenges(self) -> dict[str, str]:
        """Names of its challenges by what they do."""
        return {kind: f"{self.stem}_{kind}" for kind in _KINDS}

    def ids(self, part: str) -> list[str]:
        """Ids of the rows of a part."""
        return [str(name) for name in self.rows.loc[self.rows["part"] == part, self.settings.id]]


def folder(root: Path, name: str) -> Path:
    """Where a wheel is kept."""
    return root / "rounds" / name


def wheel_of(name: str) -> str:
    """The wheel that a name is of: its own, or that of one of its challenges or data sets (``stream_r2_find``)."""
    return re.sub(r"_r\d+(_(find|repair|buy))?$", "", name)


def numbers(root: Path, name: str) -> list[int]:
    """The rounds there are, rising: those whose last file has been written."""
    found = (re.fullmatch(rf"{re.escape(name)}_r(\d+)_find", path.stem) for path in (root / "challenge").glob("*.yaml"))
    return sorted(int(match[1]) for match in found if match)


def read(root: Path, name: str, number: int | None = None) -> Round:
    """A round, by default the newest. Raises ProtocolError where there is none, or what it consists of is broken."""
    name = wheel_of(name)
    there = numbers(root, name)
    if not there or (number is not None and number not in there):
        which = f"round {number} of {name}" if there else f"wheel {name!r:.80}"
        raise ProtocolError(
            f"There is no {which} in {root}.",
            f"Its rounds: {', '.join(map(str, there))}." if there else "`harness round new` sets one up.",
        )
    number = there[-1] if number is None else number
    place = folder(root, name) / str(number)
    votes = place / "votes.csv"
    return Round(
        name, number, root, _settings(folder(root, name) / "settings.yaml"), table(place / "rows.csv"),
        table(votes) if votes.exists() else None,
    )  # fmt: skip


def _settings(path: Path) -> Settings:
    try:
        return Settings.model_validate(plain_yaml.read(path.read_bytes(), plain_yaml.Values))
    except OSError as error:
        raise ProtocolError(f"{path} cannot be read: {error.strerror or error}.") from error
    except plain_yaml.NotPlain as error:
        raise ProtocolError(f"{path} {error}.", error.hint) from error
    except ValidationError as error:
        raise ProtocolError(f"{path}: {'; '.join(problems(error)[:20])}.") from None


def table(path: Path) -> pd.DataFrame:
    """A file's columns as strings. Raises ProtocolError naming row and line of whatever is wrong."""
    if not path.is_file():
        raise ProtocolError(f"There is no file {path}.")
    return pd.DataFrame(sheet.read(path).columns, dtype=str)


def needed(frame: pd.DataFrame, columns: Collection[str], what: str) -> None:
    """Raise ProtocolError where a column is not there."""
    if missing := [name for name in columns if name not in frame.columns]:
        raise ProtocolError(
            f"{what} has no column {missing[0]!r}.", f"Its columns: {', '.join(map(str, frame.columns[:30]))}."
        )
