"""What crowds of workers answered, vote by vote: LabelMe and sentence polarity (Rodrigues), and truth-inference sets."""

from __future__ import annotations

import io
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from harness.api import IntArray, Texts
from harness.data.base import TEST, TRAIN, VALIDATION, Dataset, DatasetSettings, standardized
from harness.data.fetch import DataFile, cached_array, get, published
from harness.data.workers import packed

_RODRIGUES = "https://raw.githubusercontent.com/fmenat/PyLearningCrowds/0edf617d0357a43b48dc53f10f4181ec0163d4db/data"
_LI = "https://raw.githubusercontent.com/yuan-li/truth-inference-at-scale/621789b2d57324d3559dc973b2613d2296d73f55/data"
_SCENES = ("highway", "inside city", "tall building", "street", "forest", "coast", "mountain", "open country")


def _file(folder: str, there: str, name: str, sha256: str, plain_sha256: str = "") -> DataFile:
    return DataFile(folder, name, sha256, f"{_RODRIGUES}/{there}/{name.removesuffix('.gz')}", plain_sha256)


_LABELME = {
    name: _file("labelme_crowd", "LabelMe", name, *sha256)
    for name, sha256 in {
        "LabelMe_VGG_avg_train.npy": ("0ddfbcbd722aab70e81525a459cc37d47c1d344322b401ee35a3e9b158a209e8",),
        "LabelMe_VGG_avg_valid.npy": ("cb80ce99ef9fc80c666e6b9c43259ee0aac4e0cf82f8ac654b8bb309fb28953d",),
        "LabelMe_VGG_avg_test.npy": ("af407538f702f98e775f233652152cdcb58583c9d4668492308151c126ce7873",),
        "LabelMe_Z_train.txt": ("229556bdc5da327dd7d4e4154ba180969091c83f43cf8cbee3727131c5a062f6",),
        "LabelMe_Z_valid.txt": ("40aba43f903a539b38243c411e214da1f8c696cc47aa59811cc3388cc6899892",),
        "LabelMe_Z_test.txt": ("6d508b638d41fa84b2628615270456df96a49dce18054d201ac6261b03ea77bc",),
        "answers.txt.gz": (
            "b473913ad6862a614c55ca597f5e99c24436726c599a3f68ff50cb5b5a2dc1f6",
            "354c282e10835a59962494acb1d180fe997b65a0aa1e27f870cdb4ef51ef3e2b",
        ),
    }.items()
}
_SENTIMENT = {
    name: _file("sentiment_crowd", "Sentiment", name, *sha256)
    for name, sha256 in {
        "Sentiment_text_train.txt.gz": (
            "91c2c8f56eeff34465ced08bed06886b3f1619e7863ccadf73e651e1b6ff5847",
            "bec8026c384e895f48c18e728519aa4dd3f4a362da656623e15d40470def716d",
        ),
        "Sentiment_text_test.txt.gz": (
            "66ccacf8946cda1ce6b52ab97014dd1f7cdb4c2b6a2631811ec85be6a4c5ad7c",
            "2da4301784fc621df456c7ece19b1a7f9df2d0735a81d32ffb6f04ebaaf094cd",
        ),
        "Sentiment_Z_train.txt": ("623ca5a651273e491bbdc39e8a49909323c15df20468780db1b26dd520ed399c",),
        "Sentiment_Z_test.txt": ("261d1edd1bfe337c1d3d62f0df28cedc679e00bce9d6b53f46aa8cce7374b0fd",),
        "answers.txt.gz": (
            "0cec8af82badb4535c75fee3adc31291f8dd52b8857fbeef9a81befc6582de64",
            "fb39e4103f326a2798e5a6b7eeb1840beceb2e826a619cc19089c6a24041f82a",
        ),
    }.items()
}

_SETS = {  # folder in the repository, classes, SHA-256 of label.csv and truth.csv
    "bluebird": (
        "SpectralMethodsMeetEM/bluebird",
        ("0", "1"),
        "e9362c5b1af0dbace899acf1dd8c597dbdf25350285776bea0cf5255bc7bdfa3",
        "6ee30f25a19156cbb2741a8990ccae3bc1d0b60f17c3d560936d442a630d83e8",
    ),
    "dog": (
        "SpectralMethodsMeetEM/dog",
        ("0", "1", "2", "3"),
        "c240c0efc442e4936b35f28424d66fb04e687c0f29b254af94c26e15a71aa820",
        "b299494a7aba3cf5abcd3b0e002f6e899f3e1f1d864a26703325db355555cb76",
    ),
    "product": (
        "crowd_truth_inference/d_jn-product",
        ("0", "1"),
        "525098daa3d9aa4919160ecef7daaf65a42d2b92c01ffbb5b5ff17b63110b366",
        "cd86cc6574fa1693520085eb4b4919e6676afbdffbf53b708edadeeb0150d2f6",
    ),
    "rte": (
        "SpectralMethodsMeetEM/rte",
        ("0", "1"),
        "2ad788bb36cf9206c496ffdf5e4dec466a1de420bc0c403404e9d3367024ff66",
        "c30bcc6dcdfd703e6e435c24ac7e2da56d85e687be398c365d2b2656c8e7f3cb",
    ),
    "trec": (
        "SpectralMethodsMeetEM/trec",
        ("0", "1"),
        "8bfc1d6036ab5b9e489755db7ea89be80a1ec0fe523527cf7966cb52f662696b",
        "e66a5ae31d542fcf1dc929d568d2f9489245fe201e48ff322b7de1f19f9e5dd6",
    ),
    "web": (
        "SpectralMethodsMeetEM/web",
        ("0", "1", "2", "3", "4"),
        "90b6e66284288079fab48593c61fb7949f964d007fce077b13d21d0b7ab43211",
        "1b215fe642b88107fc07c0f4b9169b70e178f3a65f76926ea1fbeb86fd688c4d",
    ),
}


