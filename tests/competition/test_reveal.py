"""A secret revealed: not before its time, checked by anybody, and whoever has the directory can run it all again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.cli import main
from harness.competition.freezing import reveal as module
from harness.competition.freezing.freeze import freeze
from harness.competition.freezing.reveal import check, reveal
from harness.errors import HarnessError, ProtocolError
from harness.evaluation.bench import Bench
from harness.protocol.compose import load_challenge
from harness.tracking.ledger import Ledger
from tests.competition.owned import add, plain

ROOT = Path(__file__).resolve().parents[2]


def done(conf: Path, tmp_path: Path) -> module.Revealed:
    return reveal("quality", conf, tmp_path / "runs", tmp_path / "boards", who="Ada", why="it is over")


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_revealed_and_the_same_challenge_still(conf: Path, tmp_path: Path) -> None:
    fingerprint = freeze("quality", conf, tmp_path / "runs").fingerprint
    kept = load_challenge("quality", config_dir=conf).secret
    found = done(conf, tmp_path)
    assert found.new
    assert found.path == tmp_path / "boards" / "quality.revealed.json"
    assert json.loads(found.path.read_text())["secret"] == kept
    assert check(found.path) == []
    file = conf / "challenge" / "quality.yaml"
    assert plain(file)["secret"] == kept
    assert "secret_file" not in plain(file)
    assert re.search(r"(?m)^secret: \S+  # revealed on \d{4}-", file.read_text())
    bench = Bench.ready(load_challenge("quality", config_dir=conf), device="cpu", tier="none")
    assert bench.fingerprint == fingerprint == found.fingerprint
    last = Ledger(tmp_path / "runs").read()[-1]
    assert (last.kind, last.who) == ("reveal", "Ada")
    assert found.commitment in last.note
    assert last.note.endswith("it is over")
    before = file.read_text(), found.path.read_bytes(), len(Ledger(tmp_path / "runs").read())
    assert not done(conf, tmp_path).new
    assert before == (file.read_text(), found.path.read_bytes(), len(Ledger(tmp_path / "runs").read()))


@pytest.mark.parametrize(
    ("phases", "says"),
    [
        (f"{{public: {{closes: {in_days(1)}}}}}", "public phase closes on"),
        (f"{{public: {{closes: {in_days(-1)}}}, final: {{opens: {in_days(1)}}}}}", "final phase opens on"),
        (f"{{public: {{closes: {in_days(-2)}}}, final: {{opens: {in_days(-1)}}}}}", ""),
    ],
    ids=["public-open", "final-to-come", "over"],  # fixed: names with the hour in them differ from worker to worker
)
def test_not_before_its_time(conf: Path, tmp_path: Path, phases: str, says: str) -> None:
    add(conf / "challenge" / "quality.yaml", f"phases: {phases}")
    if not says:
        done(conf, tmp_path)
        return
    with pytest.raises(ProtocolError, match=says):
        done(conf, tmp_path)
    assert not (tmp_path / "boards").exists()


def test_the_ledger_knows_a_later_time_than_a_clock_set_back(
    conf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(conf / "challenge" / "quality.yaml", f"phases: {{public: {{closes: {in_days(-1)}}}}}")
    freeze("quality", conf, tmp_path / "runs")

    class Back(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.fromisoformat(in_days(-9))

    monkeypatch.setattr(module, "datetime", Back)
    assert done(conf, tmp_path).new


def test_what_is_refused(conf: Path, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="shipped challenge"):
        reveal("debugging_digits", conf, tmp_path / "runs", tmp_path, who="A", why="b")
    with pytest.raises(ProtocolError, match="nor --why may be empty"):
        reveal("quality", conf, tmp_path / "runs", tmp_path, who="A", why=" ")
    freeze("quality", conf, tmp_path / "runs")
    file = conf / "challenge" / "quality.yaml"
    whole = file.read_text()
    file.write_text(whole.replace("seeds: 2", "seeds: 3"))
    with pytest.raises(ProtocolError, match=r"would prove nothing: .*commitment"):
        done(conf, tmp_path)
    file.write_text(re.sub(r"(?m)^secret_file: .*$", "secret: open", whole))
    with pytest.raises(ProtocolError, match="nothing to reveal"):
        done(conf, tmp_path)
    file.write_text(whole)
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "quality.revealed.json").write_text("{}")
    with pytest.raises(ProtocolError, match="another secret or version"):
        done(conf, tmp_path)
    assert file.read_text() == whole


def test_every_edit_is_found(conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = done(conf, tmp_path).path
    content = json.loads(path.read_text())
    edits = {
        "challenge": "other", "version": 2, "fingerprint": "0" * 64, "commitment": "0" * 64, "data_digest": "0" * 64,
        "settings": content["settings"] | {"seeds": 30}, "secret": "0" * 32, "how": "Trust us.",
    }  # fmt: skip
    assert set(edits) == set(content)
    for key, value in edits.items():
        path.write_text(json.dumps(content | {key: value}))
        assert check(path), key
        assert main(["verify", str(path)]) == 1
    path.write_text(json.dumps(content))
    assert main(["verify", str(path)]) == 0
    board = path.with_name("quality.json")
    board.write_text(json.dumps({key: content[key] for key in ("challenge", "version", "fingerprint", "commitment")}))
    assert check(path) == []
    for key in ("version", "fingerprint", "commitment"):
        board.write_text(json.dumps({"challenge": "quality", key: "other"}))
        assert [what for what in check(path) if "quality.json" in what and what.startswith(key)]
    board.unlink()
    for broken in ("", "[]", "{}", json.dumps(content | {"settings": 3})):
        path.write_text(broken)
        with pytest.raises(HarnessError):
            check(path)
    capsys.readouterr()


@pytest.mark.parametrize("stop", ["m.write_bytes_atomic", "m.yaml_line.put", "m.Ledger.append"])
def test_killed_in_the_middle_and_done_again(conf: Path, tmp_path: Path, stop: str) -> None:
    freeze("quality", conf, tmp_path / "runs")
    program = (
        "import os, signal, sys; from pathlib import Path; from harness.competition.freezing import reveal as m\n"
        f"{stop} = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        "m.reveal('quality', Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), who='Ada', why='over')\n"
    )
    line = [sys.executable, "-c", program, str(conf), str(tmp_path / "runs"), str(tmp_path / "boards")]
    ended = subprocess.run(line, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert done(conf, tmp_path).new
    assert [entry.kind for entry in Ledger(tmp_path / "runs").read()] == ["freeze", "reveal"]
    assert check(tmp_path / "boards" / "quality.revealed.json") == []


def test_what_was_revealed_is_no_secret_for_the_next(conf: Path, tmp_path: Path) -> None:
    freeze("quality", conf, tmp_path / "runs")
    done(conf, tmp_path)
    revealed = load_challenge("quality", config_dir=conf).secret
    with pytest.raises(ProtocolError, match="never written over"):
        freeze("quality", conf, tmp_path / "runs")
    again = freeze("quality", conf, tmp_path / "runs", secret_file=tmp_path / "next")
    assert "was revealed" in again.secret
    assert load_challenge("quality", config_dir=conf).secret != revealed
    assert "# revealed" not in (conf / "challenge" / "quality.yaml").read_text()


def test_one_that_has_its_secret_from_another(conf: Path, tmp_path: Path) -> None:
    freeze("quality", conf, tmp_path / "runs")
    (conf / "challenge" / "harder.yaml").write_text("defaults: [quality]\ntitle: harder\n")
    kept = load_challenge("harder", config_dir=conf).secret
    reveal("harder", conf, tmp_path / "runs", tmp_path, who="Ada", why="over")
    assert load_challenge("harder", config_dir=conf).secret == kept
    assert load_challenge("harder", config_dir=conf).secret_file is None
