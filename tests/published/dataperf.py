"""DataPerf's vision debugging: the scores of DataScope on its chart, with our own ranking and our own scoring."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np

from harness.data.dataperf_debugging import TASKS, DataperfDebugging, Task
from harness.errors import ProtocolError
from tests.published.baselines import algorithm
from tests.published.table import About, Row

ABOUT = About(
    "DataPerf, vision debugging",
    "Mazumder et al., DataPerf, NeurIPS Datasets and Benchmarks 2023 (arXiv:2207.10062)",
    "assets/01g317-flipped_evaluation.png and assets/fraction_fixes_speed.png of DS3Lab/dataperf-vision-debugging at commit 557620b: the first prints its scores,"
    " of the second the squares were read off to the nearest 300th; it does not say which task is which, so every score stands beside the task to which it is nearest",
    "Score of the protocol `debugging_legacy`, that is the share of labels inspected until accuracy is 95 % of the last one, for the ranking by"
    " our baseline `valuation/knn_shapley` with one neighbour, which is DataScope's",
    "equal to four decimals, accuracies to two",
    within=0.00005,
    digits=4,
    files=tuple(DataperfDebugging.files()),
    slow=True,
)
_CHART: dict[Task, float] = {
    "01g317": 0.0,
    "01g317_flipped": 0.2367,
    "04hgtk": 0.1233,
    "04hgtk_flipped": 0.2,
    "04rky": 0.15,
    "04rky_flipped": 0.2833,
    "09j2d": 0.04,
    "09j2d_flipped": 0.21,
}


def rows() -> list[Row]:
    return [row for task in TASKS for row in _rows(task)]


def _rows(task: Task) -> Iterator[Row]:
    from tests.tracks.helpers import bind

    figure = f"{task}, DataScope"
    try:
        track = bind(f"debugging_legacy_{task}")
    except ProtocolError as error:
        yield Row(figure, _CHART[task], None, reason=str(error))
        return
    view, key = track.prepare(0)
    value = algorithm("valuation", "knn_shapley").value
    values = value(SimpleNamespace(**{name: view.arrays[name] for name in ("X", "y", "X_val", "y_val")}), k=1)
    score = track.score({"indices": np.argsort(values, kind="stable")}, view, key, 0)
    yield Row(figure, _CHART[task], score.value)
    if task == "01g317_flipped":
        yield Row(f"{task}, accuracy before any correction", 0.62, score.metrics["accuracy_dirty"])
        yield Row(f"{task}, accuracy after all of them", 0.84, score.metrics["accuracy_clean"])
