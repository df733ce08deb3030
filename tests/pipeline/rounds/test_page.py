"""Every command of docs/rounds.md, in the order of the page."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness.cli import main
from tests.pipeline.rounds import stream
from tests.pipeline.rounds.test_wheel import SETTINGS, votes

PAGE = Path(__file__).parents[3] / "docs" / "rounds.md"


def test_every_command_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "secrets.token_hex", lambda _: SETTINGS.secret
    )  # not every draw leaves each board something to win
    stream.write(tmp_path, seed=1)
    votes(tmp_path, 1, 2)
    commands = re.findall(r"^    harness (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 7
    for command in commands:
        assert main(shlex.split(command)) == 0, command
    assert (tmp_path / "asked.csv").read_text().startswith("item,why,said,votes,run\n")
    assert (tmp_path / "conf" / "challenge" / "stream_r2_find.yaml").exists()
