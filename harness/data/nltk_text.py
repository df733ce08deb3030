"""English text collections as NLTK packs them: the pinned archives, read without unpacking, and documents cut from them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Literal

import numpy as np
from pydantic import Field

from harness.api import Texts
from harness.data.base import Dataset, DatasetSettings
from harness.data.fetch import DataFile, get

_COMMIT = "5db857e6f7df11eabb5e5665836db9ec8df07e28"
_ARCHIVES = {
    "genesis": "0cac241f88d7999f81a45e26b1764b2d1f3b4d21654aa954e0d5349eb4784cd0",
    "inaugural": "7c5fb5793e31fbeae12bf1aa0ffda5336468f07cedb50654c6d31ca384e2046b",
    "movie_reviews": "a41211ae685019137410268134db6a1a14428c89b671eb83056151a878539008",
    "product_reviews_1": "627bfb0bb7c87586246d99b4402c3d7e4fb77ac14559d8695c283bd6850615ac",
    "product_reviews_2": "272b08fe130882e5867aa7ecc69a65616099183c4ccc10374a62c271801b0bc1",
    "pros_cons": "b5bca541ba5b2e614cde2213ddcca027416f6997067c90e45c173bf55c6fade8",
    "sentence_polarity": "6e1ed4405b65c7eabf1d199a7f7c437091ac21da0ea7467b410a74062574566b",
    "shakespeare": "f1251d8c254710363254ba29c9dc0888d5cb13d5ac736ebc6fb14380f447cfc3",
    "state_union": "366c1dc82b2abf896f42b2ec50ba802a0141a29f75d29ca48a7a243ce5bfbe8d",
    "subjectivity": "741f3371e1a4375051b874fd82fd55857b90975473c91c19a3101cbe17fc4d8c",
}
_ENCODINGS = {  # of the files that are not UTF-8
    "genesis/finnish.txt": "latin-1",
    "genesis/french.txt": "latin-1",
    "genesis/german.txt": "latin-1",
    "genesis/swedish.txt": "cp850",
    "inaugural/2005-Bush.txt": "big5",
    "state_union/1954-Eisenhower.txt": "latin-1",
    **{f"state_union/{year}-Nixon.txt": "big5" for year in range(1970, 1975)},
}


def archive(name: str) -> DataFile:
    """The pinned file of a collection, e.g. ``subjectivity``. Raises KeyError for one that is not pinned here."""
    url = f"https://raw.githubusercontent.com/nltk/nltk_data/{_COMMIT}/packages/corpora/{name}.zip"
    return DataFile("nltk_text", f"{name}.zip", _ARCHIVES[name], url)


def texts(name: str, dataset: str) -> Iterator[tuple[str, str]]:
    """Names and decoded texts of a collection's files, in the order of names.

    Line ends are those of Unix; what explains the collection is left out.

    Raises ProtocolError where the archive cannot be had or is not the pinned one; ``dataset`` is named in the command
    that helps.
    """
    with zipfile.ZipFile(get(archive(name), dataset)) as packed:
        for member in sorted(packed.namelist()):
            if not member.endswith(("/", "README", "README.txt", ".dtd", ".css")):
                text = packed.read(member).decode(_ENCODINGS.get(member, "utf-8"))
                yield member, text.replace("\r\n", "\n")


def lines(text: str) -> list[str]:
    """Lines that are not blank, without spaces at their ends."""
    return [line.strip() for line in text.split("\n") if line.strip()]


def sentences_of_reviews(text: str) -> list[str]:
    """Titles and sentences of annotated product reviews, their annotations (``feature[+2]##``) and headers left out."""
    return [re.sub(r"^(\[t\])?(.*?##)?", "", line).strip() for line in lines(text) if not line.startswith("*")]


def entries(text: str) -> list[str]:
    """What stands between ``<Pros>`` or ``<Cons>`` and its end, an entry a line."""
    return re.findall(r"<(?:Pros|Cons)>\s*(.*?)\s*</", text)


def speeches(text: str) -> list[str]:
    """Speeches, stage directions and titles of a play in XML, without the tags; a speaker stands above the lines."""
    found = re.findall(r"<(SPEECH|STAGEDIR|TITLE)>(.*?)</\1>", text, re.DOTALL)
    return ["\n".join(lines(re.sub(r"<[^>]*>", "", inner))) for _, inner in found]


def documents(pieces: Iterable[str], size: int) -> Iterator[str]:
    """Consecutive pieces a line each, put together until a document has at least ``size`` bytes; what is left at the end
    joins the last one if it is shorter than half of that. A piece above twice the size is cut between sentences.
    """
    parts = [part for piece in pieces if piece for part in _cut(piece, 2 * size)]
    ends, filled = [0], 0
    for i, part in enumerate(parts, 1):
        filled += len(part.encode()) + 1
        if filled >= size:
            ends.append(i)
            filled = 0
    if filled >= size // 2 or len(ends) == 1:
        ends.append(len(parts))
    ends[-1] = len(parts)
    for first, last in pairwise(ends):
        if first < last:
            yield "\n".join(parts[first:last])


def _cut(piece: str, size: int) -> list[str]:
    return re.split(r"(?<=[.!?;]) ", piece) if len(piece.encode()) > size else [piece]


_Reader = Callable[[str], list[str]]
_DOMAINS: dict[str, tuple[str, str, _Reader]] = {  # collection, the files' names as a pattern, how one is read
    "inaugural": ("inaugural", ".*", lines),
    "state_union": ("state_union", ".*", lines),
    "shakespeare": ("shakespeare", ".*", speeches),
    "genesis": ("genesis", ".*english.*", lines),
    "movie_reviews": ("movie_reviews", ".*", lines),
    "product_reviews": ("product_reviews_1 product_reviews_2", ".*", sentences_of_reviews),
    "pros": ("pros_cons", ".*Pros.*", entries),
    "cons": ("pros_cons", ".*Cons.*", entries),
    "film_plots": ("subjectivity", ".*plot.*", lines),
    "film_quotes": ("sentence_polarity", ".*", lines),
    **{
        f"genesis_{tongue}": ("genesis", f".*{tongue}.*", lines)
        for tongue in ("finnish", "french", "german", "portuguese", "swedish", "lolcat")
    },
}


class NltkDocuments(DatasetSettings):
    """Documents of sixteen domains, y their domain; X [n, 1] is zero. ``size``: bytes a document has at least, if it can.

    Speeches, plays, the book of Genesis in six languages and one of cats, reviews, plots and what critics said in a sentence,
    cut between lines; no document holds lines of two files.
    """

    name: Literal["nltk_documents"] = "nltk_documents"
    size: int = Field(1500, ge=100, le=100_000)

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return tuple(map(archive, _ARCHIVES))

    def load(self) -> Dataset:
        found: list[str] = []
        y: list[int] = []
        for domain, (collections, pattern, read) in enumerate(_DOMAINS.values()):
            for collection in collections.split():
                for name, text in texts(collection, self.name):
                    if re.fullmatch(pattern, name):
                        found += documents(read(text), self.size)
            y += [domain] * (len(found) - len(y))
        return Dataset(
            self.name, np.zeros((len(y), 1), np.float32), np.array(y), tuple(_DOMAINS), texts=Texts.of(found)
        )
