"""Running a recorded row again: what is reproduced, what differs and in what, what cannot run and why."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import evaluate, load_challenge
from harness.cli import main
from harness.evaluation.entrants import Entrant
from harness.evaluation.launchers.base import Launcher
from harness.evaluation.tally import References, tally
from harness.evaluation.work import Work
from harness.leaderboard.board import build
from harness.protocol import submission
from harness.protocol.challenge import Challenge
from harness.tracking import delivery, ledger
from harness.tracking.record import Record, run_id_of
from harness.tracking.runs import RunsDir, StoredCell
from harness.verification.directory import verify
from harness.verification.judge import reference_ids
from harness.verification.reproduce import reproduce
from tests.soak.place import NAME, placed
from tests.verification.lies import Change, edit_json, reseal

SMALL = ["seeds=3", "track.train=60", "track.validation=20", "track.test=200"]
RANK = "import numpy\ndef rank(task):\n    return numpy.arange(len(task.y))\n"
Write = Callable[..., Path]


def challenge() -> Challenge:
    return load_challenge("debugging_digits", SMALL)


@pytest.fixture(scope="module")
def _run_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    """One row of the shipped baseline, run for real."""
    place = tmp_path_factory.mktemp("reproduced") / "runs"
    return place, evaluate(challenge(), "random", runs_dir=place)


@pytest.fixture
def ran(_run_once: tuple[Path, Record], tmp_path: Path) -> tuple[Path, Record]:
    """A copy of it."""
    shutil.copytree(_run_once[0], tmp_path / "runs")
    return tmp_path / "runs", _run_once[1]


def told(runs: Path, run_id: str) -> list[str]:
    return [entry.note for entry in ledger.read(runs) if (entry.kind, entry.run_id) == ("reproduce", run_id)]


def lie(runs: Path, run_id: str, change: Change) -> None:
    edit_json(runs / run_id / "record.json", change)
    reseal(runs)


def test_all_seeds_are_run_again(ran: tuple[Path, Record], monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["harness.verification.reproduce"]
    runs, record = ran
    seeds: list[int] = []
    compute = module.compute

    def counted(works: list[Work], launcher: Launcher) -> Iterator[object]:
        for work, stored in compute(works, launcher):
            seeds.append(work.seed)
            yield work, stored

    monkeypatch.setattr(module, "compute", counted)
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("cell.json")}
    verdict = reproduce(record.run_id, runs)
    assert verdict.verdict == "reproduced"
    assert sorted(seeds) == [0, 1, 2]
    assert (verdict.seeds, verdict.identical_outputs, verdict.largest_difference) == (3, 3, 0.0)
    assert verdict.score == pytest.approx(record.score)
    assert verdict.changed == {}
    assert verdict.detail == "3 of 3 outputs identical, largest difference of a seed's score 0"
    assert told(runs, record.run_id) == [f"reproduced: {verdict.detail}"]
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("cell.json")} == before, "nothing kept is replaced"
    assert verify(runs).ok


def test_the_harness_s_own_rows_are_reproduced(ran: tuple[Path, Record]) -> None:
    runs, _ = ran
    for run_id in (run_id for run_id in RunsDir(runs).run_ids() if "reference" in run_id):
        verdict = reproduce(run_id, runs)
        assert (verdict.verdict, verdict.seeds) == ("reproduced", 3), verdict


EDITS: dict[str, tuple[Change, str]] = {
    "score": (lambda plain: plain.update(score=0.95), "score is 0.95, its cells give"),
    "interval": (lambda plain: plain.update(ci95=[0.9, 0.99]), "ci95 is 0.9 to 0.99"),
    "a seed's score": (lambda plain: plain["cells"][1].update(score=0.95), "seed 1: the record says of it what its"),
    "bad seeds dropped": (lambda plain: plain.update(cells=plain["cells"][:1]), "its cells are of seeds 0, the challenge has 0, 1, 2"),
    "authors": (lambda plain: plain.update(authors=["Somebody"]), "authors is ('Somebody',)"),
    "isolation": (lambda plain: plain.update(isolation="container"), "its id does not follow from"),
}  # fmt: skip


@pytest.mark.parametrize("resealed", [False, True])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_record_differs_in_what_was_edited(edit: str, resealed: bool, ran: tuple[Path, Record]) -> None:
    """Before anything is run: what running again would give is no matter."""
    runs, record = ran
    change, words = EDITS[edit]
    edit_json(runs / record.run_id / "record.json", change)
    if resealed:
        reseal(runs)
    verdict = reproduce(record.run_id, runs)
    assert verdict.verdict == "differs"
    assert words in verdict.detail
    assert ("the record is not the one in the ledger" in verdict.detail) != resealed
    assert told(runs, record.run_id) == [f"differs: {verdict.detail}"]


def test_cells_edited_with_all_that_follows_differ_when_they_are_run(ran: tuple[Path, Record]) -> None:
    """Nothing kept speaks against them any more; the algorithm does."""
    runs, record = ran
    forge(runs, record)
    assert verify(runs).ok
    verdict = reproduce(record.run_id, runs)
    assert verdict.verdict == "differs"
    assert "a seed's score moved by" in verdict.detail
    assert verdict.score == pytest.approx(record.score)
    assert verdict.recorded_score != pytest.approx(record.score)


def forge(runs: Path, record: Record) -> None:
    """The cells of the skyline as those of the run, and everything that follows from them."""
    held = RunsDir(runs)
    floor, skyline = (
        [held.read_cell(run_id, seed) for seed in range(3)]
        for run_id in reference_ids(record.challenge, record.fingerprint, record.device)
    )
    stored = []
    for own, better in zip(record.cells, skyline, strict=True):
        old = held.read_cell(record.run_id, own.seed)
        cell = old.cell.model_copy(update={"score": better.cell.score, "sha256": None})
        kept = held.save_cell(record.run_id, cell, output=old.output, items=better.items, curve=better.curve)
        stored.append(StoredCell(kept, old.output, better.items, better.curve, ""))
    of = challenge()
    track = of.track_type.without_data(of.track, record.n_classes)
    counted = tally(track, record.fingerprint, stored, References.of(floor, skyline), record.submission)
    held.save_record(record.model_copy(update={**vars(counted), "cells": tuple(s.cell for s in stored)}))
    reseal(runs)


SHUFFLED = """import os
def select(task):
    return sorted(range(10), key=lambda row: os.urandom(8))
