"""A protocol may not change under a version that has runs; a harness may."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import ProtocolError
from harness.evaluation.check import check
from harness.evaluation.run import evaluate
from harness.evaluation.versions import refuse_changed
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.tracking.runs import RunsDir

FEW = ["seeds=1", "track.train=60", "track.validation=20"]


def wine(*overrides: str) -> Challenge:
    """As if its file said so."""
    return load_challenge("debugging_wine", [*FEW, *overrides]).model_copy(update={"modified": False})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> RunsDir:
    place = tmp_path_factory.mktemp("versions") / "runs"
    evaluate(wine(), "random", runs_dir=place, tier="none")
    return RunsDir(place)


@pytest.fixture
def digest() -> str:
    return wine().load_dataset().digest()


def test_the_same_challenge_and_what_changes_no_score(runs: RunsDir, digest: str, tmp_path: Path) -> None:
    refuse_changed(wine(), digest, runs)
    refuse_changed(wine("title=Another", "logs=shown", "+quota.total=3"), digest, runs)
    refuse_changed(wine("version=2", "track.noise=0.2"), digest, runs)
    refuse_changed(load_challenge("debugging_wine", ["track.noise=0.1"]), digest, runs)  # an override
    refuse_changed(wine("track.noise=0.2"), digest, RunsDir(tmp_path))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("track.noise=0.2", "track.noise is 0.2, was 0.3"),
        ("seeds=2", "seeds is 2, was 1"),
        ("draws=2", "draws is 2, was 1"),
        ("secret=0123456789abcdef0123456789abcdef", "the secret"),
        ("+phases.final.opens=null", "phases is {"),
    ],
)
def test_a_changed_protocol(runs: RunsDir, digest: str, change: str, says: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        refuse_changed(wine(change), digest, runs)
    assert "1 run in " in str(caught.value)
    assert "belongs to version 1 of debugging_wine" in str(caught.value)
    assert says in str(caught.value)
    assert "version: 2" in str(caught.value)


def test_changed_data(runs: RunsDir) -> None:
    with pytest.raises(ProtocolError, match="the data"):
        refuse_changed(wine(), "0" * 64, runs)


def test_another_harness_is_another_matter(runs: RunsDir, digest: str) -> None:
    records = list(runs.path.glob("*/record.json"))
    before = {path: path.read_bytes() for path in records}
    try:
        for path in records:
            plain = json.loads(path.read_bytes()) | {"source": "0" * 64, "fingerprint": "1" * 64}
            plain["settings"]["track"].pop("step")  # a setting that it did not have
            path.write_text(json.dumps(plain))
        refuse_changed(wine(), digest, runs)
        with pytest.raises(ProtocolError, match=r"track\.noise"):
            refuse_changed(wine("track.noise=0.2"), digest, runs)
        for path in records:
            path.write_text(json.dumps(json.loads(path.read_bytes()) | {"settings": {}}))
        refuse_changed(wine("track.noise=0.2"), digest, runs)
        for path in records:
            path.write_text("{")
        refuse_changed(wine("track.noise=0.2"), digest, runs)
    finally:
        for path, content in before.items():
            path.write_bytes(content)


def test_without_references_any_row_counts(runs: RunsDir, digest: str, tmp_path: Path) -> None:
    (row,) = (path for path in runs.path.glob("*/record.json") if "-reference-" not in path.parent.name)
    (tmp_path / row.parent.name).mkdir()
    (tmp_path / row.parent.name / "record.json").write_bytes(row.read_bytes())
    with pytest.raises(ProtocolError, match="belongs to version 1"):
        refuse_changed(wine("track.noise=0.2"), digest, RunsDir(tmp_path))


def test_a_check_after_a_run_is_not_of_another_challenge(tmp_path: Path) -> None:
    """A check draws once on a seed, where the challenge asks for more."""
    (tmp_path / "conf" / "challenge").mkdir(parents=True)
    text = "defaults: [debugging_wine]\nseeds: 1\ndraws: 2\ntrack: {train: 60, validation: 20}\n"
    (tmp_path / "conf" / "challenge" / "twice.yaml").write_text(text)
    twice = load_challenge("twice", config_dir=tmp_path / "conf")
    evaluate(twice, "random", runs_dir=tmp_path / "runs", tier="none")
    overrides = ["challenge=twice", f"runs_dir={tmp_path / 'runs'}"]
    found = check("debugging/random", overrides, str(tmp_path / "conf"))
    assert [finding for finding in found if not finding.passed] == []
    assert len(found) > 5
