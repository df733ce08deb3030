"""`harness run --cfg`, `--info`, and what of Hydra is not ours."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.cli import main
from harness.protocol.compose import load_challenge

KEPT = "defaults: [debugging_digits, _self_]\ntitle: Kept\nsecret: 5f2d8c1e9ab34706d1e0c7b8a9f01234\n"


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["run", *words]) == 0
    return capsys.readouterr().out


def test_cfg_prints_what_would_be_run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["challenge=selection_digits", "model.C=3", "submission.params.k=5", f"runs_dir={tmp_path / 'runs'}"]
    values = yaml.safe_load(said(capsys, *words, "--cfg", "job"))
    challenge = load_challenge("selection_digits", ["model.C=3"])
    assert values["model"]["C"] == 3
    assert values["name"] == "selection_digits"
    assert values["submission.params"] == {"k": 5}
    assert values["limits"]["seconds"] == challenge.limits.seconds
    assert values["runs_dir"] == str(tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    assert yaml.safe_load(said(capsys, *words, "-c", "job")) == values
    assert yaml.safe_load(said(capsys, *words, "--info", "config")) == values


def test_cfg_shows_no_secret(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "challenge").mkdir()
    (tmp_path / "challenge/kept.yaml").write_text(KEPT)
    (tmp_path / "challenge/elsewhere.yaml").write_text(
        "defaults: [debugging_digits, _self_]\ntitle: E\nsecret_file: secrets/e\n"
    )
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/e").write_text("0123456789abcdef0123456789abcdef\n")
    for name in ("kept", "elsewhere"):
        words = [f"challenge={name}", "--config-dir", str(tmp_path), "tracking.uri=postgresql://me:hush@host/db"]
        for option in (["--cfg", "job"], ["--info"]):
            out = said(capsys, *words, *option)
            assert not any(secret in out for secret in ("5f2d8c1e9ab3", "0123456789ab", "hush"))
    assert (
        yaml.safe_load(said(capsys, "challenge=kept", "--config-dir", str(tmp_path), "--cfg", "job"))["secret"]
        == "(kept)"
    )


def test_info_says_where_it_comes_from(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "challenge").mkdir()
    (tmp_path / "challenge/mine.yaml").write_text("defaults: [debugging_wine, _self_]\ntitle: Mine\n")
    words = ["challenge=mine", "model=knn", "--config-dir", str(tmp_path)]
    tree = said(capsys, *words, "--info", "defaults-tree").splitlines()
    assert tree[1] == f"  challenge: mine  {tmp_path / 'challenge/mine.yaml'}"
    assert tree[2].startswith("    challenge: debugging_wine  ")
    assert any(line.startswith("  model: knn  ") for line in tree)
    assert any(line.startswith("  dataset: wine  ") for line in tree)
    assert any(line.startswith("  launcher: local  ") for line in tree)
    assert said(capsys, *words, "--info", "searchpath").splitlines()[-1] == str(tmp_path)
    every = said(capsys, "--info", *words)
    assert [line for line in every.splitlines() if line.startswith("# ")] == [
        "# config",
        "# defaults-tree",
        "# searchpath",
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--cfg", "hydra"], "`harness run --cfg job` prints the only one"),
        (["--cfg", "job", "-m"], "Leave -m out"),
        (["--info", "plugins"], "`harness doctor`"),
        (["--cfg", "job", "challenge=debuging_wine"], "debugging_wine"),
        (["--hydra-help"], "`harness run --help`"),
        (["--resolve"], "`harness run --cfg job`"),
        (["--package", "model"], "`harness run --cfg job`"),
        (["-p", "model"], "`harness run --cfg job`"),
        (["--experimental-rerun", "x"], "`harness reproduce RUN_ID`"),
        (["--config-name=x"], "challenge=NAME"),
        (["--shell-completion", "install=bash"], "`harness --completion bash`"),
        (["hydra/launcher=joblib"], "launcher=local, serial, ray or slurm"),
        (["-m", "hydra/sweeper=optuna"], "-m runs all combinations"),
        (["hydra.sweep.dir=x"], "runs_dir=DIR"),
        (["hydra.run.dir=x"], "runs_dir=DIR"),
        (["hydra.verbose=true"], "Hydra composes the config here and does nothing else"),
        (["+hydra.sweeper.params.a=1"], "-m runs all combinations"),
    ],
)
def test_what_is_not_ours_says_what_is(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = main(["run", *words])
    except SystemExit as leaving:
        status = int(leaving.code or 0)
    assert status == 2
    assert says in " ".join(capsys.readouterr().err.split())
