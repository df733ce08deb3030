"""A datagram needs no answer: the test listens whether one arrives."""

import json
import socket
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())


def select(task):
    for host in ("127.0.0.1", "192.0.2.1", "8.8.8.8", "255.255.255.255"):
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.sendto(b"stolen", (host, TARGETS["udp"]))
            return [1]
        except OSError as error:
            print(host, error)
    return [0]
