"""A well-formed array that is one big hole."""

import json
import os
import sys

import numpy as np

OUTPUTS = json.load(open(sys.argv[1]))["outputs"]


def select(task):
    np.save(OUTPUTS + "/indices.npy", np.zeros(4, dtype=np.int64))
    with open(OUTPUTS + "/indices.npy", "r+b") as file:
        data = file.read().replace(b"(4,), }    ", b"(500000,), }")
        file.seek(0)
        file.write(data[:128])
        file.truncate(128 + 4_000_000)
    with open(OUTPUTS + "/report.json", "w") as file:
        json.dump({"status": "ok", "reason": ""}, file)
    os._exit(0)
