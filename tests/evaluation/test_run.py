"""From challenge and submission to record: on real data, in the real sandbox, with a real MLflow store."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from harness import evaluate, load_challenge
from harness.errors import HarnessError, NothingToMeasure, ProtocolError, Status
from harness.evaluation.run import run_submission
from harness.evaluation.session import Session
from harness.tracking import delivery
from harness.tracking.runs import RunsDir
from harness.verification.directory import verify
from harness.verification.reproduce import reproduce

SMALL = ["seeds=2", "track.train=60", "track.validation=20", "track.test=200"]
CONTRACT = {
    "schema_version", "run_id", "status", "reason", "challenge", "fingerprint", "track", "submission",
    "submission_digest", "metric", "direction", "score", "ci95", "cells", "isolation", "device", "versions",
    "data_digests", "created",
}  # fmt: skip
CELL = {"seed", "status", "reason", "score", "metrics", "output_digest", "seconds", "peak_memory_mb"}

Write = Callable[..., Path]


def test_the_record_keeps_the_contract(tmp_path: Path) -> None:
    record = evaluate(load_challenge("debugging_digits", SMALL), "random", runs_dir=tmp_path / "runs")
    written = json.loads((tmp_path / "runs" / record.run_id / "record.json").read_text())
    assert set(written) >= CONTRACT
    assert all(set(cell) >= CELL for cell in written["cells"])
    assert written["status"] == "ok"
    assert [cell["seed"] for cell in written["cells"]] == [0, 1]
    assert written["score"] == pytest.approx(np.mean([cell["score"] for cell in written["cells"]]))
    low, high = written["ci95"]
    assert low <= written["score"] <= high
    assert written["modified"] is True


def test_a_score_equals_a_loop_of_scikit_learn(tmp_path: Path, write_submission: Write) -> None:
    """Recovery of `first rows first`, by refitting scikit-learn after every single fix."""
    folder = write_submission("in_order", "import numpy\ndef rank(task):\n    return numpy.arange(len(task.y))\n")
    challenge = load_challenge("debugging_digits", SMALL)
    record = evaluate(challenge, folder, runs_dir=tmp_path / "runs")

    dataset = challenge.load_dataset()
    track = challenge.load_track(dataset, "cpu")
    assert [cell.status for cell in record.cells] == [Status.OK] * challenge.seeds
    for cell in record.cells:
        view, key = track.prepare(cell.seed)
        X, noisy = view.arrays["X"], np.array(view.arrays["y"])

        def accuracy(labels: np.ndarray, X: np.ndarray = X, key: object = key) -> float:
            model = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000).fit(X, labels)
            return float((model.predict(key.X_test) == key.y_test).mean())  # type: ignore[attr-defined]

        wrong = int((noisy != key.y_true).sum())
        dirty, clean = accuracy(noisy), accuracy(key.y_true)
        labels, accuracies = noisy.copy(), []
        for i in range(wrong):
            labels[i] = key.y_true[i]
            accuracies.append(accuracy(labels))
        expected = np.mean([(a - dirty) / (clean - dirty) for a in accuracies])
        assert cell.score == pytest.approx(expected, abs=0.02)  # a test row on the boundary may fall either way


def test_finished_cells_are_used_again_and_force_runs_them_anew(tmp_path: Path) -> None:
    challenge = load_challenge("debugging_digits", SMALL)
    runs = tmp_path / "runs"
    first = evaluate(challenge, "random", runs_dir=runs)
    cell = runs / first.run_id / "cells" / "0" / "cell.json"
    before = cell.stat().st_mtime_ns
    assert evaluate(challenge, "random", runs_dir=runs) == first
    assert cell.stat().st_mtime_ns == before

    (runs / first.run_id / "cells" / "1" / "cell.json").unlink()
    again = evaluate(challenge, "random", runs_dir=runs)
    assert cell.stat().st_mtime_ns == before
    assert again.score == first.score

    forced = evaluate(challenge, "random", runs_dir=runs, force=True)
    assert cell.stat().st_mtime_ns > before
    assert (forced.score, forced.ci95, forced.run_id) == (first.score, first.ci95, first.run_id)


def test_fits_are_counted_and_no_cell_uses_answers_of_one_before(tmp_path: Path) -> None:
    session = Session.open(load_challenge("debugging_digits", SMALL), runs_dir=tmp_path / "runs")
    first, second = (run_submission(session, "random", force=True) for _ in range(2))
    assert [cell.fits for cell in first.cells] == [cell.fits for cell in second.cells]
    assert all(cell.fits and cell.fits > 10 for cell in first.cells)


FAULTS = {
    "no_import": ("import nothing_of_that_name\ndef rank(task): return [0]", Status.INVALID_SUBMISSION),
    "syntax": ("def rank(task:", Status.INVALID_SUBMISSION),
    "no_function": ("def other(task): return [0]", Status.INVALID_SUBMISSION),
    "nothing": ("def rank(task): pass", Status.NO_OUTPUT),
    "shape": ("def rank(task): return [[0, 1], [2, 3]]", Status.CONTRACT_VIOLATION),
    "nan": ("def rank(task): return [float('nan')]", Status.CONTRACT_VIOLATION),
    "duplicates": ("def rank(task): return [0, 1, 0]", Status.CONTRACT_VIOLATION),
    "too_many": ("def rank(task): return list(range(len(task.y) + 1))", Status.CONTRACT_VIOLATION),
    "raises": ("def rank(task): raise ValueError('a reason')", Status.CRASHED),
    "loops": ("def rank(task):\n    while True: pass", Status.TIMEOUT),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_algorithm_is_a_row_with_a_reason(tmp_path: Path, write_submission: Write, fault: str) -> None:
    source, status = FAULTS[fault]
    challenge = load_challenge("debugging_digits", [*SMALL, "seeds=1", "limits.seconds=2"])
    record = evaluate(challenge, write_submission(fault, source + "\n"), runs_dir=tmp_path / "runs")
    assert record.status is status, record.reason
    assert record.score is None
    assert record.reason
    assert "Traceback" not in record.reason
    assert RunsDir(tmp_path / "runs").load_record(record.run_id) == record


def test_the_other_cells_go_on(tmp_path: Path, write_submission: Write) -> None:
    """One seed fails (told apart by its labels); the other is scored, and is not run again once the record is whole."""
    challenge = load_challenge("debugging_digits", SMALL)
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    first = int(np.sum(track.prepare(0)[0].arrays["y"]))
    source = f"def rank(task):\n    if int(task.y.sum()) == {first}:\n        raise ValueError('this seed')\n    return [0]\n"
    record = evaluate(challenge, write_submission("half", source), runs_dir=tmp_path / "runs")
    assert [cell.status for cell in record.cells] == [Status.CRASHED, Status.OK]
    assert record.status is Status.CRASHED
    assert record.score is None
    assert "1 of 2 cells failed; seed 0" in record.reason
    assert record.cells[1].score is not None


def test_a_seed_with_nothing_to_measure_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    challenge = load_challenge("debugging_digits", [*SMALL, "seeds=3"])
    kind = challenge.track_type
    honest = kind.prepare

    def prepare(self: object, seed: int) -> object:
        if seed == 1:
            raise NothingToMeasure("On seed 1 there is nothing to win.")
        return honest(self, seed)  # type: ignore[arg-type]

    monkeypatch.setattr(kind, "prepare", prepare)
    record = evaluate(challenge, "random", runs_dir=tmp_path / "runs")
    assert [cell.status for cell in record.cells] == [Status.OK, Status.SKIPPED, Status.OK]
    assert record.status is Status.OK
    assert record.score == pytest.approx(np.mean([record.cells[0].score, record.cells[2].score]))
    assert "1 of 3 seeds left out" in record.reason
    assert evaluate(challenge, "random", runs_dir=tmp_path / "runs") == record
    evaluate(challenge, "knn_shapley", runs_dir=tmp_path / "runs")  # in a session that finds the references finished
    assert not list((tmp_path / "runs").glob("*/unfinished"))
    report = verify(tmp_path / "runs")
    assert report.ok
    assert not [note for note in report.notes if note.run_id]


def test_a_broken_folder_has_a_record(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    with pytest.raises(ProtocolError, match=r"has no submission\.yaml"):  # a slip of whoever calls: no row
        evaluate(load_challenge("debugging_digits", SMALL), tmp_path / "broken", runs_dir=tmp_path / "runs")
    (tmp_path / "broken" / "submission.yaml").write_text("name: broken\n", encoding="utf-8")
    record = evaluate(load_challenge("debugging_digits", SMALL), tmp_path / "broken", runs_dir=tmp_path / "runs")
    assert record.status is Status.INVALID_SUBMISSION
    assert "submission.yaml" in record.reason
    written = (tmp_path / "runs" / record.run_id / "record.json").read_text()
    assert str(tmp_path) not in written
    assert "broken/submission.yaml: " in written or "submission.yaml: track" in written


def test_a_submission_for_another_track_is_refused(tmp_path: Path, write_submission: Write) -> None:
    folder = write_submission("other", "def select(task): return [0]\n", track="selection", function="select")
    with pytest.raises(ProtocolError, match="selection"):
        evaluate(load_challenge("debugging_digits", SMALL), folder, runs_dir=tmp_path / "runs")


def test_a_challenge_may_be_named(tmp_path: Path) -> None:
    named = evaluate("debugging_wine", "random", runs_dir=tmp_path / "a")
    loaded = evaluate(load_challenge("debugging_wine"), "random", runs_dir=tmp_path / "b")
    assert (named.score, named.fingerprint) == (loaded.score, loaded.fingerprint)
    with pytest.raises(ProtocolError, match="debugging_digits"):
        evaluate("debuging_digits", "random", runs_dir=tmp_path / "c")
    with pytest.raises(ProtocolError, match="A challenge is needed, got dict"):
        evaluate({}, "random", runs_dir=tmp_path / "c")  # type: ignore[call-overload]


def test_a_runs_directory_that_is_removed_meanwhile_is_said(tmp_path: Path) -> None:
    """The run does not end as if it were recorded; another one is."""
    challenge = load_challenge("debugging_wine", ["seeds=3"])

    def remove(_name: str, _stored: object) -> None:
        shutil.rmtree(tmp_path / "runs", ignore_errors=True)

    with pytest.raises(HarnessError, match="was removed while the run was going on"):
        evaluate(challenge, "random", runs_dir=tmp_path / "runs", workers=1, on_cell=remove)
    assert not list((tmp_path / "runs").glob("*/record.json"))
    assert evaluate(challenge, "random", runs_dir=tmp_path / "runs").status is Status.OK


def test_workers_do_not_change_a_score(tmp_path: Path) -> None:
    challenge = load_challenge("debugging_digits", [*SMALL, "seeds=4"])
    one = evaluate(challenge, "random", runs_dir=tmp_path / "one", workers=1)
    many = evaluate(challenge, "random", runs_dir=tmp_path / "many", workers=4)
    assert [c.score for c in one.cells] == [c.score for c in many.cells]
    assert one.ci95 == many.ci95


def test_better_than_the_skyline_is_held_back(
    tmp_path: Path, write_submission: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a bound below any score, an honest run must end `suspicious` and keep its score."""
    challenge = load_challenge("debugging_digits", SMALL)
    monkeypatch.setattr(challenge.track_type, "suspicious_above", lambda self, skyline: -5.0)
    record = evaluate(challenge, "random", runs_dir=tmp_path / "runs")
    assert record.status is Status.SUSPICIOUS
    assert record.score is not None


