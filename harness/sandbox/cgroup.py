"""Limits on memory and number of processes by control groups (v2, else v1), or else by looking often (watchdog).

v2: https://docs.kernel.org/admin-guide/cgroup-v2.html, v1: https://docs.kernel.org/admin-guide/cgroup-v1/.
"""

from __future__ import annotations

import functools
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.sandbox.cell import PREFIX, Cell
from harness.sandbox.inside.launcher import descendants


@dataclass(frozen=True)
class Place:
    """Where this harness may make groups."""

    version: int  # 2, 1, or 0 for none
    memory: Path | None
    pids: Path | None


@functools.cache
def place() -> Place:
    """Find it by making, using and removing a group there; once per process."""
    mounts = _mounts()
    own = {}
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            own[controller] = path
    if "" in mounts and "" in own:
        here = mounts[""] / own[""].lstrip("/")
        for parent in (here, here.parent):
            if parent.is_relative_to(mounts[""]) and _delegates(parent) and _works(parent, "memory.max"):
                return Place(2, parent, parent)
    found: dict[str, Path | None] = {"memory": None, "pids": None}
    for controller, knob in (("memory", "memory.limit_in_bytes"), ("pids", "pids.max")):
        if controller in mounts and controller in own:
            for parent in (mounts[controller] / own[controller].lstrip("/"), mounts[controller]):
                if _works(parent, knob):
                    found[controller] = parent
                    break
    return Place(1 if any(found.values()) else 0, found["memory"], found["pids"])


def explain() -> str:
    """What keeps memory and processes within their limits here, for people."""
    where = place()
    if not where.version:
        return (
            "looked at twenty times a second, since no control group can be made here; root can, and so can a user of "
            "systemd and control groups v2: systemd-run --user --scope -p Delegate=yes harness run ..."
        )
    missing = [name for name, found in (("memory", where.memory), ("processes", where.pids)) if found is None]
    return f"control groups v{where.version}" + "".join(f", but {name} looked at" for name in missing)


def _mounts() -> dict[str, Path]:
    """Controller -> mount point; the unified hierarchy under the empty name."""
    mounts = {}
    for line in _read(Path("/proc/self/mounts")).splitlines():
        _, point, kind, options, *_ = line.split()
        if kind == "cgroup2":
            mounts[""] = Path(point)
        elif kind == "cgroup":
            mounts.update(dict.fromkeys(options.split(","), Path(point)))
    return mounts


def _delegates(parent: Path) -> bool:
    """Whether groups below it (v2) have both controllers, which may have to be switched on first.

    The kernel refuses that where ``parent`` has processes of its own; the root of all groups is exempt.
    """
    control = parent / "cgroup.subtree_control"
    if not {"memory", "pids"} <= set(_read(control).split()):
        with suppress(OSError):
            control.write_text("+memory +pids")
    return {"memory", "pids"} <= set(_read(control).split())


def _works(parent: Path, knob: str) -> bool:
    """Whether a process can be put into a new group there and a limit be set."""
    group = parent / f"{PREFIX}probe-{os.getpid()}"
    pid = 0
    try:
        group.mkdir()
        (group / knob).write_text("1000000" if knob == "pids.max" else str(2**30))
        ready, go = os.pipe()
        pid = os.posix_spawn("/bin/cat", ["cat"], {}, file_actions=[(os.POSIX_SPAWN_DUP2, ready, 0)])
        os.close(ready)
        try:
            (group / "cgroup.procs").write_text(str(pid))
            return str(pid) in _read(group / "cgroup.procs").split()
        finally:
            os.close(go)
    except OSError:
        return False
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        _remove(group)


class Group:
    """The control groups of one cell, and the watchdog for what they cannot limit here."""

    def __init__(self, cell: Cell, memory_mb: int, processes: int) -> None:
        self.memory_bytes = memory_mb * 2**20
        self.processes = processes
        self.root = 0  # process above all others of the cell, set by add()
        self._seen = 0  # bytes, highest use seen from outside
        where = place()
        self.version = where.version
        self.memory = where.memory / cell.path.name if where.memory else None
        self.pids = where.pids / cell.path.name if where.pids else None
        for directory in {d for d in (self.memory, self.pids) if d}:
            cell.note_cgroup(directory)
            directory.mkdir()
        if self.memory and self.version == 2:
            (self.memory / "memory.max").write_text(str(self.memory_bytes))
            with suppress(OSError):
                (self.memory / "memory.swap.max").write_text("0")
        elif self.memory:
            (self.memory / "memory.limit_in_bytes").write_text(str(self.memory_bytes))
            with suppress(OSError):
                (self.memory / "memory.memsw.limit_in_bytes").write_text(str(self.memory_bytes))
        if self.pids:
            (self.pids / "pids.max").write_text(str(processes))

    def add(self, pid: int) -> None:
        """Put the cell's first process in; call it before that process can fork."""
        self.root = pid
        for directory in {d for d in (self.memory, self.pids) if d}:
            (directory / "cgroup.procs").write_text(str(pid))

    def exceeded(self) -> str:
        """``"memory"`` or ``"processes"`` when the watchdog sees that limit passed, else nothing."""
        if self.memory and self.version == 2:  # for peak_mb(): kernels before 5.19 remember no peak
            self._seen = max(self._seen, int(_read(self.memory / "memory.current") or 0))
        if (self.memory and self.pids) or not self.root:
            return ""
        resident = threads = 0
        for pid in [self.root, *descendants(self.root)]:
            for line in _read(Path(f"/proc/{pid}/status")).splitlines():
                if line.startswith(("RssAnon:", "RssShmem:")):
                    resident += int(line.split()[1]) * 1024
                elif line.startswith("Threads:"):
                    threads += int(line.split()[1])
        self._seen = max(self._seen, resident)
        if not self.memory and resident > self.memory_bytes:
            return "memory"
        return "processes" if not self.pids and threads > self.processes else ""

    def out_of_memory(self) -> bool:
        """Whether the kernel killed something in the group for memory."""
        if not self.memory:
            return False
        text = _read(self.memory / ("memory.events" if self.version == 2 else "memory.oom_control"))
        return any(line.split()[0] == "oom_kill" and int(line.split()[1]) > 0 for line in text.splitlines() if line)

    def peak_mb(self) -> float:
        """Highest memory use so far, MB (2^20 bytes): of the group, or as far as was seen."""
        if self.memory:
            for knob in ("memory.peak",) if self.version == 2 else ("memory.max_usage_in_bytes",):
                text = _read(self.memory / knob).strip()
                if text.isdigit():
                    return int(text) / 2**20
        return self._seen / 2**20

    def kill(self, patience: float = 5.0) -> bool:
        """Kill all processes of the groups; False where some are left or there is no group."""
        directories = {d for d in (self.memory, self.pids) if d}
        if self.pids:
            with suppress(OSError):
                (self.pids / "pids.max").write_text("0")  # no new ones while the old are killed
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            left = {int(p) for d in directories for p in _read(d / "cgroup.procs").split()}
            if not left:
                return bool(directories)
            for pid in left:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
        return False

    def close(self) -> None:
        """Remove the groups; everything in them must be dead."""
        for directory in {d for d in (self.memory, self.pids) if d}:
            _remove(directory)


def _remove(directory: Path) -> None:
    for _ in range(200):  # a group stays busy for a moment after its last process
        try:
            directory.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.005)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
