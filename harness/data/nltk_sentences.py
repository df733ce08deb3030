"""Sentences about films of two classes, as nltk_data packs them: Subj (Pang and Lee, 2004) and MR (2005)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np

from harness.api import Texts
from harness.data.base import Dataset
from harness.data.fetch import DataFile
from harness.data.hashed_texts import HashedTexts
from harness.data.nltk_text import archive, lines, texts


class _Sentences(HashedTexts):
    """One archive with a file a class and a sentence a line.

    ``texts``: the sentences, without white space at their ends. Rows stand class by class, as in the files.
    """

    classes: ClassVar[dict[str, str]]  # name of the class -> file in the archive of the set's name

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return (archive(cls.model_fields["name"].default),)

    def load(self) -> Dataset:
        files = dict(texts(self.name, self.name))
        of_class = [lines(files[f"{self.name}/{file}"]) for file in self.classes.values()]
        documents = [sentence for sentences in of_class for sentence in sentences]
        y = np.repeat(np.arange(len(of_class)), [len(sentences) for sentences in of_class])
        return Dataset(self.name, self.hashed(documents), y, tuple(self.classes), {}, Texts.of(documents))


class Subjectivity(_Sentences):
    """Subj: 5,000 sentences that tell a film's plot (objective) and 5,000 of reviews (subjective)."""

    classes: ClassVar = {"objective": "plot.tok.gt9.5000", "subjective": "quote.tok.gt9.5000"}

    name: Literal["subjectivity"] = "subjectivity"


class SentencePolarity(_Sentences):
    """MR: 5,331 sentences of reviews that liked a film and 5,331 of reviews that did not."""

    classes: ClassVar = {"negative": "rt-polarity.neg", "positive": "rt-polarity.pos"}

    name: Literal["sentence_polarity"] = "sentence_polarity"
