"""Small versions of scripts/soak."""

from __future__ import annotations

import pytest

from tests.soak.cells import KINDS, run_many
from tests.soak.kills import kill_often


@pytest.mark.slow
def test_two_kills() -> None:
    found = kill_often(2, seed=1)
    assert found.fine, found.problems
    assert len(found.moments) - found.ended_before == 2


def test_thirty_mixed_cells() -> None:
    found = run_many(30, seed=1)
    assert found.fine, found.as_dict()
    assert sum(found.statuses.values()) == 30
    assert set(found.kinds) == set(KINDS)
