"""Shared memory of the harness: POSIX by name, System V by key."""

import ctypes
import json
from multiprocessing import shared_memory
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


def select(task):
    found = []
    try:
        found.append(bytes(shared_memory.SharedMemory(TARGETS["shm"]).buf[:8]))
    except OSError:
        pass
    libc = ctypes.CDLL(None)
    identifier = libc.shmget(TARGETS["sysv"], 0, 0)
    if identifier >= 0:
        found.append("System V")
    print(found)
    return [len(found)]
