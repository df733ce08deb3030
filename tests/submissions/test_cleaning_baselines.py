"""Baselines of cleaning: allowed, reproducible, and what other implementations of their papers give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.preprocessing import StandardScaler

from harness import api
from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from harness.tracks.base import View
from harness.tracks.cleaning import Cleaning, CleaningKey
from tests.tracks.helpers import baseline, bind, run

NAMES = sorted(path.parent.name for path in (SUBMISSIONS_DIR / "cleaning").glob("*/submission.yaml"))
Prepared = tuple[View, CleaningKey]


@pytest.fixture(scope="module")
def track() -> Cleaning:
    found = bind("cleaning_digits", "track.train=300")
    assert isinstance(found, Cleaning)
    return found


@pytest.fixture(scope="module")
def prepared(track: Cleaning) -> Prepared:
    return track.prepare(0)


def numbers(cells: Any, y: Any = None, raw: Any = None) -> Any:
    """A task of numbers alone, with nothing known of their domain."""
    n, d = cells.shape
    texts = ["" if np.isnan(cell) else f"{cell:g}" for cell in cells.ravel()] if raw is None else raw
    return api.CleaningTask(
        n_classes=2, rng=np.random.default_rng(0), model=load_model("logistic", device="cpu", n_classes=2), cells=cells,
        missing=np.array([text == "" for text in texts]).reshape(n, d), y=np.arange(n) % 2 if y is None else y,
        is_category=np.zeros(d, bool), least=np.full(d, -np.inf), most=np.full(d, np.inf), first_level=np.zeros(d + 1, int),
        allowed=np.empty(0, bool), levels=api.Texts.of([]), names=api.Texts.of(map(str, range(d))), raw=api.Texts.of(texts),
    )  # fmt: skip


@pytest.fixture
def gaps() -> Any:
    rng = np.random.default_rng(3)
    cells = rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5)) + 2
    cells[rng.random(cells.shape) < 0.2] = np.nan
    return cells


def test_all_of_them_are_there() -> None:
    assert set(NAMES) >= {
        "random", "mean_mode", "class_mean", "knn", "iterative", "isolation_forest", "format_repair", "confident_learning",
        "all_steps",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_valid_scored_and_reproducible(name: str, track: Cleaning, prepared: Prepared) -> None:
    first, again = (run(track, *prepared, baseline("cleaning", name)) for _ in range(2))
    assert all(np.array_equal(first[part], again[part]) for part in first)
    assert 0.6 < track.score(first, *prepared, 0).value < 0.9


def test_means_and_modes_are_scikit_learns(track: Cleaning, prepared: Prepared) -> None:
    a = prepared[0].arrays
    out = run(track, *prepared, baseline("cleaning", "mean_mode"))["cells"]
    inside = np.where((a["cells"] >= a["least"]) & (a["cells"] <= a["most"]), a["cells"], np.nan)
    np.testing.assert_allclose(out[:, :16], SimpleImputer().fit_transform(inside[:, :16]))
    grades = np.where(a["cells"] < 4, a["cells"], np.nan)[:, 16:]  # the first four levels are the domain
    np.testing.assert_array_equal(out[:, 16:], SimpleImputer(strategy="most_frequent").fit_transform(grades))


def test_means_of_a_class_are_pandas(gaps: Any) -> None:
    frame = pd.DataFrame(gaps)
    expected = frame.fillna(frame.groupby(np.arange(80) % 2).transform("mean"))
    np.testing.assert_allclose(baseline("cleaning", "class_mean")(numbers(gaps))[0], expected)


def test_near_rows_are_scikit_learns(gaps: Any) -> None:
    """Its distance over shared columns is scaled by their number, which is the mean over them, and the order the same."""
    scale = StandardScaler().fit(gaps)
    expected = scale.inverse_transform(KNNImputer(n_neighbors=10).fit_transform(scale.transform(gaps)))
    np.testing.assert_allclose(baseline("cleaning", "knn")(numbers(gaps))[0], expected)


@pytest.mark.filterwarnings("ignore:.*Early stopping")
def test_rounds_of_regression_are_scikit_learns(gaps: Any) -> None:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    spread = np.nanstd(gaps, axis=0)
    expected = IterativeImputer(max_iter=5, random_state=0).fit_transform(gaps / spread) * spread
    found = baseline("cleaning", "iterative")(numbers(gaps))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(found[~np.isnan(gaps)], gaps[~np.isnan(gaps)])


@pytest.mark.parametrize("name", ["knn", "iterative", "all_steps"])
def test_what_others_tell_is_filled_better_than_by_means(name: str) -> None:
    rng = np.random.default_rng(0)
    true = np.repeat(rng.normal(size=(200, 1)), 4, axis=1) + 0.05 * rng.normal(size=(200, 4))
    holes = rng.random(true.shape) < 0.15
    task = numbers(np.where(holes, np.nan, true))
    error, of_means = (np.abs(baseline("cleaning", n)(task)[0] - true)[holes].mean() for n in (name, "mean_mode"))
    assert error < of_means / 3


def test_odd_rows_are_the_forests(gaps: Any) -> None:
    full = SimpleImputer().fit_transform(gaps)
    full[7] += 40
    task = numbers(full)
    seed = int(np.random.default_rng(0).integers(2**31))
    expected = IsolationForest(random_state=seed).fit_predict(full) == 1
    keep = baseline("cleaning", "isolation_forest")(task)[1]
    np.testing.assert_array_equal(keep, expected)
    assert not keep[7]


def test_what_is_written_oddly_is_read(track: Cleaning, prepared: Prepared) -> None:
    """The number in a text, powers of ten back into the domain, and one wrong letter."""
    view, key = prepared
    a = view.arrays
    out = run(track, view, key, baseline("cleaning", "format_repair"))["cells"]
    written = np.isnan(a["cells"]) & ~a["missing"]
    assert written[:, :16].sum() > 50
    assert np.mean(out[written] == key.clean[written]) > 0.95  # a few are out of their domain as well
    spelt = np.zeros(written.shape, bool)
    spelt[:, 16:] = a["cells"][:, 16:] >= 4
    assert spelt.sum() > 50
    assert (out[spelt] == key.clean[spelt]).all()
    edits = baseline("cleaning", "format_repair").__globals__["edits"]
    assert [edits(*pair) for pair in (("kitten", "sitting"), ("flaw", "lawn"), ("", "ab"), ("much", "muxh"))] == [
        3,
        2,
        2,
        1,
    ]


def test_a_number_ten_times_too_large_is_brought_back() -> None:
    values = np.linspace(1, 5, 41)[:, None].copy()
    values[3] *= 10
    task = numbers(values)
    task.most[:] = 10
    out, keep = baseline("cleaning", "format_repair")(task)
    assert keep.all()
    np.testing.assert_allclose(out[:, 0], np.linspace(1, 5, 41))


@pytest.mark.parametrize("name", ["confident_learning", "all_steps"])
def test_rows_left_out_are_wrong_or_repeated_more_often(name: str, track: Cleaning) -> None:
    wrong, left, again, before = [], [], [], []
    for seed in range(4):
        view, key = track.prepare(seed)
        keep = run(track, view, key, baseline("cleaning", name), seed)["keep"]
        bad = view.arrays["y"] != key.y_true
        wrong.append(bad.mean())
        left.append(bad[keep].mean())
        before.append(key.repeated.mean())
        again.append(key.repeated[keep].mean())
    assert np.mean(left) < 0.6 * np.mean(wrong)
    assert np.mean(again) <= np.mean(before)


def test_repeats_of_a_row_are_found() -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(30, 10))
    rows[[20, 25]] = rows[[3, 4]]
    rows[20, :3], rows[25, 1] = np.nan, 7.0
    task = numbers(rows, np.repeat([0, 1], 15))
    group = baseline("cleaning", "confident_learning").__globals__["repeats"](task)
    assert group[20] == group[3]
    assert group[25] == group[4]
    assert len(np.unique(group)) == 28


def test_methods_are_told_apart(track: Cleaning) -> None:
    """Five seeds of the quick challenge: the floor, means and the whole pipeline, in this order."""
    full = bind("cleaning_digits")
    scores: dict[str, list[float]] = {name: [] for name in ("random", "mean_mode", "all_steps")}
    for seed in range(5):
        view, key = full.prepare(seed)
        for name, found in scores.items():
            found.append(full.score(run(full, view, key, baseline("cleaning", name), seed), view, key, seed).value)
    floor, means, steps = (np.array(found) for found in scores.values())
    for low, high in ((floor, means), (means, steps)):
        gap = high - low
        assert gap.mean() > 2 * gap.std(ddof=1) / np.sqrt(len(gap))
