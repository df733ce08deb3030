"""A site is replaced whole, whoever is killed when, and nothing but a site is replaced."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from harness.errors import ProtocolError
from harness.leaderboard.site import swap


def write(out: Path, word: str) -> None:
    with swap.into(out) as stage:
        (stage / "index.html").write_text(word)
        (stage / "style.css").write_text(word)


def words(out: Path) -> list[str]:
    return [(out / name).read_text() for name in ("index.html", "style.css")]


def test_a_new_site_takes_the_old_ones_place(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(out, "first")
    write(out, "second")
    assert words(out) == ["second", "second"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    assert out.stat().st_mode & 0o777 == 0o755 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_empty_folder_and_one_of_folders_to_be_made_will_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty", "x")
    write(tmp_path / "a" / "b" / "site", "x")
    assert words(tmp_path / "a" / "b" / "site") == words(tmp_path / "empty") == ["x", "x"]


def test_a_kill_leaves_the_old_site_and_the_next_one_tidies_up(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(out, "old")
    child = os.fork()
    if child == 0:
        with swap.into(out) as stage:
            (stage / "index.html").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert words(out) == ["old", "old"]
    assert len(list(tmp_path.iterdir())) == 2, "what the killed one was writing"
    write(out, "new")
    assert words(out) == ["new", "new"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_fault_leaves_the_old_site(tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(out, "old")
    with pytest.raises(ZeroDivisionError), swap.into(out):
        _ = 1 / 0
    assert words(out) == ["old", "old"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_two_at_once_wait_for_each_other(tmp_path: Path) -> None:
    out, inside, most = tmp_path / "site", [], []

    def one(word: str) -> None:
        with swap.into(out) as stage:
            inside.append(word)
            most.append(len(inside))
            (stage / "index.html").write_text(word)
            (stage / "style.css").write_text(word)
            inside.remove(word)

    threads = [threading.Thread(target=one, args=(str(k),)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    first, second = words(out)
    assert first == second


@pytest.mark.parametrize("gone", [True, False])
def test_where_the_kernel_cannot_exchange_a_kill_between_both_steps_loses_nothing(tmp_path: Path, gone: bool) -> None:
    out = tmp_path / "site"
    write(out, "old")
    (tmp_path / ".site.old").mkdir() if not gone else out.rename(tmp_path / ".site.old")
    if gone:
        with pytest.raises(ZeroDivisionError), swap.into(out):
            _ = 1 / 0
        assert words(out) == ["old", "old"]
    else:
        (tmp_path / ".site.old" / swap.MARKER).write_text("")
        write(out, "new")
        assert words(out) == ["new", "new"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_without_an_exchange_two_steps_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "_RENAME_EXCHANGE", 1 << 20)  # a flag that no kernel knows
    write(tmp_path / "site", "old")
    write(tmp_path / "site", "new")
    assert words(tmp_path / "site") == ["new", "new"]
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_nothing_but_a_site_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("x")
    write(tmp_path / "site", "x")
    (tmp_path / "site" / "CNAME").write_text("example.org")
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    for name, says in (
        ("home", r"home holds other things \(thesis.tex\) and is no site"),
        ("site", r"site holds a site and other things \(CNAME\), which would be lost"),
        ("file", "file is a file"),
        ("link", "link is a link"),
    ):
        with pytest.raises(ProtocolError, match=says):
            write(tmp_path / name, "new")
    assert (tmp_path / "home" / "thesis.tex").read_text() == "x"
    assert words(tmp_path / "site") == ["x", "x"]
