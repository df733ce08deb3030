"""DataPerf's two training-set selection challenges (Mazumder et al., 2023), read from the organisers' own folder layout.

Neither is published under a checksum known here, so both are local only: put the organisers' folder under
``HARNESS_DATA_DIR`` as the class says.
"""

from __future__ import annotations

import csv
import os
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.data.base import TEST, TRAIN, Dataset, DatasetSettings
from harness.data.fetch import cache_dir
from harness.data.parquet import read_columns
from harness.errors import ProtocolError
from harness.paths import expanded


class DataperfSpeech(DatasetSettings):
    """Keyword spotting in one language: X [n, 1024] embeddings of spoken words, class 0 "nontarget", then the keywords.

    Layout: ``dataperf_speech/dataperf_<language>_data/`` with ``allowed_training_set.yaml`` and ``eval.yaml``, each
    ``{targets: {word: [clip ids]}, nontargets: [clip ids]}``, and ``train_embeddings/`` and ``eval_embeddings/``, one
    parquet file a word (columns clip_id, mswc_embedding_vector). Training rows come first, targets word by word in
    the order of their files, then the nontargets as listed: the order the original classifier sees. Extras:
    ``part`` (0 allowed for training, 2 evaluation) and ``id`` (clip id).
    """

    name: Literal["dataperf_speech"] = "dataperf_speech"
    language: Literal["en", "id", "pt"] = "en"

    @classmethod
    def fetch(cls) -> list[Path]:
        return [_folder("dataperf_speech", "dataperf_en_data")]

    def load(self) -> Dataset:
        folder = _folder("dataperf_speech", f"dataperf_{self.language}_data")
        train = _samples(folder / "allowed_training_set.yaml", folder / "train_embeddings")
        evaluation = _samples(folder / "eval.yaml", folder / "eval_embeddings")
        words = sorted(set(train[1]) - {"nontarget"})
        unknown = sorted(set(evaluation[1]) - {"nontarget", *words})
        if unknown:
            raise ProtocolError(f"{folder / 'eval.yaml'} has the word {unknown[0]!r}, which the training set has not.")
        classes = ("nontarget", *words)
        ids, names = ([*a, *b] for a, b in ((train[0], evaluation[0]), (train[1], evaluation[1])))
        extras = {
            "part": np.repeat(np.array([TRAIN, TEST], dtype=np.int64), [len(train[0]), len(evaluation[0])]),
            "id": np.array(ids),
        }
        y = np.array([classes.index(name) for name in names], dtype=np.int64)
        return Dataset(self.name, np.concatenate([train[2], evaluation[2]]), y, classes, extras)


class DataperfVision(DatasetSettings):
    """Is the concept in the picture? X [n, 256] embeddings of Open Images pictures: the pool, then the test sets.

    Layout: ``dataperf_vision/`` holding the organisers' ``data/`` folder, of which are read
    ``embeddings/train_emb_256_dataperf.parquet`` (ImageID, embedding), ``test_sets/alpha_test_set_<concept>_256.parquet``
    (ImageID, Confidence, embedding) and ``examples/alpha_example_set_<concept>.csv``. The pool has no labels: there
    ``extras["labelled"]`` is 0 and y is a 0 that means nothing, except for the example pictures, known to show a
    concept. Other extras: ``part`` (0 pool, 2 test), ``id`` (ImageID), ``concept`` (of which of the k concepts read the
    row is a test, -1 in the pool) and ``example_of`` [n, k] (1: a pool row known to show that concept).
    """

    name: Literal["dataperf_vision"] = "dataperf_vision"
    concept: Literal["Cupcake", "Hawk", "Sushi", "all"] = "Cupcake"

    @classmethod
    def fetch(cls) -> list[Path]:
        return [_folder("dataperf_vision", "data")]

    def load(self) -> Dataset:
        folder = _folder("dataperf_vision", "data")
        concepts = _CONCEPTS if self.concept == "all" else (self.concept,)
        pool = _table(folder / "embeddings" / "train_emb_256_dataperf.parquet", "ImageID", "embedding")
        tests = [_vision_test(folder / "test_sets" / f"alpha_test_set_{c}_256.parquet") for c in concepts]
        listed = [_vision_examples(folder / "examples" / f"alpha_example_set_{c}.csv") for c in concepts]
        known = np.stack([np.isin(pool["ImageID"], examples) for examples in listed], axis=1).astype(np.int64)
        y_test = np.concatenate([np.array([int(v) for v in test["Confidence"]], dtype=np.int64) for test in tests])
        sizes = [len(test["ImageID"]) for test in tests]
        n, m = len(known), sum(sizes)
        extras = {
            "part": np.repeat(np.array([TRAIN, TEST], dtype=np.int64), [n, m]),
            "labelled": np.concatenate([known.max(axis=1), np.ones(m, np.int64)]),
            "id": np.concatenate([pool["ImageID"], *(test["ImageID"] for test in tests)]),
            "concept": np.repeat(np.arange(-1, len(concepts)), [n, *sizes]),
            "example_of": np.concatenate([known, np.zeros((m, len(concepts)), np.int64)]),
        }
        X = np.concatenate([pool["embedding"], *(test["embedding"] for test in tests)])
        return Dataset(self.name, X, np.concatenate([known.max(axis=1), y_test]), ("absent", "present"), extras)


