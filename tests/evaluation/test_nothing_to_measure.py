"""A challenge without anything to measure, on some seeds or on all: rows say so, every command copes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.tracking.addresses import tracking_uri
from harness.tracking.delivery import runs_of
from harness.tracking.mlflow_store import open_store

NOTHING = """\
# @package _global_
defaults: [override /track: debugging, override /dataset: wine, override /model: logistic]
name: {name}
title: t
secret: abc
baseline: random
seeds: 3
track: {{train: {train}, validation: {validation}, noise: {noise}, test: {test}}}
"""


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    """``nothing``: three test rows resolve no difference on any seed; ``little``: on one seed of three."""
    place = tmp_path / "conf" / "challenge"
    place.mkdir(parents=True)
    nothing = NOTHING.format(name="nothing", train=40, validation=1, noise=0.3, test=3)
    little = NOTHING.format(name="little", train=80, validation=10, noise=0.01, test=0)
    (place / "nothing.yaml").write_text(nothing)
    (place / "little.yaml").write_text(little)
    return tmp_path / "conf"


def test_a_sweep_goes_on_where_nothing_can_be_measured(
    tmp_path: Path, config_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sweep, row, MLflow, board, reproduce, show, power, check: each says it, none falls over it."""
    monkeypatch.chdir(tmp_path)

    def harness(*words: str, status: int = 0) -> str:
        assert main([*words, "--config-dir", str(config_dir)]) == status, words
        said = capsys.readouterr()
        assert "error" not in said.err, said.err
        return said.out

    found = harness("run", "-m", "challenge=nothing,little", "submission=random,knn_shapley", "--json", status=1)
    none, _, some, _ = records = json.loads(found)
    assert [record["status"] for record in records] == ["skipped", "skipped", "ok", "ok"]
    assert none["reason"].startswith("Nothing could be measured on any of 3 seeds; seed 0: ")
    assert (none["score"], none["ci95"], none["curve"]) == (None, None, None)

    client = open_store(tracking_uri(tmp_path / "runs"))
    (skipped,) = [r for r in runs_of(client, "nothing", none["fingerprint"]) if r.info.run_name == "random"]
    assert "seconds" not in skipped.data.metrics
    assert skipped.data.params["seeds_measured"] == "0"
    (partly,) = [r for r in runs_of(client, "little", some["fingerprint"]) if r.info.run_name == "random"]
    assert partly.data.params["seeds_measured"] == "1"
    assert [m.step for m in client.get_metric_history(partly.info.run_id, "seed/seconds_submission")] == [2]

    boards = json.loads(harness("leaderboard", "--json"))
    little, nothing = boards
    row = next(row for row in little["ranked"] if row["submission"] == "random")
    assert row["seeds"] == 1
    assert row["seconds"] == some["cells"][2]["seconds"]["submission"], "skipped seeds are no seconds of zero"
    assert not nothing["ranked"]
    assert {row["submission"] for row in nothing["unranked"]} == {"random", "knn_shapley"}
    assert [(row["seconds"], row["seeds"]) for row in nothing["references"]] == [(None, 0), (None, 0)]
    assert "Nothing could be measured" in (tmp_path / "leaderboards" / "nothing.html").read_text()

    (again,) = [json.loads(harness("reproduce", r["run_id"], "--json")) for r in (none,)]
    assert (again["verdict"], again["seeds"], again["identical_outputs"]) == ("reproduced", 0, 0)
    again = json.loads(harness("reproduce", some["run_id"], "--json"))
    assert (again["verdict"], again["seeds"], again["identical_outputs"]) == ("reproduced", 1, 1)
    assert again["score"] == some["score"]

    assert "nothing can be measured on any seed" in harness("show", "nothing")
    assert "float32 [80, 13]" in harness("show", "little")
    power = json.loads(harness("show", "nothing", "--power", "--json"))["power"]
    assert power["seeds measured"] == 0
    assert power["verdict"].startswith("Nothing was measured on any seed")
    power = json.loads(harness("show", "little", "--power", "--json"))["power"]
    assert power["seeds measured"] == 1
    assert power["verdict"].startswith("One seed tells nothing apart")
    assert "on one seed" in harness("check", "debugging/random", "challenge=nothing")  # of another seed
    refused = harness("check", "debugging/random", "challenge=nothing", "track.noise=0.03", status=1)  # one wrong label
    assert "FAIL  measurable" in refused
    harness("check", "debugging/random", "challenge=little")  # only one of the seeds tried has something
