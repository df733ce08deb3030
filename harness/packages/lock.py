"""The lock: the exact wheels that a submission's requirements came to, each with its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Package(BaseModel):
    """One wheel. Its address is not kept: what counts is the hash, wherever the wheel is found."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,198}[a-z0-9])?$")  # normalised, PEP 503
    version: str = Field(pattern=r"^[0-9][A-Za-z0-9.!+_-]{0,99}$")
    wheel: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+!-]{0,299}\.whl$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


@dataclass(frozen=True)
class Lock:
    """Wheels in the order of their names; none where the harness's own packages are all that was asked for."""

    packages: tuple[Package, ...]

    @classmethod
    def of(cls, packages: Sequence[Package]) -> Lock:
        return cls(tuple(sorted(packages, key=lambda package: package.name)))

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON of the wheels; empty where there are none."""
        text = json.dumps(self.plain(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest() if self.packages else ""

    def plain(self) -> list[dict[str, Any]]:
        """As JSON values."""
        return [package.model_dump(mode="json") for package in self.packages]

    def requirements(self) -> str:
        """As a file for ``pip install --require-hashes -r``."""
        return "".join(f"{p.name}=={p.version} --hash=sha256:{p.sha256}\n" for p in self.packages)
