"""What people wrote on Twitter and Reddit and what others read in it: HateOffensive (Davidson et al., 2017), GoEmotions (2020).

The texts insult and swear, so no command prints them.
"""

from __future__ import annotations

import csv
import io
from typing import ClassVar, Literal

import numpy as np

from harness.api import IntArray, Texts
from harness.data.base import TEST, TRAIN, VALIDATION, Dataset
from harness.data.fetch import DataFile, published
from harness.data.hashed_texts import HashedTexts
from harness.randomness import OPEN_SECRET, generator

_DAVIDSON = "https://raw.githubusercontent.com/t-davidson/hate-speech-and-offensive-language"
_MONOLOGG = "https://raw.githubusercontent.com/monologg/GoEmotions-pytorch/b75f9d3a8b76bc1060687925b04ca98a1b8ea66b"
_TWEETS = DataFile(
    "hate_offensive",
    "labeled_data.csv.gz",
    "e0b23fab576c41542f92efe42ba727840c2e7e2e2d112196eea4cf8eccc28994",
    f"{_DAVIDSON}/cb50f7e9eb855a99abc51423bf40df0e26d6fe30/data/labeled_data.csv",
    "fcb8bc7c68120ae4af04a5b9acd58585513ede11e1548ebf36a5c2040b6f6281",
)
_COMMENTS = tuple(
    DataFile("goemotions", f"{part}.tsv.gz", packed, f"{_MONOLOGG}/data/original/{part}.tsv", plain)
    for part, packed, plain in (
        (
            "train",
            "e475c21512fc5f3af853f020606182afc1d05afccf1db89d05b15951d28fdcb3",
            "1c254a142be5c00e80d819b9ae1bbd36d94b2eeb8f4b1271846508d57e57d9c5",
        ),
        (
            "dev",
            "d4fb2394e2eae4e6da5f590da1c1584040c9f23caae197a00606e31a72e1e3e5",
            "575489c079c9de1097062a01738f998590d6b7ead66dd1c9fd1d2ba01fd8bc62",
        ),
        (
            "test",
            "2ba5ddb563bad4c843b7bedfafeb62df589a423a1011f7175f463843a584d35c",
            "0587b2dd8b27b97352adbfc3fb083d46005c8946657fdc2b1ca8b1cc7f1f8be4",
        ),
    )
)
EMOTIONS = {  # the twelve most frequent ones of rows with a single label, neutral left out, by their published numbers
    0: "admiration",
    1: "amusement",
    2: "anger",
    3: "annoyance",
    4: "approval",
    6: "confusion",
    7: "curiosity",
    10: "disapproval",
    15: "gratitude",
    17: "joy",
    18: "love",
    20: "optimism",
}


class HateOffensive(HashedTexts):
    """24,783 tweets with words of a lexicon of hate speech; y is what most of three to nine workers saw in each.

    Extras: ``votes`` int64 [n, 3], how many workers chose each class; ``one_vote`` int64 [n], the label of one worker a
    row, drawn once and for all in proportion to the row's votes: the labels that a single rater would have given.
    ``balanced``: only 1,430 rows of each class, as many as the rarest has, drawn once and for all.
    """

    offensive: ClassVar[bool] = True

    name: Literal["hate_offensive"] = "hate_offensive"
    balanced: bool = False

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return (_TWEETS,)

    def load(self) -> Dataset:
        text = published(_TWEETS, self.name).decode("utf-8")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        classes = ("hate_speech", "offensive_language", "neither")
        votes = np.array([[row[name] for name in classes] for row in rows]).astype(np.int64)
        y = np.array([row["class"] for row in rows]).astype(np.int64)
        documents = [row["tweet"] for row in rows]
        X, one_vote = self.hashed(documents), _one_of(votes)
        kept = _balanced(y) if self.balanced else np.arange(len(y))
        extras = {"votes": votes[kept], "one_vote": one_vote[kept]}
        return Dataset(self.name, X[kept], y[kept], classes, extras, Texts.of(documents).take(kept))


class GoEmotions(HashedTexts):
    """21,743 comments with a single emotion, one of the twelve most frequent (``EMOTIONS``).

    Extras: ``part`` (0: 17,358 training, 1: 2,202 validation, 2: 2,183 test). Comments in which raters saw several emotions,
    another one or none are left out.
    """

    offensive: ClassVar[bool] = True

    name: Literal["goemotions"] = "goemotions"

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return _COMMENTS

    def load(self) -> Dataset:
        number = {str(code): label for label, code in enumerate(EMOTIONS)}
        documents, labels, parts = [], [], []
        for part, file in zip((TRAIN, VALIDATION, TEST), _COMMENTS, strict=True):
            lines = published(file, self.name).decode("utf-8").removesuffix("\n").split("\n")
            rows = [line.split("\t") for line in lines]  # text, numbers of emotions with commas between, id
            chosen = [(text, number[codes]) for text, codes, _ in rows if codes in number]
            documents += [text for text, _ in chosen]
            labels += [label for _, label in chosen]
            parts += [part] * len(chosen)
        X, y = self.hashed(documents), np.array(labels, np.int64)
        extras = {"part": np.array(parts, np.int64)}
        return Dataset(self.name, X, y, tuple(EMOTIONS.values()), extras, Texts.of(documents))


def _one_of(votes: IntArray) -> IntArray:
    """The class of one vote of each row: votes [n, C] counts -> [n]."""
    drawn = generator(OPEN_SECRET, 0, "hate_offensive one_vote").random(len(votes)) * votes.sum(axis=1)
    one: IntArray = (drawn[:, None] >= np.cumsum(votes, axis=1)[:, :-1]).sum(axis=1)
    return one


def _balanced(y: IntArray) -> IntArray:
    """As many rows of each class as the rarest has, in their order."""
    place = generator(OPEN_SECRET, 0, "hate_offensive balanced").random(len(y))
    fewest = np.bincount(y).min()
    of_class = [np.flatnonzero(y == c) for c in np.unique(y)]
    return np.sort(np.concatenate([rows[np.argsort(place[rows], kind="stable")[:fewest]] for rows in of_class]))
