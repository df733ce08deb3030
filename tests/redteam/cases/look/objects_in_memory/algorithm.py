"""Every object the garbage collector knows, every frame above, every readable byte of this process."""

import gc
import re
import sys

NEEDLE = re.compile(b"harness-" + b"canary-[0-9a-f]{32}")


def select(task):
    found = []
    for thing in gc.get_objects():
        module = getattr(type(thing), "__module__", "")
        if isinstance(module, str) and module.startswith(
            ("harness.tracks", "harness.protocol.challenge", "harness.data", "mlflow", "hydra")
        ):
            found.append(module)
    frame = sys._getframe()
    while frame:
        found += [
            k for k in frame.f_locals if k in ("key", "secret", "y_true", "y_test", "y_clean", "track", "challenge")
        ]
        frame = frame.f_back
    try:
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
            for line in maps:
                low, high = (int(x, 16) for x in line.split()[0].split("-"))
                if line.split()[1].startswith("rw") and high - low < 1 << 27:
                    try:
                        memory.seek(low)
                        if NEEDLE.search(memory.read(high - low)):
                            found.append(line)
                    except (OSError, ValueError):
                        pass
    except OSError as error:
        print(error)
    print(found)
    return [len(found)]
