"""A node of a Ray cluster killed at random moments: cells that are lost, results and boards that come out otherwise."""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import time
from pathlib import Path
from typing import Any

import numpy as np

from harness.cli import main as command
from harness.tracking.runs import RunsDir
from tests.benchmarks.scale.places import SLOW, Result, config_dir, say, submission
from tests.clusters import place as heads


def kill(place: Path, times: int, limit: float) -> Result:
    """One worker node of three killed without grace at a random moment of a run, and again, for ``limit`` seconds at most.

    lost: finished cells whose file changed or vanished. results, boards: those that are not the undisturbed run's.
    """
    from tests.clusters import ray

    rng, began = np.random.default_rng(times), time.monotonic()
    words = ["challenge=tiny", f"submission={submission(place, 'slow', SLOW)}", "--config-dir", str(config_dir(place))]
    calm = place / "calm"
    heads.ended(heads.start(calm, *words))
    expected = results(calm), board(calm, config_dir(place))
    found: Result = {"kills": 0, "lost": 0, "results": 0, "boards": 0, "finished_before": [], "seconds": []}
    with ray.cluster(3) as cluster:
        words += ["launcher=ray", f"launcher.address={cluster.address}"]
        going = run(place / "undisturbed", words)
        heads.ended(going)
        length = time.monotonic() - begun_at(place / "undisturbed")
        for i in range(times):
            if time.monotonic() - began > limit:
                break
            runs = place / f"kill-{i}"
            going = run(runs, words)
            moment = float(rng.uniform(0, length))
            time.sleep(max(0.0, begun_at(runs) + moment - time.monotonic()))
            node = sorted(cluster.worker_nodes, key=lambda one: str(one.node_id))[int(rng.integers(3))]
            in_time = going.poll() is None
            there = kept(runs)
            cluster.remove_node(node, allow_graceful=False)
            heads.ended(going)
            cluster.add_node(num_cpus=1)
            after = kept(runs)
            found["kills"] += in_time
            found["lost"] += sum(after.get(path) != what for path, what in there.items())
            found["results"] += results(runs) != expected[0]
            found["boards"] += board(runs, config_dir(place)) != expected[1]
            found["finished_before"].append(len(there))
            found["seconds"].append(round(moment, 2))
            say("kill", i + 1, f"after {moment:.1f} s, {len(there)} cells finished by then:", found)
    return {**found, "cells": len(kept(calm)), "length": round(length, 2), "took": round(time.monotonic() - began, 1)}


def run(runs: Path, words: list[str]) -> heads.Head:
    """A head that has begun its first run."""
    going = heads.start(runs, *words)
    heads.until(lambda: going.poll() is not None or list(runs.glob("tiny-*/.lock")), "a run that has begun")
    if not list(runs.glob("tiny-*/.lock")):
        heads.ended(going)  # says why it has not begun any
    return going


def begun_at(runs: Path) -> float:
    """When its first run was begun, on this process's clock."""
    first = min(path.stat().st_mtime for path in runs.glob("tiny-*/.lock"))
    return first - time.time() + time.monotonic()


def kept(runs: Path) -> dict[str, tuple[int, str]]:
    """Time and digest of every finished cell's file."""
    found = {}
    for path in runs.glob("tiny-*/cells/[0-9]*/cell.json"):
        found[str(path)] = path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()
    return {path.removeprefix(str(runs)): what for path, what in found.items()}


def results(path: Path) -> list[Any]:
    """All that records say, clocks and meters aside."""
    runs = RunsDir(path)
    return [
        (record.run_id, record.status, record.score, record.ci95, [(c.seed, c.status, *c.result) for c in record.cells])
        for record in map(runs.load_record, runs.run_ids())
    ]


def board(runs: Path, config: Path) -> str:
    """Its boards, clocks and meters aside, and the commit of the checkout, which whoever works in it may change."""
    line = ["leaderboard", "--runs-dir", str(runs), "--out", str(runs / "boards"), "--config-dir", str(config)]
    with contextlib.redirect_stdout(io.StringIO()):
        assert command(line) == 0
    return re.sub(r'"(commit|dirty)": .*', "", heads.timeless(runs / "boards"))
