"""A frozen challenge: where its secret goes, what holds it, and what is said when it is no longer the same."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from harness.competition.freezing.freeze import freeze
from harness.errors import ProtocolError
from harness.evaluation.bench import Bench
from harness.evaluation.run import evaluate
from harness.protocol import lock, secret
from harness.protocol.compose import load_challenge
from harness.protocol.describe import describe
from harness.tracking.ledger import Ledger
from harness.tracking.signature import new_key
from tests.competition.owned import add, plain

ROOT = Path(__file__).resolve().parents[2]


def ready(conf: Path) -> Bench:
    return Bench.ready(load_challenge("quality", config_dir=conf), device="cpu", tier="none")


def git(folder: Path, *words: str) -> None:
    named = ["-c", "user.name=T", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True)


def test_the_secret_is_moved_and_everything_else_stays(conf: Path, tmp_path: Path, own_home: Path) -> None:
    file = conf / "challenge" / "quality.yaml"
    add(file, "# the last remark", "counts: best  # of a team")
    before, kept = file.read_text(), load_challenge("quality", config_dir=conf).secret
    fingerprint = ready(conf).fingerprint
    done = freeze("quality", conf, tmp_path / "runs", who="Ada")
    assert done.fingerprint == fingerprint
    place = own_home / ".config" / "harness" / "secrets" / "quality.secret"
    assert done.secret_place == place
    assert place.read_text().splitlines()[1:] == [kept]
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    expected = re.sub(r"(?m)^secret: .*$", "secret_file: ~/.config/harness/secrets/quality.secret", before)
    assert file.read_text() == expected
    (line,) = Ledger(tmp_path / "runs").read()
    assert (line.kind, line.who) == ("freeze", "Ada")
    assert line.note == f"quality version 1 fingerprint {fingerprint} lock {done.lock_sha256}"
    held = lock.read(done.lock)
    assert held is not None
    assert (held.who, held.sha256) == ("Ada", done.lock_sha256)
    assert kept not in done.lock.read_text()
    assert str(tmp_path) not in done.lock.read_text()
    assert ready(conf).fingerprint == fingerprint


def test_again_changes_nothing_and_a_change_is_told(conf: Path, tmp_path: Path) -> None:
    freeze("quality", conf, tmp_path / "runs", who="Ada")
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    again = freeze("quality", conf, tmp_path / "runs", who="Bob")
    assert not again.new
    assert {path: path.read_bytes() for path in files} == files
    add(conf / "challenge" / "quality.yaml", "quota: {per_day: 3}", "draws: 2")
    third = freeze("quality", conf, tmp_path / "runs", who="Bob")
    assert any(change.startswith("settings.quota is {'per_day': 3") for change in third.changes)
    assert any(change.startswith("settings.draws is 2, was None") for change in third.changes)
    assert third.fingerprint != again.fingerprint
    assert "; changed: " in Ledger(tmp_path / "runs").read()[-1].note


@pytest.mark.parametrize("weak", ["open", "0123456789abcde", "correcthorse", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])
def test_a_weak_secret_makes_place_for_a_new_one(conf: Path, tmp_path: Path, weak: str) -> None:
    file = conf / "challenge" / "quality.yaml"
    file.write_text(re.sub(r"(?m)^secret: .*$", f"secret: {weak}", file.read_text()))
    done = freeze("quality", conf, tmp_path / "runs")
    assert done.secret.startswith("a new one")
    assert secret.bits(load_challenge("quality", config_dir=conf).secret) == 128


def test_strength_by_length_and_alphabet() -> None:
    assert secret.bits("3f9a1c5b7e2d8046") >= secret.FEWEST_BITS
    assert secret.bits("00112233445566aa") >= secret.FEWEST_BITS  # sixteen digits, drawn with less luck
    assert secret.bits("3f9a1c5b7e2d804") < secret.FEWEST_BITS
    assert secret.bits("3F9A1C5B7E2D804") < secret.FEWEST_BITS
    assert secret.bits("1234567890123456789") < secret.FEWEST_BITS <= secret.bits("12345678901234567890")
    assert secret.bits("abababababababababababababababab") < secret.FEWEST_BITS
    assert all(secret.bits(secret.new()) == 128 for _ in range(200))


def test_what_git_has_seen_is_no_secret(conf: Path, tmp_path: Path) -> None:
    git(conf, "init")
    known = load_challenge("quality", config_dir=conf).secret
    untracked = freeze("quality", conf, tmp_path / "runs")
    assert untracked.secret.startswith("moved")
    file = conf / "challenge" / "quality.yaml"
    file.write_text(re.sub(r"(?m)^secret_file: .*$", f"secret: {known}", file.read_text()))
    git(conf, "add", "-f", "challenge/quality.yaml")
    git(conf, "commit", "-m", "all")
    git(conf, "rm", "--cached", "challenge/quality.yaml")  # it stays in the history
    with pytest.raises(ProtocolError, match="holds another secret"):
        freeze("quality", conf, tmp_path / "runs")
    again = freeze("quality", conf, tmp_path / "runs", secret_file=tmp_path / "kept" / "second")
    assert "known to git" in again.secret
    assert load_challenge("quality", config_dir=conf).secret != known


def test_a_secret_of_a_file_that_it_builds_on_is_not_its_own(conf: Path, tmp_path: Path) -> None:
    (conf / "challenge" / "harder.yaml").write_text("defaults: [quality]\ntitle: harder\n")
    done = freeze("harder", conf, tmp_path / "runs")
    assert "builds on" in done.secret
    assert "secret_file" not in plain(conf / "challenge" / "quality.yaml")
    assert load_challenge("harder", config_dir=conf).secret != load_challenge("quality", config_dir=conf).secret


def test_a_secret_of_the_environment_stays_there(
    conf: Path, tmp_path: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = conf / "challenge" / "quality.yaml"
    file.write_text(re.sub(r"(?m)^secret: .*$", "secret: ${oc.env:CHALLENGE_SECRET}", file.read_text()))
    before = file.read_text()
    monkeypatch.setenv("CHALLENGE_SECRET", "short")
    with pytest.raises(ProtocolError, match="bits of chance"):
        freeze("quality", conf, tmp_path / "runs")
    monkeypatch.setenv("CHALLENGE_SECRET", secret.new())
    assert freeze("quality", conf, tmp_path / "runs").secret_place is None
    assert file.read_text() == before
    assert not (own_home / ".config").exists()
    monkeypatch.setenv("CHALLENGE_SECRET", "short")
    with pytest.raises(ProtocolError, match="bits of chance"):
        ready(conf)


def test_a_new_secret_on_request_never_over_an_old_one(conf: Path, tmp_path: Path) -> None:
    first = freeze("quality", conf, tmp_path / "runs")
    with pytest.raises(ProtocolError, match="never written over"):
        freeze("quality", conf, tmp_path / "runs", new_secret=True)
    second = freeze("quality", conf, tmp_path / "runs", new_secret=True, secret_file=tmp_path / "second")
    assert second.secret == "a new one, as was asked for"
    assert any(change.startswith("identity.commitment") for change in second.changes)
    assert first.secret_place is not None
    assert first.secret_place.exists()
    assert plain(conf / "challenge" / "quality.yaml")["secret_file"] == str(tmp_path / "second")


def test_places_where_others_see_it(conf: Path, tmp_path: Path) -> None:
    (tmp_path / "repository").mkdir()
    git(tmp_path / "repository", "init")
    (tmp_path / "link").symlink_to(conf)
    for place in ("repository/deep/secret", "conf/secret", "runs/secret", "link/secret"):
        with pytest.raises(ProtocolError, match="would give it away"):
            freeze("quality", conf, tmp_path / "runs", secret_file=tmp_path / place)
    assert "secret" in plain(conf / "challenge" / "quality.yaml")
    assert not (conf / "challenge" / "quality.lock").exists()


def test_what_is_refused(conf: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(ProtocolError, match="shipped challenge"):
        freeze("debugging_digits", conf, runs)
    file, data = conf / "challenge" / "quality.yaml", conf / "dataset" / "quality.yaml"
    whole, pinned = file.read_text(), data.read_text()
    data.write_text(re.sub(r"(?m)^sha256: .*\n", "", pinned))
    with pytest.raises(ProtocolError, match=r"not pinned: .*sha256: [0-9a-f]{64}"):
        freeze("quality", conf, runs)
    data.write_text(pinned)
    add(file, "teams: teams.yaml")
    (conf / "teams.yaml").write_text("- {id: T1}\n")
    with pytest.raises(ProtocolError, match="roster"):
        freeze("quality", conf, runs)
    file.write_text(whole)
    Ledger(runs).append("publish", key=new_key(tmp_path / "key.pem")[0])
    with pytest.raises(ProtocolError, match="signed with the key"):
        freeze("quality", conf, runs)
    assert file.read_text() == whole
    add(file, "quota: {total: 4}")
    with pytest.warns(UserWarning, match="no `teams`"):
        freeze("quality", conf, tmp_path / "others")


STOPS = ["keep", "put", "write_bytes_atomic", "append"]


@pytest.mark.parametrize("start", ["strong", "open"])
@pytest.mark.parametrize("stop", STOPS)
def test_killed_in_the_middle_and_done_again(conf: Path, tmp_path: Path, own_home: Path, stop: str, start: str) -> None:
    file = conf / "challenge" / "quality.yaml"
    if start == "open":
        file.write_text(re.sub(r"(?m)^secret: .*$", "secret: open", file.read_text()))
    kept = load_challenge("quality", config_dir=conf).secret
    owner = {"keep": "f.secret_place", "put": "f.yaml_line", "write_bytes_atomic": "f", "append": "f.Ledger"}[stop]
    program = (
        "import os, signal, sys; from pathlib import Path; from harness.competition.freezing import freeze as f\n"
        f"real = {owner}.{stop}\n"
        f"def killed(*a, **k): {'pass' if stop == 'keep' else 'os.kill(os.getpid(), signal.SIGKILL)'}; real(*a, **k); os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{owner}.{stop} = killed\n"
        "f.freeze('quality', Path(sys.argv[1]), sys.argv[2])\n"
    )
    line = [sys.executable, "-c", program, str(conf), str(tmp_path / "runs")]
    done = subprocess.run(
        line, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    place = own_home / ".config" / "harness" / "secrets" / "quality.secret"
    drawn = secret.read(place)
    again = freeze("quality", conf, tmp_path / "runs")
    assert again.new
    assert secret.read(place) == drawn == load_challenge("quality", config_dir=conf).secret
    assert (drawn == kept) == (start == "strong")
    assert [entry.kind for entry in Ledger(tmp_path / "runs").read()] == ["freeze"]
    assert not freeze("quality", conf, tmp_path / "runs").new
    assert [path.name for path in place.parent.iterdir()] == ["quality.secret"]
    ready(conf)


def test_an_edited_lock_is_refused(conf: Path, tmp_path: Path) -> None:
    done = freeze("quality", conf, tmp_path / "runs")
    done.lock.write_text(done.lock.read_text().replace('"noise": 0.3', '"noise": 0.2'))
    with pytest.raises(ProtocolError, match="is not the lock"):
        ready(conf)


def test_drift_is_refused_and_named(conf: Path, tmp_path: Path) -> None:
    file, csv = conf / "challenge" / "quality.yaml", conf / "data" / "quality.csv"
    add(file, "teams: teams.yaml", "quota: {per_day: 3}")
    (conf / "teams.yaml").write_text("- {id: T1, name: First}\n")
    freeze("quality", conf, tmp_path / "runs")
    ready(conf)
    changes = {
        file: [("per_day: 3", "per_day: 30", "settings.quota.per_day is 30, frozen was 3"),
               ("seeds: 2", "seeds: 3", "settings.seeds is 3, frozen was 2")],
        conf / "teams.yaml": [("First", "Second", "teams.roster is ")],
        conf / "dataset" / "quality.yaml": [("standardize: true", "standardize: false", "")],
    }  # fmt: skip
    for path, edits in changes.items():
        before = path.read_text()
        for old, new, says in edits:
            if old not in before:
                continue
            path.write_text(before.replace(old, new))
            with pytest.raises(ProtocolError, match=re.escape(says)):
                ready(conf)
            path.write_text(before)
    before = csv.read_text()
    csv.write_text(before.replace("good", "fine"))
    with pytest.raises(ProtocolError, match="not the pinned data"):
        ready(conf)
    digest = re.search("its SHA-256 is ([0-9a-f]+)", _refusal(conf))
    assert digest is not None
    data = conf / "dataset" / "quality.yaml"
    data.write_text(re.sub(r"(?m)^sha256: .*$", f"sha256: {digest[1]}", data.read_text()))
    with pytest.raises(ProtocolError, match=r"identity\.data_digest is "):
        ready(conf)


def _refusal(conf: Path) -> str:
    with pytest.raises(ProtocolError) as caught:
        ready(conf)
    return str(caught.value)


def test_a_version_that_has_runs_stays_what_it_is(conf: Path, tmp_path: Path) -> None:
    file, runs = conf / "challenge" / "quality.yaml", tmp_path / "runs"
    evaluate(load_challenge("quality", config_dir=conf), "random", runs_dir=runs, tier="none")
    first = freeze("quality", conf, runs)
    whole = file.read_text()
    add(file, "draws: 2")
    before = {path: path.read_bytes() for path in (file, first.lock)}
    with pytest.raises(ProtocolError, match=r"1 run in .* belongs to version 1 of quality.*draws is 2, was 1"):
        freeze("quality", conf, runs)
    file.write_text(whole)
    with pytest.raises(ProtocolError, match="the secret"):
        freeze("quality", conf, runs, new_secret=True, secret_file=tmp_path / "second")
    assert not (tmp_path / "second").exists()
    assert first.lock.read_bytes() == before[first.lock]
    file.write_bytes(before[file])
    add(file, "version: 2")
    assert freeze("quality", conf, runs).version == 2


def test_the_commands(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--config-dir", str(conf), "--runs-dir", str(tmp_path / "runs")]
    assert main(["challenge", "freeze", "quality", *where, "--who", "Ada"]) == 0
    said = capsys.readouterr().out
    assert "frozen       quality version 1" in said
    assert "harness bundle quality --config-dir" in said
    assert "harness run challenge=quality submission=all" in said
    assert main(["challenge", "freeze", "quality", *where, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["new"], facts["version"], facts["changes"]) == (False, 1, [])
    assert main(["show", "quality", "--config-dir", str(conf), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["protocol"]["secret"] == "kept"
    assert shown["protocol"]["frozen"].startswith("20")
    assert main(["challenge", "freeze", "debugging_digits", *where]) == 2
    assert main(["bundle", "quality", *where, "--out", str(tmp_path / "given.zip")]) == 0
    assert main(["challenge", "bundle", "quality", *where, "--out", str(tmp_path / "given.zip")]) == 2
    out = ["--out", str(tmp_path / "boards"), "--who", "Ada", "--why", "it is over"]
    assert main(["challenge", "reveal", "quality", *where, *out]) == 0
    assert main(["verify", str(tmp_path / "boards" / "quality.revealed.json")]) == 0
    assert "Everything agrees." in capsys.readouterr().out


def test_what_show_says_of_secret_data_and_rules(conf: Path) -> None:
    open_one = describe(load_challenge("debugging_wine"))
    assert open_one["protocol"]["secret"] == "open, for practice"
    assert not {"public data", "quota"} & {*open_one["dataset"], *open_one["protocol"]}
    kept = describe(load_challenge("debugging_wine", [f"secret={secret.new()}"]))
    assert kept["dataset"]["public data"] == "labels can be looked up"
    add(
        conf / "challenge" / "quality.yaml",
        "counts: best", "logs: shown", "quota: {per_day: 2, total: 30}",
        "phases: {public: {closes: 2027-01-31T23:59:00+01:00, ladder: 0.01}, final: {}}",
    )  # fmt: skip
    own = describe(load_challenge("quality", config_dir=conf))
    assert "public data" not in own["dataset"]
    rules = {
        key: own["protocol"][key] for key in ("counts", "quota", "deadline", "public phase", "final phase", "logs")
    }
    assert rules == {
        "counts": "a team's best entry stands",
        "quota": "2 a day, 30 in all",
        "deadline": "2027-01-31T22:59:00Z",
        "public phase": "open from the first, scores move by more than 0.01 alone, on 50% of the hidden items",
        "final phase": "on the other hidden items, published when it is finalised",
        "logs": "what a submission prints is part of its report",
    }
