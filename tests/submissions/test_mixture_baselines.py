"""Regressions of losses on mixtures against closed forms, other fits of the same law, and data made by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from harness import api
from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.manifest import MANIFEST
from tests.tracks.helpers import baseline

NAMES = sorted(p.parent.name for p in (SUBMISSIONS_DIR / "mixture").glob(f"*/{MANIFEST}"))
SLOPES = np.array([[-1.0, 0.5, 0.2, -0.3], [0.4, -2.0, 0.1, 0.0]]).T


def part(name: str, function: str) -> Any:
    return baseline("mixture", name).__globals__[function]


def law_data(n: int = 80, m: int = 50, seed: int = 0) -> tuple[Any, np.ndarray]:
    """Mixtures of four domains whose losses follow c + exp(b + t . shares), and the candidates' losses."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(4), n + m)
    losses = np.array([2.0, 1.0]) + np.exp(np.array([0.5, 0.8]) + shares @ SLOPES)
    model = load_model("logistic", device="cpu", n_classes=1)
    task = api.MixtureTask(
        n_classes=1,
        rng=np.random.default_rng(1),
        model=model,
        mixtures=shares[:n].astype(np.float32),
        losses=losses[:n],
        candidates=shares[n:].astype(np.float32),
        domains=api.Texts.of("wxyz"),
        targets=api.Texts.of("ab"),
    )
    return task, losses[n:]


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"random"}))
def test_the_order_of_a_known_law_is_found(name: str) -> None:
    task, truth = law_data()
    found = baseline("mixture", name)(task)
    assert found.shape == truth.shape
    for t in range(2):
        least = 0.75 if name == "nearest" else 0.95
        assert np.corrcoef(found[:, t], truth[:, t])[0, 1] > least


def test_the_mixing_law_recovers_data_made_by_it() -> None:
    task, truth = law_data()
    fitted, law = part("data_mixing_law", "fitted"), part("data_mixing_law", "law")
    for t in range(2):
        numbers = fitted(task.mixtures.astype(float), task.losses[:, t], 1e-9)
        assert law(task.candidates.astype(float), *numbers) == pytest.approx(truth[:, t], abs=1e-3)


def test_the_mixing_law_is_where_another_optimiser_ends() -> None:
    """Nelder and Mead from several starts, which know no derivative, find no lower sum of squares."""
    task, _ = law_data()
    shares, losses = task.mixtures.astype(float), task.losses[:, 0] + np.random.default_rng(2).normal(0, 0.05, 80)
    fitted, penalty = part("data_mixing_law", "fitted"), 1e-2

    def cost(numbers: np.ndarray) -> float:
        off = numbers[0] + np.exp(numbers[1] + shares @ numbers[2:]) - losses
        return float(off @ off + penalty * numbers[2:] @ numbers[2:])

    c, b, t = fitted(shares, losses, penalty)
    ours = cost(np.r_[c, b, t])
    for seed in range(3):
        start = np.random.default_rng(seed).normal(0, 0.5, 6)
        other = minimize(
            cost, start, method="Nelder-Mead", options={"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-9}
        )
        assert ours <= other.fun + 1e-6


def test_ridge_is_the_closed_form_at_the_penalty_of_least_leave_one_out_error() -> None:
    task, _ = law_data(30)
    F, G = (part("ridge", "features")(shares) for shares in (task.mixtures, task.candidates))
    centre = F.mean(axis=0)
    F, G = F - centre, G - centre
    for t, losses in enumerate(task.losses.T):
        y = losses - losses.mean()
        best = (np.inf, 0.0)
        for penalty in part("ridge", "PENALTIES"):
            hat = F @ np.linalg.solve(F.T @ F + penalty * np.eye(8), F.T) + 1 / len(F)
            best = min(best, (float(np.mean(((y - hat @ y) / (1 - np.diag(hat))) ** 2)), float(penalty)))
        expected = losses.mean() + G @ np.linalg.solve(F.T @ F + best[1] * np.eye(8), F.T @ y)
        assert baseline("mixture", "ridge")(task)[:, t] == pytest.approx(expected, abs=1e-5)


def test_the_nearest_mixture_shares_most() -> None:
    task, _ = law_data()
    found = baseline("mixture", "nearest")(task)
    for i, candidate in enumerate(task.candidates):
        shared = [float(np.minimum(candidate, known).sum()) for known in task.mixtures]
        assert found[i].tolist() in [task.losses[k].tolist() for k in np.flatnonzero(np.isclose(shared, max(shared)))]


def test_a_gaussian_process_predicts_the_posterior_mean() -> None:
    """By the formula, under the lengths that scikit-learn learns."""
    task, _ = law_data(25)
    known, asked = np.sqrt(task.mixtures.astype(float)), np.sqrt(task.candidates.astype(float))
    kernel = ConstantKernel(1.0, (1e-2, 1e4)) * RBF(np.ones(4), (1e-1, 1e3)) + WhiteKernel(1e-2, (1e-6, 1.0))
    for t, losses in enumerate(task.losses.T):
        order = np.random.default_rng(1).permutation(25)
        learned = GaussianProcessRegressor(kernel, normalize_y=True).fit(known[order], losses[order]).kernel_
        y = (losses - losses.mean()) / losses.std()
        mean = losses.mean() + losses.std() * learned(asked, known) @ np.linalg.solve(learned(known), y)
        assert baseline("mixture", "gaussian_process")(task)[:, t] == pytest.approx(mean, abs=1e-3)
        task, _ = law_data(25)  # its generator as new
