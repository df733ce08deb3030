"""Arrays that a challenge pins by file and digest, such as the values of a Shapley run of many hours."""

from __future__ import annotations

import hashlib
import io

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from harness.api import FloatArray
from harness.errors import ProtocolError
from harness.paths import CONF_DIR


class Pinned(BaseModel):
    """A ``.npy`` file under ``conf/``, float [seeds, n]: row s holds what was computed on seed s."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    file: str = Field(pattern=r"^[a-z0-9_]+(/[a-z0-9_]+)*\.npy$")  # relative to conf/
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    def load(self, seed: int, n: int) -> FloatArray | None:
        """Values [n] of the seed, float64; None for a seed beyond those computed.

        Raises ProtocolError where the file is missing, is not the pinned one, or has another number of rows.
        """
        path = CONF_DIR / self.file
        if not path.is_file():
            raise ProtocolError(f"The pinned file {self.file} was looked for at {path} and is not there.")
        raw = path.read_bytes()
        if hashlib.sha256(raw).hexdigest() != self.sha256:
            raise ProtocolError(f"{path} is not the pinned file: its SHA-256 is not {self.sha256[:12]}...")
        table = np.load(io.BytesIO(raw), allow_pickle=False)
        if table.ndim != 2 or table.shape[1] != n:
            raise ProtocolError(f"{path} has shape {list(table.shape)}; [seeds, {n}] is asked for.")
        values: FloatArray | None = table[seed].astype(np.float64) if seed < len(table) else None
        return values
