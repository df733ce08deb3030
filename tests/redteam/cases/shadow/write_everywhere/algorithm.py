"""Into libraries, the standard library, the inputs, the harness's modules, the submission, devices."""

import json
import os
import sys
from pathlib import Path

import numpy

import harness.api

JOB = json.load(open(sys.argv[1]))


def open_up(path):
    before = os.stat(path).st_mode
    os.chmod(path, 0o777)
    if os.stat(path).st_mode == before:
        raise OSError("answered as done, without effect")


def select(task):
    found = []
    places = [
        Path(numpy.__file__),
        Path(numpy.__file__).with_name("evil.py"),
        Path(os.__file__),
        Path(os.__file__).with_name("sitecustomize.py"),
        Path(JOB["inputs"]) / "X.npy",
        Path(JOB["inputs"]) / "new.npy",
        Path(sys.argv[1]),
        Path(harness.api.__file__),
        Path(sys.executable),
        Path(__file__),
        Path(__file__).with_name("left.txt"),
        Path("/usr/lib/evil"),
        Path("/evil"),
        Path("/dev/evil"),
        Path("/etc/evil"),
        *(Path(p) / "evil.pth" for p in sys.path if p.endswith("-packages")),
    ]
    for path in places:
        for attempt in (
            lambda p: open(p, "ab").close(),
            lambda p: open_up(p) if not p.is_relative_to("/evil") else None,
            os.unlink,
        ):
            before = path.exists()
            try:
                attempt(path)
                if before or path.exists():
                    found.append((str(path), before))
            except OSError:
                pass
    print(found)
    return [len(found)]
