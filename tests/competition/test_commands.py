"""Runs in a team's name, decisions about runs, the end, the announcement, a correction: as commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.tracking import ledger
from harness.tracking.runs import RunsDir
from tests.competition.conftest import FIRST, FLIPS, LAST, Place, files, folder

LONG_AGO = 'phases: {public: {closes: "2026-03-01T00:00:00Z"}, final: {}}\n'


def run(place: Place, name: str, *words: str, code: str = FIRST, exit: int = 0) -> None:
    where = place.root / "work" / name
    if not where.exists():
        folder(where, files(name, code))
    command = ["run", "challenge=flips", f"submission={where}", f"runs_dir={place.runs}", "--config-dir", place.conf]
    assert main([*command, *words]) == exit


def board(place: Place, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    command = place.words("leaderboard", "flips", "--out", str(place.root / "boards"), "--json", *words)
    assert main(command) == code
    said = capsys.readouterr().out
    return json.loads(said)[0] if said else {}


def run_id(place: Place, name: str) -> str:
    (found,) = [run_id for run_id in RunsDir(place.runs).run_ids() if run_id.startswith(f"flips-{name}-")]
    return found


# --- a run in a team's name ---


def test_a_replacement_is_announced(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "one", "team=T2")
    assert "Team T2: this run counts from now on (counts: last)." in capsys.readouterr().out
    run(place, "two", "team=T2", code=LAST)
    assert f"Team T2: this run counts from now on in place of {run_id(place, 'one')}" in capsys.readouterr().out
    run(place, "one", "team=T2")
    assert f"Team T2: {run_id(place, 'two')} counts, not this run" in capsys.readouterr().out
    found = board(place, capsys)
    assert [(row["team"], row["run_id"], row["attempts"]) for row in found["ranked"]] == [
        ("T2", run_id(place, "two"), 2)
    ]
    lines = [entry.kind for entry in ledger.read(place.runs)]
    assert lines.count("entry") == 2


def test_what_team_is_meant(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "one", "team=T3", exit=2)
    assert "There is no team 'T3'" in capsys.readouterr().err
    assert main(["run", "team=T2", f"runs_dir={place.runs}"]) == 2
    assert "has no roster" in capsys.readouterr().err
    command = [
        "run",
        "challenge=flips",
        "submission=all",
        "team=T2",
        f"runs_dir={place.runs}",
        "--config-dir",
        place.conf,
    ]
    assert main(command) == 2
    assert "which are no team's" in capsys.readouterr().err
    assert not place.runs.exists()


def test_over_the_quota(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.rules("quota: {total: 1}\n")
    run(place, "one", "team=T2")
    run(place, "one", "team=T2")  # the same files again are the same entry
    run(place, "two", "team=T2", code=LAST, exit=2)
    assert "has used all its 1 entries" in capsys.readouterr().err
    assert [entry.kind for entry in ledger.read(place.runs)].count("entry") == 1


def test_baselines_are_shown_and_do_not_rank_among_teams(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "one", "team=T2")
    assert (
        main(["run", "challenge=flips", "submission=random", f"runs_dir={place.runs}", "--config-dir", place.conf]) == 0
    )
    found = board(place, capsys)
    assert [row["team"] for row in found["ranked"]] == ["T2"]
    assert {row["submission"] for row in found["references"]} == {"random", "reference-random", "reference-skyline"}
    assert (
        main(
            ["verify", str(place.root / "boards/flips.json"), "--runs-dir", str(place.runs), "--config-dir", place.conf]
        )
        == 0
    )


# --- without a roster ---


def test_files_of_one_name_are_rows_of_their_own_until_somebody_says_so(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    file = place.root / "conf/challenge/flips.yaml"
    file.write_text(FLIPS.replace("teams: teams.yaml\n", ""), encoding="utf-8")

    def go(where: Path, *words: str) -> int:
        command = [
            "run",
            "challenge=flips",
            f"submission={where}",
            f"runs_dir={place.runs}",
            "--config-dir",
            place.conf,
        ]
        return main([*command, *words])

    first, second = folder(place.root / "a", files("mine")), folder(place.root / "b", files("mine", LAST))
    assert go(first) == 0
    old = next(i for i in RunsDir(place.runs).run_ids() if "-mine-" in i)
    capsys.readouterr()
    assert go(second) == 0
    assert f"keep a row of their own ({old})" in capsys.readouterr().out
    assert len(board(place, capsys)["ranked"]) == 2
    assert go(second, "--replaces", "nothing") == 2
    assert go(second, "--replaces", old) == 0
    (row,) = board(place, capsys)["ranked"]
    assert (row["run_id"] == old, row["attempts"]) == (False, 2)
    (line,) = [entry for entry in ledger.read(place.runs) if entry.kind == "replace"]
    assert (line.run_id, line.note) == (row["run_id"], old)


def test_a_folder_without_a_manifest_is_a_slip_and_no_row(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    where = folder(place.root / "empty", {"algorithm.py": FIRST, "Submission.yml": "name: x"})
    assert (
        main(["run", "challenge=flips", f"submission={where}", f"runs_dir={place.runs}", "--config-dir", place.conf])
        == 2
    )
    assert "Rename Submission.yml to submission.yaml" in capsys.readouterr().err
    assert not place.runs.exists()


# --- decisions ---


def test_decisions(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "one", "team=T2")
    run(place, "two", "team=T2", code=LAST)
    one, two = run_id(place, "one"), run_id(place, "two")
    who = ["--who", "the jury", "--why", "because", "--runs-dir", str(place.runs)]
    assert main(["withdraw", two, *who]) == 0
    assert board(place, capsys)["ranked"][0]["run_id"] == one
    assert main(["withdraw", two, *who]) == 2
    assert "the jury did withdraw" in capsys.readouterr().err
    assert main(["reinstate", two, *who]) == 0
    assert main(["disqualify", one, *who]) == 0
    found = board(place, capsys)
    assert found["ranked"] == []
    assert [(row["run_id"], row["reason"]) for row in found["unranked"]] == [(one, "disqualified by the jury: because")]
    assert main(["reinstate", one, *who]) == 0
    assert main(["select", one, *who]) == 0
    place.rules("counts: selected\n")
    assert board(place, capsys)["ranked"][0]["run_id"] == one
    kinds = [entry.kind for entry in ledger.read(place.runs)]
    assert [kinds.count(kind) for kind in ("withdraw", "disqualify", "reinstate", "select")] == [1, 1, 2, 1]
    assert main(["verify", str(place.runs), "--config-dir", place.conf]) == 0


@pytest.mark.parametrize("command", ["withdraw", "disqualify", "reinstate", "select"])
def test_decisions_that_cannot_be(command: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "one", "team=T2")
    where = ["--runs-dir", str(place.runs)]
    reference = next(i for i in RunsDir(place.runs).run_ids() if "skyline" in i)
    for words in (
        ["flips-nothing-000000000000", "--who", "a", "--why", "b"],
        ["../flips", "--who", "a", "--why", "b"],
        [reference, "--who", "a", "--why", "b"],
        [run_id(place, "one"), "--who", " ", "--why", "b"],
        [run_id(place, "one"), "--who", "a", "--why", ""],
    ):
        assert main([command, *words, *where]) == 2
        assert "Traceback" not in capsys.readouterr().err
    assert {entry.kind for entry in ledger.read(place.runs)} <= {"run", "entry", "key"}


# --- the end ---


def test_the_end(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.rules(LONG_AGO.replace("2026-03", "2100-03"))
    run(place, "one", "team=T1")
    run(place, "two", "team=T2", code=LAST)
    end = place.words(
        "challenge", "finalise", "flips", "--out", str(place.root / "boards"), "--who", "jury", "--why", "over"
    )
    assert main(end) == 2
    assert "cannot be finalised yet: entries close 2100-03-01T00:00:00Z" in capsys.readouterr().err
    assert main(place.words("winners", "flips")) == 1
    assert main(place.words("winners", "flips", "--hidden")) == 0
    place.rules(LONG_AGO.replace("2026-03-01T00:00:00Z", "2026-11-01T00:00:00Z"))
    assert main(place.words("winners", "flips")) == 1
    assert "is not finalised" in capsys.readouterr().err
    assert board(place, capsys)["phase"]["name"] == "public"


def test_the_announcement(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.rules("phases: {final: {}}\n")
    run(place, "one", "team=T1")
    run(place, "same", "team=T2")
    end = place.words(
        "challenge", "finalise", "flips", "--out", str(place.root / "boards"), "--who", "jury", "--why", "over"
    )
    capsys.readouterr()
    assert main([*end, "--json"]) == 0
    boards = json.loads(capsys.readouterr().out)
    assert [one["phase"]["name"] for one in boards] == ["final", "public"]
    assert main(end) == 2
    assert "finalised already" in capsys.readouterr().err
    capsys.readouterr()
    assert main(place.words("winners", "flips", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["first"] == ["T1", "T2"]
    assert "Team T1 has the best score, and Team T2 cannot be told from it" in told["text"]
    assert "Team T1 and Team T2 have the very same score; the one handed in earlier stands first." in told["text"]
    assert "example.org" not in told["text"]
    assert main(place.words("winners", "flips")) == 0
    for path in (place.root / "boards").glob("*.json"):
        assert main(["verify", str(path), "--runs-dir", str(place.runs), "--config-dir", place.conf]) == 0
    plain = json.loads((place.root / "boards/flips.json").read_bytes())
    for row in plain["ranked"]:  # a lie that agrees with itself, unsigned: only the cells and the secret tell
        row["score"] += 0.01
        row["ci95"] = [end + 0.01 for end in row["ci95"]]
        row["seed_scores"] = {seed: score + 0.01 for seed, score in row["seed_scores"].items()}
        row["normalised"] = row["normalised_ci95"] = None
    (place.root / "boards/flips.json").write_text(json.dumps(plain), encoding="utf-8")
    lie = ["verify", str(place.root / "boards/flips.json"), "--runs-dir", str(place.runs)]
    assert main(lie) == 0
    capsys.readouterr()
    assert main([*lie, "--config-dir", place.conf]) == 1
    assert "its cells give" in capsys.readouterr().out


def test_an_entry_that_has_not_been_run_holds_the_end_up(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    from harness.protocol.rules import moment
    from harness.tracking.entries import hand_in
    from harness.tracking.ledger import Ledger

    place.rules("phases: {final: {}}\n")
    run(place, "one", "team=T1")
    hand_in(Ledger(place.runs), "flips", "T2", "lost", "ab" * 32, moment("2026-01-01T00:00:00Z"), None)
    end = place.words("challenge", "finalise", "flips", "--who", "jury", "--why", "over")
    assert main(end) == 2
    assert "1 entries have not been run to an end that is their own: lost of T2" in capsys.readouterr().err


# --- a correction ---


def test_a_correction(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "one", "team=T1")
    run(place, "old", "team=T2")
    run(place, "two", "team=T2", code=LAST)
    run(place, "gone", "team=T1", code=f"# gone\n{FIRST}")
    assert main(["withdraw", run_id(place, "gone"), "--who", "T1", "--why", "x", "--runs-dir", str(place.runs)]) == 0
    first = board(place, capsys)
    again = place.words("rerun", "flips", "--json")
    assert main(again) == 2  # nothing has changed
    assert "no runs of another version" in capsys.readouterr().err
    place.rules("version: 2\nlimits: {seconds: 30.0}\n")
    assert main(again) == 0
    records = json.loads(capsys.readouterr().out)
    assert {(one["team"], one["submission"], one["challenge_version"]) for one in records} == {
        ("T1", "one", 2),
        ("T2", "two", 2),
    }
    second = board(place, capsys)
    assert {row["team"]: row["score"] for row in second["ranked"]} == {
        row["team"]: row["score"] for row in first["ranked"]
    }
    assert (place.root / "boards/archive/flips-v1/flips.json").exists()
    assert "archive/flips-v1/flips.html" in (place.root / "boards/flips.html").read_text(encoding="utf-8")


def test_a_second_machine_is_merged(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    run(place, "one", "team=T1")
    here, there = place.runs, place.root / "there"
    run(place, "two", "team=T2", f"runs_dir={there}", code=LAST)
    capsys.readouterr()
    assert main(["merge", str(there), "--runs-dir", str(here), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["brought"], told["refused"]) == ([run_id(place, "two")], {})
    found = board(place, capsys)
    assert {row["team"] for row in found["ranked"]} == {"T1", "T2"}
    assert "merge" in {entry.kind for entry in ledger.read(here)}
    assert main(["merge", str(place.root / "nowhere"), "--runs-dir", str(here)]) == 2
    assert main(["verify", str(here), "--config-dir", place.conf]) == 0


def test_teams_by_command(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    roster = str(place.root / "conf/teams.yaml")
    assert main(["team", "new", "T3", "--name", "Third", "--contact", "t@example.org", "--roster", roster]) == 0
    token = capsys.readouterr().out.split("token  ")[1].split()[0]
    folder(place.inbox / "mine", files("mine", **{"team.token": token}))
    assert main(place.words("intake", str(place.inbox), "--reports", str(place.reports), "--json")) == 0
    assert json.loads(capsys.readouterr().out)[0]["team"] == "T3"
    assert main(["team", "new", "t3", "--name", "Other", "--roster", roster]) == 2
    assert "T3 and t3 have the same id" in capsys.readouterr().err


def test_a_lock_that_is_taken_away_changes_no_ranking_without_a_word(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.rules('phases: {public: {closes: "2100-01-01T00:00:00Z"}}\n')
    assert main(place.words("challenge", "freeze", "flips")) == 0
    run(place, "one", "team=T2")
    assert board(place, capsys)["ranked"]
    lock, challenge = place.root / "conf/challenge/flips.lock", place.root / "conf/challenge/flips.yaml"
    kept = lock.read_bytes()
    challenge.write_text(challenge.read_text(encoding="utf-8").replace("2100", "2020"), encoding="utf-8")
    board(place, capsys, code=1)  # the deadline was moved
    lock.unlink()
    board(place, capsys, code=1)  # and the lock removed, so that nobody sees it
    plain = json.loads(kept)
    plain["facts"]["settings"]["phases"]["public"]["closes"] = "2020-01-01T00:00:00Z"
    from harness.protocol.lock import Lock

    lock.write_bytes(Lock(plain["facts"], plain["frozen"], plain["who"]).content())  # or written anew
    board(place, capsys, code=1)
    assert main(place.words("challenge", "freeze", "flips", "--who", "the organiser")) == 0  # with a line of the ledger
    assert board(place, capsys)["unranked"][0]["reason"].startswith("late")
