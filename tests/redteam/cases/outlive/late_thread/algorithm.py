"""A thread that changes array and file when the function has long returned."""

import json
import sys
import threading
import time

import numpy as np

OUTPUTS = json.load(open(sys.argv[1]))["outputs"]
answer = np.array([3])


def later():
    time.sleep(0.3)
    while True:
        answer[:] = 999
        open(OUTPUTS + "/indices.npy", "wb").write(b"changed")


def select(task):
    threading.Thread(target=later).start()
    return answer
