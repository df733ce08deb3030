"""The container tier: Podman with the cell's own layout, no image, no network, nothing kept. Optional.

The container's root is an empty directory of the cell with the same read-only binds as bubblewrap's; Podman's own state
lies in the cell, too, and goes with it. Podman keeps descriptors below a number rather than those it is told, and an
engine behind a daemon keeps none, so the process inside comes to a socket in its inputs (the door) and is handed what
it needs there.
"""

from __future__ import annotations

import csv
import io
import os
import resource
import select
import socket
import struct
from pathlib import Path

from harness.sandbox import podman, walls
from harness.sandbox.base import Limits
from harness.sandbox.cell import Cell
from harness.sandbox.visible import cover, visible

# What Podman adds to a container unasked, and what root may write in /proc by owning it.
_MASKED = "/sys:/run:/etc/hostname:/etc/hosts:/etc/resolv.conf:/proc/mtrr:/proc/pressure"


def command(cell: Cell, folder: Path, limits: Limits, oci: str, packages: Path | None = None) -> list[str]:
    """``podman run`` up to, and without, the program. Makes the container's root and Podman's folders in the cell."""
    root = cell.path / "root"
    root.mkdir()
    (cell.path / "podman").mkdir()
    (cell.path / podman.CONF).write_text(
        '[engine]\nlock_type = "file"\nevents_logger = "none"\ncgroup_manager = "cgroupfs"\n'
    )
    line = [
        *podman.program(cell.path),
        "--runtime",
        oci,
        "run",
        "--rm",
        "--conmon-pidfile",
        str(cell.path / podman.MONITOR),
    ]
    line += ["--network", "none", "--no-hosts", "--ipc", "none", "--cgroupns", "private", "--hostname", "cell"]
    line += ["--log-driver", "none", "--read-only", "--read-only-tmpfs=false", "--http-proxy=false", "--passwd=false"]
    line += ["--cap-drop", "all"]
    for option in ("no-new-privileges", "label=disable", f"mask={_MASKED}"):  # binds of /usr carry no container's label
        line += ["--security-opt", option]
    # As in bubblewrap the process is user 1000 of its own namespace and, outside, whoever runs the harness; the user 0
    # that the runtime sets the container up with is nobody outside.
    for kind in ("--uidmap", "--gidmap"):
        line += [kind, "0:65534:1", kind, "1000:0:1"]
    line += ["--user", "1000:1000", "--workdir", "/tmp"]
    tasks = max(1024, limits.processes + 2)
    for name, limit, wanted in (("nofile", resource.RLIMIT_NOFILE, 1024), ("nproc", resource.RLIMIT_NPROC, tasks)):
        hard = resource.getrlimit(limit)[1]  # Podman's own wishes are above what some machines allow
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        line += ["--ulimit", f"{name}={most}:{most}"]
    # The limits are the harness's own groups. runc cannot do without some of Podman's; they go with the container.
    line += ["--cgroups", "disabled"] if oci == "crun" else ["--cgroups", "no-conmon", "--cgroup-parent", "/"]
    size = walls.scratch_bytes(limits)
    for path, room in (("/tmp", size), ("/dev/shm", size), ("/cell/out", limits.output_mb * 2**20)):
        line += ["--tmpfs", f"{path}:rw,exec,nosuid,nodev,size={room},mode=1777"]
    binds = [(path, path) for path in visible().roots]
    for link in ("/lib", "/lib32", "/lib64", "/bin"):
        if Path(link).is_symlink():
            (root / link[1:]).symlink_to(Path(link).readlink())
        elif Path(link).is_dir():
            binds.append((link, link))
    binds += [(cover(mask, cell.path / "empty"), mask) for mask in visible().masked]
    binds += [
        (str(cell.path / "in"), "/cell/in"),
        (str(cell.path / "code"), "/cell/code"),
        (str(folder), "/submission"),
        *walls.overlay_binds(cell, packages),
    ]
    for source, target in binds:
        line += ["--mount", _fields("type=bind", f"src={source}", f"dst={target}", "ro=true")]
    variables = [f"{name}={value}" for name, value in walls.environment("container", cell, folder).items()]
    return [*line, "--rootfs", str(root), "/usr/bin/env", "-i", *variables]


class Door:
    """A listening socket ``door`` among the inputs of a cell, for one process to come in."""

    def __init__(self, cell: Cell) -> None:
        self._folder = os.open(cell.path / "in", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(f"/proc/self/fd/{self._folder}/door")  # short, whatever the folder's path
        self._socket.listen(1)

    def meet(self, popen_fd: int, patience: float) -> tuple[int, socket.socket] | None:
        """Who comes: process id as known out here, by the kernel's word, and the connection.

        None where the process of the pidfd ``popen_fd`` ends first or nobody comes within ``patience`` seconds.
        """
        ready, _, _ = select.select([self._socket.fileno(), popen_fd], [], [], patience)
        if self._socket.fileno() not in ready:
            return None
        channel, _ = self._socket.accept()
        pid, _, _ = struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return pid, channel

    def close(self) -> None:
        """Nobody else comes in. May be repeated."""
        if self._folder >= 0:
            os.unlink("door", dir_fd=self._folder)
            self._socket.close()
            os.close(self._folder)
            self._folder = -1


def _fields(*fields: str) -> str:
    """One line of CSV: paths may hold commas."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()
