"""Inside the sandbox: what the participant's function returned, as plain named arrays, or why it is nothing of the kind."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from harness.errors import Status, SubmissionError
from harness.sandbox.inside import wire


def call(function: Callable[[Any], object], task: Any, names: tuple[str, ...]) -> dict[str, wire.Array]:
    """The function's value for ``task`` as named arrays. Raises SubmissionError where it is nothing of the kind."""
    value = function(task)
    asked = _listed(names)
    if value is None:
        called = getattr(function, "__name__", "the function")
        raise SubmissionError(f"{called} returned None; it must return {asked}.", status=Status.NO_OUTPUT)
    if isinstance(value, Mapping):
        if set(value) != set(names):
            keys = _listed(tuple(sorted(map(repr, value)))) or "nothing"
            raise SubmissionError(
                f"The function returned a dict of {keys}; it must hold {asked}."[:500],
                f"Return {_example(names)}.",
            )
        parts = [value[name] for name in names]
    elif len(names) == 1:
        if isinstance(value, tuple | list):
            value = _alone(value, names[0])
        parts = [value]
    elif isinstance(value, tuple | list) and len(value) == len(names):
        parts = list(value)
    else:
        count = f"{len(value)} things" if isinstance(value, tuple | list) else _kind(value)
        raise SubmissionError(
            f"The function returned {count}; it must return {len(names)}: {asked}.", f"Return {_example(names)}."
        )
    return {name: as_array(part, name) for name, part in zip(names, parts, strict=True)}


