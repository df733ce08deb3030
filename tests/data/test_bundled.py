"""Bundled data sets against scikit-learn's own loaders."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets
from pydantic import ValidationError
from sklearn.preprocessing import StandardScaler

from harness.data import OWN, dataset_names, dataset_settings, load_dataset
from harness.errors import ProtocolError


def test_digits_equal_scikit_learn() -> None:
    ours, theirs = load_dataset("digits"), sklearn.datasets.load_digits()
    np.testing.assert_array_equal(ours.X, (theirs.data / 16).astype(np.float32))
    np.testing.assert_array_equal(ours.y, theirs.target)
    assert ours.class_names == tuple(str(c) for c in theirs.target_names)


@pytest.mark.parametrize(
    ("name", "loader"),
    [("breast_cancer", sklearn.datasets.load_breast_cancer), ("wine", sklearn.datasets.load_wine)],
)
def test_tables_equal_scikit_learn_standardised(name: str, loader) -> None:
    ours, theirs = load_dataset(name), loader()
    np.testing.assert_allclose(ours.X, StandardScaler().fit_transform(theirs.data), atol=1e-6)
    np.testing.assert_array_equal(ours.y, theirs.target)
    assert ours.class_names == tuple(theirs.target_names)


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine"])
def test_shape_contract(name: str) -> None:
    data = load_dataset(name)
    assert data.X.dtype == np.float32
    assert data.y.dtype == np.int64
    for array in (data.X, data.y):
        assert array.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert data.digest() == load_dataset(name).digest()


def test_digest_sees_every_change() -> None:
    from dataclasses import replace

    data = load_dataset("wine")
    X = data.X.copy()
    X[3, 4] = np.nextafter(X[3, 4], np.float32(9))
    y = data.y.copy()
    y[0] = 1
    changed = [
        replace(data, X=X),
        replace(data, y=y),
        replace(data, X=data.X.reshape(13, 178).T.copy().reshape(178, 13)),
        replace(data, class_names=("a", "b", "c")),
        replace(data, extras={"part": np.zeros(178, dtype=np.int8)}),
    ]
    assert len({data.digest(), *(c.digest() for c in changed)}) == 6


def test_unknown_name_and_parameters_are_one_paragraph() -> None:
    with pytest.raises(ProtocolError, match="Did you mean digits") as caught:
        load_dataset("digit")
    assert "\n" not in str(caught.value)
    with pytest.raises(ProtocolError, match=r"size is not a known setting; colour is not a known setting"):
        dataset_settings("digits", size=8, colour=True)
    with pytest.raises(ValidationError):
        dataset_settings("digits").name = "wine"  # type: ignore[misc]


def test_import_is_light() -> None:
    heavy = ["sklearn", "pandas", "PIL", "pyarrow", "torch", "scipy", "pooch", "rich", "yaml"]
    code = f"import sys, harness.data as d; d.dataset_names(); print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_settings_of_every_data_set_validate_without_reading_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HARNESS_DATA_DIR", "/nonexistent")
    for name in set(dataset_names()) - OWN:  # those need a path
        assert dataset_settings(name).name == name
