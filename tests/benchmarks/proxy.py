"""``scripts/proxy``: does the cheap language model stand for the expensive one?

Every baseline of a challenge chooses its documents once for each seed, random order and oracle beside them; the very same
documents then train each of several models, which pay for the same hidden ones. Printed are bits per byte of methods under
models, and how two models agree: Spearman's rank correlation over the methods' means, and the share of pairs of methods
that both put in the same order, seed by seed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from tests.tracks.helpers import baseline, bind, run

SIZES: dict[str, dict[str, Any]] = {  # of transformer_lm
    "0.07M": {"layers": 2, "width": 48},
    "0.34M": {"layers": 2, "width": 112},
    "10.6M": {"layers": 6, "width": 384, "heads": 6, "context": 256, "learning_rate": 1e-3},
}

Scores = dict[str, np.ndarray]  # model -> [seeds, methods] bits per byte


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--challenge", default="selection_lm", help="selection_lm, selection_lm_blind or cleaning_lm")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=1_048_576, help="each transformer is trained on")
    parser.add_argument("--sizes", default="0.07M,0.34M", help=f"of transformers: {', '.join(SIZES)} (a GPU's)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    if unknown := set(options.sizes.split(",")) - set(SIZES):
        parser.error(f"there is no size {min(unknown)}; there are {', '.join(SIZES)}")
    return options


def main() -> None:
    options = parsed()
    track = bind(options.challenge, "track.budgets=[]")
    models: dict[str, Any] = {"ngram_lm": track.model}
    for size in options.sizes.split(","):
        settings = SIZES[size] | {"tokens": options.tokens}
        models[f"transformer_lm {size}"] = load_model("transformer_lm", device=options.device, **settings)
    names = sorted(folder.name for folder in (SUBMISSIONS_DIR / track.task.kind).iterdir())
    found: dict[str, list[list[float]]] = {name: [] for name in models}
    for seed in range(options.seeds):
        track.model = models["ngram_lm"]
        view, key = track.prepare(seed)
        answers: list[Any] = [run(track, view, key, baseline(track.task.kind, name), seed) for name in names]
        answers.append("skyline")
        for label, model in models.items():
            began = time.process_time()
            track.model = model
            scores = [
                track.reference(answer, view, key, seed)
                if answer == "skyline"
                else track.score(answer, view, key, seed)
                for answer in answers
            ]
            found[label].append([score.value for score in scores])
            print(
                f"seed {seed}, {label}: {len(scores)} trainings in {time.process_time() - began:.0f} CPU s", flush=True
            )
        report([*names, "skyline"], {label: np.array(rows) for label, rows in found.items()})


def report(methods: list[str], found: Scores) -> None:
    """Two tables in Markdown: methods under models, then models against each other."""
    print(f"\n| method | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    for m in np.argsort(next(iter(found.values())).mean(axis=0)):
        print(f"| {methods[m]} | {' | '.join(f'{scores[:, m].mean():.3f}' for scores in found.values())} |")
    print("\n| models | Spearman | pairs alike |\n|---|---|---|")
    for (a, b), (rho, alike) in agreement(found).items():
        print(f"| {a} and {b} | {rho:.2f} | {alike:.2f} |", flush=True)


def agreement(found: Mapping[str, np.ndarray]) -> dict[tuple[str, str], tuple[float, float]]:
    """Of each two models: Spearman's correlation over the methods' means, and the share of pairs in the same order."""
    from scipy.stats import spearmanr

    labels = list(found)
    out = {}
    for i, a in enumerate(labels):
        for b in labels[i + 1 :]:
            x, y = found[a], found[b]
            one, other = np.triu_indices(x.shape[1], 1)
            alike = np.sign(x[:, one] - x[:, other]) == np.sign(y[:, one] - y[:, other])
            out[a, b] = float(spearmanr(x.mean(axis=0), y.mean(axis=0)).statistic), float(alike.mean())
    return out


if __name__ == "__main__":
    main()
