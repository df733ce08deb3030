"""Valuation baselines against pyDVL and opendataval, each where its variable names an interpreter (see README.md here)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from harness.protocol.compose import load_challenge
from tests.submissions.test_valuation_baselines import small_task
from tests.tracks.helpers import baseline, make_task

LIBRARIES = ["pydvl", "opendataval"]


def oracle(library: str, method: str, task, folder: Path) -> np.ndarray:
    """What the library says of the same rows: values [n]."""
    variable = f"{library.upper()}_PYTHON"
    interpreter = os.environ.get(variable)
    if not interpreter:
        pytest.skip(f"{variable} does not name an interpreter with {library}")
    source, target = folder / "task.npz", folder / "values.npz"
    rows = {name: getattr(task, name) for name in ("X", "y", "X_val", "y_val")}
    np.savez(source, method=method, chance=1 / task.n_classes, **rows)
    script = Path(__file__).with_name(f"{library}_values.py")
    command = [interpreter, "-W", "ignore", str(script), str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(target) as found:
        values: np.ndarray = found["values"]
    return values


def digits(train: int):
    challenge = load_challenge("valuation_digits", [f"track.train={train}", "track.test=100"])
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    return make_task(track, track.prepare(0)[0])


@pytest.mark.parametrize("library", LIBRARIES)
def test_knn_shapley(library, tmp_path):
    task = small_task(n=100)
    close = {"pydvl": 1e-9, "opendataval": 1e-6}[library]  # the latter sums in float32
    ours = baseline("valuation", "knn_shapley")
    assert ours(task) == pytest.approx(oracle(library, "knn_shapley", task, tmp_path), abs=close)
    task = digits(300)  # pixels are whole numbers: equal distances abound, and either order of them is right
    assert np.corrcoef(ours(task), oracle(library, "knn_shapley", task, tmp_path))[0, 1] > 0.999


@pytest.mark.parametrize("library", LIBRARIES)
def test_leave_one_out(library, tmp_path):
    task = digits(60)
    theirs = oracle(library, "leave_one_out", task, tmp_path)
    assert len(set(np.round(theirs, 6))) > 2
    apart = np.abs(baseline("valuation", "leave_one_out")(task) - theirs) * len(task.y_val)  # in validation rows
    assert (apart > 0.5).sum() <= 3  # a validation row on the boundary may fall on either side
    assert apart.max() < 1.5


@pytest.mark.parametrize("library", LIBRARIES)
def test_data_oob(library, tmp_path):
    task = digits(100)
    theirs = oracle(library, "data_oob", task, tmp_path)
    assert np.corrcoef(baseline("valuation", "data_oob")(task), theirs)[0, 1] > 0.97


def test_banzhaf_by_sampling_on_both_sides(tmp_path):
    task = small_task(n=24)
    theirs = oracle("opendataval", "banzhaf", task, tmp_path)
    ours = baseline("valuation", "banzhaf")(task, fits=20_000)
    assert np.ptp(theirs) > 0.02
    assert ours == pytest.approx(theirs, abs=0.005)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.9


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
    theirs = oracle("pydvl", method, task, tmp_path)
    assert np.ptp(theirs) > 0.025
    assert baseline("valuation", method)(task, **sampling) == pytest.approx(theirs, abs=0.005)