"""


def test_other_outputs_of_the_same_score_are_score_reproduced(tmp_path: Path, write_submission: Write) -> None:
    """The same rows in another order each time, on which a score that takes them as a set does not hang."""
    overrides = ["seeds=3", "track.pool=100", "track.budget=10", "track.budgets=[]", "track.test=150", "draws=1"]
    folder = write_submission("shuffled", SHUFFLED, "selection", "select")
    record = evaluate(load_challenge("selection_digits", overrides), folder, runs_dir=tmp_path / "runs")
    verdict = reproduce(record.run_id, tmp_path / "runs")
    assert (verdict.verdict, verdict.identical_outputs) == ("score reproduced", 0)
    assert verdict.detail.startswith("0 of 3 outputs identical, largest difference of a seed's score ")
    assert verdict.score == pytest.approx(record.score)
    assert main(["reproduce", record.run_id, "--runs-dir", str(tmp_path / "runs")]) == 0, "which confirms the row"


def test_a_missing_package_is_named(ran: tuple[Path, Record], write_submission: Write) -> None:
    """A row recorded where a package was there that no manifest names; it is not here."""
    runs, record = ran
    entry = submission.load(write_submission("asks", f"import tst_nowhere\n{RANK}"))
    held, entrant = RunsDir(runs), Entrant.of(entry)
    run_id = run_id_of(
        record.challenge, record.fingerprint, entrant.name, entrant.identity, record.isolation, record.device
    )
    held.keep_submission(entry)
    cells = []
    for cell in record.cells:
        old = held.read_cell(record.run_id, cell.seed)
        cells.append(held.save_cell(run_id, old.cell, output=old.output, items=old.items, curve=old.curve))
    facts: dict[str, Any] = {
        "submission": entrant.name,
        "submission_digest": entrant.digest,
        "authors": entrant.authors,
    }
    facts |= {"description": entrant.description, "license": entrant.license, "run_id": run_id, "cells": tuple(cells)}
    held.save_record(record.model_copy(update=facts))
    ledger.append(runs, "run", run_id)
    assert delivery.deliver(runs / run_id)
    assert verify(runs).ok
    verdict = reproduce(run_id, runs)
    assert verdict.verdict == "cannot run"
    assert verdict.detail == "ModuleNotFoundError tst_nowhere, which is not installed here"
    assert main(["reproduce", run_id, "--runs-dir", str(runs)]) == 1


def test_versions_that_differ_are_named(ran: tuple[Path, Record], capsys: pytest.CaptureFixture[str]) -> None:
    runs, record = ran
    here = record.versions["numpy"]
    lie(runs, record.run_id, lambda plain: plain["versions"].update(numpy="1.0.0", processor="a loom"))
    assert main(["reproduce", record.run_id, "--runs-dir", str(runs), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["verdict"] == "reproduced"
    assert verdict["changed"] == {"numpy": ["1.0.0", here], "processor": ["a loom", record.versions["processor"]]}
    assert f"numpy {here} (was 1.0.0)" in verdict["detail"]
    assert "(was a loom)" in verdict["detail"]


def test_an_older_protocol_cannot_run(ran: tuple[Path, Record]) -> None:
    """A fingerprint that this version of scorer and model does not give any more."""
    runs, record = ran
    lie(runs, record.run_id, lambda plain: plain.update(fingerprint="12" * 32))
    verdict = reproduce(record.run_id, runs)
    assert verdict.verdict == "differs", "its id does not follow from another fingerprint"
    lie(runs, record.run_id, lambda plain: plain.update(fingerprint=record.fingerprint, settings={}))
    verdict = reproduce(record.run_id, runs)
    assert (verdict.verdict, "its settings are no challenge here" in verdict.detail) == ("differs", True)


@pytest.mark.parametrize("how", ["unfinished", "older schema"])
def test_what_cannot_be_checked_is_not_said_to_be_reproduced(how: str, ran: tuple[Path, Record]) -> None:
    """Cells as they were, and so the same again; the score that stands above them is somebody's invention."""
    runs, record = ran
    if how == "unfinished":
        (runs / record.run_id / "unfinished").write_text("Its cells are being run again.\n")
        lie(runs, record.run_id, lambda plain: plain.update(score=0.95))
    else:
        lie(runs, record.run_id, lambda plain: plain.update(score=0.95, schema_version=1))
    verdict = reproduce(record.run_id, runs)
    assert verdict.verdict == "cannot run", verdict


