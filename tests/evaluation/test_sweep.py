"""Many runs, one pool: in which order, what is shared, and what happens beside another harness."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness import load_challenge
from harness.errors import HarnessError, ProtocolError, Status
from harness.evaluation.admission import find_entry
from harness.evaluation.entrants import Entrant
from harness.evaluation.run import run_references, run_submission, sweep
from harness.evaluation.session import Session
from harness.evaluation.sweep import Wanted
from harness.protocol import submission
from harness.protocol.launch import LocalLaunch, SerialLaunch

SMALL = ["seeds=2", "track.train=60", "track.validation=20", "track.test=200"]
Write = Callable[..., Path]
ANSWER = "def rank(task):\n    return [0, {number}]\n"


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session.open(load_challenge("debugging_digits", SMALL), runs_dir=tmp_path / "runs", device="cpu")


@pytest.fixture
def folders(write_submission: Write) -> list[Path]:
    return [write_submission(f"entry_{number}", ANSWER.format(number=number)) for number in (1, 2, 3)]


def wanted(session: Session, *folders: Path) -> list[Wanted]:
    return [Wanted(session, folder) for folder in folders]


def test_cells_of_all_runs_side_by_side_and_references_once(session: Session, folders: list[Path]) -> None:
    order: list[str] = []
    asked = wanted(session, *folders)
    records = dict(sweep(asked, LocalLaunch(workers=2), on_cell=lambda name, stored: order.append(name)))
    assert [records[one].submission for one in asked] == ["entry_1", "entry_2", "entry_3"]
    assert {record.status for record in records.values()} == {Status.OK}
    assert sorted(order) == sorted(["entry_1", "entry_2", "entry_3", "reference-random", "reference-skyline"] * 2)
    assert len(session.runs.run_ids()) == 5
    assert order[0] == "entry_1"


def test_a_run_that_is_asked_for_twice_is_run_once(session: Session, folders: list[Path]) -> None:
    asked = wanted(session, folders[0], folders[0])
    seen: list[str] = []
    records = dict(sweep(asked, LocalLaunch(workers=2), on_cell=lambda name, stored: seen.append(name)))
    assert records[asked[0]] == records[asked[1]]
    assert seen.count("entry_1") == 2


def test_a_run_that_another_harness_holds_is_set_aside(session: Session, folders: list[Path]) -> None:
    """The others go on; it follows as soon as it is free."""
    held, free = wanted(session, *folders[:2])
    run_id = session.run_id(Entrant.of(submission.load(folders[0])))
    lock = session.runs.lock(run_id)
    lock.__enter__()
    finished = []
    for one, record in sweep([held, free], SerialLaunch()):
        finished.append(one)
        assert record.status is Status.OK
        if one is free:
            threading.Timer(0.5, lambda: lock.__exit__(None, None, None)).start()
    assert finished == [free, held]


def test_nobody_waits_for_ever(session: Session, folders: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.evaluation.sweep._WAIT", 0.3)
    run_id = session.run_id(Entrant.of(submission.load(folders[0])))
    with session.runs.lock(run_id), pytest.raises(HarnessError, match="Another harness is working on run"):
        list(sweep(wanted(session, folders[0]), SerialLaunch()))
    assert run_submission(session, folders[0]).status is Status.OK


def test_the_longest_cells_come_first(session: Session, folders: list[Path]) -> None:
    """By what earlier records of the same names took; what nobody has run yet comes before them."""
    for number, folder in enumerate(folders[:2]):
        record = run_submission(session, folder)
        took = [
            cell.model_copy(update={"seconds": cell.seconds.model_copy(update={"submission": 1.0 + number})})
            for cell in record.cells
        ]
        session.runs.save_record(record.model_copy(update={"cells": tuple(took)}))
    other = replace(
        session, challenge=session.challenge.model_copy(update={"seeds": 1}), fingerprint="0" * 64, references=[]
    )
    order: list[str] = []
    list(sweep(wanted(other, *folders), SerialLaunch(), on_cell=lambda name, stored: order.append(name)))
    assert [name for name in order if name.startswith("entry")] == ["entry_3", "entry_2", "entry_1"]


def test_a_submission_that_does_not_fit_ends_the_sweep_and_frees_its_locks(
    session: Session, folders: list[Path], write_submission: Write
) -> None:
    other = write_submission("other", "def select(task): return [0]\n", track="selection", function="select")
    with pytest.raises(ProtocolError, match="selection"):
        list(sweep(wanted(session, other, *folders), LocalLaunch(workers=2)))
    assert run_submission(session, find_entry(session.challenge, folders[0])).status is Status.OK


def test_references_alone(session: Session) -> None:
    references = run_references(session)
    assert references.whole
    assert run_references(session) is session.references[0]
