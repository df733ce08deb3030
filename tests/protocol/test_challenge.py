"""Every shipped config composes; bad ones are refused whole, in one paragraph; fingerprints move with what they must."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.data import dataset_names
from harness.errors import ProtocolError
from harness.models import model_names
from harness.paths import CONF_DIR
from harness.protocol import catalogue, source
from harness.protocol.challenge import Challenge
from harness.protocol.compose import combinations, compose, load_challenge
from harness.tracks import track_names

NAMES = source.names(None)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_challenge_composes(name: str) -> None:
    challenge = load_challenge(name)
    assert challenge.name == name
    assert not challenge.modified
    assert challenge.baseline in catalogue.baseline_names(challenge.track_type.task.kind)


@pytest.mark.parametrize(
    ("group", "known"), [("track", track_names()), ("dataset", dataset_names()), ("model", model_names())]
)
def test_every_group_file_is_a_known_name(group: str, known: list[str]) -> None:
    files = {path.stem: yaml.safe_load(path.read_text()) for path in (CONF_DIR / group).glob("*.yaml")}
    assert {raw["name"] for raw in files.values()} <= set(known)
    assert set(known) <= {raw["name"] for raw in files.values()}


def test_a_challenge_survives_its_json() -> None:
    challenge = load_challenge("debugging_digits")
    assert Challenge.from_plain(challenge.pinned()) == challenge


def test_score_settings_decide_the_fingerprint() -> None:
    official = load_challenge("debugging_digits")
    dataset = official.load_dataset()
    renamed = load_challenge("debugging_digits", ["title=Another title", "baseline=random"])
    assert renamed.fingerprint(dataset) == official.fingerprint(dataset)
    assert not renamed.modified
    for override in ("seeds=3", "model.C=10", "track.noise=0.2", "secret=other", "limits.seconds=5"):
        changed = load_challenge("debugging_digits", [override])
        assert changed.fingerprint(dataset) != official.fingerprint(dataset), override
        assert changed.modified, override


def test_the_secret_is_not_in_what_is_hashed_openly() -> None:
    challenge = load_challenge("debugging_digits", ["secret=very-hidden-words"])
    assert "very-hidden-words" not in str(challenge.score_settings())


def test_where_and_on_what_it_runs_changes_nothing() -> None:
    config = compose(["challenge=debugging_digits", "device=cpu", "runs_dir=/tmp/x", "launcher=serial", "sandbox=none"])
    assert not config.challenge.modified
    assert (config.launch.workers, config.tier, config.runs_dir) == (1, "none", Path("/tmp/x"))


def test_all_problems_are_listed_together() -> None:
    with pytest.raises(ProtocolError) as caught:
        compose(["seeds=abc", "model.C=-1", "track.noise=7", "device=tpu", "dataset.name=nope", "x.y=1"])
    text = str(caught.value)
    for part in ("seeds", "C:", "track.noise", "device", "nope", "x is", "(6)"):
        assert part in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["challenge=debuging_digits"], "debugging_digits"),
        (["nope=1"], "nope is not a known setting"),
        (["challenge=wine,digits"], "-m"),
        (["+sandbox.nope=1"], "sandbox.nope is not a known setting"),
        (["+track.nope=1"], "track.nope is not a known setting"),
        (["model=logistc"], "Did you mean logistic"),
        (["seeds"], "EQUAL"),
        (["seeds=true"], "seeds"),
        (["seeds=0"], "seeds"),
        (["seeds=1.5"], "seeds"),
        (["limits.seconds=-1"], "limits.seconds"),
        (["name=../x"], "name"),
        (["+model._target_=os.system"], "_target_"),
        (["track=null"], "There is no track"),
        (["~dataset"], "dataset"),
        (["launcher.workers=0"], "workers"),
        (["model.C=[1"], "cannot be composed"),
    ],
)
def test_bad_input_is_one_paragraph(overrides: list[str], says: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        compose(overrides)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


OWN = """\
# @package _global_
defaults:
  - override /track: debugging
  - override /dataset: breast_cancer
  - override /model: logistic
name: find_flips
title: Find the flipped labels
baseline: random
track: {train: 200, validation: 50, noise: 0.2}
"""


def test_a_users_own_directory_adds_to_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "challenge").mkdir()
    (tmp_path / "challenge" / "find_flips.yaml").write_text(OWN)
    challenge = load_challenge("find_flips", config_dir=tmp_path)
    assert challenge.dataset.name == "breast_cancer"
    assert not challenge.modified
    assert load_challenge("find_flips", ["seeds=2"], tmp_path).modified
    assert "find_flips" in source.names(tmp_path)
    assert "find_flips" in {entry.name for entry in catalogue.challenges(tmp_path)}
    assert load_challenge("debugging_digits", config_dir=tmp_path).dataset.name == "digits"


@pytest.mark.parametrize("text", ["a: [", "defaults: 3", "# @package _global_\nfoo: 1\nseeds: ten\n"])
def test_a_broken_file_of_ones_own_is_one_paragraph(tmp_path: Path, text: str) -> None:
    (tmp_path / "challenge").mkdir()
    (tmp_path / "challenge" / "mine.yaml").write_text(text)
    with pytest.raises(ProtocolError) as caught:
        load_challenge("mine", config_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_missing_config_dir_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="not a directory"):
        load_challenge("debugging_digits", config_dir=tmp_path / "nowhere")


def test_sweep_combines_and_leaves_paths_alone() -> None:
    combined = combinations(["challenge=a,b", "submission=x,/tmp/with space", "seeds=1"])
    assert len(combined) == 4
    assert ["challenge=b", "submission=/tmp/with space", "seeds=1"] in combined


def test_a_path_needs_no_quoting() -> None:
    assert compose(["submission=/tmp/it's a (path), with = signs"]).submission == "/tmp/it's a (path), with = signs"
