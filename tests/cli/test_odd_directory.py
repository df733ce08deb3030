"""The whole way, from run to import, in a directory whose name means something else in a URI."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli import main
from harness.tracking.runs import RunsDir

ODD = "a %20b?c#d e"


def test_every_command_works_in_a_directory_of_an_odd_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ODD / "config"))  # no key of the one who tests
    place, elsewhere = tmp_path / ODD, tmp_path / ODD / "elsewhere"
    place.mkdir()
    monkeypatch.chdir(place)
    assert main(["run", "challenge=debugging_wine", "submission=random", "seeds=2"]) == 0
    assert main(["leaderboard", "debugging_wine", "--out", "boards"]) == 0
    assert main(["verify", "runs"]) == 0
    assert main(["sync"]) == 0
    assert main(["sync", "--rebuild"]) == 0
    (ours,) = (run_id for run_id in RunsDir(place / "runs").run_ids() if "reference" not in run_id)
    assert main(["reproduce", ours]) == 0
    store = f"sqlite:///{place}/runs/mlflow.db"
    assert main(["import", "--runs-dir", str(elsewhere), "--tracking-uri", store]) == 0
    assert main(["verify", str(elsewhere), "--tracking-uri", store]) == 0
    said = capsys.readouterr().out
    assert "reproduced" in said
    assert "3 imported" in said
    assert [path.name for path in tmp_path.iterdir()] == [ODD]
