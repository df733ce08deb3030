"""What works on this machine, each answer from really trying."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from harness import sandbox
from harness.data import dataset_names, locate
from harness.summary import versions


def examine() -> dict[str, dict[str, str]]:
    """Isolation tiers (probed), devices, data sets found, versions: heading -> name -> finding."""
    return {
        "isolation": {
            report.name: "works" if report.works else f"does not work: {report.why}" for report in sandbox.probe()
        },
        "devices": _devices(),
        "data": {name: locate(name) for name in dataset_names()},
        "versions": versions(),
    }


def _devices() -> dict[str, str]:
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = {"cpu": f"{_processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB"}
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        found[f"cuda:{index}"] = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    if len(found) == 1:
        found["cuda"] = "none found; fixed models are trained on the CPU"
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
