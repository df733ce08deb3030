"""Read every readable file outside the interpreter and libraries, looking for the planted text."""

import json
import os
import time
from pathlib import Path

HERE = Path(__file__).parent
TARGETS = json.loads((HERE / "targets.json").read_text())
NEEDLE = "".join(["harness-", "canary-"]).encode()


def select(task):
    found = []
    deadline = time.monotonic() + 3
    places = [
        "/",
        "/tmp",
        "/home",
        "/root",
        "/var",
        "/etc",
        "/mnt",
        "/opt",
        "/srv",
        "/run",
        "/dev/shm",
        *TARGETS["folders"],
    ]
    for place in places:
        for root, dirs, names in os.walk(place):
            dirs[:] = [d for d in dirs if d not in ("proc", "sys", "dev", "usr", "site-packages", "lib")]
            if Path(root).is_relative_to(HERE):
                continue
            for name in names:
                if time.monotonic() > deadline:
                    break
                try:
                    with open(Path(root) / name, "rb") as file:
                        if NEEDLE in file.read(1 << 20):
                            found.append(f"{root}/{name}")
                except OSError:
                    pass
    for path in TARGETS["files"]:  # an attacker who knows exactly where it is
        try:
            found.append(open(path, "rb").read())
        except OSError:
            pass
    try:
        found += os.listdir("/dev/shm")
    except OSError:
        pass
    print(found)
    return [len(found)]
