"""The output is a link to a file of the host."""

import json
import os
import sys

OUTPUTS = json.load(open(sys.argv[1]))["outputs"]


def select(task):
    os.symlink("/etc/passwd", OUTPUTS + "/indices.npy")
    with open(OUTPUTS + "/report.json", "w") as file:
        json.dump({"status": "ok", "reason": ""}, file)
    os._exit(0)
