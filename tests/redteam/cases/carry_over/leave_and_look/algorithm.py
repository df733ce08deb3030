"""Leave a mark wherever one can be left; report every mark an earlier cell left. Run twice."""

import builtins
import ctypes
import json
import os
import sys
import tempfile
from multiprocessing import shared_memory
from pathlib import Path

MARK = "carried-over-mark"


def select(task):
    found = []
    if hasattr(builtins, "MARK"):
        found.append("builtins")
    builtins.MARK = MARK
    outputs = json.load(open(sys.argv[1]))["outputs"]
    for folder in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", os.environ["HOME"], tempfile.gettempdir(), outputs, os.getcwd(), os.path.dirname(__file__), "/usr/lib"):
        path = Path(folder) / MARK
        try:
            if path.exists():
                found.append(str(path))
            path.write_text(MARK)
        except OSError:
            pass
    try:
        shared_memory.SharedMemory(MARK)
        found.append("POSIX shared memory")
    except OSError:
        pass
    try:
        shared_memory.SharedMemory(MARK, create=True, size=64)
    except OSError:
        pass
    libc = ctypes.CDLL(None)
    if libc.shmget(0x4D41524B, 0, 0) >= 0:
        found.append("System V shared memory")
    libc.shmget(0x4D41524B, 64, 0o1666)
    if libc.semget(0x4D41524B, 0, 0) >= 0:
        found.append("System V semaphore")
    libc.semget(0x4D41524B, 1, 0o1666)
    if libc.msgget(0x4D41524B, 0) >= 0:
        found.append("System V queue")
    libc.msgget(0x4D41524B, 0o1666)
    print(found)
    return [len(found)]