# --- killed while it is run again ---

SLOW = "import time\ndef rank(task):\n    time.sleep(0.5)\n    return task.rng.permutation(len(task.y))\n"


def test_a_kill_while_a_run_is_done_again_costs_one_row_until_the_next_run() -> None:
    """The board builds meanwhile and lists the row; the next run, without --force, ends what was begun."""
    with placed() as place:
        folder, runs = place.submission("slow", SLOW), place.path / "runs"
        of = load_challenge(NAME, config_dir=place.path)
        data = of.load_dataset().digest()
        record = evaluate(of, folder, runs_dir=runs)
        other = evaluate(of, "random", runs_dir=runs)
        words = [
            "run",
            f"challenge={NAME}",
            f"submission={folder}",
            f"runs_dir={runs}",
            "--config-dir",
            str(place.path),
        ]
        environment = {**os.environ, "TMPDIR": str(place.tmp), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", *words, "launcher=serial", "--force"],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        mark = runs / record.run_id / "unfinished"
        deadline = time.monotonic() + 120
        while not (mark.exists() and (runs / record.run_id / "cells/0/cell.json").exists()):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert mark.exists()
        board = build(of, data, runs, config_dir=place.path)
        assert [row.run_id for row in board.ranked] == [other.run_id]
        (row,) = board.unranked
        assert (row.run_id, row.rank) == (record.run_id, None)
        assert row.reason == "it was being run again and did not come to an end: run it once more"
        report = verify(runs, config_dir=place.path)
        assert report.ok
        assert (record.run_id, row.reason) in [(note.run_id, note.what) for note in report.notes]
        verdict = reproduce(record.run_id, runs, config_dir=place.path)
        assert (verdict.verdict, verdict.detail) == ("cannot run", row.reason)
        again = evaluate(of, folder, runs_dir=runs)
        assert not mark.exists()
        assert (again.score, again.ci95) == (record.score, record.ci95)
        board = build(of, data, runs, config_dir=place.path)
        assert {row.run_id for row in board.ranked} == {record.run_id, other.run_id}
        assert verify(runs, config_dir=place.path).ok
