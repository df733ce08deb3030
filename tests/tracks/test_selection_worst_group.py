"""Selection for the worst group against scikit-learn, pandas and counts made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from harness.data import load_dataset
from harness.data.base import Dataset
from harness.errors import ProtocolError
from harness.models import load_model
from harness.protocol.compose import load_challenge
from harness.tracks.group_cells import by_cell, drawn, grouped, untold
from harness.tracks.selection_worst_group import (
    SelectionWorstGroup,
    SelectionWorstGroupKey,
    SelectionWorstGroupSettings,
)
from tests.tracks.helpers import bind


@pytest.fixture(scope="module")
def track() -> Any:
    return bind("selection_worst_group_digits")


@pytest.fixture(scope="module")
def prepared(track: Any) -> Any:
    return track.prepare(0)


def people(n: int = 400) -> Dataset:
    """Two classes, two attributes; group (a, x) is large, (b, y) has but a few rows."""
    rng = np.random.default_rng(0)
    sex, race = np.array(["a", "b"])[np.arange(n) % 2], np.where(rng.random(n) < 0.9, "x", "y")
    y = rng.integers(0, 2, n)
    one_hot = np.column_stack([sex == "a", sex == "b", race == "x"])
    X = np.column_stack([rng.normal(size=n) + y, one_hot, rng.normal(size=n) + (sex == "a")]).astype(np.float32)
    return Dataset("people", X, y, ("<=50K", ">50K"), {"sex": sex, "race": race, "age": rng.integers(20, 60, n)})


def made(data: Dataset | None = None, **changes: Any) -> SelectionWorstGroup:
    given = {"name": "selection_worst_group", "pool": 150, "budget": 30, "attributes": ("sex", "race"), "least": 20}
    settings = SelectionWorstGroupSettings.model_validate(given | changes)
    return SelectionWorstGroup(settings, data or people(), load_model("logistic", n_classes=2, device="cpu"), "secret")


def test_view_shows_the_group_of_every_row_where_the_challenge_grants_it(track: Any, prepared: Any) -> None:
    view, key = prepared
    assert set(view.arrays) == {"X", "y", "group"}
    digits = {row.tobytes(): mark for row, mark in zip(track.dataset.X, track.dataset.extras["mark"], strict=True)}
    shown = [digits[row.tobytes()] for row in view.arrays["X"]]
    assert [key.groups[g] for g in view.arrays["group"]] == shown
    assert np.array_equal(key.cell, view.arrays["group"] * 2 + view.arrays["y"])
    assert "group" not in track.settings.left_out()
    hidden = made(show_groups=False)
    assert "group" not in hidden.prepare(0)[0].arrays
    assert "group" in hidden.settings.left_out()
    assert "group" in load_challenge("selection_digits").left_out()


def test_score_is_the_worst_cell_of_scikit_learns_model(track: Any, prepared: Any) -> None:
    view, key = prepared
    chosen = np.random.default_rng(0).permutation(1000)[:100]
    score = track.score({"indices": chosen}, view, key, 0)
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(view.arrays["X"][chosen], key.y_pool[chosen])
    mark = np.where(key.X_test[:, -1] > 0, "right", "left")  # the last pixel is of the mark on the right
    table = pd.DataFrame({"mark": mark, "y": key.y_test, "right": model.predict(key.X_test) == key.y_test})
    theirs = table.groupby(["mark", "y"])["right"].mean()
    assert score.value == pytest.approx(theirs.min(), abs=0.03)  # a test row or so of 30 may lie on the border
    own = table.assign(right=score.items["y_pred"] == key.y_test).groupby(["mark", "y"])["right"].mean()
    assert score.value == pytest.approx(own.min(), abs=1e-12)
    assert score.metrics["accuracy"] == pytest.approx((score.items["y_pred"] == key.y_test).mean())
    assert score.metrics["mean_group_accuracy"] == pytest.approx(own.mean())
    parity = ("even", "odd")
    named = {f"accuracy_{side}_{parity[y]}": own[side, y] for side in ("left", "right") for y in (0, 1)}
    assert {name: value for name, value in score.metrics.items() if name.startswith("accuracy_")} == pytest.approx(
        named
    )
    assert [b for b, _ in score.curve] == [20, 50, 100]
    shorter = track.score({"indices": chosen[:50]}, view, key, 0)
    assert score.metrics["worst_group_accuracy_at_50"] == score.curve[1, 1] == pytest.approx(shorter.value, abs=1e-9)


def test_statistic_is_the_value_and_its_bootstrap(track: Any, prepared: Any) -> None:
    view, key = prepared
    floor = track.reference("random", view, key, 0)
    m = len(key.y_test)
    assert floor.items["y_pred"].shape == (m, track.settings.floor_draws)
    assert track.statistic(floor.items, np.ones((1, m)))[0] == floor.value
    weights = np.random.default_rng(1).integers(0, 3, (4, m))
    for row, got in zip(weights, track.statistic(floor.items, weights.astype(float)), strict=True):
        again = np.repeat(np.arange(m), row)
        lowest = []
        for predicted in floor.items["y_pred"].T:
            right, cell = (predicted == key.y_test)[again], key.cell_test[again]
            lowest.append(min(right[cell == c].mean() for c in np.unique(cell)))
        assert got == pytest.approx(np.mean(lowest))


def test_a_cell_without_weight_is_passed_over() -> None:
    right, cell = np.array([[1], [0], [1], [0]], bool), np.array([0, 0, 1, -1])
    found = by_cell(right, cell, np.array([[1, 1, 1, 1], [1, 0, 0, 9], [0, 0, 1, 1.0]]))[:, 0]
    assert found[0].tolist() == [0.5, 1.0]
    assert found[1, 0] == 1
    assert np.isnan(found[1, 1])
    assert np.isnan(found[2, 0])
    items = {"y_pred": np.array([1, 0, 1, 0]), "y_true": np.ones(4, np.int64), "cell": cell}
    assert made().statistic(items, np.array([[1, 0, 0, 1.0]])) == [1.0]


def test_small_groups_are_one_and_what_is_still_too_small_does_not_count() -> None:
    data, test = people(), np.arange(200, 400)
    group, names = grouped(data, test, ["sex", "race"], {}, 20)
    counts = pd.DataFrame({k: data.extras[k][test] for k in ("sex", "race")} | {"y": data.y[test]}).value_counts()
    large = [f"{s} {r}" for s in "ab" for r in "xy" if min(counts.get((s, r, c), 0) for c in (0, 1)) >= 20]
    assert names == (*large, "rest")
    assert large == ["a x", "b x"]
    for name, s, r in zip(np.array(names)[group], data.extras["sex"], data.extras["race"], strict=True):
        assert name == (f"{s} {r}" if f"{s} {r}" in large else "rest")
    track = made(least=25)
    view, key = track.prepare(0)
    tested = np.bincount(key.cell_test[key.cell_test >= 0], minlength=6)
    assert all(count == 0 or count >= 25 for count in tested)
    assert tested[4:].sum() == 0  # the rest, fewer rows of either class
    assert (key.cell_test < 0).sum() > 0
    assert track.score({"indices": np.arange(30)}, view, key, 0).metrics["groups"] == 4
    assert (made(least=2).prepare(0)[1].cell_test >= 0).all()


def test_attributes_may_be_cut_numbers() -> None:
    group, names = grouped(people(), np.arange(400), ["age"], {"age": [40]}, 20)
    assert names == ("-40", "40-")
    assert np.array_equal(group, people().extras["age"].astype(int) >= 40)


@pytest.mark.parametrize("least", [150, 10_000])
def test_no_worst_of_one_group(least: int) -> None:
    with pytest.raises(ProtocolError, match="no worst of several groups"):
        made(attributes=("race",), least=least).prepare(0)


def test_settings_name_attributes_that_the_data_have() -> None:
    with pytest.raises(ValueError, match="attributes"):
        made(attributes=())
    with pytest.raises(ProtocolError, match="no column 'faith'"):
        made(attributes=("faith",)).prepare(0)
    with pytest.raises(ProtocolError, match="attributes"):
        load_challenge("selection_worst_group_digits", ["track.attributes=[]"])


def test_blind_takes_out_the_columns_that_say_an_attribute_and_no_others() -> None:
    data = people()
    assert untold(data, ["sex"]).tolist() == [0, 3, 4]
    assert untold(data, ["race"]).tolist() == [0, 1, 2, 4]
    seen, blind = made(validation=20), made(validation=20, blind=True)
    (view, key), (dark, key_dark) = seen.prepare(0), blind.prepare(0)
    for name, whole in (("X", view.arrays["X"]), ("X_val", view.arrays["X_val"])):
        assert np.array_equal(dark.arrays[name], whole[:, [0, 4]])
    assert np.array_equal(key_dark.X_test, key.X_test[:, [0, 4]])
    assert np.array_equal(key_dark.cell_test, key.cell_test)
    assert 0 <= blind.score({"indices": np.arange(30)}, dark, key_dark, 0).value <= 1


def test_blind_needs_a_table_with_other_columns() -> None:
    data = people()
    pictures = Dataset("pictures", data.X.reshape(400, 5, 1), data.y, data.class_names, data.extras)
    with pytest.raises(ProtocolError, match="only columns of a table can be left out"):
        made(pictures, blind=True).prepare(0)
    alone = Dataset("alone", data.X[:, 1:3], data.y, data.class_names, data.extras)
    with pytest.raises(ProtocolError, match="No column of alone says more than sex or race"):
        made(alone, blind=True).prepare(0)


def test_the_whole_pool_is_no_skyline(track: Any) -> None:
    for seed in range(2):
        view, key = track.prepare(seed)
        floor, skyline = (track.reference(which, view, key, seed) for which in ("random", "skyline"))
        pool = track.score({"indices": np.arange(1000)}, view, key, seed)
        assert floor.value < pool.value < skyline.value < track.suspicious_above(skyline.value) < 1
        assert skyline.metrics["rows"] == 100
        assert skyline.curve.tolist() == [[b, skyline.value] for b in (20, 50, 100)]


def test_the_oracle_draws_cells_in_their_shares_without_replacement() -> None:
    rng = np.random.default_rng(0)
    cell = np.repeat([0, 1, 2], [500, 500, 20])
    counts = np.mean(
        [np.bincount(cell[drawn(cell, np.arange(3), np.array([1, 2, 1]), 40, rng)], minlength=3) for _ in range(300)],
        axis=0,
    )
    assert counts[:2] == pytest.approx([11, 22], abs=1.5)  # the small cell runs out a little and leaves its share
    assert counts[2] == pytest.approx(8, abs=1.5)
    everything = drawn(cell, np.arange(3), np.ones(3), 1020, rng)
    assert sorted(everything) == list(range(1020))
    assert not (cell[drawn(cell, np.array([0, 1]), np.ones(2), 1000, rng)] == 2).any()


def test_marks_go_against_the_parity_in_every_tenth_row() -> None:
    data, digits = load_dataset("marked_digits"), load_dataset("digits")
    assert np.array_equal(data.X[:, :64], digits.X)
    against = (data.extras["mark"] == "left") != (data.y == 0)
    for digit in range(10):
        mine = np.flatnonzero(data.extras["digit"] == digit)
        assert np.flatnonzero(against[mine]).tolist() == list(range(9, len(mine), 10))
    assert np.array_equal(data.X[:, 64:].sum(axis=1), np.full(1797, 4))
    assert np.array_equal(data.X[:, 64] == 1, data.extras["mark"] == "left")


@pytest.mark.parametrize("name", ["selection_worst_group_adult", "selection_worst_group_adult_hidden"])
def test_census_records_are_of_six_groups_and_do_not_say_which(name: str, real_folder: Callable[[str], Path]) -> None:
    real_folder("adult")
    track = bind(name)
    view, key = track.prepare(0)
    assert isinstance(key, SelectionWorstGroupKey)
    assert key.groups == (
        "Female Black", "Female White", "Male Asian-Pac-Islander", "Male Black", "Male White", "rest",
    )  # fmt: skip
    assert ("group" in view.arrays) == (name == "selection_worst_group_adult")
    assert view.arrays["X"].shape == (10_000, 101)  # 108 less two columns of sex and five of race
    assert np.bincount(key.cell_test).min() >= 80
    assert (key.cell_test >= 0).all()
    sex = track.dataset.extras["sex"]
    rows = {row.tobytes(): (s, r) for row, s, r in zip(track.dataset.X, sex, track.dataset.extras["race"], strict=True)}
    assert len(rows) > 48_000
    score = track.score({"indices": np.arange(200)}, view, key, 0)
    names = {name for name in score.metrics if name.startswith("accuracy_")}
    assert len(names) == 12
    assert {"accuracy_Female_Black_over_50K", "accuracy_rest_at_most_50K"} <= names
