"""A child that keeps standard output open and goes on writing."""

import ctypes
import json
import os
import time
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


def select(task):
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, TARGETS["marker"].encode(), 0, 0, 0)
        while True:
            os.write(1, b"still here\n")
            time.sleep(0.01)
    return [3]
