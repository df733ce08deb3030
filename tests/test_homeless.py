"""A user id that has no home directory, as in many containers."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.data import fetch
from harness.errors import ProtocolError


@pytest.mark.parametrize("home", [None, "", "/nonexistent", "read-only"])
def test_everything_runs_without_a_home(home: str | None, tmp_path: Path) -> None:
    """As another user id where this is root and the interpreter can be read by others; else as oneself."""
    place, closed = tmp_path / "place", tmp_path / "closed"
    place.mkdir(mode=0o777)
    closed.mkdir(mode=0o555)
    place.chmod(0o777)
    environment = {key: value for key, value in os.environ.items() if key not in ("HOME", "XDG_CACHE_HOME", "USER")}
    environment |= {"TMPDIR": str(place)} | (
        {} if home is None else {"HOME": str(closed) if home == "read-only" else home}
    )
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    stranger = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"] if os.getuid() == 0 else []
    if stranger and not _reachable(Path(sys.base_prefix), *map(Path, filter(None, sys.path)), tmp_path):
        stranger = []  # an interpreter or a temporary directory that only root may enter

    def harness(*words: str) -> None:
        line = [*stranger, sys.executable, "-m", "harness", *words]
        done = subprocess.run(line, env=environment, cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "internal error" not in done.stderr

    harness("doctor")
    harness("run", "challenge=debugging_wine", "submission=random", f"runs_dir={place}/runs", "seeds=2")
    harness("leaderboard", "debugging_wine", "--runs-dir", f"{place}/runs", "--out", f"{place}/boards")


def _reachable(*paths: Path) -> bool:
    """Whether anybody may enter all the directories above these paths."""
    above = {parent for path in paths if path.exists() for parent in path.resolve().parents}
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in above)


def test_a_cache_among_temporary_files_must_be_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own"
    assert fetch._homeless_cache(own) == own
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert fetch._homeless_cache(own) == own
    own.chmod(0o777)
    with pytest.raises(ProtocolError, match="Set HOME"):
        fetch._homeless_cache(own)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(ProtocolError, match="Set HOME"):
        fetch._homeless_cache(link)
