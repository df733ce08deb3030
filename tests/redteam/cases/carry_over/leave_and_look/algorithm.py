"""Report every mark an earlier cell left, then leave one wherever it can be left. Run twice."""

import builtins
import ctypes
import json
import os
import sys
import tempfile
from multiprocessing import shared_memory
from pathlib import Path

MARK = "carried-over-mark"
KEY = 0x4D41524B


def select(task):
    outputs = json.load(open(sys.argv[1]))["outputs"]
    folders = {
        "/tmp",
        "/var/tmp",
        "/dev/shm",
        "/dev/mqueue",
        "/run",
        "/usr/lib",
        os.environ["HOME"],
        tempfile.gettempdir(),
        outputs,
        os.getcwd(),
        os.path.dirname(__file__),
    }
    libc = ctypes.CDLL(None)

    found = [folder for folder in folders if os.path.exists(f"{folder}/{MARK}")]
    if hasattr(builtins, "MARK"):
        found.append("builtins")
    for name, call in (("shm", libc.shmget), ("sem", libc.semget)):
        if call(KEY, 0, 0) >= 0:
            found.append(f"System V {name}")
    if libc.msgget(KEY, 0) >= 0:
        found.append("System V queue")
    try:
        shared_memory.SharedMemory("posix-" + MARK)
        found.append("POSIX shared memory")
    except OSError:
        pass

    builtins.MARK = MARK
    for folder in folders:
        try:
            Path(folder, MARK).write_text(MARK)
        except OSError:
            pass
    try:
        shared_memory.SharedMemory("posix-" + MARK, create=True, size=64)
    except OSError:
        pass
    libc.shmget(KEY, 64, 0o1666)
    libc.semget(KEY, 1, 0o1666)
    libc.msgget(KEY, 0o1666)
    print(found)
    return [len(found)]
