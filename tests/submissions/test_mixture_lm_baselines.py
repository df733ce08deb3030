"""Mixtures that baselines choose, against other computations of the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Ridge

from harness.api import Texts
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.manifest import MANIFEST
from tests.tracks.helpers import baseline, make_task
from tests.tracks.languages import bound, documents
from tests.tracks.test_mixture_lm import SMALL

NAMES = sorted(path.parent.name for path in (SUBMISSIONS_DIR / "mixture_lm").glob(f"*/{MANIFEST}"))


@pytest.fixture(scope="module")
def task() -> Any:
    track = bound("mixture_lm", **SMALL | {"known": 24})
    return make_task(track, track.prepare(0)[0], 0)


def part(name: str, function: str) -> Any:
    return baseline("mixture_lm", name).__globals__[function]


@pytest.mark.parametrize("name", NAMES)
def test_shares_of_the_domains(name: str, task: Any) -> None:
    weights = baseline("mixture_lm", name)(task)
    assert weights.shape == (2,)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_shares_where_there_is_little_to_go_by(name: str) -> None:
    """One mixture, one domain, losses all alike, domains of one document, a budget below every document."""
    data = documents(per_domain=20)
    for settings in (
        {"known": 1},
        {"known": 2, "domains": ("north",), "pool": 15},
        {"known": 1, "targets": ("east",)},
        {"pool": 2, "known": 1},
        {"pool": 2, "known": 1, "budget": 100_000},
    ):
        track = bound("mixture_lm", data, **SMALL | {"pool": 30, "test": 5, "validation": 5} | settings)
        view, _ = track.prepare(0)
        for losses in (view.arrays["losses"], np.ones_like(view.arrays["losses"])):
            given = replace(view, arrays={**view.arrays, "losses": losses})
            answer = {"weights": baseline("mixture_lm", name)(make_task(track, given, 0))}
            assert track.read_output(answer, view)["weights"].sum() == pytest.approx(1)


def test_best_known_is_that_of_a_loop(task: Any) -> None:
    means = [sum(losses) / len(losses) for losses in task.losses]
    assert baseline("mixture_lm", "best_known")(task).tolist() == task.mixtures[means.index(min(means))].tolist()


def test_regmix_averages_the_best_of_what_its_trees_predict(task: Any) -> None:
    """By hand, with the same draws: trees for each target, predictions added, the hundred least."""
    rng = np.random.default_rng(7)
    again = type(task)(**vars(task) | {"rng": np.random.default_rng(7)})
    drawn = rng.dirichlet([1, 1], 20_000)
    total = [0.0] * len(drawn)
    for t in range(2):
        trees = GradientBoostingRegressor(
            n_estimators=300,
            learning_rate=0.05,
            max_depth=None,
            max_leaf_nodes=8,
            min_samples_leaf=3,
            subsample=0.5,
            random_state=int(rng.integers(2**31)),
        ).fit(task.mixtures, task.losses[:, t])
        total = [a + b for a, b in zip(total, trees.predict(drawn), strict=True)]
    best = sorted(range(len(drawn)), key=total.__getitem__)[:100]
    assert baseline("mixture_lm", "regmix")(again) == pytest.approx(drawn[best].mean(axis=0), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_water_is_poured_where_scipy_finds_the_optimum(seed: int) -> None:
    gains = np.maximum(np.random.default_rng(seed).normal(size=6), 0)
    found = minimize(
        lambda w: -(gains * np.log(w + 0.01)).sum(),
        np.full(6, 1 / 6),
        bounds=[(0, 1)] * 6,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        tol=1e-12,
    )
    assert part("log_linear", "filled")(gains) == pytest.approx(found.x, abs=1e-3)


def test_log_linear_finds_the_mixture_of_losses_made_by_its_law() -> None:
    rng = np.random.default_rng(1)
    mixtures, gains = rng.dirichlet(np.ones(4), 300), np.array([0.4, 0.3, 0.2, 0.0])
    losses = 3 - np.log(mixtures + 0.01) @ np.stack([gains, gains / 2]).T
    made = type("Made", (), {"mixtures": mixtures, "losses": losses, "domains": "abcd"})
    assert baseline("mixture_lm", "log_linear")(made) == pytest.approx(part("log_linear", "filled")(gains), abs=1e-3)
    slopes = Ridge(1e-4).fit(np.log(mixtures + 0.01), losses).coef_.sum(axis=0)
    assert -slopes == pytest.approx(1.5 * gains, abs=1e-3)


def test_doremi_against_the_same_written_as_loops(task: Any) -> None:
    d, size = 2, [len(task.texts.encoded(i)) for i in range(len(task.texts))]
    rows = [[i for i in range(len(size)) if task.domain[i] == k] for k in range(d)]
    out = [[row for place, row in enumerate(of) if place % 5 == 0] for of in rows]
    rest = [[row for place, row in enumerate(of) if place % 5] for of in rows]

    def costs(weights: list[float], budget: float) -> list[float]:
        chosen = []
        for k in range(d):
            used = 0
            for row in rest[k]:
                used += size[row]
                if used > weights[k] * budget:
                    break
                chosen.append(row)
        fitted = task.model.fit(Texts.of(task.texts[row] for row in chosen))
        return [fitted.bits(task.texts[np.array(of)]).sum() / sum(size[row] for row in of) for of in out]

    weights, total = [1 / d] * d, [0.0] * d
    reference = costs(weights, task.budget)
    for _ in range(20):
        now = costs(weights, task.budget / 4)
        weights = [w * np.exp(max(a - b, 0)) for w, a, b in zip(weights, now, reference, strict=True)]
        weights = [(1 - 1e-3) * w / sum(weights) + 1e-3 / d for w in weights]
        total = [a + w for a, w in zip(total, weights, strict=True)]
    assert baseline("mixture_lm", "doremi")(task) == pytest.approx([a / 20 for a in total], abs=1e-9)
