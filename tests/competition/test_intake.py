"""Taking entries in: whose they are, what is refused, what is told, what a kill leaves, and two at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.tracking import ledger
from harness.tracking.entries import handed
from harness.tracking.runs import exclusive
from tests.competition.conftest import FIRST, LAST, LEAKS, Place, files, folder, packed


def take(place: Place, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """Take the inbox in; what is told of each entry, by its place."""
    command = place.words("intake", str(place.inbox), "--reports", str(place.reports), "--json", *words)
    assert main(command) == code
    return {one["entry"]: one for one in json.loads(capsys.readouterr().out)}


def test_entries_of_every_kind(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    folder(place.inbox / "T2" / "plain", files("plain"))
    packed(place.inbox / "T2" / "packed.tar.gz", files("packed", LAST), "packed/")
    packed(place.inbox / "by_token.zip", files("token", LAST, **{"team.token": "alpha\n"}))
    folder(place.inbox / "T2" / "broken", files("broken", "def select(task:\n"))
    folder(place.inbox / "T2" / "impostor", files("Reference-Skyl1ne"))
    folder(
        place.inbox / "T2" / "other_track",
        {**files("other"), "submission.yaml": files("other")["submission.yaml"].replace("selection", "debugging")},
    )
    told = take(place, capsys)
    assert {entry: (one["team"], one["status"]) for entry, one in told.items()} == {
        "T2/plain": ("T2", "ok"),
        "T2/packed.tar.gz": ("T2", "ok"),
        "by_token.zip": ("T1", "ok"),
        "T2/broken": ("T2", "invalid_submission"),
        "T2/impostor": ("T2", "invalid_submission"),
        "T2/other_track": ("T2", "refused"),
    }
    ok = told["by_token.zip"]
    record = json.loads((place.runs / ok["receipt"]["run_id"] / "record.json").read_bytes())
    assert ok["score"] == record["score"]  # no phases: nothing is held back
    assert ok["receipt"]["digest"] == record["submission_digest"]
    assert ledger.Ledger(place.runs).holds(ledger.Head(ok["receipt"]["ledger_lines"], ok["receipt"]["ledger_sha256"]))
    for content in (
        path.read_bytes() for path in place.root.rglob("*") if path.is_file() and "inbox" not in path.parts
    ):
        assert b"alpha" not in content  # the token is kept nowhere
    again = take(place, capsys)
    assert [(e, one) for e, one in again.items() if one["new"]] == []
    assert len(handed(ledger.read(place.runs), "flips")) == 5


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (files("x"), "It says nowhere whose it is"),
        (files("x", **{"team.token": "beta"}), "no team's"),
        (files("x", **{"team.token": "T2 alpha"}), "said to be of T1 and of T2"),
        (files("x", **{"team.token": ""}), "It says nowhere whose it is"),
        ({"algorithm.py": FIRST, "team.token": "alpha"}, "no submission.yaml"),
    ],
)
def test_what_is_nobodys_is_refused(
    contents: dict[str, str], words: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    folder(place.inbox / "entry", contents)
    (one,) = take(place, capsys).values()
    assert one["status"] == "refused"
    assert words in one["reason"]
    assert handed(ledger.read(place.runs), "flips") == []
    assert list(place.runs.glob("flips-*")) == []


def test_a_token_is_asked_for_in_the_teams_own_folder_too(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    folder(place.inbox / "T1" / "without", files("without"))
    folder(place.inbox / "T2" / "of_another", files("another", **{"team.token": "alpha"}))
    told = take(place, capsys)
    assert "no token of team T1" in told["T1/without"]["reason"]
    assert "of T1 and of T2" in told["T2/of_another"]["reason"]


def test_hostile_things_are_refused_and_the_others_run(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    packed(place.inbox / "T2" / "up.zip", {**files("up"), "../../escaped.txt": "out"})
    packed(place.inbox / "T2" / "absolute.tar.gz", {**files("abs"), "/tmp/escaped.txt": "out"})
    (place.inbox / "T2" / "junk.zip").write_bytes(b"PK\x03\x04 and no more")
    (place.inbox / "T2" / "link").symlink_to("/etc")
    os.mkfifo(place.inbox / "T2" / "pipe.zip")
    (place.inbox / "T2" / "notes.txt").write_text("hello", encoding="utf-8")
    (place.inbox / "T2" / "going_on.zip.part").write_text("half", encoding="utf-8")
    folder(place.inbox / "T2" / "honest", files("honest"))
    told = take(place, capsys)
    assert told.pop("T2/honest")["status"] == "ok"
    assert set(told) == {
        f"T2/{name}" for name in ("up.zip", "absolute.tar.gz", "junk.zip", "link", "pipe.zip", "notes.txt")
    }
    assert {one["status"] for one in told.values()} == {"refused"}
    assert all(one["reason"] and str(place.root) not in one["reason"] for one in told.values())
    assert not (place.root / "escaped.txt").exists()
    assert not list(place.runs.glob(".harness*intake*"))


def test_nothing_of_the_view_is_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    folder(place.inbox / "T2" / "leaks", files("leaks", LEAKS))
    (one,) = take(place, capsys).values()
    assert (one["status"], one["traceback"], one["log"]) == ("crashed", ["algorithm.py, line 3"], "")
    told = b"".join(path.read_bytes() for path in place.reports.rglob("*.*"))
    assert b"row" not in told.replace(b"submission.yaml", b"")
    place.rules("logs: shown\n")
    folder(place.inbox / "T2" / "again", files("again", LEAKS))
    one = take(place, capsys)["T2/again"]
    assert "ValueError: row" in one["log"]


def test_quota(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.rules("quota: {per_day: 2, total: 3}\n")
    for day, names in (("2026-03-01", "abc"), ("2026-03-02", "de")):
        for name in names:
            folder(place.inbox / "T2" / name, files(name, f"# {name}\n{FIRST}"))
        told = take(place, capsys, "--received", f"{day}T23:59:59-12:00" if name == "e" else f"{day}T12:00:00Z")
        for name in names:
            path = place.inbox / "T2" / name
            for file in path.iterdir():
                file.unlink()
            path.rmdir()
        statuses = [told[f"T2/{name}"]["status"] for name in names]
        assert statuses == {"2026-03-01": ["ok", "ok", "refused"], "2026-03-02": ["ok", "refused"]}[day]
    assert told["T2/d"]["quota_left"] == {"today": 1, "total": 0}
    assert "has used all its 3 entries" in told["T2/e"]["reason"]


def test_public_scores_only_and_late_ones_marked(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.rules('phases: {public: {closes: "2026-03-01T00:00:00+01:00"}, final: {}}\n')
    folder(place.inbox / "T2" / "in_time", files("in_time"))
    told = take(place, capsys, "--received", "2026-02-28T22:59:59Z")
    one = told["T2/in_time"]
    record = json.loads((place.runs / one["receipt"]["run_id"] / "record.json").read_bytes())
    assert (one["phase"], one["late"]) == ("public", False)
    assert one["score"] != record["score"]
    folder(place.inbox / "T2" / "late", files("late", LAST))
    told = take(place, capsys, "--received", "2026-02-28T23:00:01Z")
    assert told["T2/late"]["late"]
    assert told["T2/late"]["status"] == "ok"
    pages = "".join(path.read_text() for path in place.reports.rglob("*.md"))
    assert f"{record['score']:.4f}" not in pages
    assert "late: it never ranks" in pages


@pytest.mark.parametrize(("rules", "told"), [("", "counts, not this run"), ("ladder: 0.1, ", "")])
def test_which_counts_is_said_by_public_scores_alone(
    rules: str, told: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """A report must not tell which of two entries is better on the final phase's items."""
    place.rules(f"counts: best\nphases: {{public: {{{rules}share: 0.08}}, final: {{}}}}\n")
    records: dict[str, tuple[float, float]] = {}
    differ = 0
    for k in range(4):
        code = f"def select(task):\n    return list(range({10 * k}, {10 * k} + task.budget))\n"
        folder(place.inbox / "T2" / f"e{k}", files(f"e{k}", code))
        one = take(place, capsys)[f"T2/e{k}"]
        whole = json.loads((place.runs / one["receipt"]["run_id"] / "record.json").read_bytes())["score"]
        records[one["receipt"]["run_id"]] = (one["score"], whole)
        best, wholly_best = (max(records, key=lambda run_id, k=k: records[run_id][k]) for k in (0, 1))  # type: ignore[misc]
        differ += best != wholly_best
        if not told:
            assert one["counts"] == ""
        elif best == one["receipt"]["run_id"]:
            assert "this run counts from now on" in one["counts"]
        else:
            assert f"{best} counts, not this run" in one["counts"]
    assert differ or not told  # or this would show nothing


