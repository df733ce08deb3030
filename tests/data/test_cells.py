"""Cells of tables: how they are read and encoded, and how errors get into them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from harness.data import load_dataset
from harness.data.base import Dataset
from harness.data.cell_errors import ErrorRates, plant
from harness.data.cells import CellColumn, CellTable, Encoder, code, levels_of
from harness.errors import ProtocolError

COLUMNS = [CellColumn("a", "number", 0, 9), CellColumn("b", "category", values=("x", "y")), CellColumn("c", "category")]


def test_cells_are_read_by_their_column() -> None:
    cells = np.array([["1.5", "y", "q"], ["?", "yy", "p"], ["1 mm", "", "?"], ["1e300", "x", "q"]])
    levels = levels_of(cells, COLUMNS, ("", "?"))
    assert levels == [[], ["x", "y", "yy"], ["p", "q"]]
    nan = np.nan
    np.testing.assert_array_equal(
        code(cells, COLUMNS, levels, ("", "?")), [[1.5, 1, 1], [nan, 2, 0], [nan, nan, nan], [nan, 0, 1]]
    )
    assert code(np.array([["1", "z", "q"]]), COLUMNS, levels, ("",))[0, 1] == -1  # a level nobody has seen


def test_the_encoder_is_scikit_learns_for_cells_without_gaps() -> None:
    rng = np.random.default_rng(0)
    cells = np.column_stack([rng.normal(size=40), rng.integers(0, 2, 40), rng.choice([0, 2, 3], 40)])
    other = np.column_stack([rng.normal(size=20), rng.integers(0, 2, 20), rng.integers(0, 5, 20)])
    encode = Encoder(cells, COLUMNS)
    for part in (cells, other):
        numbers = StandardScaler().fit(cells[:, :1]).transform(part[:, :1])
        levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(cells[:, 1:]).transform(part[:, 1:])
        np.testing.assert_allclose(encode(part), np.concatenate([numbers, levels], axis=1), rtol=1e-6, atol=1e-6)


def test_what_is_missing_or_unknown_says_nothing_and_nothing_is_far() -> None:
    encode = Encoder(np.array([[0.0, 0, 0], [2.0, 1, 0], [np.nan, np.nan, -1]]), COLUMNS)
    np.testing.assert_array_equal(encode(np.array([[np.nan, -1, np.nan], [1e9, 1, 7]])), [[0, 0, 0, 0], [10, 0, 1, 0]])
    assert not Encoder(np.full((3, 3), 2.0), COLUMNS)(np.array([[5.0, 0, 0]]))[0].any()  # constant, and other levels


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e100, 1e100), min_size=1, max_size=8), st.floats(-1e100, 1e100))
def test_features_are_finite_whatever_the_cells(numbers: list[float], tested: float) -> None:
    column = [CellColumn("a", "number")]
    encoded = Encoder(np.array(numbers)[:, None], column)(np.array([[tested]]))
    assert np.isfinite(encoded).all()
    assert abs(encoded).max() <= 10


def rate(data: CellTable, kinds: dict[str, float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Which cells of numbers and of grades differ after planting."""
    dirty = plant(data.clean, data.columns, ErrorRates(**kinds), np.random.default_rng(seed))
    differs = dirty != data.clean
    return differs[:, :16], differs[:, 16:]


@pytest.fixture(scope="module")
def digit_cells() -> CellTable:
    data = load_dataset("digit_cells")
    assert isinstance(data, CellTable)
    return data


@pytest.mark.parametrize("kind", ["missing", "outliers", "formats", "missing_high"])
def test_as_many_cells_go_wrong_as_is_said(kind: str, digit_cells: CellTable) -> None:
    numbers, grades = rate(digit_cells, {kind: 0.1})
    assert numbers.mean() == pytest.approx(0.1, abs=0.01)
    assert grades.mean() == pytest.approx(0.1 if kind == "missing" else 0, abs=0.01)


def test_high_numbers_are_missing_more_often(digit_cells: CellTable) -> None:
    numbers, _ = rate(digit_cells, {"missing_high": 0.1})
    ink = digit_cells.clean[:, 5].astype(float)
    high = ink > np.median(ink)
    assert numbers[high, 5].mean() > 2 * numbers[~high, 5].mean()


def test_each_error_is_of_its_kind(digit_cells: CellTable) -> None:
    data = digit_cells
    ink, grades = data.clean[:, :16].astype(float), data.clean[:, 16:]
    rng = np.random.default_rng

    far = plant(data.clean, data.columns, ErrorRates(outliers=0.1), rng(1))[:, :16].astype(float)
    off = np.abs(far - ink.mean(axis=0)) / np.where(ink.std(axis=0) > 0, ink.std(axis=0), 1)
    assert ((off >= 4.9) & (off <= 10.1))[far != ink].all()

    units = plant(data.clean, data.columns, ErrorRates(units=0.1), rng(1))[:, :16].astype(float)
    ratio = np.log10(units[(units != ink)] / ink[units != ink])
    assert set(ratio.round(3)) == {-2, -1, 1, 2}

    swapped = plant(data.clean, data.columns, ErrorRates(swaps=0.001), rng(1))[:, :16].astype(float)
    assert (np.sort(swapped, axis=1) == np.sort(ink, axis=1)).all()
    assert (swapped != ink).any()

    typos = plant(data.clean, data.columns, ErrorRates(typos=0.1), rng(1))[:, 16:]
    for wrong, right in zip(typos[typos != grades], grades[typos != grades], strict=True):
        assert len(wrong) == len(right)
        assert sum(a != b for a, b in zip(wrong, right, strict=True)) == 1


def test_numbers_that_are_none_take_no_errors() -> None:
    with pytest.raises(ProtocolError, match="Column a has 'x' among its clean cells"):
        plant(np.array([["x"]]), COLUMNS[:1], ErrorRates(), np.random.default_rng(0))


def test_every_part_of_a_table_is_in_its_digest(digit_cells: CellTable) -> None:
    clean = digit_cells.clean.copy()
    clean[0, 0] = "9"
    changed: list[dict[str, Any]] = [
        {"clean": clean},
        {"columns": digit_cells.columns[::-1]},
        {"markers": ("?",)},
        {"dirty": clean},
    ]
    digests = {replace(digit_cells, **change).digest() for change in (dict[str, Any](), *changed)}
    assert len(digests) == 5


def test_letters_against_pandas(real: Callable[..., Dataset], data_dir: object) -> None:
    data = real("letter_cells")
    assert isinstance(data, CellTable)
    clean, dirty = (pd.read_csv(f"{data_dir}/tables_dirty/{name}.csv.gz", index_col=0, dtype=str) for name in ("letter_clean", "letter_mcar3"))  # fmt: skip
    assert [data.class_names[c] for c in data.y] == clean["letter"].tolist()
    np.testing.assert_array_equal(data.clean, clean.drop(columns="letter").to_numpy(str))
    missing = np.isin(data.dirty, data.markers)
    assert missing.mean() == pytest.approx(0.29989, abs=1e-5)
    assert (data.dirty == clean.drop(columns="letter").to_numpy(str))[~missing].all()
    assert (dirty.drop(columns="letter") == "ERRORABC123!?").to_numpy().mean() == missing.mean()
