"""Twice forked, a session of its own, no descriptors: it would like to change the output after the end."""

import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())
OUTPUTS = json.load(open(sys.argv[1]))["outputs"]


def select(task):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            ctypes.CDLL(None).prctl(15, TARGETS["marker"].encode(), 0, 0, 0)
            for number in range(1, 65):
                try:
                    signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError):
                    pass
            os.closerange(0, 256)
            while True:
                try:
                    with open(OUTPUTS + "/indices.npy", "wb") as file:
                        file.write(b"changed afterwards")
                except OSError:
                    pass
                time.sleep(0.5)
        os._exit(0)
    time.sleep(0.2)
    return [3]
