"""Validators of what submissions return. Each names the first offending position and the rule it breaks."""

from __future__ import annotations

import numpy as np

from harness.api import FloatArray, IntArray
from harness.errors import SubmissionError
from harness.models.base import BoolArray
from harness.tracks.base import Array

_INTEGERS = {  # by kind of dtype: what gives row indices instead
    "f": "Return the rows, e.g. numpy.argsort(scores), not their scores; .astype(int) makes whole numbers integers.",
    "b": "numpy.flatnonzero(mask) gives the rows where a mask is True.",
}


def content(array: Array) -> str:
    """What an array holds, in words."""
    kinds = {"f": "real numbers", "b": "True and False", "i": "integers", "u": "integers"}
    return f"{kinds.get(array.dtype.kind, 'something else')} (dtype {array.dtype})"


_WHOLE = 1e-6  # how far from 1 probabilities may add up
_EXACT = 2**53  # integers up to here are float64 numbers, each of them


def indices(array: Array, *, name: str, n: int, at_most: int, exactly: bool = False) -> IntArray:
    """Unique row indices in 0..n-1, 1 to ``at_most`` of them (or exactly that many), as int64 [k]."""
    if array.size == 0:
        raise SubmissionError(f"{name} is empty; return at least one row index.")
    if array.dtype.kind not in "iu":
        raise SubmissionError(
            f"{name} holds {content(array)}; row indices must be integers.", _INTEGERS.get(array.dtype.kind, "")
        )
    if array.ndim != 1:
        column = array.ndim == 2 and 1 in array.shape
        raise SubmissionError(
            f"{name} has shape {list(array.shape)}; it must be one-dimensional, [k].",
            "Return .ravel() of it." if column else "",
        )
    if len(array) > at_most:
        raise SubmissionError(
            f"{name} lists {len(array)} rows, over the budget of {at_most}; position {at_most} is too many."
        )
    if exactly and len(array) != at_most:
        raise SubmissionError(f"{name} lists {len(array)} rows; exactly {at_most} are asked for.")
    bad = np.flatnonzero((array < 0) | (array >= n))
    if len(bad):
        raise SubmissionError(f"{name}[{bad[0]}] is {array[bad[0]]}; row indices run from 0 to {n - 1}.")
    out = array.astype(np.int64)
    _, first, inverse = np.unique(out, return_index=True, return_inverse=True)
    repeated = np.flatnonzero(first[inverse] != np.arange(len(out)))
    if len(repeated):
        i = repeated[0]
        raise SubmissionError(
            f"{name}[{i}] repeats row {out[i]}, already listed at position {first[inverse[i]]}; rows must be unique."
        )
    return out


def finite(array: Array, *, name: str, shape: tuple[int | None, ...]) -> FloatArray:
    """A finite real array of the given shape (None: any length >= 1), as float64.

    What float64 cannot hold is refused, never rounded: two different numbers must not become a tie.
    """
    if array.dtype.kind not in "iuf":
        raise SubmissionError(f"{name} holds {content(array)}; it must hold real numbers.")
    wanted = "[" + ", ".join("any" if s is None else str(s) for s in shape) + "]"
    if array.ndim != len(shape) or any(s is not None and s != a for s, a in zip(shape, array.shape, strict=True)):
        raise SubmissionError(f"{name} has shape {list(array.shape)}; it must be {wanted}.")
    if array.size == 0:
        raise SubmissionError(f"{name} is empty.")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        at = ", ".join(map(str, bad[0]))
        raise SubmissionError(f"{name}[{at}] is {array[tuple(bad[0])]}; every entry must be finite.")
    with np.errstate(over="ignore"):  # a number beyond float64 becomes infinite, which differs from it
        out = array.astype(np.float64)
    whole = array.dtype.kind in "iu"
    bad = np.argwhere((array > _EXACT) | (array < -_EXACT) if whole else out != array)
    if len(bad):
        at = ", ".join(map(str, bad[0]))
        rule = "an integer beyond 2**53, up to which float64 counts one by one" if whole else "no float64 number"
        raise SubmissionError(
            f"{name}[{at}] is {array[tuple(bad[0])]!s}, {rule}: rounded, different entries could become equal.",
            "Return float64 values, or ranks (numpy.argsort of numpy.argsort) where only their order counts.",
        )
    return out