class LabelmeCrowd(DatasetSettings):
    """Photographs of eight kinds of scenes, and what 59 workers said of the 1,000 that are for training.

    X [2688, 512]: averaged VGG features, columns standardised by the training rows. Extras: ``part`` (0: 1,000 training, 1: 500
    validation, 2: 1,188 test); ``votes`` [n, 8], ``vote_label`` and ``vote_annotator`` [n, 3], -1 where a row has fewer.
    """

    name: Literal["labelme_crowd"] = "labelme_crowd"

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return tuple(_LABELME.values())

    def load(self) -> Dataset:
        arrays, truths = [], []
        for name in ("train", "valid", "test"):
            arrays.append(np.load(get(_LABELME[f"LabelMe_VGG_avg_{name}.npy"], self.name), allow_pickle=False))
            truths.append(_whole(_LABELME[f"LabelMe_Z_{name}.txt"], self.name).ravel())
        y = np.concatenate(truths)
        part = np.repeat([TRAIN, VALIDATION, TEST], [len(truth) for truth in truths])
        X = standardized(np.concatenate(arrays), np.flatnonzero(part == TRAIN))
        votes = _answers(_LABELME["answers.txt.gz"], self.name, len(y), len(_SCENES))
        return Dataset(self.name, X, y, _SCENES, {"part": part, **votes})


class SentimentCrowd(DatasetSettings):
    """Sentences of film reviews, kind or unkind, and what 203 workers said of each.

    X [4999, dimension]: hashed words and characters of unit length; ``texts``: the sentences. Extras: ``votes`` [n, 2],
    ``vote_label`` and ``vote_annotator`` [n, 10], -1 where a row has fewer. ``phrases``: with the 3,999 published test rows as
    well, which nobody voted on, and ``part`` (0 sentences, 2 those).
    """

    name: Literal["sentiment_crowd"] = "sentiment_crowd"
    dimension: int = Field(1024, ge=16, le=65536)
    phrases: bool = False

    @property
    def has_texts(self) -> bool:
        return True

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return tuple(_SENTIMENT.values())

    def load(self) -> Dataset:
        from harness.data.own import hashing

        documents: list[str] = []
        truths, parts = [], (TRAIN, TEST) if self.phrases else (TRAIN,)
        for name in ("train", "test")[: len(parts)]:
            text = published(_SENTIMENT[f"Sentiment_text_{name}.txt.gz"], self.name).decode("utf-8")
            documents += text.removesuffix("\n").split("\n")
            truths.append(_whole(_SENTIMENT[f"Sentiment_Z_{name}.txt"], self.name).ravel())
        y = np.concatenate(truths)
        pinned = "".join(file.sha256 for file in self.files() if "_text_" in file.name)
        key = f"sentiment_crowd {pinned} {self.phrases} hashed {hashing.VERSION} {self.dimension}"
        X = cached_array(key, lambda: hashing.hashed(documents, self.dimension))
        extras = _answers(_SENTIMENT["answers.txt.gz"], self.name, len(y), 2)
        if self.phrases:
            extras["part"] = np.repeat(parts, [len(truth) for truth in truths])
        return Dataset(self.name, X, y, ("negative", "positive"), extras, Texts.of(documents))


class CrowdLabels(DatasetSettings):
    """Items of which nothing is known but who said what, and the truth of all or some: X [n, 1] is zero.

    Extras: ``known`` (1: the truth of the item is known; y of the others is 0 and means nothing); ``votes`` [n, C],
    ``vote_label`` and ``vote_annotator`` [n, K], -1 where an item has fewer.
    """

    name: Literal["crowd_labels"] = "crowd_labels"
    of: Literal["bluebird", "dog", "product", "rte", "trec", "web"] = "rte"

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return tuple(file for name in _SETS for file in _pair(name))

    def load(self) -> Dataset:
        classes = _SETS[self.of][1]
        cast, true = (_whole(file, self.name, ",", 1) for file in _pair(self.of))
        items, item = np.unique(cast[:, 0], return_inverse=True)
        _, annotator = np.unique(cast[:, 1], return_inverse=True)
        at = np.searchsorted(items, true[:, 0])
        y, known = np.zeros((2, len(items)), np.int64)
        y[at], known[at] = true[:, 1], 1
        votes = packed(item, annotator, cast[:, 2], len(items), len(classes))
        return Dataset(self.name, np.zeros((len(items), 1), np.float32), y, classes, {"known": known, **votes})


def _pair(name: str) -> tuple[DataFile, DataFile]:
    there, _, labels, truth = _SETS[name]
    folder = f"crowd_labels/{name}"
    return (
        DataFile(folder, "label.csv", labels, f"{_LI}/{there}/label.csv"),
        DataFile(folder, "truth.csv", truth, f"{_LI}/{there}/truth.csv"),
    )


def _whole(file: DataFile, dataset: str, delimiter: str | None = None, header: int = 0) -> IntArray:
    """A table of whole numbers, int64 [rows, columns]."""
    table: IntArray = np.loadtxt(
        io.BytesIO(published(file, dataset)), np.int64, delimiter=delimiter, skiprows=header, ndmin=2
    )
    return table


def _answers(file: DataFile, dataset: str, n: int, n_classes: int) -> dict[str, npt.NDArray[np.int64]]:
    """Votes of the first rows of n, from a table with a column a worker and -1 for no answer."""
    table = _whole(file, dataset)
    item, annotator = np.nonzero(table >= 0)
    return packed(item, annotator, table[item, annotator], n, n_classes)