def test_a_kept_secret_is_in_no_record(tmp_path: Path) -> None:
    (tmp_path / "challenge").mkdir()
    shipped = load_challenge("debugging_digits")
    text = "# @package _global_\ndefaults: [override /track: debugging, override /dataset: digits, override /model: logistic]\n"
    text += (
        "name: own\ntitle: own\nsecret: kept-words\nbaseline: random\nseeds: 1\ntrack: {train: 60, validation: 20}\n"
    )
    (tmp_path / "challenge" / "own.yaml").write_text(text)
    runs = tmp_path / "runs"
    record = evaluate(load_challenge("own", config_dir=tmp_path), "random", runs_dir=runs)
    assert record.fingerprint != shipped.fingerprint(shipped.load_dataset())
    kept = [path for path in runs.rglob("*") if path.is_file() and b"kept-words" in path.read_bytes()]
    assert kept == []
    assert reproduce(record.run_id, runs, config_dir=tmp_path).verdict == "reproduced"
    assert reproduce(record.run_id, runs).verdict == "cannot run"


SLOW = "import time\ndef rank(task):\n    time.sleep(0.4)\n    return task.rng.permutation(len(task.y))\n"


def start(folder: Path, runs: Path, *more: str, **variables: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "harness", "run", *SMALL, "seeds=6", f"submission={folder}", f"runs_dir={runs}"]
    return subprocess.Popen(
        [*command, "launcher=serial", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )


def wait_for_cells(runs: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while len(list(runs.glob("*-slow-*/cells/[0-9]*/cell.json"))) < count:
        assert time.monotonic() < deadline, "no cell finished in time"
        time.sleep(0.02)


def test_a_kill_loses_at_most_the_cell_in_flight(tmp_path: Path, write_submission: Write) -> None:
    folder = write_submission("slow", SLOW)
    runs = tmp_path / "runs"
    process = start(folder, runs)
    wait_for_cells(runs, 2)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in runs.glob("*-slow-*/cells/[0-9]*/cell.json")}
    assert len(kept) >= 2

    again = start(folder, runs)
    assert again.wait(timeout=180) == 0, again.stderr.read() if again.stderr else ""
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    undisturbed = evaluate(load_challenge("debugging_digits", [*SMALL, "seeds=6"]), folder, runs_dir=tmp_path / "calm")
    disturbed = RunsDir(runs).load_record(undisturbed.run_id)
    assert [cell.score for cell in disturbed.cells] == [cell.score for cell in undisturbed.cells]
    assert disturbed.ci95 == undisturbed.ci95


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_stopping_a_sweep_leaves_nothing_behind(tmp_path: Path, write_submission: Write, stop: signal.Signals) -> None:
    folder = write_submission("slow", SLOW)
    runs, temporary = tmp_path / "runs", tmp_path / "tmp"
    temporary.mkdir()
    process = start(folder, runs, "-m", f"submission={folder},random", TMPDIR=str(temporary))
    wait_for_cells(runs, 1)
    process.send_signal(stop)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in out + error
    (path,) = runs.glob("*/record.json")  # nothing of the second submission
    record = json.loads(path.read_text())
    assert record["status"] == "cancelled"
    assert record["cells"][0]["status"] == "ok"
    assert delivery.undelivered(runs) == [path.parent.name]  # nobody waits for MLflow after Ctrl-C
    left = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True).stdout
    assert not left, f"processes of the submission are left: {left}"
    assert list(temporary.glob("harness-*")) == []


def test_two_harnesses_share_a_runs_directory(tmp_path: Path, write_submission: Write) -> None:
    folder = write_submission("slow", SLOW)
    runs = tmp_path / "runs"
    both = [start(folder, runs) for _ in range(2)]
    assert [process.wait(timeout=240) for process in both] == [0, 0]
    (path,) = runs.glob("*-slow-*/record.json")
    assert json.loads(path.read_text())["status"] == "ok"


def test_a_device_that_is_not_there_is_a_matter_of_usage(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(ProtocolError, match="CUDA"):
        Session.open(load_challenge(), runs_dir=tmp_path, device="cuda")
