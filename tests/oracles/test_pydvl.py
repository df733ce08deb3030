"""Valuation baselines against pyDVL, where HARNESS_PYDVL names an interpreter that has it (see README.md here)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.challenge import load_challenge
from tests.submissions.test_valuation_baselines import small_task
from tests.tracks.helpers import baseline, make_task

PYDVL = os.environ.get("HARNESS_PYDVL", "")
pytestmark = pytest.mark.skipif(not PYDVL, reason="HARNESS_PYDVL does not name an interpreter with pyDVL")


def oracle(method: str, task, folder: Path) -> np.ndarray:
    """What pyDVL says of the same rows: values [n]."""
    source, target = folder / "task.npz", folder / "values.npz"
    rows = {name: getattr(task, name) for name in ("X", "y", "X_val", "y_val")}
    np.savez(source, method=method, chance=1 / task.n_classes, **rows)
    script = Path(__file__).with_name("pydvl_values.py")
    done = subprocess.run([PYDVL, "-W", "ignore", script, source, target], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(target) as found:
        return found["values"]


def digits(train: int):
    challenge = load_challenge("valuation_digits", [f"track.train={train}", "track.test=100"])
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    return make_task(track, track.prepare(0)[0])


def test_knn_shapley(tmp_path):
    task = small_task(n=100)
    assert baseline("valuation", "knn_shapley")(task) == pytest.approx(oracle("knn_shapley", task, tmp_path), abs=1e-9)
    task = digits(300)  # pixels are whole numbers: equal distances abound, and either order of them is right
    theirs = oracle("knn_shapley", task, tmp_path)
    assert np.corrcoef(baseline("valuation", "knn_shapley")(task), theirs)[0, 1] > 0.999


def test_leave_one_out(tmp_path):
    task = digits(60)
    theirs = oracle("leave_one_out", task, tmp_path)
    assert len(set(theirs)) > 2
    apart = np.abs(baseline("valuation", "leave_one_out")(task) - theirs) * len(task.y_val)  # in validation rows
    assert (apart > 0.5).sum() <= 3  # a validation row on the boundary may fall on either side
    assert apart.max() < 1.5


def test_data_oob(tmp_path):
    task = digits(100)
    theirs = oracle("data_oob", task, tmp_path)
    assert np.corrcoef(baseline("valuation", "data_oob")(task), theirs)[0, 1] > 0.97


@pytest.mark.parametrize(
    ("method", "sampling"),
    [
        ("tmc_shapley", {"orders": 3000, "tolerance": 0.0}),
        ("beta_shapley", {"orders": 6000, "left_out": 0.0}),
        ("banzhaf", {"fits": 20_000}),
    ],
)
def test_semivalues(method, sampling, tmp_path):
    task = small_task()
    theirs = oracle(method, task, tmp_path)
    assert np.ptp(theirs) > 0.025
    assert baseline("valuation", method)(task, **sampling) == pytest.approx(theirs, abs=0.005)
