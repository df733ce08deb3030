"""Whose row a run is: a submission's, or one of the harness's own that all others are seen against."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import SubmissionError
from harness.packages.lock import Lock
from harness.protocol import folder as folders
from harness.protocol.params import Params
from harness.protocol.submission import Submission
from harness.tracking.record import identity
from harness.tracks.base import Reference


@dataclass(frozen=True)
class Entrant:
    """Whose row it is: a submission, or the harness's own reference."""

    name: str
    digest: str
    authors: tuple[str, ...] = ()
    description: str = ""
    license: str = ""
    is_reference: bool = False
    packages: Lock | None = None  # the wheels it runs with beside the harness's own; None where it asks for none
    team: str = ""
    params: Params = field(default_factory=dict)  # keyword arguments of its function; part of its files

    @classmethod
    def of(cls, entry: Submission, team: str = "") -> Entrant:
        labels = (entry.authors, entry.description, entry.license)
        return cls(entry.name, entry.digest, *labels, packages=entry.lock, team=team, params=entry.params)

    @property
    def identity(self) -> str:
        """What decides its answers: its files, and the packages it runs with."""
        return identity(self.digest, self.packages)

    @classmethod
    def reference(cls, which: Reference) -> Entrant:
        described = {"random": "floor: a random output", "skyline": "oracle: knows what is hidden"}[which]
        digest = hashlib.sha256(f"reference {which}".encode()).hexdigest()
        return cls(f"reference-{which}", digest, ("harness",), described, "Apache-2.0", is_reference=True)

    @classmethod
    def broken(cls, folder: Path, team: str = "") -> Entrant:
        """A folder that is no submission still gets a row that says so; it is known by its files, else by its path."""
        name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in folder.name)[:60]
        try:
            known = folders.read(folder).digest.encode()
        except SubmissionError:
            known = os.fsencode(folder)
        return cls(name or "unnamed", hashlib.sha256(b"broken " + known).hexdigest(), team=team)
