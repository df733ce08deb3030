"""Algorithms on data sets of texts are given the documents of the rows they see: those, and no others."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.api import Texts
from harness.data import load_dataset
from harness.data.base import Dataset
from harness.models import load_model
from harness.protocol.compose import load_challenge
from harness.sandbox import Job, Limits, probe
from harness.sandbox import run as run_job
from harness.tracks.base import Track, View

TIERS = [report.name for report in probe() if report.works and report.name != "none"]
CASES: list[tuple[str, tuple[str, ...], dict[str, str]]] = [
    ("selection_digits", ("track.pool=300", "track.validation=50"), {"texts": "X", "texts_val": "X_val"}),
    ("selection_active_digits", ("track.pool=300",), {"texts": "X"}),
    ("selection_active_crowd_digits", ("track.pool=600",), {"texts": "X"}),
    ("debugging_digits", (), {"texts": "X", "texts_val": "X_val"}),
    ("debugging_digits_novalid", (), {"texts": "X"}),
    ("debugging_correct_digits", (), {"texts": "X", "texts_val": "X_val"}),
    ("slicing_digits", (), {"texts": "X_test", "texts_val": "X_val"}),
    ("valuation_digits", (), {"texts": "X", "texts_val": "X_val"}),
    ("training_set_digits", (), {"texts": "X"}),
    ("test_set_digits", (), {"texts": "X"}),
    ("test_set_repair_digits", (), {"texts": "X"}),
    ("annotation_digits", (), {"texts": "X"}),
    ("annotation_digits", ("track.features=false",), {}),
    ("weighting_digits", (), {"texts": "X", "texts_val": "X_val"}),
]


def described(row: np.ndarray) -> str:
    """A document of each row's own, which has nothing in common with another's, so that any mix-up shows."""
    return "ä " + hashlib.sha256(row.tobytes()).hexdigest()


def digits() -> Dataset:
    data = load_dataset("digits")
    return Dataset("written", data.X, data.y, data.class_names, {}, Texts.of(map(described, data.X)))


def bound(challenge: str, overrides: tuple[str, ...], data: Dataset) -> Track[Any, Any]:
    loaded = load_challenge(challenge, overrides)
    model = load_model(device="cpu", n_classes=data.n_classes, **loaded.model.model_dump())
    return loaded.track_type(loaded.track, data, model, loaded.secret)


@pytest.mark.parametrize(
    ("challenge", "overrides", "fields"), CASES, ids=["-".join([case[0], *case[1]]) for case in CASES]
)
def test_documents_of_the_rows_shown(challenge: str, overrides: tuple[str, ...], fields: dict[str, str]) -> None:
    view, _ = bound(challenge, overrides, digits()).prepare(0)
    assert {name for name in view.texts if view.texts[name]} == set(fields)
    for name, rows in fields.items():
        assert list(view.texts[name]) == [described(row) for row in view.arrays[rows]]


def test_no_texts_where_there_are_none() -> None:
    view, _ = bound("debugging_digits", (), load_dataset("digits")).prepare(0)
    assert view.texts == {}


@pytest.mark.skipif(not TIERS, reason="no isolation works on this machine")
def test_an_algorithm_reads_them_in_the_sandbox(tmp_path: Path) -> None:
    track = bound("debugging_digits", (), digits())
    view, _ = track.prepare(0)
    (tmp_path / "algorithm.py").write_text(
        "import hashlib\nimport numpy as np\n"
        "def rank(task):\n"
        "    for texts, rows in ((task.texts, task.X), (task.texts_val, task.X_val)):\n"
        "        assert len(texts) == len(rows)\n"
        "        assert all(t == 'ä ' + hashlib.sha256(np.asarray(r).tobytes()).hexdigest() for t, r in zip(texts, rows))\n"
        "    return np.array(sorted(range(len(task.texts)), key=lambda i: task.texts[i]))\n"
    )
    limits = Limits(seconds=60.0, memory_mb=1024, processes=32, output_mb=8, log_kb=64)
    model: dict[str, Any] = {"name": "logistic", "n_classes": 10}
    outcome = run_job(Job(view, track.task, model, (1, 2, 3), tmp_path, "algorithm", "rank", limits), TIERS[0])
    assert outcome.status == "ok", (outcome.reason, outcome.log)
    assert outcome.arrays is not None
    ranked = sorted(range(len(view.arrays["X"])), key=lambda i: described(view.arrays["X"][i]))
    assert outcome.arrays["indices"].tolist() == ranked


def test_groups_stay_apart_in_tracks_that_draw_one_part_after_the_other() -> None:
    data = load_dataset("digits")
    group = np.arange(len(data.y)) // 3
    row_of = {row.tobytes(): i for i, row in enumerate(data.X)}
    whole = Dataset("grouped", data.X, data.y, data.class_names, {"group": group})

    def groups(rows: np.ndarray) -> set[int]:
        return {int(group[row_of[np.ascontiguousarray(row).tobytes()]]) for row in rows}

    view, key = bound("training_set_digits", ("track.validation=100",), whole).prepare(0)
    shown = [groups(view.arrays["X"]), groups(view.arrays["X_val"]), groups(key.X_test)]
    assert not shown[0] & shown[1]
    assert not (shown[0] | shown[1]) & shown[2]


def test_view_is_a_plain_value() -> None:
    assert View({}, {}).texts == {}
