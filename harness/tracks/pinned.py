"""Arrays that a challenge pins by file and digest, such as the values of a Shapley run of many hours."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from harness.api import FloatArray
from harness.errors import ProtocolError
from harness.paths import CONF_DIR
from harness.tracks.base import View


class Pinned(BaseModel):
    """A ``.npz`` file under ``conf/``: ``values`` float [seeds, n] and ``rows`` uint64 [seeds], the digest of the rows
    (:func:`rows_digest`) each line was computed on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    file: str = Field(pattern=r"^[a-z0-9_]+(/[a-z0-9_]+)*\.npz$")  # relative to conf/
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    def load(self, seed: int, view: View) -> FloatArray | None:
        """Values [n] float64 of the seed; None where they were computed on other rows, or not at all.

        Raises ProtocolError where the file is missing or is not the pinned one.
        """
        path = CONF_DIR / self.file
        if not path.is_file():
            raise ProtocolError(f"The pinned file {self.file} was looked for at {path} and is not there.")
        raw = path.read_bytes()
        if hashlib.sha256(raw).hexdigest() != self.sha256:
            raise ProtocolError(f"{path} is not the pinned file: its SHA-256 is not {self.sha256[:12]}...")
        with np.load(io.BytesIO(raw), allow_pickle=False) as table:
            if seed >= len(table["rows"]) or table["rows"][seed] != rows_digest(view):
                return None
            values: FloatArray = table["values"][seed].astype(np.float64)
        return values


def rows_digest(view: View) -> int:
    """The first 64 bits of the SHA-256 of a view's arrays, in the order of their names."""
    sha = hashlib.sha256()
    for _, array in sorted(view.arrays.items()):
        sha.update(np.ascontiguousarray(array).tobytes())
    return int.from_bytes(sha.digest()[:8], "little")
