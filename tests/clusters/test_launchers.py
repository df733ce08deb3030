"""Every launcher gives the same cells, the same records and the same boards."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.clusters import place


@pytest.mark.parametrize("words", [["launcher=serial"], ["launcher.workers=1"], ["launcher.workers=5"]], ids=str)
def test_in_this_machine(words: list[str], expected: SimpleNamespace, tmp_path: Path) -> None:
    place.ended(place.start(tmp_path / "runs", *expected.sweep, *words), code=1)
    assert place.results(tmp_path / "runs") == expected.results
    assert place.board(tmp_path / "runs", expected.config) == expected.board


def test_the_sweep_is_worth_comparing(expected: SimpleNamespace) -> None:
    assert {row["status"] for row in expected.results} >= {"ok", "crashed"}
    assert len(expected.results) == (3 + 2) * (3 + 2)  # submissions and references, seeds
    assert len({row["output_digest"] for row in expected.results if row["output_digest"]}) >= 8
    assert '"rank": 1' in expected.board


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["launcher=dask"], "launcher"),
        (["launcher.kind=dask"], "local"),
        (["launcher=ray", "launcher.cpus=0"], "cpus"),
        (["launcher=slurm", "launcher.cells=none"], "cells"),
        (["launcher=serial", "launcher.workers=2"], "workers"),
        (["launcher=ray", "launcher.minutes=3"], "minutes"),
    ],
    ids=str,
)
def test_settings_that_are_wrong(words: list[str], named: str, tmp_path: Path) -> None:
    error = place.ended(place.start(tmp_path / "runs", *words), code=2)
    assert named in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()
