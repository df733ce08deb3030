"""Everything that has to be seen on a GPU, in one command of under eight minutes that needs no network.

    scripts/gpu_acceptance              # on a machine with a CUDA device
    scripts/gpu_acceptance --rehearse   # the same steps on the CPU

Writes a JSON and a page with the card's name for docs/performance.md. Exit 0 only if all passed (in a rehearsal: all
that a CPU can do), 1 if not, 2 where there is no GPU and no rehearsal was asked for.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from harness.errors import BenchmarkError
from tests.gpu_acceptance.page import report, write
from tests.gpu_acceptance.plan import Result, Setting, run_steps
from tests.gpu_acceptance.steps import steps


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/gpu_acceptance", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rehearse", action="store_true", help="run on the CPU")
    parser.add_argument("--quick", action="store_true", help="small sizes: tries the steps, measures nothing")
    parser.add_argument("--only", metavar="STEPS", default="", help="names of steps, with commas; says so on the page")
    parser.add_argument("--out", metavar="DIR", default="runs/gpu_acceptance", help="default: runs/gpu_acceptance")
    args = parser.parse_args()
    if not args.rehearse and not _cuda_found():
        print("gpu_acceptance: torch finds no CUDA device here; --rehearse runs the same on the CPU.", file=sys.stderr)
        return 2
    wanted = [name.strip() for name in args.only.split(",") if name.strip()]
    known = {step.name: step for step in steps()}
    if unknown := [name for name in wanted if name not in known]:
        print(f"gpu_acceptance: no step {unknown[0]!r}; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    import_module("torch")  # once for all steps, which are forked; neither touches CUDA
    import_module("sklearn.linear_model")
    import_module("sklearn.datasets")
    setting = Setting("cpu" if args.rehearse else "cuda", args.quick)
    wanted = wanted or list(known)
    results = run_steps([known[name] for name in wanted], setting, _say)
    found = report(results, setting, [name for name in known if name not in wanted])
    try:
        page = write(found, Path(args.out))
    except BenchmarkError as error:
        print(f"gpu_acceptance: {error}", file=sys.stderr)
        return 2
    print(f"{'accepted' if found['accepted'] else 'NOT accepted'}{' (rehearsal)' if args.rehearse else ''}: {page}")
    return 0 if found["accepted"] else 1


def _cuda_found() -> bool:
    """Asked in another process: this one forks the steps, and a process that has touched CUDA cannot."""
    asked = "import torch; raise SystemExit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def _say(result: Result) -> None:
    why = f": {result.why}" if result.why else ""
    print(f"{result.status:<8} {result.name:<24} {result.seconds:6.1f} s{why}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
