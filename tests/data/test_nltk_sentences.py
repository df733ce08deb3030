"""Subj and MR against the published archives, read another way."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.data.base import Dataset
from harness.data.own import hashing

Load = Callable[..., Dataset]
FILES = {
    "subjectivity": ("plot.tok.gt9.5000", "quote.tok.gt9.5000"),
    "sentence_polarity": ("rt-polarity.neg", "rt-polarity.pos"),
}


@pytest.mark.parametrize("name", FILES)
def test_sentences_are_those_of_the_archive_class_by_class(name: str, real: Load, data_dir: Path) -> None:
    data = real(name)
    assert data.texts is not None
    at = 0
    for label, file in enumerate(FILES[name]):
        with zipfile.ZipFile(data_dir / "nltk_text" / f"{name}.zip") as archive, archive.open(f"{name}/{file}") as raw:
            lines = io.TextIOWrapper(raw, "utf-8").readlines()
        assert [line.strip() for line in lines] == list(data.texts[at : at + len(lines)])
        assert set(data.y[at : at + len(lines)]) == {label}
        at += len(lines)
    assert at == len(data.y) == {"subjectivity": 10_000, "sentence_polarity": 10_662}[name]
    assert len(set(data.texts)) == at
    assert np.array_equal(data.X[::1000], hashing.hashed([data.texts[i] for i in range(0, at, 1000)], 1024))


def test_a_length_of_ones_own(real: Load) -> None:
    data = real("subjectivity", dimension=64)
    assert data.X.shape == (10_000, 64)
    assert np.linalg.norm(data.X, axis=1) == pytest.approx(1, abs=1e-6)
