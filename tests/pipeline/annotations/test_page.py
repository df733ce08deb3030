"""docs/annotations.md: its files written, its commands run one after the other, and what it says about them held true."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from harness.cli import main
from tests.pipeline.annotations.conftest import annotation
from tests.pipeline.annotations.test_import import here, loaded

__all__ = ["here"]
MINE = Path("mine")
PAGE = (Path(__file__).resolve().parents[3] / "docs" / "annotations.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w+ (\S+)\n(.*?)^```$", PAGE, flags=re.M | re.S)
FIGURES = {key for first in re.findall(r"^\| ([^|]*) \|", PAGE.partition("| figure")[2].partition("In JSON")[0], flags=re.M)
           for key in re.findall(r"`(\w+)`", first)}  # fmt: skip
COMMANDS = re.findall(r"^    (harness .*)$", PAGE, flags=re.M)


def test_every_command(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in BLOCKS:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(content, encoding="utf-8")
    assert len(COMMANDS) >= 9
    assert {"alpha", "fleiss", "cohen_mean", "dawid_skene_accuracy"} <= FIGURES
    said = ""
    for command in COMMANDS:
        if "answers.json" in command:  # what two people would have answered
            asked = json.loads(Path("next/tasks.json").read_text())
            for k, task in enumerate(asked):
                task |= {"id": k, "annotations": [annotation(who, ("well", "ill")[k]) for who in (1, 2)]}
            Path("answers.json").write_text(json.dumps(asked))
        assert main(shlex.split(command)[1:]) == 0, command
        out = capsys.readouterr().out
        said += "" if "--json" in command else out
        if "--json" in command:
            facts = json.loads(out)
            assert facts.keys() >= FIGURES
    assert "undefined: items have 2 to 3 votes" in said
    assert Path("agreement.svg").is_file()
    assert loaded("wards_2", MINE).extras["label_source"].tolist()[4:] == ["tie drawn", "kept", "kept", "kept"]
    assert set(loaded("wards_3", MINE).extras["label_source"]) == {"dawid_skene", "kept"}
    reviews = loaded("reviews", MINE)
    assert reviews.extras["label_source"].tolist() == ["majority", "majority", "gold", "majority"]
    assert len(json.loads(Path("digits/tasks.json").read_text())) == 100
    last = loaded("wards_4", MINE)
    assert (last.extras["label_source"] == "majority").sum() == 6
    assert {"vote_label", "vote_annotator"} <= set(last.extras)
