"""A competition's whole life, small: twelve teams, twenty entries of every kind, a kill, a second machine, a correction,
two phases, winners with a tie; and nothing that was to stay here in anything that leaves.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.protocol.rules import written
from harness.tracking import ledger
from tests.competition.conftest import FIRST, LAST, LEAKS, Place, files, folder, packed

RULES = 'version: {version}\nquota: {{per_day: 2}}\nphases: {{public: {{closes: "{closes}"}}, final: {{}}}}\n'
FAR = "2100-01-01T00:00:00Z"
SLOW = "import time\n\ndef select(task):\n    time.sleep(0.3)\n    return list(range(task.budget))\n"
MIDDLE = "def select(task):\n    return list(range(30, 30 + task.budget))\n"
IN_TIME, LATE = "2026-11-01T12:00:00Z", "2101-01-01T00:00:00Z"
CODES = [FIRST, LAST, MIDDLE]


def harness(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    done = main(list(words))
    said = capsys.readouterr()
    assert done == code, f"{words}\n{said.out}\n{said.err}"
    return said.out if code == 0 else said.err


def entries(place: Place) -> None:
    """Twenty things of twelve teams, as they arrive; T1 has a token."""
    for k in range(2, 12):
        packed(place.inbox / f"T{k}" / "first.zip", files(f"m{k}", f"# {k}\n{CODES[k % 3]}"), f"m{k}/" if k % 2 else "")
    folder(place.inbox / "by_token", files("tokened", LAST, **{"team.token": "alpha"}))
    packed(place.inbox / "T12" / "slow.tar.gz", files("slow", SLOW))
    folder(place.inbox / "T5" / "second", files("m5b", f"# better\n{MIDDLE}"))
    folder(place.inbox / "T6" / "leaks", files("leaks", LEAKS))
    folder(place.inbox / "T7" / "broken", files("broken", "def select(task:\n"))
    folder(place.inbox / "T8" / "impostor", files("reference_Skyl1ne", LAST))
    packed(place.inbox / "T9" / "hostile.zip", {**files("hostile"), "../../../escaped": "x"})
    folder(place.inbox / "T10" / "two", files("two", f"# 2\n{FIRST}"))
    folder(place.inbox / "T10" / "z_three", files("three", f"# 3\n{FIRST}"))  # over the quota of two a day
    folder(place.inbox / "nobodys", files("nobodys"))


def taken(place: Place, capsys: pytest.CaptureFixture[str], received: str) -> dict[str, dict[str, Any]]:
    words = place.words("intake", str(place.inbox), "--reports", str(place.reports), "--received", received, "--json")
    return {one["entry"]: one for one in json.loads(harness(capsys, *words))}


def killed(place: Place) -> None:
    """An intake that is killed as soon as it has kept a few cells."""
    words = place.words("intake", str(place.inbox), "--reports", str(place.reports), "--received", IN_TIME)
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *words], start_new_session=True, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 180
    while len(list(place.runs.glob("flips-*/cells/[0-9]*/cell.json"))) < 5:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def rows(place: Place, name: str = "flips") -> dict[str, Any]:
    plain: dict[str, Any] = json.loads((place.root / "boards" / f"{name}.json").read_bytes())
    return plain


def leaves(place: Place) -> Iterator[tuple[Path, bytes]]:
    """Everything that leaves the organiser's machine, byte by byte; archives unpacked."""
    for root in ("reports", "boards", "bundle"):
        for path in (place.root / root).rglob("*"):
            if path.is_file():
                yield path, path.read_bytes()
    with zipfile.ZipFile(place.root / "bundle.zip") as archive:
        for name in archive.namelist():
            yield Path("bundle.zip", name), archive.read(name)


