"""The fixed language models against the obvious way: dictionaries, fits one by one, a loop over torch's own layers."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import Texts
from harness.models import load_model
from tests.benchmarks.compare import Result, abab, cpu, say, spread
from tests.models.plain_lm import PlainNgrams, train_plain_gpt

TRAINED, SCORED = 1_000_000, 600_000  # bytes
SUBSETS = 20
SMALL: dict[str, Any] = {"tokens": 32_768}


def reviews(folder: Path) -> list[bytes]:
    """Film reviews of NLTK's collection, 2,000 of 4 kB."""
    with zipfile.ZipFile(folder / "nltk_text" / "movie_reviews.zip") as archive:
        return [archive.read(name) for name in sorted(archive.namelist()) if name.endswith(".txt")]


def up_to(documents: list[bytes], size: int) -> Texts:
    """The first documents of ``size`` bytes in all."""
    lengths = np.cumsum([len(one) for one in documents])
    chosen = documents[: int(np.searchsorted(lengths, size)) + 1]
    offsets = np.concatenate([[0], lengths[: len(chosen)]]).astype(np.int64)
    return Texts(np.frombuffer(b"".join(chosen), np.uint8), offsets)


def language_models(rounds: int, folder: Path) -> list[Result]:
    """1 MB trained and 0.6 MB scored; the dictionary a twentieth of both, which is in its favour."""
    if not (folder / "nltk_text" / "movie_reviews.zip").is_file():
        print(f"language models: skipped, no film reviews in {folder / 'nltk_text'} (--data)", file=sys.stderr)
        return []
    documents = reviews(folder)
    trained, scored = up_to(documents, TRAINED), up_to(documents[::-1], SCORED)
    return [
        against_dictionary(trained, scored, rounds),
        *against_fits_one_by_one(trained, scored, rounds),
        against_plain_loop(trained, rounds),
    ]


def against_dictionary(trained: Texts, scored: Texts, rounds: int) -> Result:
    """Milliseconds a megabyte trained and 0.6 scored, in one core."""
    few, fewer = trained[: len(trained) // 20], scored[: len(scored) // 20]
    share = len(few.data) / len(trained.data)

    def ours() -> float:
        per_byte: float = load_model("ngram_lm").fit(trained).bits_per_byte(scored)
        return per_byte

    def theirs() -> float:
        model = PlainNgrams([few.encoded(i) for i in range(len(few))])
        return sum(model.bits(fewer.encoded(i)) for i in range(len(fewer))) / len(fewer.data)

    ours()
    result = spread([(cpu(ours) * 1e3, cpu(theirs) / share * 1e3) for _ in range(rounds)])
    apart = abs(load_model("ngram_lm").fit(few).bits_per_byte(fewer) - theirs())
    return say("ngram_lm, 1 MB and 0.6 MB, dictionary", result | {"bits_apart": float(f"{apart:.1g}")})


def against_fits_one_by_one(trained: Texts, scored: Texts, rounds: int) -> list[Result]:
    """Halves drawn at random, and all documents but one: what counting once brings, milliseconds a model."""
    rng, n = np.random.default_rng(0), len(trained)
    kinds = {
        "random halves": [np.flatnonzero(rng.random(n) < 0.5) for _ in range(SUBSETS)],
        "all but one": [np.delete(np.arange(n), i) for i in range(SUBSETS)],
    }
    results = []
    for kind, subsets in kinds.items():

        def together(subsets: list[np.ndarray] = subsets) -> object:
            return load_model("ngram_lm").fit_many(trained, subsets=subsets).bits(scored)

        def one_by_one(subsets: list[np.ndarray] = subsets) -> object:
            return [load_model("ngram_lm").fit(trained[rows]).bits(scored) for rows in subsets[:4]]

        result = abab(together, one_by_one, SUBSETS, 4, rounds)
        results.append(say(f"ngram_lm, {SUBSETS} models, {kind}, one by one", result))
    return results


def against_plain_loop(trained: Texts, rounds: int) -> Result:
    """Milliseconds a thousand tokens trained, one thread."""
    import torch

    torch.set_num_threads(1)

    def ours() -> object:
        return load_model("transformer_lm", device="cpu", **SMALL).fit(trained)

    def theirs() -> object:
        settings: Any = load_model("transformer_lm", device="cpu", **SMALL).settings
        return train_plain_gpt(settings, trained, np.ones(len(trained)))

    return say("transformer_lm, 1,000 tokens, plain loop", abab(ours, theirs, 32, 32, rounds))
