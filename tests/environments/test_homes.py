"""A user id that has no home directory, as in many containers, or one that cannot be written."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from harness.data import fetch
from harness.errors import ProtocolError
from harness.paths import expanded

from .helpers import journey, stranger

UID = 12345


@pytest.mark.parametrize("home", [None, "closed"])
def test_everything_runs_without_a_home(home: str | None, place: Path) -> None:
    """Unset, or one that this user cannot write, as / is, which containers set for an unknown id."""
    others = stranger(UID, place)
    for name, mode in (("here", 0o777), ("tmp", 0o777), ("closed", 0o555), ("index", 0o755)):
        (place / name).mkdir()
        (place / name).chmod(mode)
    _write_wheel(place / "index")
    submission = place / "asks"
    submission.mkdir()
    (submission / "algorithm.py").write_text(
        "import tst_helper\n\ndef rank(task):\n    return tst_helper.order(task)\n"
    )
    manifest = "name: asks\ntrack: debugging\nentry: algorithm:rank\nauthors: [T]\ndescription: d\nlicense: MIT\n"
    (submission / "submission.yaml").write_text(f"{manifest}requires: [tst-helper]\n")
    said = journey(
        ["doctor"],
        ["key", "new"],
        ["new", "debugging", "mine"],
        ["run", "challenge=debugging_wine", f"submission={submission}", "seeds=1", "packages=any"],
        ["leaderboard", "debugging_wine"],
        ["verify", "runs"],
        ["view", "debugging_wine", "--out", "view.npz"],
        cwd=place / "here",
        prefix=others,
        HOME=home and str(place / home),
        TMPDIR=str(place / "tmp"),
        PIP_CONFIG_FILE="/dev/null",
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(place / "index"),
        XDG_CACHE_HOME=None,
        XDG_CONFIG_HOME=None,
        USER=None,
        LOGNAME=None,
    )
    assert said.codes == [0, 2 if home is None else 1, 0, 0, 0, 0, 0], said.err + said.out
    assert "MLflow did not take" not in said.err
    assert "`harness key new PATH` takes another place" in said.err
    caches = [path.name for path in (place / "tmp").iterdir()]
    assert caches == [f"harness-cache-{UID}"]


def _write_wheel(index: Path) -> None:
    """A package that has to be unpacked somewhere before a submission can import it."""
    info = "tst_helper-1.0.dist-info"
    with zipfile.ZipFile(index / "tst_helper-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("tst_helper.py", "def order(task):\n    return task.rng.permutation(len(task.y))\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tst-helper\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")


def test_a_cache_that_was_named_is_never_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert fetch.cache_dir() == Path("/proc/nowhere/harness")


def test_a_cache_among_temporary_files_must_be_ones_own(tmp_path: Path) -> None:
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


def test_a_tilde_is_a_home_or_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/runs") == tmp_path / "runs"
    assert expanded("~no-such-user/runs") == Path("~no-such-user/runs")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.getuid", lambda: UID)
    with pytest.raises(ProtocolError, match="Set HOME"):
        expanded("~/runs")
