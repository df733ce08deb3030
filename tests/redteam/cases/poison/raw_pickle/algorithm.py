import json
import os
import pickle
import sys
from pathlib import Path

OUTPUTS = json.load(open(sys.argv[1]))["outputs"]
TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


class Evil:
    def __reduce__(self):
        return (open, (TARGETS["executed"], "w"))


def select(task):
    open(OUTPUTS + "/indices.npy", "wb").write(pickle.dumps(Evil()))
    with open(OUTPUTS + "/report.json", "w") as file:
        json.dump({"status": "ok", "reason": ""}, file)
    os._exit(0)
