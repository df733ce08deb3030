"""Cleaning against direct computations, and what nobody should win with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from harness.data.base import Dataset
from harness.errors import ProtocolError, SubmissionError
from harness.tracks.base import View
from harness.tracks.cleaning import Cleaning, CleaningKey, suspects
from tests.tracks.helpers import baseline, bind, run

Prepared = tuple[View, CleaningKey]


@pytest.fixture(scope="module")
def track() -> Cleaning:
    found = bind("cleaning_digits")
    assert isinstance(found, Cleaning)
    return found


@pytest.fixture(scope="module")
def prepared(track: Cleaning) -> Prepared:
    return track.prepare(0)


def everything(cells: Any) -> dict[str, Any]:
    return {"cells": cells, "keep": np.ones(len(cells), bool)}


def filled(track: Cleaning, prepared: Prepared, name: str = "mean_mode", seed: int = 0) -> Any:
    view, key = prepared
    return run(track, view, key, baseline("cleaning", name), seed)["cells"]


def test_the_view_is_the_raw_table_coded(track: Cleaning, prepared: Prepared) -> None:
    view, key = prepared
    a, raw, levels = view.arrays, view.texts["raw"], view.texts["levels"]
    n, d = a["cells"].shape
    assert (n, d) == (600, 24)
    assert list(view.texts["names"]) == [column.name for column in track.dataset.columns]
    for i in range(0, n, 7):
        for j in range(d):
            text, cell = raw[i * d + j], a["cells"][i, j]
            assert a["missing"][i, j] == (text == "")
            if a["is_category"][j]:
                assert np.isnan(cell) if text == "" else levels[int(a["first_level"][j] + cell)] == text
            else:
                try:
                    assert cell == float(text)
                except ValueError:
                    assert np.isnan(cell)
    words = ("none", "little", "some", "much")
    assert [level in words for level in levels] == a["allowed"].tolist()
    assert a["first_level"][-1] == len(levels)
    assert (a["most"][:16] == 64).all()
    assert (a["most"][16:] == np.diff(a["first_level"])[16:] - 1).all()
    assert 20 <= (a["y"] != key.y_true).sum() <= 30
    assert key.repeated.sum() == 60
    assert len(key.y_test) == 1797 - 540


def test_no_test_row_is_among_the_rows_and_seeds_differ(track: Cleaning, prepared: Prepared) -> None:
    first, other = prepared[0], track.prepare(1)[0]
    again = track.prepare(0)[0]
    np.testing.assert_array_equal(first.arrays["cells"], again.arrays["cells"])
    assert not np.array_equal(first.arrays["cells"], other.arrays["cells"])
    rows, tested = track._parts(0)
    assert len(rows) == 600
    assert not set(rows) & set(tested)
    np.testing.assert_array_equal(track.dataset.y[track.rows(0)], prepared[1].y_true)


def test_the_score_is_scikit_learns(track: Cleaning, prepared: Prepared) -> None:
    """StandardScaler, OneHotEncoder and LogisticRegression, fitted on the kept rows alone."""
    view, key = prepared
    keep = np.random.default_rng(0).random(600) < 0.8
    cells = filled(track, prepared)
    found = track.score({"cells": cells, "keep": keep}, view, key, 0)

    category = view.arrays["is_category"]
    scale = StandardScaler().fit(cells[keep][:, ~category])
    hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(cells[keep][:, category])
    train, test = (np.column_stack([scale.transform(c[:, ~category]), hot.transform(c[:, category])]) for c in (cells[keep], key.test))  # fmt: skip
    model = LogisticRegression(max_iter=5000, tol=1e-8).fit(train, view.arrays["y"][keep])
    predicted = model.predict(test.clip(-10, 10))
    assert np.mean(found.items["y_pred"] == predicted) > 0.998
    assert found.value == pytest.approx(f1_score(key.y_test, predicted, average="macro"), abs=0.003)
    assert found.value == pytest.approx(f1_score(key.y_test, found.items["y_pred"], average="macro"), abs=1e-12)
    assert found.metrics["rows"] == keep.sum()


def test_statistic_of_ones_is_the_value(track: Cleaning, prepared: Prepared) -> None:
    view, key = prepared
    for which in ("random", "skyline"):
        score = track.reference(which, view, key, 0)
        assert track.statistic(score.items, np.ones((1, len(key.y_test))))[0] == score.value
        bare = Cleaning.without_data(track.settings, 10)
        assert bare.statistic(score.items, np.ones((1, len(key.y_test))))[0] == score.value


def test_the_truth_is_the_skyline_and_chance_the_floor(track: Cleaning) -> None:
    for seed in range(3):
        view, key = track.prepare(seed)
        floor, top = (track.reference(which, view, key, seed).value for which in ("random", "skyline"))
        assert floor + 0.08 < top < track.suspicious_above(top)
        assert track.reference("random", view, key, seed).value == floor
        found = suspects(view.arrays)
        assert found[np.isnan(view.arrays["cells"])].all()


def test_repairs_are_counted_cell_by_cell(track: Cleaning, prepared: Prepared) -> None:
    view, key = prepared
    given, rng = view.arrays["cells"], np.random.default_rng(1)
    cells, keep = filled(track, prepared), rng.random(600) < 0.9
    true_ones = rng.random(cells.shape) < 0.3
    cells = np.where(true_ones & (key.clean >= 0), key.clean, cells)
    said = track.score({"cells": cells, "keep": keep}, view, key, 0).metrics

    wrong = changed = caught = mended = 0
    spread = key.clean.std(axis=0)
    for i in range(600):
        for j in range(24):
            same = given[i, j] == key.clean[i, j]
            wrong += not same
            if not keep[i] or given[i, j] == cells[i, j]:
                continue
            changed += 1
            caught += not same
            gap = abs(cells[i, j] - key.clean[i, j])
            mended += (not same) and gap <= (0 if j >= 16 else 0.1 * spread[j])
    assert said["detection_precision"] == pytest.approx(caught / changed)
    assert said["detection_recall"] == pytest.approx(caught / wrong)
    assert said["repair_precision"] == pytest.approx(mended / changed)
    assert said["repair_recall"] == pytest.approx(mended / wrong)
    assert said["repair_f1"] == pytest.approx(2 * mended / (changed + wrong))


def test_the_true_cells_are_perfect_repairs(track: Cleaning, prepared: Prepared) -> None:
    view, key = prepared
    said = track.score(everything(key.clean), view, key, 0).metrics
    assert {said[f"{what}_{how}"] for what in ("detection", "repair") for how in ("precision", "recall", "f1")} == {1.0}


def test_what_was_given_may_stay_and_what_is_changed_has_a_domain(track: Cleaning, prepared: Prepared) -> None:
    view, _ = prepared
    cells = filled(track, prepared)
    odd = np.argwhere(view.arrays["cells"] > view.arrays["most"])[0]
    cells[tuple(odd)] = view.arrays["cells"][tuple(odd)]
    assert track.read_output(everything(cells), view)["keep"].all()
    cells[tuple(odd)] += 1
    with pytest.raises(SubmissionError, match=rf"cells\[{odd[0]}, {odd[1]}\] .* between task.least = 0 and task.most"):
        track.read_output(everything(cells), view)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_any_valid_answer_has_a_score_and_the_order_of_rows_has_none(
    seed: int, track: Cleaning, prepared: Prepared
) -> None:
    view, key = prepared
    rng = np.random.default_rng(seed)
    least, most = view.arrays["least"], view.arrays["most"]
    cells = rng.uniform(least, most, view.arrays["cells"].shape)
    cells = np.where(view.arrays["is_category"], cells.round(), cells)
    keep = rng.random(600) < rng.uniform(0.2, 1)
    output = track.read_output({"cells": cells, "keep": keep.astype(int)}, view)
    score = track.score(output, view, key, 0)
    assert 0 <= score.value <= 1
    order = rng.permutation(600)
    turned = View({**view.arrays, "cells": view.arrays["cells"][order], "y": view.arrays["y"][order]}, view.scalars)
    other = CleaningKey(key.clean[order], key.y_true[order], key.repeated[order], key.test, key.y_test)
    again = track.score({"cells": cells[order], "keep": keep[order]}, turned, other, 0)
    assert again.value == pytest.approx(score.value, abs=0.01)
    assert again.metrics["repair_recall"] == score.metrics["repair_recall"]


def test_a_table_of_features_has_no_cells() -> None:
    with pytest.raises(ProtocolError, match="digits has features and no cells"):
        bind("cleaning_digits", "dataset=digits").prepare(0)
    with pytest.raises(ProtocolError, match="digit_cells has no errors of its own"):
        bind("cleaning_digits", "track.planted=null").prepare(0)


def mean(track: Cleaning, answer: Callable[[Prepared, Any], dict[str, Any]]) -> float:
    """Score over four seeds of an answer made from what mean_mode returns."""
    scores = []
    for seed in range(4):
        prepared = track.prepare(seed)
        output = track.read_output(answer(prepared, filled(track, prepared, seed=seed)), prepared[0])
        scores.append(track.score(output, *prepared, seed).value)
    return float(np.mean(scores))


def test_labels_written_into_cells_are_worth_nothing(track: Cleaning) -> None:
    """In every gap, or in every cell of a column: test rows do not have them, so the model learns what is not there."""

    def in_gaps(prepared: Prepared, cells: Any) -> dict[str, Any]:
        a = prepared[0].arrays
        label = a["y"][:, None] * a["most"] / 9
        label = np.where(a["is_category"], np.minimum(label.round(), a["most"]), label)
        return everything(np.where(suspects(a), label, cells))

    def in_a_column(prepared: Prepared, cells: Any) -> dict[str, Any]:
        cells[:, 0] = prepared[0].arrays["y"] * 64 / 9
        return everything(cells)

    honest = mean(track, lambda prepared, cells: everything(cells))
    assert mean(track, in_gaps) < honest - 0.1
    assert mean(track, in_a_column) < honest - 0.1


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_rows_drawn_towards_the_mean_of_their_class_gain_nothing(share: float, track: Cleaning) -> None:
    """Every row made more like its label, within the domain: classes look better apart than test rows are."""

    def drawn(prepared: Prepared, cells: Any) -> dict[str, Any]:
        a = prepared[0].arrays
        for c in np.unique(a["y"]):
            own = a["y"] == c
            middle = cells[own].mean(axis=0)
            cells[own] = np.where(a["is_category"], middle.round(), cells[own] + share * (middle - cells[own]))
        return everything(cells)

    assert mean(track, drawn) < mean(track, lambda prepared, cells: everything(cells))


def test_leaving_out_what_is_hard_to_learn_gains_nothing(track: Cleaning) -> None:
    """Rows on which the model itself errs, judged in sample: wrong labels go, and with them the rows that teach most."""

    def easy(prepared: Prepared, cells: Any, share: float) -> dict[str, Any]:
        from harness.data.cells import Encoder

        y = prepared[0].arrays["y"]
        X = Encoder(cells, track.dataset.columns)(cells)
        sure = track.model.fit(X, y).predict_proba(X)[np.arange(len(y)), y]
        keep = sure >= np.quantile(sure, share)
        keep[[np.flatnonzero(y == c)[sure[y == c].argmax()] for c in range(10)]] = True
        return {"cells": cells, "keep": keep}

    honest = mean(track, lambda prepared, cells: everything(cells))
    assert mean(track, lambda prepared, cells: easy(prepared, cells, 0.6)) < honest


def test_scaling_a_column_gains_nothing(track: Cleaning) -> None:
    """The encoder takes its constants from what is handed in, so test rows then lie elsewhere."""

    def narrow(prepared: Prepared, cells: Any) -> dict[str, Any]:
        numbers = ~prepared[0].arrays["is_category"]
        cells[:, numbers] = 32 + 0.1 * (cells[:, numbers] - 32)
        return everything(cells)

    assert mean(track, narrow) < mean(track, lambda prepared, cells: everything(cells)) - 0.05


def test_a_table_without_levels_is_shown(
    real_folder: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.cli import main

    real_folder("tables_dirty")
    assert main(["view", "cleaning_letter"]) == 0
    shown = capsys.readouterr().out
    assert "task.levels is empty" in shown
    assert "task.names[0] = 'x-box'" in shown


def test_letters_filled_as_scikit_learn_fills_them(real_folder: Callable[[str], Path]) -> None:
    """Imputers of scikit-learn, its scaler and its model on the same rows: the same scores, in the order known elsewhere."""
    from sklearn.impute import KNNImputer, SimpleImputer

    real_folder("tables_dirty")
    track = bind("cleaning_letter")
    assert isinstance(track, Cleaning)
    view, key = track.prepare(0)
    y = view.arrays["y"]
    scores = {}
    for name, imputer in (("mean_mode", SimpleImputer()), ("knn", KNNImputer(n_neighbors=10))):
        scale = StandardScaler().fit(view.arrays["cells"])
        cells = scale.inverse_transform(imputer.fit_transform(scale.transform(view.arrays["cells"])))
        new = StandardScaler().fit(cells)
        model = LogisticRegression(max_iter=2000).fit(new.transform(cells), y)
        expected = f1_score(key.y_test, model.predict(new.transform(key.test)), average="macro")
        found = track.score(run(track, view, key, baseline("cleaning", name)), view, key, 0)
        assert found.value == pytest.approx(expected, abs=0.005)
        scores[name] = found.value
    top = track.reference("skyline", view, key, 0)
    assert isinstance(track.dataset, Dataset)
    assert scores["mean_mode"] + 0.03 < scores["knn"] < top.value - 0.02
    assert top.metrics["accuracy"] == pytest.approx(0.746, abs=0.02)
