"""What is written into control groups v2, in a made folder; the kernel's side is tested wherever it has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.sandbox import cgroup
from harness.sandbox.cell import Cell


@pytest.fixture
def version_2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(cgroup, "place", lambda: cgroup.Place(2, tmp_path, tmp_path))
    return tmp_path


def test_limits_and_what_became_of_them(version_2: Path) -> None:
    with Cell() as cell:
        group = cgroup.Group(cell, memory_mb=100, processes=7)
        folder = version_2 / cell.path.name
        written = {path.name: path.read_text() for path in folder.iterdir()}
        assert written == {"memory.max": str(100 * 2**20), "memory.swap.max": "0", "pids.max": "7"}
        group.add(4711)
        assert (folder / "cgroup.procs").read_text() == "4711"
        (folder / "memory.events").write_text("low 0\nhigh 0\nmax 5\noom 1\noom_kill 0\noom_group_kill 0\n")
        assert not group.out_of_memory()
        (folder / "memory.events").write_text("low 0\nhigh 0\nmax 5\noom 1\noom_kill 1\noom_group_kill 0\n")
        assert group.out_of_memory()
        for use in (3, 5, 4):  # before Linux 5.19 there is no memory.peak
            (folder / "memory.current").write_text(f"{use * 2**20}\n")
            assert group.exceeded() == ""
        assert group.peak_mb() == 5.0
        (folder / "memory.peak").write_text(f"{6 * 2**20}\n")
        assert group.peak_mb() == 6.0
        for path in folder.iterdir():
            path.unlink()
        group.close()
        assert not folder.exists()


def test_what_keeps_the_limits_is_said(version_2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cgroup.explain() == "control groups v2"
    monkeypatch.setattr(cgroup, "place", lambda: cgroup.Place(1, version_2, None))
    assert cgroup.explain() == "control groups v1, but processes looked at"
    monkeypatch.setattr(cgroup, "place", lambda: cgroup.Place(0, None, None))
    assert "Delegate=yes" in cgroup.explain()
