"""A small archive that would grow to gigabytes, under the name of an array."""

import json
import os
import sys
import zipfile

OUTPUTS = json.load(open(sys.argv[1]))["outputs"]


def select(task):
    with zipfile.ZipFile(OUTPUTS + "/indices.npy", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("indices.npy", bytes(100_000_000))
    with open(OUTPUTS + "/report.json", "w") as file:
        json.dump({"status": "ok", "reason": ""}, file)
    os._exit(0)
