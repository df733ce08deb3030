"""A Unix socket without a file: no read-only mount stands in its way."""

import json
import socket
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


def select(task):
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect("\0" + TARGETS["abstract"])
            channel.sendall(b"stolen")
        return [1]
    except OSError as error:
        print(error)
        return [0]
