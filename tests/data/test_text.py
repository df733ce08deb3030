"""Texts by YAML: hashed features against a plain loop and against scikit-learn's counts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from harness.data.own import hashing
from harness.errors import ProtocolError
from tests.data.own import load, write_csv

DOCUMENTS = [
    "The cat sat on the mat. The CAT sat!",
    "Größe zählt: naïve façades",
    "кот сидел на коврике, кот спал",
    "猫がマットの上に座った。猫",
    "",
    "   \n\t ",
    "a",
    "emoji 😀😀 and\nlines\tand   spaces",
]


def plain(document: str, dimension: int) -> np.ndarray:
    """The definition, n-gram by n-gram in Python's whole numbers."""
    mask = (1 << 64) - 1

    def mix(code: int) -> int:
        code = ((code ^ code >> 30) * 0xBF58476D1CE4E5B9) & mask
        code = ((code ^ code >> 27) * 0x94D049BB133111EB) & mask
        return code ^ code >> 31

    folded = f" {' '.join(document.casefold().split())} "
    words = [
        (m.start(), m.end())
        for m in re.finditer(
            r"[a-z0-9_À-ÖØ-öø-\u1fff\u2070-\u2fff\u3040-\ufe2f\ufe50-\ufeff\uff10-\U0010ffff]+", folded
        )
    ]
    spans = [(n + 16, words[i][0], words[i + n - 1][1], 0) for n in (1, 2) for i in range(len(words) - n + 1)]
    spans += [(n, i, i + n, 1) for n in (3, 4, 5) for i in range(len(folded) - n + 1)]
    halves = [np.zeros(dimension // 2), np.zeros(dimension - dimension // 2)]
    for tag, start, stop, half in spans:
        code = sum(mix(ord(c) + 1) * pow(0x9E3779B97F4A7C15, k, 1 << 64) for k, c in enumerate(folded[start:stop]))
        code = mix((code + tag) & mask)
        halves[half][(code & 0xFFFFFFFF) % len(halves[half])] += 1 if code >> 63 else -1
    row = np.concatenate([half / (np.linalg.norm(half) or 1) for half in halves])
    return row / (np.linalg.norm(row) or 1)


@pytest.mark.parametrize("dimension", [64, 1001])
def test_hashing_is_its_definition(dimension: int) -> None:
    X = hashing.hashed(DOCUMENTS, dimension)
    assert X.dtype == np.float32
    np.testing.assert_allclose(X, [plain(document, dimension) for document in DOCUMENTS], atol=1e-7)


def test_inner_products_are_those_of_the_counts() -> None:
    rng = np.random.default_rng(0)
    words = np.array(["alpha", "beta", "gamma", "delta", "rho", "sigma", "phi", "chi"])
    documents = [" ".join(rng.choice(words, 30)) for _ in range(40)]
    X = hashing.hashed(documents, 1 << 16).astype(np.float64)
    cosines = np.zeros((40, 40))
    for kind, ngrams in (("word", (1, 2)), ("char", (3, 5))):
        padded = [f" {document} " for document in documents]
        counts = CountVectorizer(analyzer=kind, ngram_range=ngrams).fit_transform(padded).toarray().astype(float)
        counts /= np.linalg.norm(counts, axis=1, keepdims=True)
        cosines += counts @ counts.T / 2
    np.testing.assert_allclose(X @ X.T, cosines, atol=0.05)


def test_a_document_does_not_depend_on_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hashing.hashed(DOCUMENTS * 3, 128)
    monkeypatch.setattr(hashing, "_BATCH", 20)
    np.testing.assert_array_equal(hashing.hashed(DOCUMENTS * 3, 128), whole)
    np.testing.assert_array_equal(hashing.hashed(DOCUMENTS[1:2], 128)[0], whole[1])
    assert not whole[4:6].any()


def test_same_bits_on_other_kernels(own_cache: Path) -> None:
    code = (
        "import hashlib; from harness.data.own.hashing import hashed;"
        "d = [f'text number {i} of {i*i}' * 5 for i in range(50)];"
        "print(hashlib.sha256(hashed(d, 512).tobytes()).hexdigest())"
    )
    found = set()
    for features in ("", "AVX2 FMA3 AVX512F AVX512_SKX"):
        env = {**os.environ, "NPY_DISABLE_CPU_FEATURES": features}
        run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        found.add(run.stdout)
    assert len(found) == 1


@pytest.mark.usefixtures("own_cache")
def test_a_table_of_texts(tmp_path: Path) -> None:
    rows = [
        (f'"good, {i} ""fine""\nday"' if i % 2 else f" bad {i}", "yes" if i % 2 else "no", f"u{i // 4}", i)
        for i in range(20)
    ]
    write_csv(tmp_path / "t.csv", [("body", "like", "user", "stars"), *rows])
    data = load(tmp_path, "text", path="t.csv", text="body", label="like", group="user", dimension=256)
    assert data.texts is not None
    assert data.texts[1] == 'good, 1 "fine"\nday'
    assert data.texts[0] == " bad 0"
    assert data.X.shape == (20, 256)
    np.testing.assert_array_equal(data.X, hashing.hashed(list(data.texts), 256))
    assert data.class_names == ("no", "yes")
    assert any("not read: stars" in note for note in data.notes)
    kept = load(tmp_path, "text", path="t.csv", text="body", label="like", meta=["stars", "user"], dimension=256)
    assert kept.extras["stars"][3] == "3"


@pytest.mark.usefixtures("own_cache")
def test_a_folder_of_texts_in_parts(tmp_path: Path) -> None:
    for i in range(24):
        file = tmp_path / "docs" / ("train" if i < 16 else "test") / ("ham" if i % 2 else "spam") / f"{i:02}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"message {i}" if i else " ")
    data = load(tmp_path, "text", path="docs", part="folder")
    assert Counter(data.extras["part"].tolist()) == {0: 16, 2: 8}
    assert data.extras["id"][0] == "test/ham/17.txt"
    assert data.class_names == ("ham", "spam")
    assert any("1 documents are blank: train/spam/00.txt" in note for note in data.notes)
    with pytest.raises(ProtocolError, match="not at the place CLASS/FILE"):
        load(tmp_path, "text", path="docs")
    (tmp_path / "docs" / "test" / "ham" / "x.doc").write_text("")
    with pytest.raises(ProtocolError, match=r"test/ham/x\.doc in docs is none of \.txt"):
        load(tmp_path, "text", path="docs", part="folder")
    with pytest.raises(ProtocolError, match=r"dataset\.label names a column, and docs is a folder"):
        load(tmp_path, "text", path="docs", label="x")


@pytest.mark.usefixtures("own_cache")
def test_equal_texts_with_other_labels_and_blank_ones_are_said(tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", [("text", "label"), ("same", 0), ("same", 1), ("", 0), ("b", 1)])
    said = " ".join(load(tmp_path, "text", path="t.csv", label="label").notes)
    assert "2 of them have different labels, e.g. row 1 (line 2), row 2 (line 3)" in said
    assert "1 documents are blank: row 3 (line 4)" in said
    with pytest.raises(ProtocolError, match=r"dataset\.label is not set"):
        load(tmp_path, "text", path="t.csv")


@pytest.mark.usefixtures("own_cache")
def test_static_vectors_need_their_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_csv(tmp_path / "t.csv", [("text", "label"), *[(f"word {i}", i % 2) for i in range(8)]])

    def absent(name: str) -> str:
        from importlib.metadata import PackageNotFoundError

        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", absent)
    with pytest.raises(ProtocolError, match=r"pip install \"harness\[wordllama\]\""):
        load(tmp_path, "text", path="t.csv", label="label", features="wordllama")
    monkeypatch.undo()


@pytest.mark.usefixtures("own_cache")
def test_static_vectors_of_the_package(tmp_path: Path) -> None:
    wordllama = pytest.importorskip("wordllama", reason="the extra `wordllama` is not installed")
    documents = [f"{'the weather is fine' if i % 2 else 'stocks fell sharply'} today, {i}" for i in range(8)]
    write_csv(tmp_path / "t.csv", [("text", "label"), *[(f'"{text}"', i % 2) for i, text in enumerate(documents)]])
    data = load(tmp_path, "text", path="t.csv", label="label", features="wordllama")
    folder = Path(wordllama.__file__).parent
    theirs = wordllama.WordLlama.load(cache_dir=folder, disable_download=True).embed(documents, norm=True)
    np.testing.assert_allclose(data.X, theirs, atol=1 / 4096)
    similar = data.X @ data.X.T
    assert similar[::2, ::2].min() > similar[::2, 1::2].max()


def test_quotes_may_be_characters_as_any_other(tmp_path: Path) -> None:
    rows = [("ham", '"Hi" he said'), ("spam", 'a 6" pipe, "half open'), ("ham", "plain"), ("spam", "'single'")]
    (tmp_path / "sms.tsv").write_text("kind\tbody\n" + "".join(f"{kind}\t{body}\n" for kind, body in rows))
    keys = {"path": "sms.tsv", "label": "kind", "text": "body"}
    with pytest.raises(ProtocolError, match=r"dataset\.quotes to false"):
        load(tmp_path, "text", **keys)
    data = load(tmp_path, "text", **keys, quotes=False)
    assert data.texts is not None
    assert list(data.texts) == [body for _, body in rows]
