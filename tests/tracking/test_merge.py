"""Two runs directories joined: one chain that names both heads, every run whole, nothing overwritten, nothing twice."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import HarnessError, ProtocolError
from harness.tracking import chain, delivery
from harness.tracking.ledger import Entry, Ledger, standing
from harness.tracking.merging import merge
from harness.tracking.runs import RunsDir
from harness.tracking.signature import Key, new_key
from harness.verification.directory import verify
from tests.tracking.made import SEEDS, made_run, run_id
from tests.tracking.test_held import REFERENCES
from tests.tracking.test_import import kept

RANDOM, SKYLINE, GOOD, FAIR, POOR = (run_id(name) for name in (*dict(REFERENCES), "good", "fair", "poor"))
OWN = {RANDOM, SKYLINE}


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))  # no key of the one who tests


@pytest.fixture(scope="module")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two machines: each has the harness's own rows, one has a fair method, the other a good and a poor one."""
    place = tmp_path_factory.mktemp("merged")
    for hour, machine, names in ((3, "here", ("fair",)), (4, "there", ("good", "poor"))):
        for name, skill in REFERENCES:
            made_run(place / machine, name, skill, deliver=False, created=f"2026-01-02T{hour:02}:04:05+00:00")
        for name in names:
            made_run(place / machine, name, {"fair": 0.6, "good": 0.9, "poor": 0.3}[name], deliver=False)
    ledger = Ledger(place / "there")
    ledger.append("release", GOOD, who="a judge there", note="looked at it")
    ledger.append("reproduce", RANDOM, who="somebody", note="of a row that is here, too")
    ledger.append("publish", note="a board there")
    ledger.append("release", POOR, who="a judge there", note="x" * chain.MAX_NOTE)
    return place


@pytest.fixture
def here(_made_once: Path, tmp_path: Path) -> Ledger:
    shutil.copytree(_made_once / "here", tmp_path / "here")
    return Ledger(tmp_path / "here")


@pytest.fixture
def there(_made_once: Path, tmp_path: Path) -> Ledger:
    shutil.copytree(_made_once / "there", tmp_path / "there")
    return Ledger(tmp_path / "there")


def told(entries: list[Entry]) -> list[tuple[str, str, str]]:
    return [(entry.kind, entry.run_id, entry.who) for entry in entries]


def files(place: Path) -> dict[str, bytes]:
    there = [path for path in place.rglob("*") if path.is_file() and path.suffix != ".lock" and path.name != ".lock"]
    return {str(path.relative_to(place)): path.read_bytes() for path in there}


def test_one_chain_that_names_both_heads(here: Ledger, there: Ledger) -> None:
    before, head_here, head_there, theirs = here.path.read_bytes(), here.head(), there.head(), files(there.runs.path)
    old = here.read()
    done = merge(here.runs.path, there.runs.path, who="an organiser")
    assert (set(done.brought), set(done.known), dict(done.refused), done.said) == ({GOOD, POOR}, OWN, {}, 2)
    assert here.path.read_bytes().startswith(before)
    new = here.read()[len(old) :]
    assert told(new[:1]) == [("merge", "", "an organiser")]
    assert new[0].note == f"head here: 3 {head_here.sha256}; head there: {head_there.lines} {head_there.sha256}"
    assert [(entry.kind, entry.run_id) for entry in new[1:3]] == [("run", GOOD), ("run", POOR)]
    assert told(new[3:]) == [("release", GOOD, "a judge there"), ("release", POOR, "a judge there")]
    original = there.read()[4]
    assert new[3].note == f"looked at it (merged from line 5 of {original.time})"
    assert new[4].note.endswith(f"xx (merged from line 8 of {there.read()[7].time})")
    assert here.verify() == []
    assert set(standing(here.read(), "release")) == {GOOD, POOR}, "what was said holds here as well"
    evidence = here.runs.path / "merged" / f"{head_there.sha256}.jsonl"
    assert evidence.read_bytes() == there.path.read_bytes()
    assert files(there.runs.path) == theirs, "the other directory is only read"


