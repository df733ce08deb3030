"""The command line that puts a process behind the walls of one tier."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.sandbox import gpu
from harness.sandbox.base import Limits
from harness.sandbox.cell import Cell
from harness.sandbox.cgroup import place
from harness.sandbox.inside import landlock
from harness.sandbox.visible import bundled, code, cover, readable, visible, without

THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
PACKAGES = "/packages"  # where an overlay is mounted
CONTAINED = ("bubblewrap", "container")  # mounts and a pid namespace of its own: with its first process all end
_SPARE_TASKS = 1024
_DEVICES = ("null", "zero", "full", "random", "urandom")
_FLAGS = ("-P", "-s", "-S", "-B", "-X", "utf8")  # safe path, no user site, no site: no .pth, no sitecustomize


@dataclass(frozen=True)
class Paths:
    """Where the parts of a cell are, as the process behind the walls names them."""

    inputs: str
    outputs: str
    code: str
    folder: str
    scratch: str


def paths(tier: str, cell: Cell, folder: Path) -> Paths:
    """Short fixed names where there are mounts, real ones elsewhere."""
    if tier in CONTAINED:
        return Paths("/cell/in", "/cell/out", "/cell/code", "/submission", "/tmp")
    inside = cell.path
    return Paths(str(inside / "in"), str(inside / "out"), str(inside / "code"), str(folder), str(inside / "tmp"))


def environment(tier: str, cell: Cell, folder: Path) -> dict[str, str]:
    """All variables the process gets: nothing of the harness's own."""
    scratch = paths(tier, cell, folder).scratch
    fixed = {
        "PATH": visible().path(), "HOME": scratch, "TMPDIR": scratch, "LANG": "C.UTF-8", "TZ": "UTC",
        "USER": "submission", "PYTHONHASHSEED": "0", "MPLBACKEND": "Agg", "MPLCONFIGDIR": scratch,
        "HF_HUB_OFFLINE": "1", "KMP_WARNINGS": "0",
        "LOKY_MAX_CPU_COUNT": "1",  # joblib's n_jobs=-1 means one process, however many cores a machine has
    }  # fmt: skip
    return fixed | dict.fromkeys(THREADS, "1")


def prepare(
    tier: str, cell: Cell, folder: Path, limits: Limits, extra: dict[str, Any], packages: Path | None = None
) -> None:
    """Write the harness's few modules and ``job.json`` into the cell."""
    for name, content in code().items():
        target = cell.path / "code" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    where = paths(tier, cell, folder)
    job = {
        "supervise": tier != "bubblewrap",
        "parent": 0 if tier == "container" else os.getpid(),
        "confine": confinement(cell, folder, packages) if tier == "landlock" else None,
        "filter": tier == "container",  # bubblewrap loads it, Landlock's own belongs to "confine"
        "rlimits": rlimits(tier, limits),
        "gpu": limits.gpu,
        "site": [*visible().site, *_overlay_path(tier, packages)],  # behind all others: it shadows nothing
        "inputs": where.inputs,
        "outputs": where.outputs,
        "folder": where.folder,
        **extra,
    }
    (cell.path / "in" / "job.json").write_text(json.dumps(job))


def _overlay_path(tier: str, packages: Path | None) -> list[str]:
    """Where an overlay is, as the process behind the walls names it."""
    return [] if packages is None else [PACKAGES if tier in CONTAINED else str(packages)]


def overlay_binds(cell: Cell, packages: Path | None) -> list[tuple[str, str]]:
    """(source, target) of the read-only mounts of an overlay; data sets that its packages carry are empty."""
    if packages is None:
        return []
    masks = [(str(cell.path / "empty"), f"{PACKAGES}/{name}") for name in bundled(packages)]
    return [(str(packages), PACKAGES), *masks]


def rlimits(tier: str, limits: Limits) -> list[tuple[str, int, int]]:
    """(resource, soft, hard) that hold even if nobody watches."""
    seconds = int(limits.seconds * (os.cpu_count() or 1)) + 5  # of CPU; the wall clock comes first
    found = [
        ("RLIMIT_CORE", 1, 1),  # 1 rather than 0: keeps a core handler behind a pipe from being called, too
        ("RLIMIT_CPU", seconds, seconds + 2),
        ("RLIMIT_FSIZE", scratch_bytes(limits), scratch_bytes(limits)),
        ("RLIMIT_NOFILE", 1024, 1024),
        ("RLIMIT_MEMLOCK", 65536, 65536),
        ("RLIMIT_MSGQUEUE", 0, 0),
    ]
    if tier in CONTAINED and os.getuid() != 0:  # counted in the cell's own user namespace; does not bind root
        found.append(("RLIMIT_NPROC", limits.processes + 2, limits.processes + 2))
    if tier in ("landlock", "none") and os.getuid() != 0 and place().pids is None:
        ceiling = _own_tasks() + _SPARE_TASKS  # of this user as a whole, other cells included: a coarse last line
        found.append(("RLIMIT_NPROC", ceiling, ceiling))
    if place().memory is None and not limits.gpu:  # before the watchdog sees it; of each process; CUDA maps far more
        found.append(("RLIMIT_DATA", limits.memory_mb * 2**20, limits.memory_mb * 2**20))
    return found


