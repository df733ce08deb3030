"""First code in the new process: bind it to its limits, then hand over to the worker. Standard library only.

Run as ``python -P -s -S -B launcher.py JOB.json``. In bubblewrap and containers the walls already stand. Where the
job says ``supervise``, in every tier but bubblewrap, this process stays behind as guard: it adopts every orphan of the
cell, and when the worker ends or the harness asks or dies, it kills all that is left before it exits itself: nothing
outlives the cell.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import sys
import time
from types import FrameType
from typing import Any, NoReturn

sys.path.insert(0, os.path.abspath(__file__).partition("/harness/sandbox/inside/")[0])  # noqa: PTH100

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER = 1, 4, 24, 36


def main(path: str) -> NoReturn:
    """Confine this process as the job says and run the worker (or, for a probe, try the walls)."""
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        job: dict[str, Any] = json.load(file)
    lifeline = _enter(job) if "door" in job else -1
    if job["filter"]:
        from harness.sandbox.inside import seccomp

        seccomp.install(seccomp.program(namespaces=True))
    if job["supervise"]:
        _guard(job["parent"], lifeline)
    _limit(job)
    if job["confine"]:
        confine(job["confine"])
    if "probe" in job:
        _probe(job)
    sys.path += job["site"]  # after the standard library, before the submission's own folder
    from harness.sandbox.inside import worker

    worker.main(job)


def confine(rules: dict[str, Any]) -> None:
    """Landlock, no capabilities, seccomp: for this process and its descendants, for good. Raises OSError."""
    import ctypes

    from harness.sandbox.inside import landlock, seccomp

    own = [(f"/proc/{os.getpid()}/{name}", landlock.READ_FILE) for name in ("maps", "stat", "statm", "status")]
    landlock.restrict([*rules["grants"], *own], rules["abi"])
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(ctypes.byref(header), ctypes.byref(none)):
        raise OSError(ctypes.get_errno(), "capset")
    only = os.getpid() if rules["abi"] < 6 else None
    seccomp.install(seccomp.program(namespaces=False, signal_only=only))


def _limit(job: dict[str, Any]) -> None:
    for name, soft, hard in job["rlimits"]:
        kind = getattr(resource, name)
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(kind, (soft, hard))
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")  # if memory runs out, the cell goes, not its guard


def _enter(job: dict[str, Any]) -> int:
    """A container inherits no descriptors: connect to the harness, which hands them over once it has set the limits.

    Standard output and error become the harness's pipe. Returns the read end of another, which ends when the harness
    does.
    """
    import socket

    channel = socket.socket(socket.AF_UNIX)
    channel.connect(job["door"])
    _, (log, lifeline), _, _ = socket.recv_fds(channel, 1, 2)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    job["channel"] = channel.detach()
    return lifeline


def _guard(parent: int, lifeline: int) -> None:
    """Fork; return in the child. The parent adopts, waits, kills and exits with the child's status."""
    import ctypes

    libc = ctypes.CDLL(None)
    inherited = [int(name) for name in os.listdir("/proc/self/fd")]  # noqa: PTH208
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, _stop)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # the child, the same user in the same container, cannot look in
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    guard = os.getpid()
    if os.getppid() != parent:  # the harness died before the line above
        os._exit(1)
    worker = os.fork()
    if worker == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != guard:
            os._exit(1)
        os.setsid()
        if lifeline >= 0:
            os.close(lifeline)
        return
    for fd in inherited:  # the worker's channels are its own
        if fd > 0 and fd != lifeline:
            with contextlib.suppress(OSError):
                os.close(fd)
    if lifeline >= 0:
        _watch(lifeline)
    while True:
        pid, status = os.wait()
        if pid == worker:
            break
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _kill_all()
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _watch(lifeline: int) -> None:
    """Stop as soon as nobody holds the other end of this pipe any more."""
    signal.signal(signal.SIGIO, _stop)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)
    if select.select([lifeline], [], [], 0)[0]:  # it ended before the lines above
        os.kill(os.getpid(), signal.SIGIO)


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _kill_all()
    os._exit(128 + signal.SIGKILL)


def _kill_all(patience: float = 10.0) -> None:
    """Kill every descendant until none is left: orphans come to this process, so none can hide."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        for pid in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def descendants(root: int) -> list[int]:
    """All processes below ``root``, read from /proc; racy by nature, so callers repeat it."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            children.setdefault(parent, []).append(int(name))
    found, todo = [], [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def _probe(job: dict[str, Any]) -> NoReturn:
    """Say whether the walls hold: a file outside must be out of reach, the net and other processes too."""
    import socket

    holes = []
    try:
        with open(job["probe"]["hidden"]):  # noqa: PTH123
            pass
        holes.append("a file outside can be read")
    except OSError:
        pass
    for path in ("/proc/sys/kernel/core_pattern", os.__file__, sys.executable):
        try:
            os.close(os.open(path, os.O_WRONLY))
            holes.append(f"{path} can be written")
        except OSError:
            pass
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.sendto(b"", ("192.0.2.1", 9))
        holes.append("the network can be reached")
    except OSError:
        pass
    try:
        os.kill(job["probe"]["pid"], 0)
        holes.append("processes outside can be signalled")
    except OSError:
        pass
    print("; ".join(holes) or "confined", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
