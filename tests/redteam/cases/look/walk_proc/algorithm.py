"""Other processes in /proc: their environment, command lines, memory maps, descriptors, roots."""

import json
import os
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())
NEEDLE = "".join(["harness-", "canary-"]).encode()


def select(task):
    found = []
    try:
        pids = [p for p in os.listdir("/proc") if p.isdigit()]
    except OSError:
        pids = []
    for pid in {*pids, str(TARGETS["pid"]), str(os.getppid())}:
        for name in ("environ", "cmdline", "maps", "mem", "auxv", "stack", "syscall"):
            try:
                data = open(f"/proc/{pid}/{name}", "rb").read(1 << 16)
                if NEEDLE in data or b"pytest" in data:
                    found.append((pid, name))
            except OSError:
                pass
        for name in ("root", "cwd", "fd/3", "fd/4", "fd/5", "map_files"):
            path = f"/proc/{pid}/{name}"
            try:
                for target in TARGETS["files"]:
                    if os.path.exists(path + target):
                        open(path + target).close()
                        found.append((pid, name))
            except OSError:
                pass
    if str(TARGETS["pid"]) in pids and "pytest" in str(found):
        found.append("the harness is in the process list")
    print(found)
    return [len(found)]
