"""The host's loopback, where databases and the MLflow server listen."""

import json
import socket
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


def select(task):
    found = []
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "::1"):
        try:
            socket.create_connection((host, TARGETS["tcp"]), timeout=0.5).sendall(b"stolen")
            found.append(host)
        except OSError as error:
            print(host, error)
    return [len(found)]
