"""docs/lab_receipts.md from top to bottom: every block and every command, on the real receipts."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "lab_receipts.md"
_PIECE = re.compile(r"^```python\n(.*?)^```$|^    harness ([^\n]*)$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_whole_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path(os.environ.get("HARNESS_DATA_DIR") or ROOT.parent / "shared" / "data")
    if not (data / "receipts" / "receipts.tar.xz").is_file():
        pytest.skip(f"the receipts are not in {data} (HARNESS_DATA_DIR)")
    monkeypatch.setenv("HARNESS_DATA_DIR", str(data))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("secrets.token_hex", lambda _: "of the test that walks through the lab")
    names: dict[str, Any] = {}
    pieces = _PIECE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(pieces) == 3 + 15
    for block, command in pieces:
        if block:
            exec(block, names)  # a page of this project
        else:
            assert main(shlex.split(command)) == 0, command
    turn = json.loads((tmp_path / "conf" / "rounds" / "receipts" / "2" / "turn.json").read_text())
    for interval in (turn["measured"]["next"]["gain"], turn["measured"]["next"]["over_random"]):
        assert interval[0] > 0
