"""One of several harness processes: makes runs and delivers them, one after the other, saying each.

``python -m tests.tracking.delivering RUNS_DIR NAME COUNT URI`` prints ``delivered`` or ``waits`` a run.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from harness.tracking import delivery
from tests.tracking.made import made_run


def main(place: str, name: str, count: str, uri: str) -> None:
    warnings.simplefilter("ignore", delivery.UndeliveredWarning)
    for i in range(int(count)):
        record = made_run(Path(place), f"{name}-{i}", 0.5 + i / 1000, deliver=False)
        there = delivery.deliver(Path(place) / record.run_id, uri)
        print("waits" if there is None else "delivered", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