def test_a_competitions_life(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roster, boards = str(tmp_path / "conf/teams.yaml"), ["--out", str(tmp_path / "boards")]
    place.teams(("T1", "alpha"), ("T2", None))
    for k in range(3, 13):
        out = harness(
            capsys, "team", "new", f"T{k}", "--name", f"Team {k}", "--contact", f"t{k}@example.org", "--roster", roster
        )
        text = re.sub(rf"(id: T{k},.*?), token_sha256: \w+", r"\1", Path(roster).read_text(encoding="utf-8"))
        Path(roster).write_text(text, encoding="utf-8")  # their folder says whose an entry is
        assert len(out.split("token  ")[1].split()[0]) == 32
    place.rules(RULES.format(version=1, closes=FAR))

    # before it opens
    harness(capsys, *place.words("challenge", "freeze", "flips", "--who", "the organiser"))
    yaml = (tmp_path / "conf/challenge/flips.yaml").read_text(encoding="utf-8")
    assert "secret_file:" in yaml
    assert "\nsecret:" not in yaml
    secret_file = Path(re.findall(r"secret_file: ['\"]?(.+?)['\"]?\n", yaml)[0])
    secret = secret_file.read_text().strip()
    for out in ("bundle", "bundle.zip"):
        harness(capsys, *place.words("bundle", "flips", "--out", str(tmp_path / out)))
    harness(capsys, "run", "challenge=flips", "submission=random", f"runs_dir={place.runs}", "--config-dir", place.conf)

    # while it goes on: entries, a kill in the middle, the board
    entries(place)
    killed(place)
    told = taken(place, capsys, IN_TIME)
    assert len(told) == 20
    status = {entry: one["status"] for entry, one in told.items()}
    assert [status[f"T{k}/first.zip"] for k in range(2, 12)] == ["ok"] * 10
    assert (status["by_token"], told["by_token"]["team"]) == ("ok", "T1")
    assert (status["T6/leaks"], status["T7/broken"], status["T8/impostor"]) == ("crashed", *["invalid_submission"] * 2)
    assert [status[name] for name in ("T9/hostile.zip", "nobodys", "T10/z_three")] == ["refused"] * 3
    assert "used its 2 entries" in told["T10/z_three"]["reason"]
    assert not (tmp_path / "escaped").exists()
    assert not any(one["new"] for one in taken(place, capsys, IN_TIME).values())
    harness(capsys, *place.words("leaderboard", "flips", *boards))
    public = rows(place)
    assert [row["rank"] for row in public["ranked"]] == list(range(1, 13))
    assert {row["team"] for row in public["ranked"]} == {f"T{k}" for k in range(1, 13)}
    assert next(row["submission"] for row in public["ranked"] if row["team"] == "T5") == "m5b"
    assert (public["phase"]["name"], public["secret"]) == ("public", "kept")

    # a team takes its second entry back, another is found to have cheated; a second machine ran one more
    withdrawn = next(row["run_id"] for row in public["ranked"] if row["team"] == "T5")
    cheat = next(row["run_id"] for row in public["ranked"] if row["team"] == "T11")
    harness(capsys, "withdraw", withdrawn, "--who", "Team 5", "--why", "a wrong file", "--runs-dir", str(place.runs))
    harness(
        capsys, "disqualify", cheat, "--who", "the jury", "--why", "labels in a table", "--runs-dir", str(place.runs)
    )
    other = tmp_path / "other_runs"
    mine = folder(tmp_path / "elsewhere", files("elsewhere", f"# elsewhere\n{LAST}"))
    words = ["challenge=flips", f"submission={mine}", "team=T2", f"runs_dir={other}", "--config-dir", place.conf]
    harness(capsys, "run", *words)
    harness(capsys, "merge", str(other), "--runs-dir", str(place.runs))
    harness(capsys, *place.words("leaderboard", "flips", *boards))
    public = rows(place)
    by_team = {row["team"]: row for row in public["ranked"]}
    assert (by_team["T5"]["submission"], by_team["T2"]["submission"], "T11" in by_team) == ("m5", "elsewhere", False)

    # a correction: refused under the same version, then everything that counted runs again
    challenge = tmp_path / "conf/challenge/flips.yaml"
    frozen = challenge.read_text(encoding="utf-8")
    challenge.write_text(frozen.replace("budget: 20", "budget: 24"), encoding="utf-8")
    said = harness(capsys, *place.words("leaderboard", "flips", *boards), code=1)
    assert "is not what was frozen" in said
    assert "budget" in said
    assert "Raise version" in harness(capsys, *place.words("challenge", "freeze", "flips", "--who", "x"), code=2)
    challenge.write_text(challenge.read_text().replace("version: 1", "version: 2"), encoding="utf-8")
    harness(capsys, *place.words("challenge", "freeze", "flips", "--who", "the organiser"))
    harness(capsys, *place.words("rerun", "flips"))
    harness(capsys, *place.words("leaderboard", "flips", *boards))
    again = rows(place)
    assert {row["team"] for row in again["ranked"]} == set(by_team)
    assert {row["team"]: row["submission"] for row in again["ranked"]} == {
        t: row["submission"] for t, row in by_team.items()
    }
    assert (tmp_path / "boards/archive/flips-v1/flips.json").is_file()

    # a late one, the end, the winners
    end = place.words("challenge", "finalise", "flips", *boards, "--who", "the jury", "--why", "closed")
    assert "cannot be finalised yet" in harness(capsys, *end, code=2)
    folder(place.inbox / "T3" / "late", files("late", f"# late\n{LAST}"))
    now = written(datetime.now(UTC))
    challenge.write_text(challenge.read_text().replace(FAR, now), encoding="utf-8")
    harness(capsys, *place.words("challenge", "freeze", "flips", "--who", "the organiser"))
    assert taken(place, capsys, LATE)["T3/late"]["late"]
    harness(capsys, *end)
    final, old = rows(place), rows(place, "flips.public")
    assert final["phase"]["name"] == "final"
    assert "late" in [row["submission"] for row in final["unranked"]]
    scores = [{row["team"]: row["score"] for row in one["ranked"]} for one in (final, old)]
    assert scores[0] != scores[1]
    whole = {json.loads(p.read_bytes())["score"] for p in place.runs.glob("flips-m*/record.json")}
    assert not whole & {*scores[0].values(), *scores[1].values()}
    announcement = json.loads(harness(capsys, *place.words("winners", "flips", "--json")))
    assert announcement["first"][0] == final["ranked"][0]["team"]
    assert "have the very same score; the one handed in earlier stands first." in announcement["text"]
    harness(capsys, *place.words("challenge", "reveal", "flips", *boards, "--who", "the jury", "--why", "it is over"))

    # all of it can be checked
    for board in ("flips", "flips.public", "archive/flips-v1/flips"):
        page = str(tmp_path / "boards" / f"{board}.json")
        harness(capsys, "verify", page, "--runs-dir", str(place.runs), "--config-dir", place.conf)
    harness(capsys, "verify", str(tmp_path / "boards/flips.revealed.json"))
    harness(
        capsys, "reproduce", final["ranked"][0]["run_id"], "--runs-dir", str(place.runs), "--config-dir", place.conf
    )
    kinds = {entry.kind for entry in ledger.read(place.runs)}
    assert {
        "entry",
        "run",
        "freeze",
        "withdraw",
        "disqualify",
        "merge",
        "publish",
        "finalise",
        "reveal",
        "reproduce",
    } <= kinds

    # and nothing that was to stay here has left
    data = (tmp_path / "conf/data/patients.csv").read_text().splitlines()[1:]
    kept = [str(tmp_path), "example.org", "alpha", str(secret_file), socket.gethostname(), f"/home/{getpass.getuser()}"]
    for path, content in leaves(place):
        text = content.decode("utf-8", errors="replace")
        found = [word for word in kept if word and word in text]
        assert not found, f"{path}: {found}"
        assert secret not in text or path.name == "flips.revealed.json", path
        assert not [row for row in data if row in text], path
