"""A header that is an expression."""

import json
import os
import struct
import sys
from pathlib import Path

OUTPUTS = json.load(open(sys.argv[1]))["outputs"]
TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


def select(task):
    header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': (open({TARGETS['executed']!r}, 'w').fileno(),), }}\n".encode()
    with open(OUTPUTS + "/indices.npy", "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(80))
    with open(OUTPUTS + "/report.json", "w") as file:
        json.dump({"status": "ok", "reason": ""}, file)
    os._exit(0)
