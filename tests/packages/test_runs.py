"""Packages from manifest to record: allowed by the challenge, part of a run's identity, the same when it is reproduced."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness import evaluate, load_challenge
from harness.cli import main
from harness.errors import Status
from harness.evaluation.check import check
from harness.leaderboard.board import build
from harness.protocol.challenge import Challenge
from harness.tracking.record import Record, read_record
from harness.verification.reproduce import reproduce
from tests.packages.conftest import Wheel

Write = Callable[..., Path]
SMALL = ["seeds=2", "track.train=60", "track.validation=20", "track.test=200"]
SOURCE = "import numpy, tst_order\ndef rank(task):\n    return tst_order.of(len(task.y))\n"
FIRST = {"tst_order.py": "import numpy\ndef of(n):\n    return numpy.arange(n)\n"}
LAST = {"tst_order.py": "import numpy\ndef of(n):\n    return numpy.arange(n)[::-1].copy()\n"}


def challenge(packages: str) -> Challenge:
    made = load_challenge("debugging_digits", [*SMALL, f"packages={packages}"])
    return made.model_copy(update={"modified": False})  # as a challenge of its own, which has a board


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def run(folder: Path, runs: Path, packages: str = "any") -> Record:
    return evaluate(challenge(packages), folder, runs_dir=runs)


def test_from_requirement_to_record_and_again(
    wheel: Wheel, own_cache: Path, runs: Path, write_submission: Write
) -> None:
    built = wheel("tst_order", "1.0", FIRST)
    folder = write_submission("asks", SOURCE, requires=["tst-order"])
    record = run(folder, runs)
    assert record.status is Status.OK, record.reason
    written = json.loads((runs / record.run_id / "record.json").read_text())
    assert [(p["name"], p["version"], p["wheel"]) for p in written["packages"]] == [("tst-order", "1.0", built.name)]
    assert str(own_cache) not in (runs / record.run_id / "record.json").read_text()

    shutil.rmtree(own_cache)  # as on another machine
    wheel("tst_order", "2.0", LAST)
    verdict = reproduce(record.run_id, runs)
    assert verdict.verdict == "reproduced", verdict.detail
    assert verdict.identical_outputs == 2

    shutil.rmtree(own_cache)
    wheel("tst_order", "1.0", LAST)
    verdict = reproduce(record.run_id, runs)
    assert verdict.verdict == "cannot run"
    assert "not the one that was locked" in verdict.detail
    built.unlink()
    verdict = reproduce(record.run_id, runs)
    assert verdict.verdict == "cannot run"
    assert "There is no tst-order==1.0" in verdict.detail.replace("_", "-")


def test_another_lock_is_another_run(wheel: Wheel, runs: Path, write_submission: Write) -> None:
    wheel("tst_order", "1.0", FIRST)
    folder = write_submission("asks", SOURCE, requires=["tst-order"])
    first = run(folder, runs)
    wheel("tst_order", "2.0", LAST)
    assert run(folder, runs).run_id == first.run_id  # what was resolved once is used again
    assert main(["env", str(folder)]) == 0  # and this asks anew
    second = run(folder, runs)
    assert second.run_id != first.run_id
    assert second.submission_digest == first.submission_digest
    assert [record.packages[0].version for record in (first, second) if record.packages] == ["1.0", "2.0"]
    assert (
        "asks ran with tst-order 2.0." in build(challenge("any"), next(iter(second.data_digests.values())), runs).notes
    )
    assert first.cells[0].output_digest != second.cells[0].output_digest


@pytest.mark.parametrize(
    ("packages", "says"),
    [
        ("none", "requires packages (tst-order), and this challenge allows none"),
        ("[toolz]", "requires tst-order, and this challenge allows toolz alone"),
    ],
)
def test_what_the_challenge_does_not_allow(packages: str, says: str, runs: Path, write_submission: Write) -> None:
    folder = write_submission("asks", SOURCE, requires=["tst-order"])
    record = run(folder, runs, packages)
    assert record.status is Status.INVALID_SUBMISSION
    assert says in record.reason
    assert record.submission == "asks"
    assert record.packages is None
    assert reproduce(record.run_id, runs).verdict == "cannot run"
    findings = check(str(folder), ["challenge=debugging_digits", *SMALL, f"packages={packages}"])
    assert (findings[-1].name, findings[-1].passed) == ("packages", False)
    assert says in findings[-1].found


def test_without_an_index_it_is_nobodys_fault_and_the_next_run_goes_on(
    wheel: Wheel,
    runs: Path,
    write_submission: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheel("tst_order", "1.0", FIRST)
    (folder := write_submission("asks", SOURCE)).joinpath("requirements.txt").write_text("# one\ntst-order>=1  # two\n")
    with monkeypatch.context() as patch:
        patch.setenv("PIP_FIND_LINKS", "")
        patch.delenv("PIP_NO_INDEX")
        patch.setenv("PIP_INDEX_URL", "https://127.0.0.1:9/simple")
        patch.setenv("PIP_RETRIES", "0")
        record = run(folder, runs)
        assert record.status is Status.HARNESS_ERROR
        assert "the package index cannot be reached" in record.reason
    assert run(folder, runs).status is Status.OK


def test_check_and_env_say_which_packages(
    wheel: Wheel,
    write_submission: Write,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wheel("tst_order", "1.0", FIRST)
    folder = write_submission("asks", SOURCE, requires=["tst-order"])
    findings = check(str(folder), ["challenge=debugging_digits", *SMALL, "packages=[tst.order]"])
    assert all(finding.passed for finding in findings), findings
    assert ("packages", "tst-order 1.0") in [(finding.name, finding.found) for finding in findings]
    assert main(["env", str(folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["requires"] == ["tst-order"]
    assert (Path(said["overlay"]) / "tst_order.py").is_file()
    assert Path(said["overlay"]).name == said["digest"]
    assert main(["env", str(folder), "--requirements"]) == 0
    assert capsys.readouterr().out == f"tst-order==1.0 --hash=sha256:{said['packages'][0]['sha256']}\n"


def test_env_says_what_is_wrong(index: Path, write_submission: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", str(write_submission("asks", SOURCE, requires=["tst-nothing"]))]) == 1
    assert capsys.readouterr().err.startswith("harness env: There is no package tst-nothing.")
    assert main(["env", str(write_submission("plain", SOURCE))]) == 0
    assert capsys.readouterr().out == "Nothing is needed beside the harness's own packages.\n"


def test_an_older_record_without_the_key_is_read(wheel: Wheel, runs: Path, write_submission: Write) -> None:
    wheel("tst_order", "1.0", FIRST)
    record = run(write_submission("asks", SOURCE, requires=["tst-order"]), runs)
    path = runs / record.run_id / "record.json"
    path.write_text(
        json.dumps({key: value for key, value in json.loads(path.read_text()).items() if key != "packages"})
    )
    assert read_record(path).packages is None
    assert "does not say which packages" in reproduce(record.run_id, runs).detail


def test_a_challenge_file_that_allows_packages(tmp_path: Path) -> None:
    (tmp_path / "challenge").mkdir()
    values = {"defaults": ["debugging_digits", "_self_"], "name": "own", "packages": ["Tst_B", "tst.a"]}
    (tmp_path / "challenge" / "own.yaml").write_text("# @package _global_\n" + yaml.safe_dump(values))
    own = load_challenge("own", config_dir=tmp_path)
    assert own.packages == ("tst-a", "tst-b")