_CONCEPTS = ("Cupcake", "Hawk", "Sushi")


def _vision_test(path: Path) -> dict[str, npt.NDArray[Any]]:
    return _table(path, "ImageID", "Confidence", "embedding")


def _vision_examples(path: Path) -> list[str]:
    with _present(path).open(newline="") as stream:
        return [row["ImageID"] for row in csv.DictReader(stream) if row["Confidence"] == "1"]


def _samples(listing: Path, embeddings: Path) -> tuple[list[str], list[str], npt.NDArray[np.float32]]:
    """Clip ids, class names and embeddings [n, d] of what a listing names."""
    import yaml

    listed = yaml.safe_load(_present(listing).read_text())
    try:
        wanted = [(str(word), list(map(str, clips))) for word, clips in listed["targets"].items()]
        others = [str(clip) for clip in listed["nontargets"]]
    except (TypeError, KeyError, AttributeError) as error:
        raise ProtocolError(f"{listing} is not {{targets: {{word: [clips]}}, nontargets: [clips]}}.") from error

    @cache
    def table(word: str) -> dict[str, npt.NDArray[Any]]:
        return _table(embeddings / f"{Path(word).name}.parquet", "clip_id", "mswc_embedding_vector")

    ids: list[str] = []
    names: list[str] = []
    vectors: list[npt.NDArray[np.float32]] = []
    for word, clips in wanted:
        rows = np.flatnonzero(np.isin(table(word)["clip_id"], clips))  # in the order of the file, as the original
        ids += table(word)["clip_id"][rows].tolist()
        names += [word] * len(rows)
        vectors.append(table(word)["mswc_embedding_vector"][rows])
    for clip in others:
        word = clip.split("/")[0]  # "cat/common_voice_en_1.wav"
        rows = np.flatnonzero(table(word)["clip_id"] == clip)
        if not len(rows):
            raise ProtocolError(f"{listing} names the clip {clip}, which {embeddings}/{word}.parquet has not.")
        ids.append(clip)
        names.append("nontarget")
        vectors.append(table(word)["mswc_embedding_vector"][rows[:1]])
    return ids, names, np.concatenate(vectors)


def _table(path: Path, *columns: str) -> dict[str, npt.NDArray[Any]]:
    return read_columns(_present(path), columns)


def _present(path: Path) -> Path:
    if not path.is_file():
        raise ProtocolError(f"The file {path} is missing.", "Unpack the organisers' archive again.")
    return path


def _folder(name: str, inner: str) -> Path:
    own = os.environ.get("HARNESS_DATA_DIR")
    places = [*([expanded(own)] if own else []), cache_dir() / "data"]
    for place in places:
        if (place / name / inner).is_dir():
            return place / name / inner
    looked = " and ".join(str(place / name / inner) for place in places)
    raise ProtocolError(
        f"Data set {name} was looked for in {looked}. It is not published under a checksum known here.",
        f"Set HARNESS_DATA_DIR to a directory that holds {name}/{inner}; docs/datasets/{name}.md says where the data "
        "come from.",
    )