def test_runs_come_whole_and_verify_once_delivered(here: Ledger, there: Ledger) -> None:
    mine, theirs = kept(here.runs.path), kept(there.runs.path)
    merge(here.runs.path, there.runs.path)
    assert kept(here.runs.path) == theirs | mine
    assert set(delivery.undelivered(here.runs.path)) >= {GOOD, POOR}
    delivered, left = delivery.sync(here.runs.path)
    assert set(delivered) == {*OWN, FAIR, GOOD, POOR}
    assert left == {}
    report = verify(here.runs.path)
    assert report.problems == ()
    assert set(report.runs) == {*OWN, FAIR, GOOD, POOR}


def test_a_second_merge_adds_nothing_and_a_later_one_what_is_new(here: Ledger, there: Ledger) -> None:
    merge(here.runs.path, there.runs.path)
    before = files(here.runs.path)
    done = merge(here.runs.path, there.runs.path)
    assert (done.brought, set(done.known), done.said) == ((), {*OWN, GOOD, POOR}, 0)
    assert files(here.runs.path) == before
    there.append("release", POOR, who="a judge there", note="and again")
    made_run(there.runs.path, "fast", 0.8, deliver=False)
    done = merge(here.runs.path, there.runs.path)
    assert (done.brought, done.said) == ((run_id("fast"),), 1)
    assert [entry.kind for entry in here.read()[-3:]] == ["merge", "run", "release"]
    assert here.verify() == []


def test_a_merge_back_brings_no_copy_of_a_copy(here: Ledger, there: Ledger) -> None:
    merge(here.runs.path, there.runs.path)
    done = merge(there.runs.path, here.runs.path)
    assert (done.brought, done.said) == ((FAIR,), 0)
    assert merge(here.runs.path, there.runs.path).brought == ()
    assert kept(here.runs.path).keys() == kept(there.runs.path).keys()


def test_into_a_new_directory_and_a_copy_that_went_on(there: Ledger, tmp_path: Path) -> None:
    done = merge(tmp_path / "new", there.runs.path)
    assert set(done.brought) == {*OWN, GOOD, POOR}
    assert kept(tmp_path / "new") == kept(there.runs.path)
    assert Ledger(tmp_path / "new").verify() == []
    shutil.copytree(there.runs.path, tmp_path / "copy")
    made_run(tmp_path / "copy", "fast", 0.8, deliver=False)
    done = merge(there.runs.path, tmp_path / "copy")
    assert (done.brought, done.said) == ((run_id("fast"),), 0), "what both had from the beginning is not said again"


