"""An object array in a .npy file, written past the worker: reading it with pickle would run code."""

import json
import os
import sys
from pathlib import Path

import numpy as np

OUTPUTS = json.load(open(sys.argv[1]))["outputs"]
TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


class Evil:
    def __reduce__(self):
        return (open, (TARGETS["executed"], "w"))


def select(task):
    np.save(OUTPUTS + "/indices.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    json.dump({"status": "ok", "reason": ""}, open(OUTPUTS + "/report.json", "w"))
    os._exit(0)
