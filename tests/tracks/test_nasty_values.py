"""Values at the ends of their range: refused or scored, and the harness itself never warns of them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import Status, SubmissionError
from harness.evaluation.cell import evaluate_cell
from harness.evaluation.session import Session
from harness.protocol import submission
from harness.protocol.catalogue import quick_challenge
from harness.protocol.compose import load_challenge
from tests.tracks.helpers import bind, make_task, named

SHAPES = {  # track: source of the shape of its real-valued output, and what is returned
    "valuation": ("len(task.X)", "v"),
    "attribution": ("(len(task.y_query), len(task.y))", "v"),
    "valuation_sets": ("task.n_sets", "v"),
    "slicing": ("(len(task.X_test), task.max_slices)", "v"),
    "training_set": ("(task.budget, *task.X.shape[1:])", "(v, np.arange(task.budget) % task.n_classes)"),
    "distillation": ("(task.budget, *task.X.shape[1:])", "(v, np.arange(task.budget) % task.n_classes)"),
    "debugging": ("len(task.X)", "v"),
    "weighting": ("len(task.X)", "v"),
    "annotation": ("task.n_items", "v"),
    "mixture": ("(len(task.candidates), task.losses.shape[1])", "v"),
    "cleaning": ("task.cells.shape", "(v, np.ones(len(task.y), bool))"),
}
VALUES = (
    "np.linspace(-1e300, 1e300, n)",
    "np.full(n, F.max)",
    "np.where(np.arange(n) % 2, F.max, -F.max)",
    "np.full(n, 5e-324)",
    "np.full(n, 65504, np.float16)",
    "np.full(n, 2**63 - 1)",
    "np.full(n, 2**64 - 1, np.uint64)",
    "np.r_[np.inf, np.zeros(n - 1)]",
    "np.full(n, np.nan)",
    "np.full(n, 1e4, np.longdouble) ** 1000",
)


def source(track: str, value: str) -> str:
    """A submission that returns such values."""
    shape, result = SHAPES[track]
    return (
        f"import numpy as np\nF = np.finfo(float)\ndef f(task):\n    shape = {shape}\n    n = int(np.prod(shape))\n"
        f"    v = np.reshape({value}, shape)\n    return {result}\n"
    )


@pytest.mark.parametrize("track", SHAPES)
def test_a_value_is_refused_or_has_a_score(track: str, real_folder: Callable[[str], Path]) -> None:
    """Without the wall, which is the same for all tracks."""
    if track == "mixture":
        real_folder("regmix")
    bound = bind(quick_challenge(track))
    view, key = bound.prepare(0)
    task = make_task(bound, view)
    for value in VALUES:
        place: dict[str, Any] = {}
        exec(source(track, value), place)
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # as in a cell
            warnings.simplefilter("error")
            output = named(bound.task, place["f"](task))
            try:
                score = bound.score(bound.read_output(output, view), view, key, 0).value
            except SubmissionError as error:
                ended = error.status
            else:
                ended = Status.OK if math.isfinite(score) else Status.HARNESS_ERROR
        assert ended in (Status.OK, Status.CONTRACT_VIOLATION), value


def test_no_value_makes_the_harness_warn(tmp_path: Path) -> None:
    """The whole way, from the sandbox to the cell's record."""
    session = Session.open(load_challenge(quick_challenge("valuation")), runs_dir=tmp_path / "runs", device="cpu")
    for number, value in enumerate(VALUES):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "submission.yaml").write_text(
            "name: nasty\ntrack: valuation\nentry: algorithm:f\nauthors: [A]\ndescription: d\nlicense: MIT\n"
        )
        (folder / "algorithm.py").write_text(source("valuation", value))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            cell = evaluate_cell(session, submission.load(folder), 0).cell
        assert cell.status in (Status.OK, Status.CONTRACT_VIOLATION), (value, cell.reason)
        assert cell.status is not Status.OK or (cell.score is not None and math.isfinite(cell.score)), value
