"""The committed boards are of the challenges that ship: whoever changes a score builds them again."""

from __future__ import annotations

import json

import pytest

from harness.paths import CONF_DIR
from harness.protocol.catalogue import quick_challenges
from harness.protocol.compose import load_challenge

BOARDS = CONF_DIR.parent / "leaderboards"


@pytest.mark.parametrize("name", quick_challenges())
def test_a_shipped_challenge_has_the_fingerprint_of_its_board(name: str) -> None:
    challenge = load_challenge(name)
    board = json.loads((BOARDS / f"{name}.json").read_text(encoding="utf-8"))
    assert challenge.fingerprint(challenge.load_dataset()) == board["fingerprint"], "run scripts/boards"
