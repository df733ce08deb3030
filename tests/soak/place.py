"""A place of its own for a soak: a small challenge, submissions, a temporary directory whose leftovers can be told."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from harness.sandbox import cgroup
from harness.tracking.files import TEMPORARY

NAME = "soak"
_CHALLENGE = f"""# @package _global_
defaults: [override /track: debugging, override /dataset: digits, override /model: logistic]
name: {NAME}
title: Small and quick
baseline: random
seeds: 6
track: {{train: 60, validation: 20, test: 200}}
"""


@dataclass
class Place:
    """``path`` holds ``challenge/`` (a user's config directory), ``submissions/`` and ``tmp/`` (the harness's TMPDIR)."""

    path: Path
    cells: set[str] = field(default_factory=set)  # names of all temporary directories of cells that were seen

    @property
    def tmp(self) -> Path:
        return self.path / "tmp"

    def submission(self, name: str, source: str) -> Path:
        """Write a debugging submission and return its folder."""
        folder = self.path / "submissions" / name
        folder.mkdir(parents=True)
        manifest = {"name": name, "track": "debugging", "entry": "algorithm:rank", "authors": ["Soak"]}
        manifest |= {"description": "made for a soak", "license": "Apache-2.0"}
        (folder / "submission.yaml").write_text(yaml.safe_dump(manifest))
        (folder / "algorithm.py").write_text(source)
        return folder

    def look(self) -> set[str]:
        """Names of the cells' directories that are there now; remembered for :meth:`leftovers`."""
        now = {path.name for path in self.tmp.glob("harness-cell-*")}
        self.cells |= now
        return now

    def leftovers(self, runs: Path | None = None, patience: float = 5.0) -> dict[str, list[str]]:
        """Processes, mounts, control groups and files that are still there after ``patience`` seconds, by kind."""
        deadline = time.monotonic() + patience
        while True:
            found = {
                "processes": [str(pid) for pid, kinds in self._holders() if "mount" not in kinds],
                "mounts": [str(pid) for pid, kinds in self._holders() if "mount" in kinds],
                "cgroups": [str(path) for path in self._groups()],
                "temporary files": sorted(str(path) for path in self.tmp.iterdir()),
                "half-written files": sorted(str(path) for path in runs.rglob(f"{TEMPORARY}*")) if runs else [],
            }
            if not any(found.values()) or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def _holders(self) -> list[tuple[int, set[str]]]:
        """Other processes that have a directory of this place mounted, as working directory or in their command."""
        name, found = self.path.name, []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            kinds = set()
            for kind, file in (("mount", "mountinfo"), ("command", "cmdline")):
                try:
                    if name in (entry / file).read_text(errors="replace"):
                        kinds.add(kind)
                except OSError:
                    continue
            try:
                if name in str((entry / "cwd").readlink()):
                    kinds.add("directory")
            except OSError:
                pass
            if kinds:
                found.append((int(entry.name), kinds))
        return found

    def _groups(self) -> list[Path]:
        where = cgroup.place()
        parents = {parent for parent in (where.memory, where.pids) if parent}
        return [parent / name for parent in parents for name in sorted(self.cells) if (parent / name).is_dir()]


@contextmanager
def placed() -> Iterator[Place]:
    """A fresh place, removed afterwards."""
    path = Path(tempfile.mkdtemp(prefix="harness-soak-"))
    try:
        (path / "challenge").mkdir()
        (path / "challenge" / f"{NAME}.yaml").write_text(_CHALLENGE)
        (path / "tmp").mkdir()
        yield Place(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def watched(place: Place) -> Iterator[None]:
    """Keep looking for directories of cells meanwhile, so that all of their names are known."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            place.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
