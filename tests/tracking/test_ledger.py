"""The ledger: appended, chained, and honest about what was done to it."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.tracking.ledger import START, Ledger
from harness.tracking.runs import RunsDir
from tests.tracking.made import short_run


def test_lines_are_chained(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for _ in range(3):
        ledger.append("publish", who="me", note="why\nnot")
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3  # a newline in a note does not make a line
    plain = [json.loads(line) for line in lines]
    assert plain[0]["prev"] == START
    assert [p["prev"] for p in plain[1:]] == [hashlib.sha256(line).hexdigest() for line in lines[:-1]]
    assert [e.seq for e in ledger.read()] == [1, 2, 3]
    assert ledger.verify() == []


def test_a_run_line_carries_its_records_digest(tmp_path: Path) -> None:
    record = short_run(tmp_path, "a", deliver=False)
    content = (tmp_path / record.run_id / "record.json").read_bytes()
    assert Ledger(tmp_path).recorded(record.run_id) == hashlib.sha256(content).hexdigest()
    assert Ledger(tmp_path).recorded("other") is None
    with pytest.raises(HarnessError):
        Ledger(tmp_path).append("run", "no-such-run")


def test_every_kind_of_tampering_is_named(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for name in "abc":
        short_run(tmp_path, name, deliver=False)
    whole = ledger.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    record = tmp_path / "made-b" / "record.json"
    original = record.read_bytes()

    def problems() -> str:
        return " ".join(ledger.verify())

    assert problems() == ""
    record.write_bytes(original.replace(b'"score": 0.', b'"score": 0.9', 1))
    assert "record of run made-b" in problems()
    record.unlink()
    assert "made-b" in problems()
    record.write_bytes(original)
    ledger.path.write_bytes(whole.replace(b'"who": "', b'"who": "x', 1))
    assert "line 1 or 2 was edited" in problems()
    for edited in (b'"who": "x', b'"sha256": "", "who": "x'):
        ledger.path.write_bytes(lines[0] + lines[1] + lines[2].replace(b'"who": "', edited, 1))
        assert "line 3 (run made-c) was edited" in problems()  # nothing follows it
    ledger.path.write_bytes(lines[0] + lines[2])
    assert "line 2 has seq 3" in problems()
    ledger.path.write_bytes(lines[1] + lines[0] + lines[2])
    assert "line 1 has seq 2" in problems()
    ledger.path.write_bytes(lines[0] + lines[1])
    assert "Run made-c has a record, but the ledger has no line" in problems()
    ledger.path.write_bytes(lines[0] + b"{}\n" + lines[2])
    assert "line 2 is not an entry" in problems()
    with pytest.raises(HarnessError, match="line 2"):
        ledger.read()
    ledger.path.unlink()
    assert problems().count("no line for it") == 3
    ledger.path.write_bytes(whole)
    assert problems() == ""


def test_a_ledger_begun_by_an_older_version_goes_on(tmp_path: Path) -> None:
    """Its lines have no digest of themselves."""
    ledger = Ledger(tmp_path)
    ledger.append("publish", who="me")
    plain = json.loads(ledger.path.read_text())
    del plain["sha256"]
    ledger.path.write_text(json.dumps(plain) + "\n")
    assert ledger.verify() == []
    ledger.append("publish", who="me")
    assert ledger.verify() == []
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(lines[0] + lines[1].replace(b'"who": "me"', b'"who": "us"'))
    assert ledger.verify() == ["ledger.jsonl line 2 (publish) was edited."]


@pytest.mark.parametrize("cut", [1, 5, 100])
def test_a_torn_last_line_is_mended(tmp_path: Path, cut: int) -> None:
    ledger = Ledger(tmp_path)
    for i in range(3):
        ledger.append("publish", note=f"r{i}")
    ledger.path.write_bytes(ledger.path.read_bytes()[:-cut])
    assert [e.note for e in ledger.read()] == ["r0", "r1"]
    assert ledger.verify() == []
    assert ledger.append("publish", note="again").seq == 3
    assert [e.note for e in ledger.read()] == ["r0", "r1", "again"]
    assert ledger.verify() == []


def _append_many(place: str, name: str) -> None:
    for i in range(25):
        Ledger(place).append("publish", note=f"{name}{i}")


def test_processes_append_side_by_side(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append_many, args=(str(tmp_path), name)) for name in "wxyz"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    entries = Ledger(tmp_path).read()
    assert sorted(e.note for e in entries) == sorted(f"{n}{i}" for n in "wxyz" for i in range(25))
    assert Ledger(tmp_path).verify() == []


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.lists(st.text(max_size=20)).map(lambda x: "\n".join(x).encode()))
def test_no_ledger_gives_a_traceback(tmp_path: Path, content: bytes) -> None:
    ledger = Ledger(tmp_path)
    ledger.path.write_bytes(content)
    if b"\n" in content:
        assert ledger.verify() != []
        with pytest.raises(HarnessError):
            ledger.read()
    else:
        assert ledger.read() == []


def test_a_run_that_is_being_written_is_not_accused(tmp_path: Path) -> None:
    """Its record is there before its line; without the writer it would be a record that nobody vouches for."""
    short_run(tmp_path, "a", deliver=False)
    ledger, runs = Ledger(tmp_path), RunsDir(tmp_path)
    changed = runs.load_record("made-a").model_copy(update={"reason": "again"})
    with runs.lock("made-a"):
        runs.save_record(changed, None)
        assert ledger.verify() == []
    assert "record of run made-a" in " ".join(ledger.verify())
    ledger.append("run", "made-a")
    assert ledger.verify() == []
