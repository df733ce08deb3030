"""A Unix socket with a file, as the container engine's."""

import json
import socket
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


def select(task):
    for path in (TARGETS["unix"], "/var/run/docker.sock", "/run/dbus/system_bus_socket"):
        try:
            with socket.socket(socket.AF_UNIX) as channel:
                channel.connect(path)
            return [1]
        except OSError as error:
            print(path, error)
    return [0]
