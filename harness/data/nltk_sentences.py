"""Sentences about films of two classes, as nltk_data packs them: Subj (Pang and Lee, 2004) and MR (2005)."""

from __future__ import annotations

import zipfile
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.api import Texts
from harness.data.base import Dataset, DatasetSettings
from harness.data.fetch import DataFile, cached_array, get

_NLTK = "https://raw.githubusercontent.com/nltk/nltk_data/5db857e6f7df11eabb5e5665836db9ec8df07e28/packages/corpora"


def _archive(name: str, sha256: str) -> DataFile:
    return DataFile("nltk_text", f"{name}.zip", sha256, f"{_NLTK}/{name}.zip")


class _Sentences(DatasetSettings):
    """One archive with a file a class and a sentence a line.

    X [n, dimension]: hashed words and characters of unit length, which no label has a part in; ``texts``: the sentences,
    without white space at their ends. Rows stand class by class, as in the files.
    """

    archive: ClassVar[DataFile]
    classes: ClassVar[dict[str, str]]  # name of the class -> file in the archive

    dimension: int = Field(1024, ge=16, le=65536)

    @property
    def has_texts(self) -> bool:
        return True

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return (cls.archive,)

    def load(self) -> Dataset:
        from harness.data.own import hashing

        with zipfile.ZipFile(get(self.archive, self.name)) as packed:  # its checksum is the pinned one: it is whole
            files = [packed.read(f"{self.name}/{file}").decode("utf-8") for file in self.classes.values()]
        of_class = [[line.strip() for line in text.removesuffix("\n").split("\n")] for text in files]
        documents = [sentence for sentences in of_class for sentence in sentences]
        key = f"{self.name} {self.archive.sha256} hashed {hashing.VERSION} {self.dimension}"
        X = cached_array(key, lambda: hashing.hashed(documents, self.dimension))
        y = np.repeat(np.arange(len(of_class)), [len(sentences) for sentences in of_class])
        return Dataset(self.name, X, y, tuple(self.classes), {}, Texts.of(documents))


class Subjectivity(_Sentences):
    """Subj: 5,000 sentences that tell a film's plot (objective) and 5,000 of reviews (subjective)."""

    archive = _archive("subjectivity", "741f3371e1a4375051b874fd82fd55857b90975473c91c19a3101cbe17fc4d8c")
    classes: ClassVar = {"objective": "plot.tok.gt9.5000", "subjective": "quote.tok.gt9.5000"}

    name: Literal["subjectivity"] = "subjectivity"


class SentencePolarity(_Sentences):
    """MR: 5,331 sentences of reviews that liked a film and 5,331 of reviews that did not."""

    archive = _archive("sentence_polarity", "6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b")
    classes: ClassVar = {"negative": "rt-polarity.neg", "positive": "rt-polarity.pos"}

    name: Literal["sentence_polarity"] = "sentence_polarity"
