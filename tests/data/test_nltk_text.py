"""Documents cut from the packed collections: nothing is lost, nothing of two files stands in one, each file's encoding is right."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.data import nltk_text
from harness.data.base import Dataset

Load = Callable[..., Dataset]


def test_documents_hold_every_piece_once_and_in_order() -> None:
    pieces = [f"line {i} " + "x" * (i % 40) for i in range(100)]
    found = list(nltk_text.documents(pieces, 200))
    assert "\n".join(found).split("\n") == pieces
    assert all(200 <= len(one) < 300 for one in found[:-1])
    assert len(found[-1]) >= 100


def test_a_short_rest_joins_the_document_before_it_and_a_long_piece_is_cut_between_sentences() -> None:
    assert list(nltk_text.documents(["a" * 100, "b" * 100, "rest"], 100)) == ["a" * 100, "b" * 100 + "\nrest"]
    assert list(nltk_text.documents(["only"], 100)) == ["only"]
    assert list(nltk_text.documents([], 100)) == []
    long = "A sentence of a speech. " * 20
    assert {len(one) > 0 and one.endswith(".") for one in nltk_text.documents([long.strip()], 100)} == {True}


def test_annotations_and_tags_are_left_out() -> None:
    review = "* Annotated by\n[t]a title\nphone[+3], work[+2]##it works .\n##so it goes .\n\n"
    assert nltk_text.sentences_of_reviews(review) == ["a title", "it works .", "so it goes ."]
    assert nltk_text.entries("  <Pros>Easy to use </Pros>\n<Cons>heavy</Cons>") == ["Easy to use", "heavy"]
    play = "<SPEECH>\n<SPEAKER>PUCK</SPEAKER>\n<LINE>Over <STAGEDIR>Aside</STAGEDIR> hill</LINE>\n</SPEECH>\n<STAGEDIR>Exit</STAGEDIR>"
    assert nltk_text.speeches(play) == ["PUCK\nOver Aside hill", "Exit"]


def test_domains_and_encodings_of_the_real_files(real: Load, data_dir: Path) -> None:
    data = real("nltk_documents")
    assert data.texts is not None
    assert np.bincount(data.y).min() >= 40
    text = {name: "\n".join(data.texts[np.flatnonzero(data.y == c)]) for c, name in enumerate(data.class_names)}
    assert "God said, Let there be light" in text["genesis"]
    assert "Gud sade: »Varde ljus»" in text["genesis_swedish"] or "Och Gud såg" in text["genesis_swedish"]
    assert "Dieu dit: Que la lumière soit" in text["genesis_french"]
    assert "man’s genius" in text["state_union"]
    assert "sabbatical\u2014and then" in text["inaugural"]
    assert "<" not in text["shakespeare"]
    assert text["product_reviews"].count("##") < 20  # those within a line
    with zipfile.ZipFile(data_dir / "nltk_text" / "subjectivity.zip") as packed:
        plots = packed.read("subjectivity/plot.tok.gt9.5000").decode()
    assert text["film_plots"].split() == plots.split()


@pytest.mark.parametrize("size", [400, 4000])
def test_documents_are_about_as_long_as_asked_for(real: Load, size: int) -> None:
    texts = real("nltk_documents", size=size).texts
    assert texts is not None
    assert size <= np.median(np.diff(texts.offsets)) < 1.5 * size
