"""``name: text``: documents in a column, or a text file each in a folder for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from harness.api import FloatArray, Texts
from harness.data.base import Dataset
from harness.data.own import assemble, folders, hashing, roles, sheet
from harness.data.own.original import Original
from harness.data.own.settings import Name, OwnSettings
from harness.data.specification import Role
from harness.errors import ProtocolError

_SUFFIXES = (".txt",)
_GRID = 4096  # static vectors are rounded to it: means of floats differ in their last bits between machines


class TextKeys(OwnSettings):
    """What text has beside the keys of all kinds, wherever its rows come from."""

    text: Name = "text"
    features: Literal["hashed", "wordllama"] = "hashed"
    dimension: int = Field(1024, ge=16, le=65536)
    meta: tuple[Name, ...] = ()

    @property
    def has_texts(self) -> bool:
        return True

    def versions(self) -> Sequence[str]:
        if self.features == "hashed":
            return (f"hashed {hashing.VERSION}",)
        from importlib.metadata import PackageNotFoundError, version

        try:
            return (f"wordllama {version('wordllama')}",)
        except PackageNotFoundError:
            raise _not_installed() from None

    def encoded(self, table: sheet.Sheet, documents: Sequence[str], label: str, ids: Sequence[str] | None) -> Dataset:
        """The data set of documents and their sheet. Raises ProtocolError as :meth:`OwnSettings.load`."""
        labels = roles.classes(table.column(label, "label"), f"column {label!r}", table.where)
        meta = {name: roles.strings(table.column(name, "meta"), name, table.where) for name in self.meta}
        extras = assemble.kept(assemble.attributes(self, table, labels, ids), meta)
        blank = [i for i, document in enumerate(documents) if not document.strip()]
        notes = [f"{len(blank)} documents are blank: {table.where(blank)}."] if blank else []
        X = hashing.hashed(documents, self.dimension) if self.features == "hashed" else _wordllama(documents)
        texts = Texts.of(documents)
        return assemble.dataset(self.title, X, labels, extras, table.where, [*table.notes, *notes], texts=texts)


class Text(TextKeys):
    """X [n, dimension] float32 and the documents themselves as ``Dataset.texts``.

    ``path``: .csv, .tsv or .jsonl with the columns ``text`` and ``label``; or a folder of .txt files in a folder a class
    (no ``label``; ``part: folder`` where the parts are folders above those). Extras as of a table; ``id`` of files is their
    relative name.
    """

    name: Literal["text"] = "text"
    encoding: str = "utf-8"
    separator: Annotated[str, Field(min_length=1)] | None = None
    quotes: bool = True

    def read(self, path: Path) -> Dataset:
        if path.is_file():
            if self.label is None:
                raise ProtocolError(f"dataset.label is not set: {path.name} is a table.", "Name its column of classes.")
            table = self._sheet(path)
            documents = table.raw(self.text, "text")
            return self.encoded(table.read_only({self.text, *self.roles(), *self.meta}), documents, self.label, None)
        self.check_folder()
        table, documents = self._listing(path)
        settings = self.model_copy(update={"part": folders.PART}) if self.part == folders.PART_KEY else self
        return settings.encoded(table, documents, folders.LABEL, table.columns[folders.FILE])

    def original(self, path: Path) -> Original:
        if path.is_file():
            return Original(self._sheet(path), {self.text: "text", **self.roles_of_columns()})
        table, documents = self._listing(path)
        columns = {self.text: documents, **table.columns}
        roles: dict[str, Role] = {self.text: "text", folders.FILE: "id", **folders.ROLES}
        found = {name: role for name, role in roles.items() if name in columns}
        return Original(replace(table, columns=columns), found, named=False)

    def _sheet(self, path: Path) -> sheet.Sheet:
        return sheet.read(path, self.encoding, self.separator, quotes=self.quotes)

    def _listing(self, path: Path) -> tuple[sheet.Sheet, list[str]]:
        table = folders.listing(path, self._root or path, _SUFFIXES, parts=self.part == folders.PART_KEY)
        return table, [sheet.decode(path / name, self.encoding) for name in table.columns[folders.FILE]]


def _wordllama(documents: Sequence[str]) -> FloatArray:
    """Static vectors from the package of that name, [n, 256], rounded to a grid."""
    try:
        import wordllama
    except ImportError:
        raise _not_installed() from None
    # Its files are in the package, where it looks for the tokenizer only if it is told so.
    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    vectors = np.asarray(model.embed(list(documents), norm=True), np.float64)
    rounded: FloatArray = (np.rint(vectors * _GRID) / _GRID).astype(np.float32)
    return rounded


def _not_installed() -> ProtocolError:
    return ProtocolError(
        "dataset.features is wordllama, and the package of that name is not installed.",
        'Install the extra, `pip install "harness[wordllama]"`, or use `features: hashed`, which needs nothing.',
    )