def with_params(function: Callable[..., object], params: Mapping[str, Any]) -> Callable[[Any], object]:
    """The function with keyword arguments given. Raises SubmissionError (``invalid_submission``) where it takes no such ones."""
    if not params:
        return function
    called = getattr(function, "__name__", "the function")
    takes: tuple[inspect.Parameter, ...] = ()
    with contextlib.suppress(TypeError, ValueError):  # not written in Python: it says itself what it does not take
        takes = tuple(inspect.signature(function).parameters.values())
    named = [one.name for one in takes if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    first = next(iter(takes), None)
    if first is not None and first.kind is first.POSITIONAL_OR_KEYWORD:
        named.remove(first.name)  # the task, whatever it is called
    anything = not takes or any(one.kind is one.VAR_KEYWORD for one in takes)
    if unknown := [name for name in params if name not in named and not anything]:
        raise SubmissionError(
            f"{called} does not take {_listed(tuple(unknown))}, which params of submission.yaml or of the command line give it.",
            f"It takes {_listed(tuple(named))}." if named else f"Write `def {called}(task, *, {unknown[0]}=...)`.",
            Status.INVALID_SUBMISSION,
        )

    @functools.wraps(function)
    def given(task: Any) -> object:
        return function(task, **params)

    return given


def as_array(value: Any, name: str) -> wire.Array:
    """A plain bool, int or float array from an array, a list, a tensor or what else numpy understands.

    An empty list is an empty array of integers. Raises SubmissionError where values are masked or missing, where
    numpy's long doubles hold what 64 bits cannot, and for all that is no array of real numbers.
    """
    if (unfit := _unfit(value)) is not None:
        raise SubmissionError(f"{name} is {_kind(value)}{unfit[0]}.", unfit[1])
    _refuse_masked(value, name)
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
    try:
        array = np.array(value, copy=True, subok=False)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        said = " ".join(str(error).split())[:200]
        hint = "All its rows must have the same length." if "inhomogeneous" in said else ""
        raise SubmissionError(f"{name} is {_kind(value)}, which is no array ({said}).", hint) from None
    if array.dtype.kind == "O":
        held = f" holding {_first_odd(array)}" if array.ndim or isinstance(value, int) else ""
        raise SubmissionError(
            f"{name} is {_kind(value)}{held}; it must hold numbers.",
            "Return a plain numpy array, e.g. numpy.asarray(rows, dtype=numpy.int64).",
        )
    if array.dtype.kind not in wire.KINDS:
        raise SubmissionError(
            f"{name} holds {_WORDS.get(array.dtype.kind, 'records')} (dtype {array.dtype}); it must hold numbers.",
            "Return a plain numpy array, e.g. numpy.asarray(rows, dtype=numpy.int64).",
        )
    if array.size == 0 and isinstance(value, list | tuple | range):
        array = array.astype(np.int64)  # numpy makes an empty list real numbers
    return _narrowed(array, name) if array.dtype.itemsize > 8 else array


_FLAT = ("indices", "values", "gains")  # outputs with one number a row or set: a tuple of arrays is something else
_WORDS = {"c": "complex numbers", "U": "text", "S": "bytes", "M": "dates", "m": "time spans"}


def _alone(value: tuple[Any, ...] | list[Any], name: str) -> Any:
    """What was returned where one array is asked for: refuses several, and numpy.where's tuple of one."""
    nested = any(isinstance(part, list | tuple) or getattr(part, "ndim", 0) > 0 for part in value)
    if isinstance(value, tuple) and nested and name in _FLAT:
        if len(value) > 1:
            raise SubmissionError(
                f"The function returned {len(value)} things; one is asked for: {name}.", f"Return {name} alone."
            )
        raise SubmissionError(
            f"The function returned a tuple with {name} in it; the array itself is asked for.",
            "numpy.where and numpy.nonzero give such tuples: take [0], or use numpy.flatnonzero.",
        )
    return value


def _unfit(value: Any) -> tuple[str, str] | None:
    """What is wrong, and what to write instead, for what numpy would wrap as a single object."""
    if inspect.iscoroutine(value):
        value.close()
        return ", which nothing has run", "Write `def` instead of `async def`."
    if isinstance(value, set | frozenset):
        return ", which has no order", "Return sorted(...) of it, or the list you made it from."
    if isinstance(value, Mapping):
        return ", which is no array", "Return the array itself."
    if isinstance(value, Iterator):
        return ", which holds nothing yet", "Return list(...) of it."
    if type(value).__name__.startswith("dict_"):
        return ", which is no array", "Return list(...) of it."
    if type(value).__module__.startswith("scipy.sparse"):
        return ", which numpy cannot read", "Return .toarray() of it."
    if callable(value):
        return ", which is no array", "Was it meant to be called?"
    return None


def _refuse_masked(value: Any, name: str, depth: int = 0) -> None:
    """Arrays with masked entries, also inside lists: numpy would take what lies under the mask."""
    if isinstance(value, np.ma.MaskedArray):
        masked = np.argwhere(np.ma.getmaskarray(value))
        if value.dtype.fields is None and len(masked):
            where = f"[{', '.join(map(str, masked[0]))}]" if value.ndim else ""
            raise SubmissionError(
                f"{name}{where} is masked ({len(masked)} of {value.size} entries are); every entry must have a value.",
                "Return .compressed() for those that are not masked, or .filled(...) to give them a value.",
            )
    elif isinstance(value, list | tuple) and depth < wire.MAX_NDIM:
        for position, part in enumerate(value):
            if isinstance(part, np.ma.MaskedArray | list | tuple):
                _refuse_masked(part, f"{name}[{position}]", depth + 1)
    elif hasattr(value, "isna") and not isinstance(getattr(value, "dtype", None), np.dtype):  # pandas' own dtypes
        missing = np.argwhere(np.asarray(value.isna()))
        if len(missing):
            raise SubmissionError(
                f"{name}[{', '.join(map(str, missing[0]))}] is missing ({len(missing)} of {value.size} entries are); "
                "every entry must have a value."
            )
    elif hasattr(value, "get_mask") and hasattr(value, "get_data"):  # torch.masked
        mask = np.asarray(value.get_mask())  # True where there is a value
        if not mask.all():
            where = ", ".join(map(str, np.argwhere(~mask)[0]))
            raise SubmissionError(f"{name}[{where}] is masked; every entry must have a value.")


def _narrowed(array: wire.Array, name: str) -> wire.Array:
    """Long doubles as float64, refused where one would be rounded: two different numbers must not become a tie."""
    with np.errstate(over="ignore"):  # a number beyond float64 becomes infinite, which differs from it
        out = array.astype(np.float64)
    bad = np.argwhere((out != array) & ~np.isnan(array))
    if len(bad):
        where = f"[{', '.join(map(str, bad[0]))}]" if array.ndim else ""
        raise SubmissionError(
            f"{name}{where} is {array[tuple(bad[0])]!s}, which a number of 64 bits cannot hold: rounded, different "
            "entries could become equal.",
            "Return .astype(float) of it, or ranks (numpy.argsort of numpy.argsort) where only their order counts.",
        )
    return out


def _first_odd(array: wire.Array) -> str:
    """The first entry of an object array that is no number, and its place."""
    for place, part in np.ndenumerate(array):
        if not isinstance(part, bool | int | float | np.number | np.bool):
            where = f" at position {', '.join(map(str, place))}" if place else ""
            missing = " (a missing value)" if type(part).__name__ in ("NAType", "NaTType", "NoneType") else ""
            return f"{_kind(part)}{missing}{where}"
    return "integers beyond 64 bits"


def _example(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)}) in this order"


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _kind(value: object) -> str:
    name = f"{type(value).__module__}.{type(value).__qualname__}".replace("builtins.", "")
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
