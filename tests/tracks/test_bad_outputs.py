"""Every bad output, at every place in it, on every protocol: refused with the place and the rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import Texts
from harness.data.base import Dataset
from harness.errors import Status, SubmissionError
from harness.tracks import checks, track_class, track_names
from harness.tracks.base import Track, View

N, C, K = 12, 3, 6  # rows, classes, budget
X = np.linspace(0, 1, 2 * N, dtype=np.float32).reshape(N, 2)
DATA = Dataset("made", X, np.arange(N) % 2, ("a", "b", "c"), {})
LABELS = np.arange(K) % C


@dataclass(frozen=True)
class Case:
    """A valid output of a protocol, and what each of its arrays holds."""

    view: View
    output: dict[str, np.ndarray]
    rows: str = ""  # array of unique rows of the pool
    labels: str = ""  # array of classes
    reals: str = ""  # array of finite numbers
    exactly: bool = False  # as many rows as are there, neither more nor fewer
    settings: tuple[tuple[str, Any], ...] = ()

    def track(self, protocol: str) -> Track[Any, Any]:
        cls = track_class(protocol)
        data = DATA if protocol != "acquisition" else Dataset("made", X, DATA.y, ("a", "b"), {})
        model: Any = None  # reading an output needs none
        return cls(cls.settings_class.model_validate({"name": protocol, **dict(self.settings)}), data, model, "s")


def shown(budget: int = K, **scalars: Any) -> View:
    arrays: dict[str, np.ndarray] = {
        "X": X,
        "y": np.arange(N) % C,
        "X_test": X,
        "y_query": np.arange(3),
        "labelled": np.array([N - 1]),
    }
    return View(
        arrays | {"rows": np.full((2, 3), 4), "prices": np.ones((2, 3))}, {"n_classes": C, "budget": budget} | scalars
    )


ROWS = np.array([3, 1, 7, 0, 4, 9])
TABLE = View(
    {
        "cells": np.column_stack([np.linspace(0, 1, N), np.arange(N) % 3]),
        "y": np.arange(N) % C,
        "least": np.zeros(2),
        "most": np.array([1.0, 2.0]),
        "is_category": np.array([False, True]),
    },
    {"n_classes": C},
)
DOCUMENTS = View({}, {"n_classes": C, "budget": 40}, {"texts": Texts.of(["ten bytes."] * (N - 1) + ["x" * 41])})
CASES = {
    "cleaning": Case(TABLE, {"cells": TABLE.arrays["cells"], "keep": np.ones(N, bool)}, reals="cells"),
    "selection": Case(shown(), {"indices": ROWS}, rows="indices"),
    "selection_worst_group": Case(shown(), {"indices": ROWS}, rows="indices", settings=(("attributes", ("sex",)),)),
    "selection_active": Case(shown(rounds=2, batch=3), {"indices": ROWS.reshape(2, 3)}, rows="indices", exactly=True),
    "selection_active_crowd": Case(
        View({"X": X, "prices": np.array([1, 2, 3])}, {"n_classes": C, "rounds": 2, "money": 9}),
        {"indices": ROWS, "annotators": np.array([0, 1, 2, 0, 1, 2]), "round": np.array([0, 0, 0, 1, 1, 1])},
    ),
    "selection_legacy_speech": Case(shown(), {"indices": ROWS}, rows="indices"),
    "selection_legacy_vision": Case(
        shown(n_concepts=1), {"concepts": np.zeros(K, int), "indices": ROWS, "labels": np.arange(K) % 2}, "indices", "labels"
    ),
    "debugging": Case(shown(), {"indices": np.roll(np.arange(N), 5)}, rows="indices"),
    "debugging_correct": Case(shown(), {"indices": ROWS, "labels": LABELS}, "indices", "labels"),
    "debugging_legacy": Case(shown(), {"indices": np.roll(np.arange(N), 5)}, rows="indices", exactly=True),
    "flywheel": Case(shown(rounds=1), {"indices": ROWS[None]}, rows="indices", exactly=True),
    "slicing": Case(shown(max_slices=2), {"membership": np.zeros((N, 2))}, reals="membership"),
    "valuation": Case(shown(), {"values": np.zeros(N)}, reals="values"),
    "attribution": Case(shown(), {"scores": np.zeros((3, N))}, reals="scores"),
    "valuation_sets": Case(shown(n_sets=4), {"gains": np.zeros(4)}, reals="gains"),
    "mixture": Case(
        View({"candidates": X[:K], "losses": np.zeros((N, 3))}, {"n_classes": 1}),
        {"losses": np.zeros((K, 3))},
        reals="losses",
    ),
    "mixture_lm": Case(
        View(
            {"domain": np.arange(N) % 4, "mixtures": np.full((2, 4), 0.25)},
            {"n_classes": 1, "budget": 40},
            {"texts": Texts.of(["ten bytes."] * (N - 1) + ["x" * 41])},
        ),
        {"weights": np.full(4, 0.25)},
        reals="weights",
    ),
    "acquisition": Case(
        shown(9), {"purchases": np.array([[1, 2, 3], [0, 4, 4]])}, settings=(("markets", 2), ("sellers", 3), ("budget", 9.0))
    ),
    "training_set": Case(
        shown(low=0.0, high=1.0, updates=0), {"X": X[:K], "y": LABELS}, labels="y", reals="X", settings=(("cap", K),)
    ),
    "distillation": Case(
        shown(low=0.0, high=1.0, updates=0), {"X": X[:K], "y": LABELS}, labels="y", reals="X", settings=(("cap", K),)
    ),
    "test_set": Case(shown(), {"indices": ROWS, "labels": LABELS}, "indices", "labels", settings=(("budget", K),)),
    "test_set_repair": Case(shown(), {"indices": ROWS, "labels": LABELS}, "indices", "labels", settings=(("budget", K),)),
    "annotation": Case(shown(n_items=K), {"labels": LABELS}, labels="labels"),
    "annotation_consensus": Case(shown(n_items=K), {"labels": LABELS}, labels="labels"),
    "selection_lm": Case(DOCUMENTS, {"indices": np.roll(np.arange(N), 5)}, rows="indices"),
    "cleaning_lm": Case(DOCUMENTS, {"indices": np.roll(np.arange(N), 5)}, rows="indices"),
    "weighting": Case(shown(), {"weights": np.ones(N)}, reals="weights"),
}  # fmt: skip


def refusal(protocol: str, **changed: np.ndarray) -> str:
    """What is said to the valid output with some arrays changed."""
    case = CASES[protocol]
    with pytest.raises(SubmissionError) as caught:
        case.track(protocol).read_output(case.output | changed, case.view)
    assert caught.value.status is Status.CONTRACT_VIOLATION
    assert "\n" not in str(caught.value)
    return str(caught.value)


def having(kind: str) -> list[str]:
    return [protocol for protocol, case in CASES.items() if getattr(case, kind)]


def test_no_protocol_is_forgotten_and_the_valid_outputs_pass() -> None:
    assert set(CASES) == set(track_names())
    for protocol, case in CASES.items():
        read = case.track(protocol).read_output(case.output, case.view)
        assert all(np.array_equal(read[name], array) for name, array in case.output.items())


@pytest.mark.parametrize("protocol", CASES)
def test_other_kinds_of_values_and_shapes(protocol: str) -> None:
    for name, array in CASES[protocol].output.items():
        exact = array.dtype.kind in "ib"
        kinds: list[Any] = [*([bool] if array.dtype != bool else []), "U3", complex, *([float] if exact else [])]
        for kind in kinds:
            said = refusal(protocol, **{name: array.astype(kind)})
            assert name in said
            assert f"dtype {np.dtype(kind)}" in said
        for shaped in (array[None], array[..., None], array.ravel()[0], array[:0]):
            assert name in refusal(protocol, **{name: shaped})


@settings(max_examples=20)
@given(place=st.integers(0, K - 1), bad=st.sampled_from([-1, -(2**62), N, 2**62]))
@pytest.mark.parametrize("protocol", having("rows"))
def test_rows_that_are_not_there(protocol: str, place: int, bad: int) -> None:
    name = CASES[protocol].rows
    array = CASES[protocol].output[name].copy()
    array.ravel()[place] = bad
    said = refusal(protocol, **{name: array})
    assert f"[{place % array.shape[-1]}] is {bad}; row indices run from 0 to {N - 1}" in said


@settings(max_examples=20)
@given(place=st.integers(1, K - 1), of=st.integers(0, K - 1))
@pytest.mark.parametrize("protocol", having("rows"))
def test_rows_listed_twice(protocol: str, place: int, of: int) -> None:
    name, of = CASES[protocol].rows, of % place
    array = CASES[protocol].output[name].copy()
    array.ravel()[place] = array.ravel()[of]
    said = refusal(protocol, **{name: array})
    width = array.shape[-1]
    assert f"[{place % width}] repeats row" in said or f"position {place % width} names row" in said
    assert f"position {of % width}" in said


@pytest.mark.parametrize("protocol", having("rows"))
def test_more_rows_than_allowed_and_fewer_than_asked_for(protocol: str) -> None:
    name, case = CASES[protocol].rows, CASES[protocol]
    array = case.output[name]
    longer = {key: np.concatenate([value, value[:1]]) for key, value in case.output.items()}
    longer[name] = np.concatenate([array, array[:1] + 2])
    said = refusal(protocol, **longer)
    if array.ndim == 2:  # protocols in rounds
        assert f"{len(array)} rounds of {array.shape[1]} rows" in said
    else:
        assert f"position {len(array)} is too many" in said
    if case.exactly:
        assert "asked for" in refusal(protocol, **{name: array[:-1]})


@settings(max_examples=20)
@given(place=st.integers(0, K - 1), bad=st.sampled_from([-1, C, 2**62]))
@pytest.mark.parametrize("protocol", having("labels"))
def test_classes_that_are_not_there(protocol: str, place: int, bad: int) -> None:
    name = CASES[protocol].labels
    array = CASES[protocol].output[name].copy()
    array[place] = bad
    said = refusal(protocol, **{name: array})
    assert f"{name}[{place}] is {bad}" in said
    assert "0 to" in said
    assert f"{name} has shape [{K - 1}]" in refusal(protocol, **{name: array[:-1]})


@settings(max_examples=20)
@given(place=st.integers(0, 3), bad=st.sampled_from([np.nan, np.inf, -np.inf]))
@pytest.mark.parametrize("protocol", having("reals"))
def test_numbers_that_are_none(protocol: str, place: int, bad: float) -> None:
    name = CASES[protocol].reals
    array = CASES[protocol].output[name].astype(float)
    array.ravel()[place] = bad
    at = ", ".join(str(i) for i in np.unravel_index(place, array.shape))
    assert f"{name}[{at}] is {bad}; every entry must be finite" in refusal(protocol, **{name: array})


LARGE = [
    (np.int64, 2**53 + 1),
    (np.int64, -(2**53) - 1),
    (np.int64, 2**63 - 1),
    (np.int64, -(2**63)),
    (np.uint64, 2**53 + 1),
    (np.uint64, 2**64 - 1),
    (np.longdouble, np.longdouble(1) + np.finfo(np.longdouble).eps),
    (np.longdouble, np.finfo(np.longdouble).max),
]


@pytest.mark.parametrize("place", [0, 3])
@pytest.mark.parametrize(("dtype", "number"), LARGE)
@pytest.mark.parametrize("protocol", having("reals"))
def test_numbers_that_float64_cannot_tell_apart(protocol: str, dtype: Any, number: Any, place: int) -> None:
    name = CASES[protocol].reals
    array = np.zeros(CASES[protocol].output[name].shape, dtype)
    array.ravel()[place] = number
    said = refusal(protocol, **{name: array})
    at = ", ".join(str(i) for i in np.unravel_index(place, array.shape))
    assert f"{name}[{at}] is {array.ravel()[place]!s}" in said
    assert "different entries could become equal" in said


@pytest.mark.parametrize(
    "kept",
    [
        np.array([2**53, -(2**53), 2**53 - 1], np.int64),
        np.array([2**53, 2**53 - 1, 0], np.uint64),
        np.array([0.1, np.finfo(np.float32).max, np.finfo(np.float32).tiny], np.float32),
        np.array([0.1, np.finfo(np.float16).max, np.finfo(np.float16).tiny], np.float16),
        np.array([0.5, 1e300, -3], np.longdouble),
        np.array([-128, 127, 0], np.int8),
    ],
    ids=lambda array: str(array.dtype),
)
def test_numbers_that_float64_holds_are_kept_exactly(kept: np.ndarray) -> None:
    out = checks.finite(kept, name="values", shape=(3,))
    assert out.dtype == np.float64
    assert [int(v) if kept.dtype.kind in "iu" else v for v in out] == kept.tolist()


@pytest.mark.parametrize(
    ("protocol", "changed", "says"),
    [
        ("selection_legacy_speech", {"indices": np.array([0, 3, 6])}, "class 0 alone; the classifiers need"),
        ("selection_legacy_vision", {"labels": np.ones(K, int)}, "labels of concept 0 are all 1"),
        ("selection_legacy_vision", {"concepts": np.ones(K, int)}, r"concepts[0] is 1; it must be 0 to 0"),
        (
            "selection_active_crowd",
            {"indices": np.array([3, 1, 12, 0, 4, 9])},
            "round 0[2] is 12; rows run from 0 to 11",
        ),
        (
            "selection_active_crowd",
            {"annotators": np.array([0, 1, 2, 0, 3, 2])},
            "round 1[1] is 3; annotators run from",
        ),
        ("selection_active_crowd", {"indices": np.array([3, 1, 7, 3, 4, 9])}, "asked in round 0, position 0"),
        (
            "selection_active_crowd",
            {"annotators": np.array([2, 2, 2, 2, 2, 2]), "round": np.array([0, 0, 0, 0, 1, 1])},
            "over the money of 9",
        ),
        ("selection_active_crowd", {"round": np.zeros(K, int)}, "round must rise from 0 to 1"),
        ("slicing", {"membership": np.zeros((N, 3))}, "column 2 is too many"),
        ("valuation_sets", {"gains": np.array([0, 0, -1.5, 2])}, "gains[2] is -1.5"),
        ("acquisition", {"purchases": np.array([[1, 2, 3], [0, -1, 4]])}, "purchases[1, 1] is -1"),
        ("acquisition", {"purchases": np.array([[1, 2, 3], [0, 2**64 - 1, 4]], np.uint64)}, f"is {2**64 - 1}"),
        ("acquisition", {"purchases": np.array([[1, 5, 3], [0, 4, 4]])}, "no seller has more than task.rows"),
        ("acquisition", {"purchases": np.array([[1, 2, 3], [0, 0, 0]])}, "purchases[1] buys nothing"),
        ("acquisition", {"purchases": np.array([[1, 2, 3], [2, 4, 4]])}, "over the budget of 9"),
        ("training_set", {"y": np.zeros(K, int)}, "no row of class 1 (b), 2 (c)"),
        ("training_set", {"X": X[:K] - 0.5}, "X[0, 0] is -0.5; values must lie between"),
        ("training_set", {"X": X[: K + 1], "y": np.arange(K + 1) % C}, "row 6 is one too many"),
        ("test_set", {"labels": np.array([0, 0, 0, 0, 1, 1])}, "labels claims class 2 (c) 0 times"),
        (
            "weighting",
            {"weights": np.where(np.arange(N) == 7, -0.25, 1)},
            "weights[7] is -0.25; weights must not be below 0",
        ),
        ("weighting", {"weights": np.zeros(N)}, "at least one weight must be above 0"),
        ("weighting", {"weights": np.ones(N - 1)}, "weights has shape [11]; it must be [12]"),
        ("cleaning", {"cells": TABLE.arrays["cells"] + [2, 0]}, "cells[0, 0] is 2; a changed number must lie between"),
        ("cleaning", {"cells": TABLE.arrays["cells"] + [0, 0.5]}, "cells[0, 1] is 0.5; a changed level must be a code"),
        ("cleaning", {"cells": TABLE.arrays["cells"] + [0, 1]}, "cells[2, 1] is 3; a changed level must be a code"),
        ("cleaning", {"keep": np.arange(N) % C != 1}, "drops every row of class 1 (b)"),
        ("cleaning", {"keep": np.arange(N)}, "keep[2] is 2; an entry is 1 for a row that is kept"),
        (
            "selection_lm",
            {"indices": np.array([N - 1, 0])},
            "indices[0] is document 11 of 41 bytes, over the budget of 40",
        ),
        ("selection_lm", {"indices": np.array([0, 1, 0])}, "indices[2] repeats row 0, already listed at position 0"),
        ("mixture_lm", {"weights": np.array([0.5, 0.7, -0.2, 0])}, "weights[2] is -0.2; weights must not be below 0"),
        (
            "mixture_lm",
            {"weights": np.array([0.5, 0.7, 0.2, 0])},
            "weights adds up to 1.4; shares must add up to 1 within",
        ),
        ("mixture_lm", {"weights": np.full(3, 1 / 3)}, "weights has shape [3]; it must be [4]"),
        ("cleaning_lm", {"indices": np.ones(N, bool)}, "numpy.flatnonzero(mask) gives the rows"),
        ("cleaning", {"keep": np.arange(4)}, "keep has shape [4]; it must be [12], an entry for every row"),
    ],
)
def test_rules_of_one_protocol(protocol: str, changed: dict[str, np.ndarray], says: str) -> None:
    assert says in refusal(protocol, **changed)
