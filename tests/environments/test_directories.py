"""Directories with characters that mean something to a shell, a URI, a pattern, a terminal or a configuration."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from harness.paths import CONF_DIR, SUBMISSIONS_DIR

from .helpers import journey

ODD = "-a b%20c?d#e'f\"g`h;i&j|k*[l]{m},n=o:p@q(r)\\s\nt~ünï数 "


def test_odd_directories_work_everywhere(tmp_path: Path) -> None:
    """Runs, boards, submission and configuration, named from the root and from beside them."""
    odd = tmp_path / ODD
    shutil.copytree(SUBMISSIONS_DIR / "debugging" / "random", odd / ODD)
    (odd / "conf" / "challenge").mkdir(parents=True)
    shutil.copy(CONF_DIR / "challenge" / "debugging_wine.yaml", odd / "conf" / "challenge" / "own.yaml")
    config = ["--config-dir", str(odd / "conf")]
    said = journey(
        ["new", "debugging", f"./{ODD}/new"],
        ["run", "challenge=own", f"submission={ODD}/{ODD}", f"runs_dir={ODD}/runs", "seeds=1", *config],
        ["leaderboard", "own", "--runs-dir", str(odd / "runs"), f"--out={ODD}/boards", *config],
        ["verify", str(odd / "runs"), *config],
        ["reproduce", "--all", "--runs-dir", str(odd / "runs"), *config],
        ["sync", "--runs-dir", str(odd / "runs")],
        ["key", "new", str(odd / "key.pem")],
        ["view", "own", "--out", str(odd / "view.npz"), *config],
        cwd=tmp_path,
        HARNESS_KEY=None,
    )
    assert said.codes == [0] * 8, said.err + said.out
    assert "warning" not in said.err
    assert f"  harness check {shlex.quote(str(odd / 'new'))}\n" in said.out  # to be copied into a shell
    assert [path.name for path in tmp_path.iterdir()] == [ODD]
    assert {path.name for path in odd.iterdir()} == {ODD, "new", "conf", "runs", "boards", "key.pem", "view.npz"}


def test_the_current_directory_may_be_odd(tmp_path: Path) -> None:
    odd = tmp_path / "-a b%20c?d#it's :x~ünï数\n"
    odd.mkdir()
    (odd / "my.csv").write_text("a,label\n" + "".join(f"{i % 7},{'yn'[i % 2]}\n" for i in range(300)))
    said = journey(
        ["challenge", "new", "own", "--track", "debugging", "--data", "my.csv", "--label", "label"],
        ["run", "challenge=debugging_wine", "submission=random", "seeds=1"],
        ["leaderboard", "debugging_wine"],
        ["sync"],
        cwd=odd,
        LC_ALL="C",
    )
    assert said.codes == [0, 0, 0, 0], said.err + said.out
    assert "warning" not in said.err
    assert {path.name for path in odd.iterdir()} == {"my.csv", "conf", "runs", "leaderboards"}


def test_a_runs_directory_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    """Databases and JSON could not name it. As the current directory, where it was not even mentioned, and named."""
    bad = tmp_path / "bad\udcff"
    bad.mkdir()
    said = journey(
        ["run", "challenge=debugging_wine", "submission=random", "seeds=1"],
        ["run", "challenge=debugging_wine", f"submission={bad}", f"runs_dir={bad}/runs"],
        ["leaderboard"],
        ["verify", "runs"],
        ["sync"],
        ["doctor"],
        ["list", "challenges", "--json"],
        cwd=bad,
    )
    assert said.codes == [2, 2, 2, 2, 2, 0, 0], said.err
    assert said.err.count("not UTF-8") == 3  # of `verify`, that nothing is there
    assert list(bad.iterdir()) == []
