"""What becomes of each kind of value an algorithm may return."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch

from harness.errors import Status, SubmissionError
from harness.sandbox.inside.returned import as_array, call


def refused(value: Any, names: tuple[str, ...] = ("indices",)) -> str:
    with pytest.raises(SubmissionError) as caught:
        call(lambda task: value, None, names)
    assert caught.value.status is Status.CONTRACT_VIOLATION
    assert "float64" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.ma.masked_array([4, 5, 6], mask=[False, False, True]), r"indices\[2\] is masked \(1 of 3"),
        (np.ma.masked_array(np.ones((2, 2)), mask=[[False, False], [True, True]]), r"indices\[1, 0\] is masked \(2 of 4"),
        (np.ma.masked_array(3, mask=True), "indices is masked"),
        (np.ma.masked, "indices is masked"),
        ([np.ma.masked_array([1, 2], mask=[False, False]), np.ma.masked_array([1, 2], mask=[True, False])], r"indices\[1\]\[0\] is masked"),
        ([1, np.ma.masked], r"indices\[1\] is masked"),
        ([[0, 1], [2, np.ma.masked]], r"indices\[1\]\[1\] is masked"),
        (torch.masked.masked_tensor(torch.arange(3.0), torch.tensor([True, False, True])), r"indices\[1\] is masked"),
        (pd.Series([1, pd.NA, 3], dtype="Int64"), r"indices\[1\] is missing \(1 of 3"),
        (pd.Series([True, pd.NA], dtype="boolean"), r"indices\[1\] is missing"),
        (pd.Series([1, None], dtype=object), r"missing value\) at position 1"),
        (scipy.sparse.csr_matrix(np.eye(2)), r"\.toarray\(\)"),
        (scipy.sparse.coo_array(np.eye(2)), r"\.toarray\(\)"),
        (np.zeros(2, [("row", int)]), "records"),
        (np.zeros(2, "M8[s]"), "dates"),
        (np.zeros(2, "m8[s]"), "time spans"),
        (np.zeros(2, complex), "complex"),
        (["1", "2"], "text"),
        ((i for i in range(3)), r"generator.*list\("),
        (map(int, "12"), r"map.*list\("),
        ({1, 2}, "set, which has no order"),
        ({0: 1}.keys(), r"list\("),
        ({"rows": [1]}, "'rows'; it must hold indices"),
        (object(), "object"),
        (10**30, "64 bits"),
        ([[1], [1, 2]], "same length"),
        ((np.array([1, 2]), np.array([0.5, 0.1])), "returned 2 things; one is asked for: indices"),
        ((torch.tensor([1, 2]), torch.tensor([0.5, 0.1])), "returned 2 things"),
        ((np.array([1, 2]), np.array([0.5])), "returned 2 things"),
        (([1, 2], [0.5, 0.1]), "returned 2 things"),
        (np.where([True, False]), r"numpy\.flatnonzero"),
        (lambda task: [1], "meant to be called"),
        (torch.zeros(2, dtype=torch.bfloat16), "no array"),
        (torch.eye(2).to_sparse(), "no array"),
        (torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "no array"),
    ],
)  # fmt: skip
def test_refused_in_words_a_participant_knows(value: Any, says: str) -> None:
    assert re.search(says, refused(value)), refused(value)


@pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="long doubles are float64 on this machine")
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda L: np.array([1, L(1) + L(2) ** -60, L(2) ** -90 + 1]), r"^indices\[1\] is 1\.0000000000000000009,"),
        (lambda L: np.array([[0, 1], [L(2) ** 53 + 1, 2]]), r"^indices\[1, 0\] is 9007199254740993"),
        (lambda L: [0.5, L("1e400")], r"^indices\[1\] is 1e\+400,"),
        (lambda L: [0.5, -L("1e400")], r"^indices\[1\] is -1e\+400,"),
        (lambda L: L("1e-400"), r"^indices is 1e-400,"),
    ],
)
def test_long_doubles_are_never_rounded(make: Callable[[Any], Any], says: str) -> None:
    message = refused(make(np.longdouble))
    assert re.search(says, message), message
    assert "cannot hold" in message


def test_long_doubles_that_are_no_more_than_doubles_are_taken() -> None:
    wanted = np.array([0.1, -0.0, 2.0**53, 5e-324, np.inf, -np.inf, np.nan])
    got = as_array(wanted.astype(np.longdouble), "values")
    assert got.dtype == np.float64
    assert got.tobytes() == wanted.tobytes()


def test_a_coroutine_is_named_as_such() -> None:
    async def select(task: Any) -> list[int]:
        return [1]

    with pytest.raises(SubmissionError, match="`def` instead of `async def`"):
        call(select, None, ("indices",))


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (list, np.zeros(0, np.int64)),
        (lambda: range(0), np.zeros(0, np.int64)),
        (lambda: np.zeros(0), np.zeros(0)),
        (lambda: np.ma.array([1, 2]), np.array([1, 2])),
        (lambda: np.ma.array([1, 2], mask=[False, False]), np.array([1, 2])),
        (lambda: pd.Series([1, 2], dtype="Int64"), np.array([1, 2])),
        (lambda: torch.tensor([0.5], requires_grad=True), np.array([0.5], np.float32)),
        (lambda: (1, 2), np.array([1, 2])),
        (lambda: np.array(3), np.array(3)),
        (lambda: [np.int64(3), True], np.array([3, 1])),
    ],
)
def test_taken_as_it_is(make: Callable[[], Any], wanted: np.ndarray[Any, Any]) -> None:
    got = as_array(make(), "indices")
    assert type(got) is np.ndarray
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


def test_rows_of_a_table_may_come_in_a_tuple() -> None:
    got = call(lambda task: (np.array([1, 2]), [3, 4]), None, ("purchases",))
    assert got["purchases"].tolist() == [[1, 2], [3, 4]]


def test_several_outputs_are_counted() -> None:
    assert "returned 3 things; it must return 2: X and y" in refused(([1], [2], [3]), ("X", "y"))
    assert "returned a numpy.ndarray; it must return 2: X and y" in refused(np.ones(2), ("X", "y"))
    assert "Return (X, y) in this order" in refused({"X": [1]}, ("X", "y"))
