"""A real sweep with one and two workers, and what the simulation says of these and of more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.leaderboard.published import ROW_KINDS
from tests.benchmarks.scale.places import ROOT, Result, disk, head, rounded, say
from tests.benchmarks.scale.simulation import Costs, Runs, bounds, longest_first, simulate

AHEAD = 64  # cells that wait on a Ray cluster at least (harness/evaluation/launchers/ray.py)
MORE = (1, 2, 4, 16, 64)


def cores(place: Path, challenge: str, seeds: int) -> Result:
    """All baselines of a challenge with one and two workers, each with one thread; simulated, and simulated with more."""
    measured: dict[int, Result] = {}
    for workers in (1, 2):
        words = [f"challenge={challenge}", "submission=all", f"seeds={seeds}", f"launcher.workers={workers}"]
        measured[workers] = head(place, "run", *words, f"runs_dir={place / f'cores-{workers}'}")
        say(f"cores, {workers} workers:", rounded(facts(measured[workers])))
    found: Result = {"measured": {str(workers): facts(report) for workers, report in measured.items()}, "checks": []}
    for workers in (1, 2):
        for cells_of in (1, 2):
            wall = simulate(runs_of(measured[cells_of]), workers, costs_of(measured[cells_of])).wall
            off = wall / found["measured"][str(workers)]["wall"] - 1
            found["checks"].append({"workers": workers, "cells_of": cells_of, "simulated": wall, "off": off})
            say("cores, check:", rounded(found["checks"][-1]))
    runs, costs = longest_first(runs_of(measured[1])), costs_of(measured[1])
    boards = longest_first(committed(ROOT / "leaderboards"))
    found["bytes"] = disk(place / "cores-1", f"{challenge}-*")
    found["runs"], found["cells"] = len(runs), sum(map(len, runs))
    found["more"] = predicted(runs, costs)
    strangers = [cell for run in committed(ROOT / "leaderboards", ROW_KINDS[:1]) for cell in run]
    found["boards"] = {"runs": len(boards), "cells": sum(map(len, boards)), "seconds": sum(map(sum, boards))}
    found["boards"]["submissions_cell"] = sum(strangers) / len(strangers)
    found["boards"]["more"] = predicted(boards, costs)
    say("cores, more workers:", rounded(found["more"]))
    say("cores, all boards:", rounded(found["boards"]))
    return dict(rounded(found))


def facts(report: Result) -> Result:
    """Wall from the first cell handed out to the last run recorded, and where it went."""
    times, marks = report["times"], report["marks"]
    costs, wall = costs_of(report), marks["recorded"] - marks["first"]
    return {
        "wall": wall,
        "command": report["wall"],
        "machine_cpu": report["machine_cpu"],
        "cells": len(report["performed"]),
        "runs": len(times["record"]),
        "cell_seconds": sum(spent for _, _, spent, _ in report["performed"]),
        "keep": costs.keep,
        "record": costs.record,
        "record_first": times["record"][0][0],
        "deliver": sum(spent for spent, _ in times["deliver"][1:]) / max(1, len(times["deliver"]) - 1),
        "head_share": sum(spent for name in ("keep", "record") for spent, _ in times[name]) / wall,
    }


def costs_of(report: Result) -> Costs:
    """Means of what the head spent; the first record's imports and new store apart from the others."""
    keep, record = ([wall for wall, _ in report["times"][name]] for name in ("keep", "record"))
    later = sum(record[1:]) / max(1, len(record) - 1)
    return Costs(sum(keep) / len(keep), later, record[0] - later)


def runs_of(report: Result) -> Runs:
    """Seconds in the worker of every cell, by run, in the order in which the head handed them out."""
    spent = {name: [wall for of, _, wall, _ in report["performed"] if of == name] for name in report["given"]}
    return list(spent.values())


def committed(folder: Path, kinds: Sequence[str] = ROW_KINDS) -> Runs:
    """Cells of the committed boards, of which each row has the mean: submission (of every draw) and scoring."""
    runs = []
    for path in sorted(folder.glob("*.json")):
        board = json.loads(path.read_text())
        if "suite" not in board:
            for row in (row for kind in kinds for row in board[kind]):
                draws = 1 if row in board["references"] else board["draws"]
                seconds = draws * (row["seconds"] or 0.0) + (row["scoring_seconds"] or 0.0)
                runs.append([seconds] * board["seeds"])
    return runs


def predicted(runs: Runs, costs: Costs, workers: Sequence[int] = MORE) -> list[Result]:
    """Simulated walls: as it is, with cells that wait at the workers (Ray), and with a head that costs nothing."""
    found = []
    for count in workers:
        local = simulate(runs, count, costs)
        ray = simulate(runs, count, replace(costs, ahead=max(AHEAD, 4 * count)))
        free = simulate(runs, count)
        found.append(
            {"workers": count, "local": local.wall, "local_used": local.used(count), "ray": ray.wall}
            | {"ray_used": ray.used(count), "head": local.head, "free_head": free.wall, "bounds": bounds(runs, count, costs)}
        )  # fmt: skip
    return found