def test_notes_that_are_data_stay_as_they_are(here: Ledger, there: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of entries, which speak of no run; also where the clock here is behind."""
    monkeypatch.setattr(chain, "KINDS", (*dict.fromkeys((*chain.KINDS, "entry")),))
    for module in ("harness.tracking.chain", "harness.tracking.merging"):
        monkeypatch.setattr(f"{module}.BY_PERSONS", (*dict.fromkeys((*chain.BY_PERSONS, "entry")),))
    note = json.dumps({"team": "T17", "received": "2026-03-01T00:00:00+00:00"})
    there.append("entry", note=note, who="intake")
    last = here.read()[-1]
    monkeypatch.setattr(chain, "datetime", _Yesterday)
    assert merge(here.runs.path, there.runs.path).said == 3
    assert [entry.note for entry in here.read() if entry.kind == "entry"] == [note]
    assert {entry.time for entry in here.read()[len(OWN) + 1 :]} == {last.time}
    monkeypatch.undo()


class _Yesterday:
    @staticmethod
    def now(zone: object) -> object:
        from datetime import UTC, datetime

        return datetime(2020, 1, 1, tzinfo=UTC)


# --- what is in conflict or damaged ---


def test_nothing_is_overwritten(here: Ledger, there: Ledger) -> None:
    made_run(here.runs.path, "good", 0.2, deliver=False)
    shutil.copytree(there.runs.cell_dir(POOR, 0), here.runs.cell_dir(POOR, 0))
    (here.runs.cell_dir(POOR, 0) / "cell.json").write_text("{}")
    before = kept(here.runs.path)
    done = merge(here.runs.path, there.runs.path)
    assert done.brought == ()
    assert "Another record is here" in done.refused[GOOD]
    assert "Another cell of seed 0" in done.refused[POOR]
    assert kept(here.runs.path) == before
    assert here.verify() == []
    assert not any(entry.kind == "merge" for entry in here.read())


def test_a_run_that_was_done_again_here_is_known(here: Ledger, there: Ledger) -> None:
    merge(here.runs.path, there.runs.path)
    made_run(here.runs.path, "good", 0.5, deliver=False)
    done = merge(here.runs.path, there.runs.path)
    assert GOOD in done.known
    assert done.refused == {}


def test_a_damaged_run_stays_away_and_the_others_come(here: Ledger, there: Ledger) -> None:
    (there.runs.cell_dir(GOOD, 1) / "items" / "y_pred.npy").write_bytes(b"better")
    digest = RunsDir(there.runs.path).load_record(POOR).submission_digest or ""
    path = there.runs.submission_dir(digest) / "algorithm.py"
    path.chmod(0o644)
    path.write_text("other\n")
    made_run(there.runs.path, "fast", 0.8, deliver=False)
    done = merge(here.runs.path, there.runs.path)
    assert done.brought == (run_id("fast"),)
    assert "was changed after it was kept" in done.refused[GOOD]
    assert "was changed" in done.refused[POOR]
    assert not (here.runs.path / GOOD / "record.json").exists()
    assert here.verify() == []
    assert done.said == 0, "nothing is said of runs that did not come"


def test_ledgers_that_do_not_agree_are_not_merged(here: Ledger, there: Ledger) -> None:
    whole, record = there.path.read_bytes(), there.runs.path / GOOD / "record.json"
    content, before = record.read_bytes(), files(here.runs.path)
    for damage, what in (
        (lambda: there.path.write_bytes(whole.replace(b"looked at it", b"looked away!")), "was edited"),
        (lambda: there.path.write_bytes(b"".join(whole.splitlines(True)[1:])), "removed"),
        (lambda: record.write_bytes(content.replace(b'"score": 0.', b'"score": 0.9', 1)), GOOD),
    ):
        damage()
        with pytest.raises(HarnessError, match="Nothing is merged: ") as caught:
            merge(here.runs.path, there.runs.path)
        assert what in caught.value.reason
        there.path.write_bytes(whole)
        record.write_bytes(content)
    (here.runs.path / FAIR / "record.json").unlink()
    with pytest.raises(HarnessError, match=f"here does not agree with itself: .*{FAIR}"):
        merge(here.runs.path, there.runs.path)
    del before[f"{FAIR}/record.json"]
    assert files(here.runs.path) == before


def test_what_is_no_other_directory(here: Ledger, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(here.runs.path)
    for other, what in (
        ("here", "to merge into"),
        ("link", "to merge into"),
        ("none", "no runs directory"),
        ("empty", "no ledger"),
    ):
        with pytest.raises(ProtocolError, match=what):
            merge(here.runs.path, tmp_path / other)


def test_the_place_of_kept_ledgers_is_no_run(here: Ledger) -> None:
    with pytest.raises(HarnessError, match="is not a run id"):
        here.runs.run_dir("merged")


# --- keys ---


def test_each_ledger_has_a_key_of_its_own(here: Ledger, there: Ledger, tmp_path: Path) -> None:
    (mine, _), (theirs, _) = new_key(tmp_path / "mine.pem"), new_key(tmp_path / "theirs.pem")
    there.append("release", GOOD, who="a judge there", note="with a key", key=theirs)
    here.append("release", FAIR, key=mine)
    before = files(here.runs.path)
    for key in (None, theirs):
        with pytest.raises(ProtocolError, match="is signed with the key"):
            merge(here.runs.path, there.runs.path, key=key)
    assert files(here.runs.path) == before
    assert merge(here.runs.path, there.runs.path, key=mine).said == 3
    assert here.verify() == []
    assert [entry.key for entry in here.read()[-6:]] == [mine.public] * 6
    assert merge(here.runs.path, there.runs.path, key=mine).brought == ()
    _forge(there, theirs)
    with pytest.raises(HarnessError, match="is not signed by"):
        merge(here.runs.path, there.runs.path, key=mine)


def _forge(ledger: Ledger, key: Key) -> None:
    """A line that a person is said to have made, by somebody without the key."""
    last = ledger.lines()[-1]
    facts = {"kind": "release", "who": "a judge", "run_id": POOR, "record_sha256": ledger.recorded(POOR)}
    forged = chain.following(last, None, **facts)  # type: ignore[arg-type]
    assert forged.key == key.public
    ledger.path.write_bytes(ledger.path.read_bytes() + forged.line())


# --- kills ---

KILLED = """
import os, signal, sys
from harness.tracking import bringing, ledger, merging
left = int(sys.argv[4])
def dying(real):
    def act(*args, **kwargs):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return act
def torn(path, length, content):
    with open(path, "ab") as file:
        file.write(content[:left])
    os.kill(os.getpid(), signal.SIGKILL)
point = sys.argv[3]
if point == "torn":
    ledger.extend = torn
elif point in ("write_bytes_atomic", "write"):
    setattr(merging, point, dying(getattr(merging, point)))
elif point != "any":
    setattr(bringing, point, dying(getattr(bringing, point)))
print("ready", flush=True)
merging.merge(sys.argv[1], sys.argv[2])
print("done", flush=True)
"""


def completed(here: Ledger, there: Ledger, whole: dict[str, bytes]) -> None:
    """What a killed merge left is sound, and a second one completes it."""
    for record in here.runs.path.glob("*/record.json"):  # no run without all of its cells
        assert all(here.runs.load_cell(record.parent.name, seed) for seed in range(SEEDS))
    done = merge(here.runs.path, there.runs.path)
    assert {*done.brought, *done.known} == {*OWN, GOOD, POOR}
    assert done.refused == {}
    assert kept(here.runs.path) == whole
    assert here.verify() == []
    entries = here.read()
    assert sorted(entry.run_id for entry in entries if entry.kind == "run") == sorted([*OWN, FAIR, GOOD, POOR])
    assert sorted(entry.run_id for entry in entries if entry.kind == "release") == sorted([GOOD, POOR])
    kept_ledgers = [path.read_bytes() for path in (here.runs.path / "merged").glob("*.jsonl")]
    assert kept_ledgers == [there.path.read_bytes()]
    assert not [path for path in here.runs.path.rglob(".tmp-*") if path.parent.name != "merged"]
    assert merge(here.runs.path, there.runs.path).brought == ()


@pytest.mark.parametrize(
    ("point", "times"),
    [
        ("_rename", 1),
        ("_rename", 4),
        ("write_new", 7),
        ("write_text_atomic", 1),
        ("write", 2),
        ("write_bytes_atomic", 1),
        ("torn", 0),
        ("torn", 700),
        ("torn", 1400),
    ],
)
def test_a_kill_at_a_given_point(point: str, times: int, here: Ledger, there: Ledger) -> None:
    whole = kept(there.runs.path) | kept(here.runs.path)
    line = [sys.executable, "-c", KILLED, str(here.runs.path), str(there.runs.path), point, str(times)]
    assert subprocess.run(line, check=False, stdout=subprocess.DEVNULL).returncode == -signal.SIGKILL
    completed(here, there, whole)


@pytest.mark.parametrize("attempt", range(4))
def test_a_kill_at_any_moment(attempt: int, here: Ledger, there: Ledger) -> None:
    whole = kept(there.runs.path) | kept(here.runs.path)
    line = [sys.executable, "-c", KILLED, str(here.runs.path), str(there.runs.path), "any", "0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(random.Random(attempt).uniform(0, 0.4))
        child.kill()
    completed(here, there, whole)
