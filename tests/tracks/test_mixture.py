"""Mixture: ranks against scipy, views against the files read by pandas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from harness.data.base import Dataset
from harness.errors import ProtocolError
from harness.models import load_model
from harness.tracks.metrics import rank_correlation
from harness.tracks.mixture import Mixture, MixtureSettings
from tests.tracks.helpers import bind, cell

RNG = np.random.default_rng(0)


@pytest.fixture
def track(real_folder: Callable[[str], Path]) -> Any:
    real_folder("regmix")
    return bind("mixture_regmix", "track.known=40", "track.hidden=100")


def test_correlations_are_those_of_scipy_and_weights_repeat_rows() -> None:
    predicted, measured = RNG.integers(0, 6, (30, 3)).astype(float), RNG.normal(size=(30, 3))
    weights = RNG.integers(0, 4, (5, 30)).astype(float)
    found = rank_correlation(predicted, measured, weights)
    for r, counts in enumerate(weights.astype(int)):
        rows = np.repeat(np.arange(30), counts)
        expected = [spearmanr(predicted[rows, t], measured[rows, t]).statistic for t in range(3)]
        assert found[r] == pytest.approx(expected, abs=1e-12)
    assert rank_correlation(np.zeros((30, 3)), measured, np.ones((1, 30))).tolist() == [[0, 0, 0]]


def test_a_view_has_rows_of_the_files_and_no_hidden_loss(track: Any, real_folder: Callable[[str], Path]) -> None:
    folder = real_folder("regmix")
    view, key = track.prepare(1)
    tables = {name: pd.read_csv(folder / f"{name}_1m.csv", index_col="index") for name in (
        "train_mixture", "train_pile_loss", "test_mixture", "test_pile_loss")}  # fmt: skip
    named = [f"train_the_pile_{name}" for name in view.texts["domains"]]
    lost = [f"metric/the_pile_{name}_val_loss" for name in view.texts["targets"]]
    assert (named, lost) == (list(tables["train_mixture"]), list(tables["train_pile_loss"]))
    for part, shares, losses in (
        ("train", view.arrays["mixtures"], view.arrays["losses"]),
        ("test", view.arrays["candidates"], key.losses),
    ):
        known = {row.tobytes(): i for i, row in enumerate(tables[f"{part}_pile_loss"].to_numpy())}
        rows = [known[np.ascontiguousarray(row).tobytes()] for row in losses]
        assert len(set(rows)) == len(rows) == {"train": 40, "test": 100}[part]
        assert shares == pytest.approx(tables[f"{part}_mixture"].to_numpy()[rows], abs=1e-7)
    assert set(view.arrays) == {"mixtures", "losses", "candidates"}


def test_the_score_is_the_mean_over_targets_and_regret_is_what_the_choice_costs(track: Any) -> None:
    view, key = track.prepare(0)
    guess = key.losses + RNG.normal(size=key.losses.shape)
    score = track.score({"losses": guess}, view, key, 0)
    each = [spearmanr(guess[:, t], key.losses[:, t]).statistic for t in range(13)]
    assert score.value == pytest.approx(np.mean(each))
    assert score.metrics["spearman_pile_cc"] == pytest.approx(each[8])
    assert score.metrics["least"] == pytest.approx(min(each))
    costs = [key.losses[guess[:, t].argmin(), t] - key.losses[:, t].min() for t in range(13)]
    assert score.metrics["regret"] == pytest.approx(np.mean(costs))


def test_references_bound_the_scale(track: Any) -> None:
    view, key = track.prepare(0)
    skyline, floor = (track.reference(which, view, key, 0) for which in ("skyline", "random"))
    assert (skyline.value, skyline.metrics["regret"]) == (1, 0)
    assert abs(floor.value) < 0.1
    assert track.statistic(floor.items, np.ones((1, 100)))[0] == pytest.approx(floor.value)
    constant = track.score({"losses": np.ones((100, 13))}, view, key, 0)
    assert constant.value == 0
    shifted = track.score({"losses": np.exp(key.losses) * 1e3}, view, key, 0)
    assert shifted.value == 1, "the order counts, not the scale"


def test_baselines_come_in_the_order_of_what_they_know(track: Any) -> None:
    scores = {name: cell(track, name).value for name in ("random", "nearest", "data_mixing_law", "ridge")}
    assert scores["random"] < 0.2 < scores["nearest"] < scores["data_mixing_law"]
    assert scores["ridge"] > scores["nearest"]


def test_other_data_and_too_many_mixtures_are_one_paragraph(track: Any) -> None:
    model = load_model("logistic", device="cpu")
    plain = Dataset("plain", np.zeros((4, 2)), np.zeros(4, int), ("a",))
    with pytest.raises(ProtocolError, match="plain holds no trained mixtures"):
        Mixture(MixtureSettings(name="mixture"), plain, model, "open").prepare(0)
    many = Mixture(MixtureSettings(name="mixture", known=600), track.dataset, model, "open")
    with pytest.raises(ProtocolError, match="512 training and 256 test mixtures; 600 and 0 are asked for"):
        many.prepare(0)
