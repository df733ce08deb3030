"""The umask decides who may read and write what a run leaves behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from harness.paths import permit

from .helpers import journey, stranger

GROUP = 12300


def test_with_umask_077_a_run_is_its_owners_alone(place: Path) -> None:
    """Also in a runs directory that others may enter, and though the sandbox has to read the cells' files."""
    runs = place / "runs"
    runs.mkdir()
    said = journey(
        ["run", "challenge=debugging_wine", "submission=random", "seeds=1"],
        ["leaderboard", "debugging_wine"],
        ["view", "debugging_wine", "--out", "view.npz"],
        cwd=place,
        umask=0o077,
        LC_ALL="C",
    )
    assert said.codes == [0, 0, 0], said.err
    assert "MLflow did not take" not in said.err
    made = [path for path in place.rglob("*") if path != runs]
    assert len(made) > 30
    assert [path for path in made if path.stat().st_mode & 0o077] == []


def test_with_umask_002_a_group_shares_a_runs_directory(place: Path) -> None:
    """Two users, each with a group of their own, in a directory that hands its group on."""
    (place / "runs").mkdir()
    os.chown(place / "runs", -1, GROUP if os.getuid() == 0 else -1)
    (place / "runs").chmod(0o2775)
    first, second = (stranger(uid, place, GROUP) for uid in (12301, 12302))
    run = ["run", "challenge=debugging_wine", "submission=random", "seeds=1"]
    common = {"HOME": "/", "TMPDIR": str(place), "XDG_CACHE_HOME": None}
    said = journey(run, cwd=place, prefix=first, umask=0o002, **common)
    assert said.codes == [0], said.err
    said = journey(
        [*run, "--force"],
        ["run", "challenge=debugging_wine", "submission=knn_shapley", "seeds=1"],
        ["verify", "runs"],
        ["reproduce", "--all"],
        cwd=place,
        prefix=second,
        umask=0o002,
        **common,
    )
    assert said.codes == [0, 0, 0, 0], said.err
    assert "warning" not in said.err


def test_a_folder_keeps_the_group_that_it_hands_on(tmp_path: Path) -> None:
    tmp_path.chmod(0o2700)
    permit(tmp_path, 0o777)
    assert tmp_path.stat().st_mode & stat.S_ISGID