def test_a_kill_in_the_middle_loses_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    slow = "import time\n\ndef select(task):\n    time.sleep(0.4)\n    return list(range(task.budget))\n"
    for k in range(4):
        folder(place.inbox / "T2" / f"e{k}", files(f"e{k}", f"# {k}\n{slow}"))
    words = place.words("intake", str(place.inbox), "--reports", str(place.reports))
    head = subprocess.Popen(
        [sys.executable, "-m", "harness", *words], start_new_session=True, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not list(place.runs.glob("flips-e*/cells/[0-9]*/cell.json")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(head.pid, signal.SIGKILL)
    head.wait()
    before = {path: path.stat().st_mtime_ns for path in place.runs.glob("flips-e*/cells/[0-9]*/cell.json")}
    told = take(place, capsys)
    assert [one["status"] for one in told.values()] == ["ok"] * 4
    assert {path: path.stat().st_mtime_ns for path in before} == before  # what was there was used
    assert len(handed(ledger.read(place.runs), "flips")) == 4
    assert not list(place.runs.glob(".*intake-*"))
    assert main(["verify", str(place.runs), "--config-dir", place.conf]) == 0


def test_two_intakes_at_once(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    folder(place.inbox / "T2" / "one", files("one"))
    with exclusive(place.runs / ".intake.lock", "the intake", wait_seconds=0):
        assert main(place.words("intake", str(place.inbox))) == 1
    assert "Another harness is working on the intake" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["intake", "nowhere"], "There is no inbox nowhere"),
        (["intake", ".", "challenge=selection_digits"], "has no roster"),
        (["intake", ".", "--received", "2027-01-01"], "--received must be a time with its zone"),
    ],
)
def test_wrong_words(words: list[str], said: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(place.words(*words)) == 2
    assert said in capsys.readouterr().err


def test_which_challenge_is_asked_where_none_has_a_roster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "challenge").mkdir()
    assert main(["intake", str(tmp_path), "--config-dir", str(tmp_path)]) == 2
    assert "Which challenge are the entries for?" in capsys.readouterr().err