def labels(array: Array, *, name: str, length: int, n_classes: int, what: str = "classes") -> IntArray:
    """Class labels (or what else is counted from 0) in 0..C-1, repeats allowed, as int64 [length]."""
    if array.dtype.kind not in "iu":
        kind = "class labels" if what == "classes" else what
        raise SubmissionError(f"{name} holds {content(array)}; {kind} must be integers.")
    if array.shape != (length,):
        raise SubmissionError(f"{name} has shape {list(array.shape)}; it must be [{length}].")
    bad = np.flatnonzero((array < 0) | (array >= n_classes))
    if len(bad):
        raise SubmissionError(f"{name}[{bad[0]}] is {array[bad[0]]}; {what} run from 0 to {n_classes - 1}.")
    return array.astype(np.int64)


def distributions(array: Array, *, name: str, shape: tuple[int, int]) -> FloatArray:
    """A distribution over C classes a row, float64 [n, C]: finite, >= 0, every row adding up to 1 within 1e-6."""
    out = finite(array, name=name, shape=shape)
    bad = np.argwhere(out < 0)
    if len(bad):
        row, column = bad[0]
        raise SubmissionError(f"{name}[{row}, {column}] is {out[row, column]}; probabilities must not be below 0.")
    with np.errstate(over="ignore"):  # infinite is not 1 either
        total = out.sum(axis=1)
    wrong = np.flatnonzero(~(np.abs(total - 1) <= _WHOLE))
    if len(wrong):
        raise SubmissionError(
            f"{name}[{wrong[0]}] adds up to {total[wrong[0]]}; the probabilities of a row must add up to 1 within {_WHOLE}.",
            "Divide by .sum(axis=1, keepdims=True).",
        )
    return out


def weights(array: Array, *, name: str, length: int) -> FloatArray:
    """Weights [length], finite, >= 0 and not all zero, as float64."""
    out = finite(array, name=name, shape=(length,))
    bad = np.flatnonzero(out < 0)
    if len(bad):
        raise SubmissionError(f"{name}[{bad[0]}] is {out[bad[0]]}; weights must not be below 0.")
    if not out.any():
        raise SubmissionError(f"{name}[0] and all after it are 0; at least one weight must be above 0.")
    return out


def mixture(array: Array, *, name: str, length: int) -> FloatArray:
    """Shares [length], finite, >= 0, adding up to 1 within 1e-6, as float64."""
    out = weights(array, name=name, length=length)
    with np.errstate(over="ignore"):  # infinite is not 1 either
        total = out.sum()
    if not abs(total - 1) <= _WHOLE:
        raise SubmissionError(
            f"{name} adds up to {total}; shares must add up to 1 within {_WHOLE}.", "Divide by .sum()."
        )
    return out


def mask(array: Array, *, name: str, length: int) -> BoolArray:
    """True or False, or 1 or 0, one per row, as bool [length]."""
    if array.dtype.kind not in "biu":
        raise SubmissionError(f"{name} holds {content(array)}; it must hold True and False, or 1 and 0.")
    if array.shape != (length,):
        raise SubmissionError(
            f"{name} has shape {list(array.shape)}; it must be [{length}], an entry for every row.",
            "It is a mask, no list of rows." if array.dtype.kind in "iu" and array.ndim == 1 else "",
        )
    bad = np.flatnonzero((array != 0) & (array != 1))
    if len(bad):
        raise SubmissionError(
            f"{name}[{bad[0]}] is {array[bad[0]]}; an entry is 1 for a row that is kept and 0 for one that is not.",
            "It is a mask, no list of rows: numpy.isin(numpy.arange(n), rows) makes the one of the other.",
        )
    return array.astype(bool)
