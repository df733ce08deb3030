"""Where the measurements run: a small challenge and submissions of their own, heads as processes, this machine's clocks."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

Result = dict[str, Any]
ROOT = Path(__file__).parents[3]
TINY = (
    "defaults: [override /track: debugging, override /dataset: digits, override /model: logistic]\n"
    "title: Tiny\nbaseline: random\nseeds: 6\ntrack: {train: 60, validation: 20, test: 200}\n"
)
QUICK = "def rank(task):\n    return task.rng.permutation(len(task.y))\n"
SLOW = "import time\ndef rank(task):\n    time.sleep(0.6)\n    return task.rng.permutation(len(task.y))\n"


def config_dir(place: Path) -> Path:
    """A directory with the challenge ``tiny``."""
    folder = place / "config"
    (folder / "challenge").mkdir(parents=True, exist_ok=True)
    (folder / "challenge" / "tiny.yaml").write_text(TINY)
    return folder


def submission(place: Path, name: str, source: str) -> Path:
    """A submission's folder."""
    folder = place / "submissions" / name
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"name": name, "track": "debugging", "entry": "algorithm:rank", "authors": ["Tester"]}
    manifest |= {"description": "made by a measurement", "license": "Apache-2.0"}
    (folder / "submission.yaml").write_text(yaml.safe_dump(manifest))
    (folder / "algorithm.py").write_text(source)
    return folder


def head(place: Path, what: str, *words: str, environment: Mapping[str, str] | None = None) -> Result:
    """What a watched head reports (head.py), with its wall time and the CPU seconds of the whole machine meanwhile."""
    report = place / "head.json"
    report.with_name("head.json.trace").unlink(missing_ok=True)
    line = [sys.executable, "-m", "tests.benchmarks.scale.head", str(report), what, *words]
    variables = {**(environment or os.environ), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    wall, cpu = time.perf_counter(), machine_cpu()
    done = subprocess.run(line, cwd=place, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"scale: {' '.join(line)} failed:\n{done.stdout[-1000:]}{done.stderr[-3000:]}")
    found: Result = json.loads(report.read_text())
    return {**found, "wall": time.perf_counter() - wall, "machine_cpu": machine_cpu() - cpu}


def disk(runs: Path, pattern: str) -> dict[str, float]:
    """Bytes on disk (blocks): of a cell and of a run whose directory matches, and a run's share of all else.

    MLflow's database has a size of its own before the first run: its share is fair among very many runs alone.
    """

    def used(*folders: Path) -> float:
        paths = [path for folder in folders for path in (folder, *folder.glob("**/*"))]
        return sum(path.lstat().st_blocks * 512 for path in paths if os.path.lexists(path))

    found = list(runs.glob(pattern))
    cells = [cell for run in found for cell in run.glob("cells/[0-9]*")]
    every = len(list(runs.glob("*/record.json")))
    return {
        "cell": used(*cells) / len(cells),
        "run": used(*found) / len(found),
        "mlflow_database": used(*runs.glob("mlflow.db*")) / every,
        "mlflow_artifacts": used(runs / "mlartifacts") / every,
        "submission": used(runs / "submissions") / len(found),
    }


def cpu_with_children() -> float:
    """CPU seconds of this process and of those children that have ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def machine_cpu() -> float:
    """CPU seconds of everything on this machine since it started; what else runs here counts, too."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split(maxsplit=4)[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def say(*words: object) -> None:
    """A line of progress."""
    print(time.strftime("%H:%M:%S"), *words, flush=True)


def rounded(value: Any) -> Any:
    """The same with four significant digits: no clock here is worth more."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value
