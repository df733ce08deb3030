"""``name: images``: image files in a folder for each class, or named by a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from harness.data import features
from harness.data.base import TRAIN, Dataset
from harness.data.own import assemble, folders, pictures, roles, sheet, source
from harness.data.own.original import Original
from harness.data.own.settings import Name, OwnSettings
from harness.data.specification import Role
from harness.errors import ProtocolError

Side = Annotated[int, Field(ge=1, le=4096)]


class ImageKeys(OwnSettings):
    """What images have beside the keys of all kinds, wherever their rows come from."""

    size: tuple[Side, Side] | None = None
    channels: pictures.Channels = "rgb"
    resize: bool = False
    features: Literal["pixels", "patches"] = "pixels"
    meta: tuple[Name, ...] = ()

    def versions(self) -> Sequence[str]:
        return (f"patches {features.VERSION}",) if self.features == "patches" else ()

    def encoded(
        self,
        table: sheet.Sheet,
        names: Sequence[str],
        content: Callable[[int], bytes],
        label: str,
        ids: Sequence[str] | None,
    ) -> Dataset:
        """The data set of image files and their sheet. Raises ProtocolError as :meth:`OwnSettings.load`."""
        labels = roles.classes(table.column(label, "label"), f"column {label!r}", table.where)
        meta = {name: roles.strings(table.column(name, "meta"), name, table.where) for name in self.meta}
        extras = assemble.kept(assemble.attributes(self, table, labels, ids), meta)
        pixels, notes = pictures.decode(names, content, self.size, self.channels, resize=self.resize)
        part = extras.get("part")
        fit_on = np.flatnonzero(part == TRAIN) if part is not None else None
        X = self._features(pixels, fit_on)
        return assemble.dataset(self.title, X, labels, extras, table.where, [*table.notes, *notes])

    def _features(self, pixels: npt.NDArray[np.uint8], fit_on: npt.NDArray[np.int64] | None) -> npt.NDArray[np.float32]:
        if self.features == "patches":
            found = features.extract(pixels if pixels.ndim == 4 else pixels[..., None], fit_on)
            return found.astype(np.float32, copy=False)
        return pixels.astype(np.float32) / np.float32(255)


class Images(ImageKeys):
    """X [n, h, w] (grey) or [n, h, w, 3] (rgb) in 0..1, or [n, up to 256] with ``features: patches``.

    ``path``: a folder with a folder for each class (no ``label``; ``part: folder`` where the parts are folders above
    those), or a .csv whose column ``file`` names images beside it. PNG decodes to the same bits everywhere, JPEG as the
    installed decoder has it. Extras as of a table; ``id`` is the file's relative name unless a column is named.
    """

    name: Literal["images"] = "images"
    file: Name = "file"
    encoding: str = "utf-8"
    separator: Annotated[str, Field(min_length=1)] | None = None
    quotes: bool = True

    def sources(self, path: Path) -> list[Path]:
        if path.is_dir():
            return super().sources(path)
        return [*super().sources(path), *sorted(set(self._named(path, self._table(path))))]

    def read(self, path: Path) -> Dataset:
        if path.is_file():
            if self.label is None:
                raise ProtocolError(f"dataset.label is not set: {path.name} is a table.", "Name its column of classes.")
            table = self._table(path)
            files = self._named(path, table)
            table = table.read_only({self.file, *self.roles(), *self.meta})
            names = table.column(self.file, "file")
            return self.encoded(table, names, lambda row: files[row].read_bytes(), self.label, names)
        self.check_folder()
        table = self._listing(path)
        names = table.columns[folders.FILE]
        settings = self.model_copy(update={"part": folders.PART}) if self.part == folders.PART_KEY else self
        return settings.encoded(table, names, lambda row: (path / names[row]).read_bytes(), folders.LABEL, names)

    def original(self, path: Path) -> Original:
        if path.is_file():
            table = self._table(path)
            files = self._named(path, table)
            roles: dict[str, Role] = {self.file: "image", **self.roles_of_columns()}
            return Original(table, roles, picture=lambda row: files[row].read_bytes())
        table = self._listing(path)
        names = table.columns[folders.FILE]
        listed: dict[str, Role] = {folders.FILE: "image", **folders.ROLES}
        found = {name: role for name, role in listed.items() if name in table.columns}
        return Original(table, found, named=False, picture=lambda row: (path / names[row]).read_bytes())

    def _listing(self, path: Path) -> sheet.Sheet:
        return folders.listing(path, self._root or path, pictures.SUFFIXES, parts=self.part == folders.PART_KEY)

    def _table(self, path: Path) -> sheet.Sheet:
        return sheet.read(path, self.encoding, self.separator, quotes=self.quotes)

    def _named(self, path: Path, table: sheet.Sheet) -> list[Path]:
        """The files a table names, in its order."""
        return [
            source.within(path.parent, name, f"file, in {table.where([row])},")
            for row, name in enumerate(table.column(self.file, "file"))
        ]
