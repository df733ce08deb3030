"""Data values: our baselines against what pyDVL and opendataval say of the same rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.published.baselines import algorithm, digest, recorded
from tests.published.table import About, Row


@dataclass(frozen=True)
class Figure:
    """A method of a library on a task, and how near ours has to be."""

    peer: str
    method: str  # the name in tests/oracles, and of our baseline
    rows: int
    digits: bool = False  # handwritten digits, else two overlapping clouds
    within: float = 0.005  # of every value
    sampling: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def key(self) -> str:
        return f"{self.peer} {self.method} {self.rows}"


FIGURES = (
    Figure("pydvl", "knn_shapley", 100, within=1e-9),
    Figure("opendataval", "knn_shapley", 100, within=1e-6),
    Figure("pydvl", "leave_one_out", 60, digits=True, within=0.015),
    Figure("opendataval", "leave_one_out", 60, digits=True, within=0.015),
    Figure("pydvl", "data_oob", 100, digits=True, within=0.15),
    Figure("opendataval", "data_oob", 100, digits=True, within=0.15),
    Figure("pydvl", "tmc_shapley", 8, sampling={"orders": 3000, "tolerance": 0.0}),
    Figure("pydvl", "beta_shapley", 8, sampling={"orders": 6000, "left_out": 0.0}),
    Figure("pydvl", "banzhaf", 8, sampling={"fits": 20_000}),
    Figure("opendataval", "banzhaf", 24, sampling={"fits": 20_000}),
)
ABOUT = About(
    "Values of pyDVL and opendataval",
    "pyDVL 0.10.0 and opendataval 1.3.0; the methods: Jia et al. 2019, Cook 1977, Kwon and Zou 2023 and 2022, Ghorbani and Zou 2019, Wang"
    " and Jia 2023",
    "the libraries' own output, recorded on the tasks of tests/oracles (tests/published/record.py)",
    "The baselines of `valuation` on the same rows. Two figures each: the largest value that the library gives and ours of the same row, and the"
    " largest difference between the two over all rows",
    "KNN-Shapley 1e-9 (opendataval sums in float32: 1e-6); leave-one-out 0.015, a validation row of 100 and a tie-break; Data-OOB 0.15, two"
    " draws of 300 and 500 bags; semivalues 0.005 by sampling against exact ones, or on both sides",
    digits=6,
    data="two clouds and scikit-learn's digits, made by the tests; the SHA-256 of every task stands in tests/published/recorded/values.json",
    slow=True,
)


def task_of(figure: Figure) -> Any:
    """The valuation task of a figure, the one that tests/oracles asks the libraries about."""
    from tests.oracles.test_other_libraries import digits
    from tests.submissions.test_valuation_baselines import small_task

    return digits(figure.rows) if figure.digits else small_task(n=figure.rows)


def rows() -> list[Row]:
    told = recorded("values")
    return [row for figure in FIGURES for row in _rows(figure, told[figure.key])]


def _rows(figure: Figure, told: dict[str, Any]) -> list[Row]:
    task = task_of(figure)
    if told["task"] != digest(task.X, task.y, task.X_val, task.y_val):
        raise ValueError(f"{figure.key} was recorded on other rows: python -m tests.published.record values")
    theirs = np.array(told["values"])
    ours = algorithm("valuation", figure.method).value(task, **figure.sampling)
    name, most = f"{figure.method.replace('_', ' ')}, {figure.peer} {told['version']}", int(theirs.argmax())
    return [
        Row(f"{name}: largest value of {figure.rows}", float(theirs[most]), float(ours[most]), figure.within),
        Row(f"{name}: largest difference", 0.0, float(np.abs(ours - theirs).max()), figure.within),
    ]
