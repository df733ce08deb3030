"""What shipped data sets of texts share: hashed words and characters as features, computed once and kept."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from harness.api import FloatArray
from harness.data.base import DatasetSettings
from harness.data.fetch import cached_array


class HashedTexts(DatasetSettings):
    """X [n, dimension]: hashed words and characters of unit length, which no label has a part in; ``texts``: the documents."""

    name: str
    dimension: int = Field(1024, ge=16, le=65536)

    @property
    def has_texts(self) -> bool:
        return True

    def hashed(self, documents: Sequence[str]) -> FloatArray:
        """Features [n, dimension] of all documents of the files, from the cache where they were computed before."""
        from harness.data.own import hashing

        pins = " ".join(file.sha256 for file in self.files())
        key = f"{self.name} {pins} hashed {hashing.VERSION} {self.dimension}"
        return cached_array(key, lambda: hashing.hashed(documents, self.dimension))
