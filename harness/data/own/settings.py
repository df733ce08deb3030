"""The keys that every kind of own data set has, and the way from files to a data set."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, StringConstraints, model_validator

from harness.data.base import Dataset, DatasetSettings
from harness.errors import ProtocolError

if TYPE_CHECKING:
    from harness.data.own.original import Original
    from harness.data.specification import Role

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(min_length=1)]

_VERSION = 2  # raise whenever the same files and settings could give other arrays or findings


class OwnSettings(DatasetSettings):
    """Keys of all kinds; ``path`` is relative to the config directory, ``url`` needs ``sha256``.

    ``label``, ``id``, ``group``, ``time`` and ``part`` name columns (arrays: keys). ``votes`` names columns, one an
    annotator, or a CSV file with columns item, annotator, label.
    """

    whereabouts: ClassVar[frozenset[str]] = frozenset({"path", "url", "sha256"})

    path: Name | None = None
    url: Annotated[str, StringConstraints(pattern="^https?://")] | None = None
    sha256: Sha256 | None = None
    label: Name | None = None
    id: Name | None = None
    group: Name | None = None
    time: Name | None = None
    part: Name | None = None
    votes: Name | Annotated[tuple[Name, ...], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _unset(cls, plain: object) -> object:
        """A key left at Hydra's ``???`` is one that nobody has set."""
        if not isinstance(plain, dict):
            return plain
        return {key: value for key, value in plain.items() if value != "???"}

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.path is None) == (self.url is None):
            raise ValueError("name either path (a file or folder in the config directory) or url")
        if self.url is not None and self.sha256 is None:
            raise ValueError("a url needs sha256, or nobody could tell what was downloaded")
        if self.url is not None and isinstance(self.votes, str):
            raise ValueError("with a url, votes must be columns of that file")
        return self

    @property
    def pinned(self) -> bool:
        return self.sha256 is not None

    @property
    def title(self) -> str:
        """What messages call the data set: its file's or folder's name."""
        return Path((self.path or self.url or "").split("?")[0]).stem or self.name

    def load(self) -> Dataset:
        """Read the files, or what was kept of them.

        Raises
        ------
        ProtocolError: nothing there, not the pinned content, or something in it that the kind does not take: one paragraph
            with row, column, what was found and what is allowed.
        """
        from harness.data.own import kept, source

        path = self.place()
        files = self.sources(path)
        base = path if path.is_dir() else path.parent
        found = source.digest(files, base)
        if self.sha256 is not None and found != self.sha256:
            raise ProtocolError(
                f"{path} is not the pinned data: its SHA-256 is {found}, expected {self.sha256}.",
                "Restore the original; if the data were changed on purpose, write the new digest and raise the "
                "challenge's version: scores on other data are not comparable.",
            )
        data = kept.dataset(self._key(found), lambda: self.read(path))
        if source.digest(files, base) != found:
            raise ProtocolError(f"{path} was changed while it was read.", "Run again.")
        if not self.pinned:
            note = f"unpinned: nothing holds the data to what they are now; write `sha256: {found}` into the YAML."
            data = replace(data, notes=(note, *data.notes))
        return data

    def sources(self, path: Path) -> list[Path]:
        """All files the data are read from, in the order of the digest."""
        from harness.data.own import source

        root = self._root or path.parent
        return [*source.files_under(path, root), *([self.votes_file()] if isinstance(self.votes, str) else [])]

    @property
    def vote_columns(self) -> tuple[str, ...]:
        """Columns that hold one annotator's votes each."""
        return self.votes if isinstance(self.votes, tuple) else ()

    def roles(self) -> list[str]:
        """Columns that have a meaning besides features."""
        named = (self.label, self.id, self.group, self.time, self.part, *self.vote_columns)
        return [name for name in named if name is not None]

    def roles_of_columns(self) -> dict[str, Role]:
        """The same with what each is."""
        keys: tuple[tuple[str | None, Role], ...] = (
            (self.label, "label"), (self.id, "id"), (self.group, "group"), (self.time, "time"), (self.part, "part"),
        )  # fmt: skip
        named: dict[str, Role] = {name: role for name, role in keys if name is not None}
        return named | dict.fromkeys(self.vote_columns, "votes")

    def check_folder(self) -> None:
        """Raise ProtocolError for a column that is named where the data are a folder of files and have none."""
        odd = [key for key in ("label", "id", "group", "time") if getattr(self, key) is not None]
        odd += ["part"] if self.part not in (None, "folder") else []
        odd += ["votes"] if self.vote_columns else []
        if odd:
            raise ProtocolError(
                f"dataset.{odd[0]} names a column, and {self.title} is a folder of files, which has no columns.",
                "Let path name a .csv with a column for the files, or leave the key out: folders are the classes then.",
            )

    def votes_file(self) -> Path:
        from harness.data.own.source import within

        return within(self._root, str(self.votes), "votes")

    @abstractmethod
    def read(self, path: Path) -> Dataset:
        """The data set, from the files; raises ProtocolError as :meth:`load`."""

    @abstractmethod
    def original(self, path: Path) -> Original:
        """The rows as they stand in the files; raises ProtocolError as :meth:`load`."""

    def versions(self) -> Sequence[str]:
        """What else the arrays depend on, such as the version of a feature extractor."""
        return ()

    def place(self) -> Path:
        """Where the file or folder is; an address is fetched. Raises ProtocolError where there is none."""
        from harness.data.fetch import DataFile, get
        from harness.data.own.source import within

        if self.path is not None:
            return within(self._root, self.path)
        url, sha256 = str(self.url), str(self.sha256)
        return get(DataFile("own", url.split("?")[0].rsplit("/", 1)[-1] or "data", sha256, url), self.title)

    def _key(self, digest: str) -> str:
        settings = self.model_dump(mode="json", exclude=set(self.whereabouts))
        return json.dumps([_VERSION, *self.versions(), self.title, digest, settings], sort_keys=True)
