"""What a participant's function is given on one seed, as a file to look at in a notebook. Never the key."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ProtocolError
from harness.paths import permit
from harness.protocol.challenge import Challenge
from harness.tracks.base import Array, View


def view_of(challenge: Challenge, seed: int) -> View:
    """The view of a seed. Raises ProtocolError: no such seed, the data cannot be had, or nothing can be measured on it."""
    if not 0 <= seed < challenge.seeds:
        raise ProtocolError(f"{challenge.name} has seeds 0 to {challenge.seeds - 1}, got {seed}.")
    view, _ = challenge.load_track(challenge.load_dataset(), device="cpu").prepare(seed)
    return view


def arrays_of(view: View) -> dict[str, Array]:
    """All of a view as arrays: numbers as arrays without an axis, a text as its bytes and ``NAME.offsets``."""
    arrays = {name: np.asarray(value) for name, value in view.scalars.items()} | dict(view.arrays)
    for name, texts in view.texts.items():
        arrays |= {name: texts.data, f"{name}.offsets": texts.offsets}
    return {name: array for name, array in arrays.items() if array is not None}


def save(view: View, path: Path) -> None:
    """Write a view as ``.npz``, whole or not at all. Raises ProtocolError where the place cannot be written."""
    if path.suffix != ".npz":
        raise ProtocolError(f"{path} does not end in .npz.", "A view is written as arrays that numpy.load reads.")
    arrays: dict[str, Any] = arrays_of(view)
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream:
            try:
                np.savez(stream, **arrays)
                stream.close()
                permit(Path(stream.name))
                Path(stream.name).replace(path)
            except BaseException:
                Path(stream.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise ProtocolError(f"{path} cannot be written: {error.strerror or error}.") from error