def _own_tasks() -> int:
    """Processes and threads this user has now."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == os.getuid():
                count += len(os.listdir(process / "task"))  # noqa: PTH208
    return count


def confinement(cell: Cell, folder: Path, packages: Path | None = None) -> dict[str, Any]:
    """What the launcher needs to close itself in with Landlock."""
    inside = cell.path
    grants: list[tuple[str, int]] = [(path, landlock.READ) for path in readable()]
    grants += [(path, landlock.READ_DIR) for path in visible().roots]
    grants += [(str(inside / name), landlock.READ) for name in ("in", "code")]
    grants += [(str(folder), landlock.READ_FILE | landlock.READ_DIR)]
    if packages is not None:
        masked = [str(packages / name) for name in bundled(packages)]
        grants += [(path, landlock.READ) for path in without([str(packages)], masked)]
        grants += [(str(packages), landlock.READ_DIR)]
    grants += [(str(inside / "out"), landlock.OUTPUT), (str(inside / "tmp"), landlock.SCRATCH)]
    grants += [(f"/dev/{name}", landlock.DEVICE) for name in _DEVICES]
    grants += [("/sys/devices/system/cpu", landlock.READ_FILE | landlock.READ_DIR)]
    grants += [(f"/proc/{name}", landlock.READ_FILE) for name in ("cpuinfo", "meminfo", "stat")]
    quotas = (
        "cpu.max",
        "cpu/cpu.cfs_quota_us",
        "cpu/cpu.cfs_period_us",
    )  # joblib fails where they exist but are closed
    grants += [(f"/sys/fs/cgroup/{name}", landlock.READ_FILE) for name in quotas]
    return {"abi": landlock.abi(), "grants": grants}


def scratch_bytes(limits: Limits) -> int:
    """Room for temporary files: as large as what may be left, at least 64 MB."""
    return max(64, limits.output_mb) * 2**20


def bubblewrap(
    cell: Cell,
    folder: Path,
    limits: Limits,
    *,
    seccomp_fd: int | None,
    sync: tuple[int, int] | None,
    packages: Path | None = None,
) -> bytes:
    """Options for ``bwrap --args``: through a file, since its command line can be read inside.

    ``sync``: descriptors for --info-fd and --block-fd.
    """
    size = str(scratch_bytes(limits))
    seen = visible()
    line = ["--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"]
    line += ["--unshare-cgroup-try", "--uid", "1000", "--gid", "1000", "--hostname", "cell", "--die-with-parent"]
    line += ["--new-session", "--cap-drop", "ALL", "--clearenv"]
    for name, value in environment("bubblewrap", cell, folder).items():
        line += ["--setenv", name, value]
    # /proc/sys is the host's, and root's own files in it stay writable without any capability: hence read-only.
    line += [
        "--proc",
        "/proc",
        "--remount-ro",
        "/proc",
        "--dev",
        "/dev",
        "--size",
        size,
        "--tmpfs",
        "/dev/shm",
    ]
    if limits.gpu:
        line += gpu.options()
    line += ["--remount-ro", "/dev"]
    line += ["--size", size, "--tmpfs", "/tmp"]
    line += _binds(seen.roots)
    for mask in seen.masked:
        line += ["--ro-bind", cover(mask, cell.path / "empty"), mask]
    line += ["--ro-bind", str(cell.path / "in"), "/cell/in", "--ro-bind", str(cell.path / "code"), "/cell/code"]
    line += ["--size", str(limits.output_mb * 2**20), "--tmpfs", "/cell/out", "--ro-bind", str(folder), "/submission"]
    for source, target in overlay_binds(cell, packages):
        line += ["--ro-bind", source, target]
    line += ["--chdir", "/tmp", "--remount-ro", "/"]
    if seccomp_fd is not None:
        line += ["--seccomp", str(seccomp_fd)]
    if sync is not None:
        line += ["--info-fd", str(sync[0]), "--block-fd", str(sync[1])]
    return b"".join(os.fsencode(word) + b"\0" for word in line)


def bwrap() -> str:
    """Path of the program, as this harness's own PATH finds it; empty where there is none."""
    return shutil.which("bwrap") or ""


def memory_file(content: bytes) -> int:
    """An open file that exists nowhere, at its beginning; the caller closes it."""
    fd = os.memfd_create("harness")
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _binds(roots: tuple[str, ...]) -> list[str]:
    line: list[str] = []
    for link in ("/lib", "/lib32", "/lib64", "/bin"):
        if Path(link).is_symlink():
            line += ["--symlink", str(Path(link).readlink()), link]
        elif Path(link).is_dir():
            line += ["--ro-bind", link, link]
    for root in roots:
        line += ["--ro-bind", root, root]
    return line


def program(tier: str, cell: Cell, folder: Path) -> list[str]:
    """The interpreter and the launcher, as named behind the walls."""
    where = paths(tier, cell, folder)
    return [visible().python, *_FLAGS, f"{where.code}/harness/sandbox/inside/launcher.py", f"{where.inputs}/job.json"]
