"""What launchers add to cells that cost next to nothing, and how a head's memory grows with cells and runs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.scale.places import QUICK, Result, config_dir, disk, head, rounded, say, submission
from tests.clusters import slurm

RAY_NODES, SLURM_NODES = 3, 2


def overhead(place: Path, seeds: int) -> Result:
    """Three cells a seed (a sandboxed one, floor, skyline) in every launcher, computed and kept, nothing recorded."""
    quick = submission(place, "quick", QUICK)
    found: Result = {}

    def measure(name: str, at_once: int, *words: str, environment: dict[str, str] | None = None) -> None:
        runs = place / f"overhead-{name}".replace(" ", "-")
        given = ["challenge=tiny", f"submission={quick}", f"seeds={seeds}", f"runs_dir={runs}", *words]
        report = head(place, "cells", *given, "--config-dir", str(config_dir(place)), environment=environment)
        found[name] = rounded(added(report, at_once))
        say("overhead", name, found[name])

    measure("serial", 1, "launcher=serial")
    measure("local 1", 1, "launcher.workers=1")
    measure("local 2", 2, "launcher.workers=2")
    with ray_cluster() as address:
        measure("ray 3", RAY_NODES, "launcher=ray", f"launcher.address={address}")
        measure("ray 3 again", RAY_NODES, "launcher=ray", f"launcher.address={address}")
    if why := slurm.missing():
        say("overhead: no Slurm:", why)
        return found
    with tempfile.TemporaryDirectory(prefix="scale-slurm-") as folder, slurm.cluster(Path(folder)) as environment:
        measure("slurm 2", SLURM_NODES, "launcher=slurm", "launcher.cells=10", environment=environment)
    return found


def added(report: Result, at_once: int) -> Result:
    """What a launcher adds to a cell, in seconds.

    wall: from the first cell handed out to the last one kept, less the cells' own seconds (of sandbox and scoring, as
    their records have them) over the cells at a time, a cell. slot: the same as seconds of one of the workers.
    later: ``wall`` without the first fifth of the cells, in which workers start and load the data.
    """
    marks, cpu, taken = report["marks"], report["cpu"], report["taken"]
    count, first = len(taken), len(taken) // 5
    wall = marks["last"] - marks["first"]
    own = sum(seconds for _, seconds, _ in taken)
    later = taken[-1][0] - taken[first - 1][0] - sum(seconds for _, seconds, _ in taken[first:]) / at_once
    return {
        "cells": count,
        "at_once": at_once,
        "start": marks["first"] - marks["before"],
        "pool_wall": wall,
        "own": own / count,
        "wall": (wall - own / at_once) / count,
        "slot": (wall * at_once - own) / count,
        "later": later / (count - first),
        "head_cpu": (cpu["last"] - cpu["first"]) / count,
        "keep": sum(wall for wall, _ in report["times"]["keep"]) / count,
        "machine_cpu": report["machine_cpu"],
    }


def thousand(place: Path, cells: int) -> Result:
    """A thousand trivial cells over three Ray nodes: the harness's own, then a third of them sandboxed."""
    quick = submission(place, "quick", QUICK)
    config = ["--config-dir", str(config_dir(place))]
    found: Result = {}
    with ray_cluster() as address:
        ray = ["launcher=ray", f"launcher.address={address}", "challenge=tiny"]
        words = [*ray, f"seeds={cells}", f"runs_dir={place / 'thousand-reference'}"]
        found["reference"] = rounded(_memory(head(place, "reference", *words, *config)))
        say("thousand, the harness's own:", found["reference"])
        words = [*ray, f"submission={quick}", f"seeds={round(cells / 3)}", f"runs_dir={place / 'thousand-run'}"]
        found["run"] = rounded(_memory(head(place, "run", *words, *config)))
        say("thousand, a third sandboxed:", found["run"])
    return found


def memory(place: Path, submissions: int) -> Result:
    """A sweep of many submissions in local processes: a head that has seen many runs, and what recording one costs."""
    folders = [submission(place, f"many-{i}", QUICK + f"# {i}\n") for i in range(submissions)]
    runs = place / "memory"
    words = ["challenge=tiny", f"submission={','.join(map(str, folders))}", f"runs_dir={runs}", "launcher.workers=2"]
    report = head(place, "run", *words, "--config-dir", str(config_dir(place)))
    found: Result = {
        **_memory(report),
        **{f"{name}_seconds": spread([wall for wall, _ in calls]) for name, calls in report["times"].items()},
        "record_cpu": spread([cpu for _, cpu in report["times"]["record"]]),
        "bytes": disk(runs, "tiny-many-*"),
    }
    say("memory:", rounded(found))
    return dict(rounded(found))


def spread(values: Sequence[float]) -> Result:
    """First (imports and a new store), median and mean of the others, last."""
    rest = sorted(values[1:]) or list(values)
    return {"first": values[0], "median": rest[len(rest) // 2], "mean": sum(rest) / len(rest), "last": values[-1]}


def _memory(report: Result) -> Result:
    """Wall of the whole command, and its megabytes when a tenth, a half and all of its cells were kept."""
    taken = report["taken"]
    at = {f"mb_at_{share}": taken[max(0, len(taken) * share // 100 - 1)][2] for share in (10, 50, 100)}
    pool = report["marks"]["last"] - report["marks"]["first"]
    return {"cells": len(taken), "wall": report["wall"], "pool_wall": pool, **at, "machine_cpu": report["machine_cpu"]}


@contextmanager
def ray_cluster(nodes: int = RAY_NODES) -> Iterator[str]:
    """The address of a cluster of nodes with one core each."""
    from tests.clusters import ray

    with ray.cluster(nodes) as started:
        yield str(started.address)
