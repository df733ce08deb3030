"""What works on this machine, each answer from really trying."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from harness import sandbox
from harness.data import OWN, dataset_names, settings_class
from harness.data.fetch import find
from harness.errors import BenchmarkError
from harness.protocol.catalogue import BUNDLED
from harness.sandbox import cgroup
from harness.tracking.provenance import versions

_WORKS = {"landlock": "works; submissions do without process pools, shared memory and files named /tmp/..."}


def examine() -> dict[str, dict[str, str]]:
    """Isolation tiers (probed), what keeps limits, devices, data sets found, versions: heading -> name -> finding."""
    return {
        "isolation": {
            report.name: _WORKS.get(report.name, "works") if report.works else f"does not work: {report.why}"
            for report in sandbox.probe()
        },
        "limits": {"memory and processes": cgroup.explain()},
        "devices": _devices(),
        "data": {name: _data(name) for name in dataset_names() if name not in OWN},
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


def _data(name: str) -> str:
    if name in BUNDLED:
        return "bundled with scikit-learn"
    files = settings_class(name).files()
    if not files:  # published as a folder layout, not as pinned files
        return f"your own copy, as folder {name} of HARNESS_DATA_DIR; see docs/datasets/{name}.md"
    try:
        found = [find(file) for file in files]
    except BenchmarkError as error:  # there, but not what it should be
        return str(error)
    missing = sum(path is None for path in found)
    if missing:
        return f"{missing} of {len(files)} files not here; `harness fetch {name}`"
    return str(next(path.parent for path in found if path))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
