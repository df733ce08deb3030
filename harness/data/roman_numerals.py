"""Handwritten Roman numerals i to x, from the 2021 Data-Centric AI Competition (DeepLearning.AI and Landing
AI).
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.data.base import TEST, TRAIN, VALIDATION, Dataset, DatasetSettings
from harness.data.fetch import DataFile, cached_array, get

_URL = (
    "https://raw.githubusercontent.com/Nov05/deeplearningai-data-centric-competition/"
    "39b37aa9626f5f5c97a19c34389389ba4c59b14c/original/"
)
_CLASSES = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
_PARTS = {"data/train": TRAIN, "data/val": VALIDATION, "label_book": TEST}
_SIDE = 32


class RomanNumerals(DatasetSettings):
    """X [2932, 32, 32] grey in 0..1 (1: paper), scaled to 32 x 32 without keeping proportions, as the
    competition did.

    Extras: ``part`` (0: 2,067 training, 1: 813 validation, 2: the 52 clean images of the label book) and
    ``file``, the path inside the original archives. 49 training images are byte for byte validation
    images too, and 3 validation images are in the label book; ``drop_duplicates`` leaves out those 52, so that no
    image of a part is known from an earlier one.
    """

    name: Literal["roman_numerals"] = "roman_numerals"
    drop_duplicates: bool = False

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        shas = {
            "data.tar.gz": "4c526a362ea66d75c088929b6cabc6dca468e38239b43a74526d24cfda86c1bc",
            "label_book.tar.gz": "4e608305e58099d31c99aa0ed141f60dc738e12a55a7906a44ff9397dea246d8",
        }
        return tuple(DataFile("roman_numerals", name, sha, _URL + name) for name, sha in shas.items())

    def load(self) -> Dataset:
        images: dict[str, bytes] = {}
        for file in self.files():
            images |= _pngs(get(file, self.name))
        where = {name: name.rsplit("/", 2) for name in images}  # part, class, file name
        names = sorted(images, key=lambda n: (_PARTS[where[n][0]], _CLASSES.index(where[n][1]), n))
        key = " ".join(["roman_numerals 1", *(file.sha256 for file in self.files())])
        pixels = cached_array(key, lambda: np.stack([_scaled(images[name]) for name in names]))
        part = np.array([_PARTS[where[name][0]] for name in names], dtype=np.int64)
        y = np.array([_CLASSES.index(where[name][1]) for name in names], dtype=np.int64)
        keep = np.ones(len(names), dtype=bool)
        if self.drop_duplicates:
            content = np.array([hashlib.sha256(images[name]).hexdigest() for name in names])
            for p in (TRAIN, VALIDATION):
                keep &= (part != p) | ~np.isin(content, content[part > p])
        X = pixels[keep].astype(np.float32) / np.float32(255)
        return Dataset(self.name, X, y[keep], _CLASSES, {"part": part[keep], "file": np.array(names)[keep]})


def _pngs(archive: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(archive, "r|gz") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.name.endswith(".png") else None
            if stream is not None:
                found[member.name.removeprefix("./")] = stream.read()
    return found


def _scaled(png: bytes) -> npt.NDArray[np.uint8]:
    from PIL import Image

    image = Image.open(io.BytesIO(png)).convert("L")
    return np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
