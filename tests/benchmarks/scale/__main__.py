"""``scripts/scale [--only overhead,kill] [--out FILE]``: what more cells, workers, machines and runs cost here.

Starts Ray and Slurm clusters on this machine (root, Debian's slurm packages, ``pip install 'harness[ray,slurm]'``).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness.models.backend import cores as machine_cores
from tests.benchmarks.scale import kept, kills, plan, pool, sweeps
from tests.benchmarks.scale.places import Result, rounded, say


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cores,overhead,thousand,memory,kill,boards,ledger,plan")
    parser.add_argument("--out", type=Path, default=Path("runs/scale.json"), help="JSON, added to if it is there")
    parser.add_argument("--place", type=Path, help="directory to work in and to leave; default: a temporary one")
    parser.add_argument("--challenge", default="debugging_digits", help="of cores")
    parser.add_argument("--seeds", type=int, default=4, help="of cores")
    parser.add_argument("--cells", type=int, default=60, help="of overhead")
    parser.add_argument("--thousand", type=int, default=1000, help="cells of thousand")
    parser.add_argument("--submissions", type=int, default=60, help="of memory")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--kill-seconds", type=float, default=360, help="after which no more is killed")
    parser.add_argument("--lines", type=int, default=1_000_000, help="of ledger")
    parser.add_argument("--records", type=int, default=10_000, help="runs that these lines are about")
    parser.add_argument("--runs", type=int, default=10_000, help="of the board")
    parser.add_argument("--challenges", type=int, default=100, help="of boards, each with --rows runs")
    parser.add_argument("--rows", type=int, default=8)
    chosen = parser.parse_args()
    report: Result = json.loads(chosen.out.read_text()) if chosen.out.exists() else {}
    with tempfile.TemporaryDirectory(prefix="scale-") as temporary:
        place = (chosen.place or Path(temporary)).absolute()
        place.mkdir(parents=True, exist_ok=True)
        parts: dict[str, Callable[[], Result]] = {
            "cores": lambda: sweeps.cores(place, chosen.challenge, chosen.seeds),
            "overhead": lambda: pool.overhead(place, max(2, chosen.cells // 3)),
            "thousand": lambda: pool.thousand(place, chosen.thousand),
            "memory": lambda: pool.memory(place, chosen.submissions),
            "kill": lambda: kills.kill(place, chosen.kills, chosen.kill_seconds),
            "boards": lambda: kept.boards(place, chosen.runs, chosen.challenges, chosen.rows),
            "ledger": lambda: kept.ledger(place, chosen.lines, chosen.records),
            "plan": lambda: plan.plan(report, **plan.WANTED),
        }
        wanted = chosen.only.split(",") if chosen.only else list(parts)
        if unknown := set(wanted) - set(parts):
            sys.exit(f"scale: there is no part named {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
        chosen.out.parent.mkdir(parents=True, exist_ok=True)
        for name in wanted:
            began, load = time.perf_counter(), os.getloadavg()[0]
            found = {**parts[name](), "cores": machine_cores(), "date": time.strftime("%Y-%m-%d %H:%M")}
            report[name] = {**found, "load_before": load, "took": round(time.perf_counter() - began, 1)}
            chosen.out.write_text(json.dumps(rounded(report), indent=1))
    say("written:", chosen.out)


if __name__ == "__main__":
    main()
