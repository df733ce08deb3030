"""CIFAR-10 images (Krizhevsky, 2009) with people's labels: CIFAR-10N (Wei et al., 2022), CIFAR-10H (Peterson
et al., 2019).

The images are JPEG copies: close to, but not, the original pixels. They are decoded once and kept in the
cache.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.data.base import Dataset, DatasetSettings
from harness.data.fetch import DataFile, cached_array, get, published
from harness.errors import ProtocolError

# No addresses: the packages below were made from public repositories (how, the card of cifar10n says), but the
# authors of the images state no licence, no published file has a checksum that would stand for the packages, and the
# labels are published as a pickle, which we do not open. Any packing of the same contents will do.
IMAGES = DataFile(
    "cifar10_jpeg",
    "cifar10_jpeg.tar.xz",
    "52cd861964b42bf38079f4e6dc36906c3718a8be6f7e04343c262a950ba0583e",
    content_sha256="a4360e9b2101414bb3f7a667168288cbdf0bb37c9da05e5f931583f122cbde0b",
)
ORDER = DataFile(
    "cifar10_jpeg",
    "cifar10_order.npz",
    "6160c20366c5083fdb67d1143e669ecf8d61fdaa39f324d24faf9ef7091eb10a",
    content_sha256="c1615f0322931ea7ba4eff8b19d76f6e18f8235018c98d6ff7141f70e4ebfef8",
)
HUMAN_LABELS = DataFile(
    "cifar10n",
    "cifar10n_labels.npz",
    "6024485a143efa682792c21d7f2adfdef5a374dce699bb2fcd4d62cd55cc4852",
    content_sha256="5e734a45913d3d008f5f1aa8d57aa2868e54d789159bab70fd5290b42906d1d0",
)
VOTES = DataFile(
    "cifar10h",
    "cifar10h-counts.npy.gz",
    "2c4f9f918a88757f5448a48c33de8f487dcf1d47fa110df58d25300825b3f08e",
    "https://raw.githubusercontent.com/jcpeterson/cifar-10h/"
    "48da312b193b82e6939ec20f23d1f09cbdd849c8/data/cifar10h-counts.npy",
    "9b36b4550349af56c79083356312eb4af856cc5fd3caf1f669d40b9d0bbb69ff",
)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


class Cifar10N(DatasetSettings):
    """The 50,000 training images, y the original labels, and what crowd workers saw in them.

    X [50000, 32, 32, 3] in 0..1, or [50000, 256] with ``features`` (see :mod:`harness.data.features`).
    Extras, int64 [n] each: ``random1`` to ``random3`` (one worker each), ``aggre`` (majority), ``worse`` (a
    wrong label where there is one): 17.23, 18.12, 17.64, 9.01 and 40.21 % wrong.
    """

    name: Literal["cifar10n"] = "cifar10n"
    features: bool = False

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return (IMAGES, ORDER, HUMAN_LABELS)

    def load(self) -> Dataset:
        with np.load(get(HUMAN_LABELS, self.name), allow_pickle=False) as labels:
            y = labels["clean_label"].astype(np.int64)
            extras = {
                name.removesuffix("_label").replace("_label", ""): labels[name].astype(np.int64)
                for name in ("aggre_label", "worse_label", "random_label1", "random_label2", "random_label3")
            }
        return Dataset(self.name, _inputs(self.name, slice(50000), self.features), y, CLASSES, extras)


class Cifar10H(DatasetSettings):
    """The 10,000 test images, y the original labels, and about 51 people's votes on each.

    X [10000, 32, 32, 3] in 0..1, or [10000, 256] with ``features``. Extras: ``votes`` int64 [n, 10].
    """

    name: Literal["cifar10h"] = "cifar10h"
    features: bool = False

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return (IMAGES, ORDER, VOTES)

    def load(self) -> Dataset:
        votes = np.load(io.BytesIO(published(VOTES, self.name)), allow_pickle=False).astype(np.int64)
        with np.load(get(ORDER, self.name), allow_pickle=False) as order:
            y = order["test_label"].astype(np.int64)
        X = _inputs(self.name, slice(50000, 60000), self.features)
        return Dataset(self.name, X, y, CLASSES, {"votes": votes})


def _inputs(dataset: str, rows: slice, features: bool) -> npt.NDArray[np.float32]:
    archive, order = get(IMAGES, dataset), get(ORDER, dataset)
    key = f"cifar10 {IMAGES.sha256} {ORDER.sha256}"
    pixels = cached_array(f"{key} pixels 1", lambda: decode(archive, order))
    if features:
        from harness.data.features import VERSION, extract

        return cached_array(f"{key} features {VERSION}", lambda: extract(pixels))[rows].astype(np.float32)
    return pixels[rows].astype(np.float32) / np.float32(255)


def decode(archive: Path, order: Path) -> npt.NDArray[np.uint8]:
    """All images, uint8 [60000, 32, 32, 3], training part first, in the original order of the Python edition.

    The k-th file of a class, sorted by name, is the k-th image of that class in that order, so the original
    labels say where each file belongs.
    """
    from PIL import Image

    files: dict[str, bytes] = {}
    with tarfile.open(archive, "r|xz") as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isfile() else None
            if stream is not None:
                files[member.name.removeprefix("./")] = stream.read()
    with np.load(order, allow_pickle=False) as labels:
        label_of: dict[str, npt.NDArray[Any]] = {s: labels[f"{s}_label"] for s in ("train", "test")}
    parts = []
    for split, label in label_of.items():
        names = sorted(name for name in files if name.startswith(f"{split}/"))  # so class by class
        if len(names) != len(label):
            raise ProtocolError(f"{archive} holds {len(names)} {split} images, {len(label)} are needed.")
        images = np.empty((len(label), 32, 32, 3), dtype=np.uint8)
        for row, name in zip(np.argsort(label, kind="stable"), names, strict=True):
            images[row] = np.asarray(Image.open(io.BytesIO(files[name])).convert("RGB"))
        parts.append(images)
    return np.concatenate(parts)
