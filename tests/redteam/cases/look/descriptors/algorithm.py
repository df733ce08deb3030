"""Open descriptors: anything but the standard three, the channel to the supervisor and the output directory."""

import json
import os
import stat
from pathlib import Path

TARGETS = json.loads((Path(__file__).parent / "targets.json").read_text())
NEEDLE = "".join(["harness-", "canary-"]).encode()


def select(task):
    found, sockets, folders = [], 0, 0
    for fd in range(3, 256):
        try:
            kind = os.fstat(fd).st_mode
        except OSError:
            continue
        sockets += stat.S_ISSOCK(kind)
        folders += stat.S_ISDIR(kind)
        if stat.S_ISREG(kind):
            try:
                os.lseek(fd, 0, 0)
                if NEEDLE in os.read(fd, 1 << 16):
                    found.append(fd)
            except OSError:
                pass
        if stat.S_ISDIR(kind):
            for target in (*TARGETS["files"], "../../../.." + TARGETS["files"][0]):
                try:
                    os.close(os.open(target.lstrip("/"), os.O_RDONLY, dir_fd=fd))
                    found.append((fd, target))
                except OSError:
                    pass
        if stat.S_ISFIFO(kind):
            found.append(("pipe", fd))
    if sockets > 1 or folders > 1:
        found.append((sockets, folders))
    print(found)
    return [len(found)]
