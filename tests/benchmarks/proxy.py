"""``scripts/proxy``: does the cheap language model stand for the expensive one, and where does it not?

Sets of documents of one size (of one domain, of two, of all, drawn at random) are made from NLTK's collections, and each
model is trained on each of them and scored on hidden documents of every domain. Printed are Spearman's rank
correlation and the share of pairs of sets that two models put in the same order: over all sets, and over the mixed
ones alone, which lie close together.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import IntArray, Texts
from harness.models import load_model

DOMAINS = {
    "genesis": ("genesis", "english-"),
    "inaugural": ("inaugural", ".txt"),
    "state_union": ("state_union", ".txt"),
    "shakespeare": ("shakespeare", ".xml"),
    "movie_reviews": ("movie_reviews", ".txt"),
    "product_reviews": ("product_reviews_1", ".txt"),
}
PART = 2_000  # bytes of a document
POOL, HIDDEN, BUDGET = 300_000, 10_000, 150_000  # bytes of a domain, of its hidden documents, of a set
SHARED: dict[str, Any] = {"tokens": 262_144}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "ngram_lm": ("ngram_lm", {}),
    "ngram_lm, order 3": ("ngram_lm", {"order": 3}),
    "transformer_lm, 0.07M": ("transformer_lm", SHARED | {"layers": 2, "width": 48}),
    "transformer_lm, 0.34M": ("transformer_lm", SHARED | {"layers": 2, "width": 112}),
}


@dataclass(frozen=True)
class Pool:
    """Documents with the domain of each; some are hidden."""

    documents: Texts
    domain: IntArray  # [n]
    hidden: Texts
    hidden_domain: IntArray


def parts(folder: Path, domain: str) -> list[str]:
    """The domain's text in parts of ``PART`` bytes, tags taken out."""
    archive, ending = DOMAINS[domain]
    with zipfile.ZipFile(folder / "nltk_text" / f"{archive}.zip") as opened:
        names = [name for name in sorted(opened.namelist()) if ending in name and "README" not in name]
        texts = [re.sub(r"<[^>]*>", "", opened.read(name).decode("latin-1")) for name in names]
    text = re.sub(r"[ \t]+", " ", re.sub(r"\n\s*\n", "\n", "\n".join(texts)))
    return [text[i : i + PART] for i in range(0, len(text) - PART, PART)]


def pool(folder: Path, rng: np.random.Generator) -> Pool:
    """Every domain alike; hidden documents are drawn first."""
    found, hidden, domain, hidden_domain = [], [], [], []
    for d, name in enumerate(DOMAINS):
        own = parts(folder, name)
        order = rng.permutation(len(own))
        aside, rest = order[: HIDDEN // PART], order[HIDDEN // PART :][: POOL // PART]
        hidden += [own[i] for i in aside]
        found += [own[i] for i in rest]
        hidden_domain += [d] * len(aside)
        domain += [d] * len(rest)
    return Pool(Texts.of(found), np.array(domain), Texts.of(hidden), np.array(hidden_domain))


def sets(made: Pool, rng: np.random.Generator) -> dict[str, IntArray]:
    """Rows of every set, by name; each has about ``BUDGET`` bytes."""
    size, chosen = BUDGET // PART, dict[str, IntArray]()
    of = [np.flatnonzero(made.domain == d) for d in range(len(DOMAINS))]
    names = list(DOMAINS)
    for name, rows in zip(names, of, strict=True):
        chosen[f"pure {name}"] = rng.permutation(rows)[:size]
    for a, b in itertools.combinations(range(len(names)), 2):
        chosen[f"mixed {names[a]} + {names[b]}"] = np.concatenate([rng.permutation(of[d])[: size // 2] for d in (a, b)])
    for i in range(3):
        chosen[f"random {i}"] = rng.permutation(len(made.domain))[:size]
    return chosen


def scores(name: str, settings: dict[str, Any], made: Pool, chosen: dict[str, IntArray]) -> np.ndarray:
    """Mean over domains of bits per byte of its hidden documents, [sets]."""
    model: Any = load_model(name, device="cpu", **settings)
    bits = model.fit_many(made.documents, subsets=list(chosen.values())).bits(made.hidden)
    size = np.diff(made.hidden.offsets)
    own = [made.hidden_domain == d for d in range(len(DOMAINS))]
    per_domain: np.ndarray = np.stack([bits[:, rows].sum(axis=1) / size[rows].sum() for rows in own])
    mean: np.ndarray = per_domain.mean(axis=0)
    return mean


def agreement(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Spearman's correlation, and the share of pairs in the same order."""
    from scipy.stats import spearmanr

    i, j = np.triu_indices(len(a), 1)
    return float(spearmanr(a, b).statistic), float((np.sign(a[i] - a[j]) == np.sign(b[i] - b[j])).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    beside = Path(__file__).parents[3] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HARNESS_DATA_DIR") or beside))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    made = pool(options.data, rng)
    chosen = sets(made, rng)
    found = {}
    for label, (name, settings) in MODELS.items():
        began = time.process_time()
        found[label] = scores(name, settings, made, chosen)
        print(f"{label}: {len(chosen)} sets in {time.process_time() - began:.0f} CPU s", flush=True)
    print(f"\n| set | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    for i, label in enumerate(chosen):
        print(f"| {label} | {' | '.join(f'{score[i]:.3f}' for score in found.values())} |")
    mixed = np.array([not label.startswith("pure") for label in chosen])
    print("\n| models | all sets: Spearman | pairs alike | mixed sets: Spearman | pairs alike |\n|---|---|---|---|---|")
    for a, b in itertools.combinations(found, 2):
        figures = [*agreement(found[a], found[b]), *agreement(found[a][mixed], found[b][mixed])]
        print(f"| {a} and {b} | {' | '.join(f'{figure:.2f}' for figure in figures)} |")


if __name__ == "__main__":
    main()
