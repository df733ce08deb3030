"""``name: arrays``: numpy's own files, a ``.npz`` or a folder of ``.npy``; nothing in them is ever unpickled."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from harness.data.base import Dataset
from harness.data.own import assemble, roles
from harness.data.own.original import Original
from harness.data.own.settings import Name, OwnSettings
from harness.data.own.sheet import Sheet
from harness.data.specification import Role
from harness.errors import ProtocolError

_Array = npt.NDArray[Any]
_MOST_BYTES = 4 << 30  # of one array
_MOST_CELLS = 20_000_000


class Arrays(OwnSettings):
    """X [n, ...] float32 of the array named by ``inputs``, divided by ``scale`` (255 for bytes of images).

    The other keys name arrays of n entries in the same file or folder; ``votes`` names one of counts [n, C]. ``meta``
    arrays are kept as they are.
    """

    name: Literal["arrays"] = "arrays"
    label: Name = "y"
    inputs: Name = "X"
    scale: float = Field(1.0, gt=0)
    meta: tuple[Name, ...] = ()

    def sources(self, path: Path) -> list[Path]:
        from harness.data.own import source

        return source.files_under(path, self._root or path.parent)  # votes are an array of them, no file of their own

    def read(self, path: Path) -> Dataset:
        wanted = [self.inputs, self.label, self.id, self.group, self.time, self.part, *self._votes(), *self.meta]
        arrays = _load(path, [name for name in wanted if name is not None])
        X = self._inputs(arrays[self.inputs])
        for name, array in arrays.items():
            if array.ndim == 0 or len(array) != len(X):
                raise ProtocolError(
                    f"Array {name!r} of {path.name} has shape {list(array.shape)}; {self.inputs!r} has {len(X)} rows.",
                    "Every array has one entry a row.",
                )
        roles_of = self._as_sheet(path, arrays)
        labels = roles.classes(roles_of.column(self.label, "label"), f"array {self.label!r}", roles_of.where)
        plain = self.model_copy(update={"votes": None})
        extras = assemble.attributes(plain, roles_of, labels)
        for name in self._votes():
            extras["votes"] = _counts(name, arrays[name], len(labels.names))
        extras = assemble.kept(extras, {name: arrays[name] for name in self.meta})
        features = [f"column {j}" for j in range(X.shape[1])] if X.ndim == 2 else []
        return assemble.dataset(self.title, X, labels, extras, roles_of.where, [], features=features)

    def original(self, path: Path) -> Original:
        roles: dict[str, Role] = {**dict.fromkeys(self.meta, "meta"), **self.roles_of_columns()}
        roles |= dict.fromkeys(self._votes(), "votes")
        sheet, flat = columns_of(path.name, _load(path, [self.inputs, *roles]))
        return Original(sheet, roles, flat)

    def _votes(self) -> tuple[str, ...]:
        return (self.votes,) if isinstance(self.votes, str) else self.vote_columns[:1]

    def _inputs(self, X: _Array) -> npt.NDArray[np.float32]:
        if X.dtype.kind not in "fiub" or not 2 <= X.ndim <= 4 or 0 in X.shape:
            raise ProtocolError(
                f"Array {self.inputs!r} is {X.dtype} of shape {list(X.shape)}.",
                "It must hold numbers: [n, d], images [n, h, w] or [n, h, w, c].",
            )
        with np.errstate(over="ignore"):
            single = (X / self.scale).astype(np.float32) if self.scale != 1 else X.astype(np.float32)
        bad = np.argwhere(~np.isfinite(single))
        if len(bad):
            at = ", ".join(map(str, bad[0]))
            raise ProtocolError(
                f"{self.inputs}[{at}] is {X[tuple(bad[0])]}; every input must be a finite number of 32 bits.",
                "Fill in or take out such rows.",
            )
        return single

    def _as_sheet(self, path: Path, arrays: Mapping[str, _Array]) -> Sheet:
        """The arrays that say something of the rows, as text: one way for all kinds from there on."""
        names = [name for name in (self.label, self.id, self.group, self.time, self.part) if name is not None]
        columns = {}
        for name in names:
            array = arrays[name]
            if array.ndim != 1:
                raise ProtocolError(f"Array {name!r} has shape {list(array.shape)}; it must have one entry a row.")
            columns[name] = [str(value) for value in array.tolist()]
        return Sheet(path.name, columns, "row {}".format)


def columns_of(name: str, arrays: Mapping[str, _Array]) -> tuple[Sheet, dict[str, tuple[str, ...]]]:
    """Arrays [n] and [n, ...] as cells: ``X`` [n, 2, 3] becomes ``X_0_0`` to ``X_1_2``; and which became which.

    Raises ProtocolError for more cells than text can hold in memory.
    """
    if sum(array.size for array in arrays.values()) > _MOST_CELLS:
        raise ProtocolError(
            f"{name} has more than {_MOST_CELLS:,} numbers, too many for a table.", "Hand on the arrays themselves."
        )
    columns: dict[str, list[str]] = {}
    flat: dict[str, tuple[str, ...]] = {}
    for key, array in arrays.items():
        if array.ndim == 1:
            columns[key] = [str(value) for value in array.tolist()]
            continue
        names = ["_".join([key, *map(str, place)]) for place in np.ndindex(array.shape[1:])]
        cells = array.reshape(len(array), -1)
        columns |= {column: list(map(str, cells[:, j])) for j, column in enumerate(names)}
        flat[key] = tuple(names)
    return Sheet(name, columns, "row {}".format), flat


def _counts(name: str, array: _Array, n_classes: int) -> npt.NDArray[np.int64]:
    if array.dtype.kind not in "iu" or array.shape[1:] != (n_classes,) or array.min(initial=0) < 0:
        raise ProtocolError(
            f"Array {name!r} is {array.dtype} of shape {list(array.shape)}.",
            f"Votes are counts by class: whole numbers [n, {n_classes}], none below 0.",
        )
    return array.astype(np.int64)


def _load(path: Path, wanted: list[str]) -> dict[str, _Array]:
    """The named arrays, each read only after its header has been held against the bytes that are there."""
    if path.is_file() and path.suffix.lower() == ".npz":
        try:
            with zipfile.ZipFile(path) as archive:
                return {name: _member(path, archive, name) for name in wanted}
        except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
            raise ProtocolError(f"{path.name} is a broken .npz file: {error}.", "Write it with numpy.savez.") from error
    if path.is_dir():
        found = {}
        for name in wanted:
            file = path / f"{name}.npy"
            if "/" in name or not file.is_file():
                raise _unknown(path, name, sorted(p.stem for p in path.glob("*.npy")))
            with file.open("rb") as stream:
                found[name] = _array(f"{path.name}/{file.name}", stream, file.stat().st_size)
        return found
    raise ProtocolError(
        f"{path.name} is neither a .npz file nor a folder of .npy files.",
        "Put X.npy and y.npy into a folder and name that, or write one file: numpy.savez(path, X=X, y=y).",
    )


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> _Array:
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise _unknown(path, name, [entry.removesuffix(".npy") for entry in archive.namelist()]) from None
    with archive.open(info) as stream:
        return _array(f"{name!r} of {path.name}", stream, info.file_size)


def _unknown(path: Path, name: str, known: list[str]) -> ProtocolError:
    return ProtocolError(f"{path.name} has no array {name!r}.", f"Its arrays: {', '.join(known[:30]) or 'none'}.")


def _array(what: str, stream: IO[bytes], size: int) -> _Array:
    """One array from a stream of ``size`` bytes in numpy's format."""
    with suppress(ValueError, EOFError, SyntaxError, TypeError, MemoryError, RecursionError):
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(stream)
        claim = dtype.itemsize * int(np.prod(shape, dtype=object))
        if dtype.hasobject or dtype.kind not in "biufUSM":
            raise ProtocolError(
                f"Array {what} holds {dtype}: Python objects and records are not read.", "Save numbers or text."
            )
        if claim > _MOST_BYTES or any(length < 0 for length in shape):
            raise ProtocolError(
                f"Array {what} claims {claim:,} bytes (shape {list(shape)}, {dtype}); at most {_MOST_BYTES:,} are read."
            )
        left = size - stream.tell()
        if claim != left:
            raise ProtocolError(f"Array {what} claims {claim:,} bytes (shape {list(shape)}) and has {left:,}.")
        raw = stream.read(claim)
        if len(raw) == claim:
            flat = np.frombuffer(raw, dtype)
            return flat.reshape(shape, order="F" if fortran else "C")
    raise ProtocolError(f"Array {what} is not in numpy's .npy format, or ends early.", "Write it with numpy.save.")
