"""Several challenges by one word, and Hydra's grids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.protocol import source
from harness.protocol.catalogue import challenges
from harness.protocol.compose import combinations
from harness.protocol.several import several

QUICK = ["launcher=serial", "seeds=1"]
OWN = """
defaults: [{parent}, _self_]
title: {title}
seeds: 1
track: {{train: 60, validation: 20, test: 200}}
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Three small challenges, one broken and one whose data nobody has."""
    folder = tmp_path / "conf" / "challenge"
    folder.mkdir(parents=True)
    for name in ("tiny_one", "tiny_two"):
        (folder / f"{name}.yaml").write_text(OWN.format(parent="debugging_digits", title=name))
    (folder / "tiny_other.yaml").write_text("defaults: [selection_digits, _self_]\ntitle: Other\nseeds: 1\n")
    (folder / "tiny_broken.yaml").write_text("title: [")
    (folder / "tiny_far.yaml").write_text("defaults: [debugging_cifar10n_worse, _self_]\ntitle: Far\nseeds: 1\n")
    return tmp_path / "conf"


def names(words: list[str], **more: Any) -> list[str]:
    return [next(w for w in line if w.startswith("challenge="))[10:] for line in several(words, **more)[0]]


def test_one_word_for_many() -> None:
    every = challenges()
    assert names(["challenge=all", "submission=all"]) == [entry.name for entry in every]
    assert names(["challenge=selection_digits*"]) == [n for n in source.names(None) if n.startswith("selection_digits")]
    assert names(["challenge=slicing_[a-z]*"]) == [n for n in source.names(None) if n.startswith("slicing_")]
    assert names(["track=slicing", "seeds=1"]) == [entry.name for entry in every if entry.track == "slicing"]
    assert names(["track=debugging_legacy"]) == [e.name for e in every if e.detail.startswith("debugging_legacy,")]
    lines, broken, many = several(["track=slicing", "seeds=1"])
    assert all("seeds=1" in line and "track=slicing" not in line for line in lines)
    assert (broken, many) == ({}, True)


@pytest.mark.parametrize(
    "words", [["challenge=debugging_wine", "track=debugging"], ["submission=all"], ["challenge=a,b"], []]
)
def test_everything_else_is_left_as_it_is(words: list[str]) -> None:
    assert several(words) == ([words], {}, False)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["challenge=selektion_*"], "Did you mean selection_"),
        (["challenge=*zzqx*"], "`harness list challenges`"),
        (["track=debuging"], "Did you mean debugging"),
        (["-m", "challenge=glob(nothing*)"], "no challenge has such a name"),
        (
            ["challenge=debugging_wine", "submission=glob(z*)"],
            "no baseline of debugging_wine has such a name. It has aum",
        ),
        (["challenge=slicing_*", "submission=random", "team=T1"], "has no roster"),
        (["challenge=debugging_w*", "submission=knn_shaply"], "knn_shapley"),
    ],
)
def test_nothing_that_matches_is_said(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *QUICK, f"runs_dir={tmp_path / 'runs'}", *words]) == 2
    assert says in " ".join(capsys.readouterr().err.split())


def test_what_does_not_fit_or_is_not_here_is_left_out_with_a_line(
    conf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path / "no_data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["run", "launcher=serial", "--config-dir", str(conf), f"runs_dir={tmp_path / 'runs'}"]
    assert main([*words, "challenge=tiny_*", "submission=knn_shapley"]) == 1  # not all that was asked for could be run
    said = capsys.readouterr()
    ran = [line.split()[0] for line in said.out.splitlines() if "knn_shapley" in line]
    assert sorted(ran) == ["tiny_one", "tiny_two"]
    assert "left out: tiny_broken: " in said.err
    assert (
        "left out: tiny_far: Data set cifar10n is not on this machine. `harness fetch cifar10n` brings it." in said.err
    )
    assert "left out: tiny_other: The baseline 'knn_shapley' is not for selection challenges" in said.err

    (conf / "challenge" / "tiny_broken.yaml").unlink()
    (conf / "challenge" / "tiny_far.yaml").unlink()
    assert main([*words, "challenge=tiny_o*", "submission=random", "--json"]) == 0
    said = capsys.readouterr()
    assert [record["challenge"] for record in json.loads(said.out)] == ["tiny_one", "tiny_other"]
    assert main([*words, "challenge=tiny_o*", "submission=knn_shapley"]) == 0  # what does not fit was never to be run


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["a=1,2", "b=range(0,3)"], [["a=1", "b=0"], ["a=1", "b=1"], ["a=1", "b=2"], ["a=2", "b=0"], ["a=2", "b=1"], ["a=2", "b=2"]]),
        (["a=choice(x,y)"], [["a=x"], ["a=y"]]),
        (["a=range(1,2,0.5)"], [["a=1.0"], ["a=1.5"]]),
        (["a=sort(3,1,2)"], [["a=1"], ["a=2"], ["a=3"]]),
        (["model=glob(logistic*)"], [["model=logistic"], ["model=logistic_sgd"]]),
        (["model=glob([l*,k*],exclude=*sgd)"], [["model=knn"], ["model=logistic"]]),
        (["challenge=glob(slicing_d*)"], [["challenge=slicing_digits"]]),
        (["challenge=slicing_*,debugging_[a-c]*"], [["challenge=slicing_*"], ["challenge=debugging_[a-c]*"]]),
        (["submission=a,b/c"], [["submission=a"], ["submission=b/c"]]),
        (["submission=choice(a,b)"], [["submission=a"], ["submission=b"]]),
        (["submission=glob(k*,a*)"], [["submission=glob(k*,a*)"]]),
        (["submission.params.k=5,10"], [["submission.params.k=5"], ["submission.params.k=10"]]),
        (["limits={seconds:5}"], [["limits={seconds:5}"]]),
    ],
)  # fmt: skip
def test_grids_as_hydras_grammar_says(words: list[str], lines: list[list[str]]) -> None:
    if words == ["challenge=glob(slicing_d*)"]:
        lines = [[f"challenge={name}"] for name in source.names(None) if name.startswith("slicing_d")]
    assert combinations(words) == lines


def test_some_baselines_by_a_pattern(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["challenge=debugging_win?", "submission=glob(r*,aum)", f"runs_dir={tmp_path / 'runs'}", "--seeds", "0"]
    assert main(["run", *words, "launcher=serial", "--json"]) == 0
    assert {record["submission"] for record in json.loads(capsys.readouterr().out)} == {"aum", "random"}
