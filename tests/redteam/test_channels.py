"""Two cells at the same time, one telling the other its bits in every way the survey of system calls found.

Each way is first shown to work between two processes without walls: a test that cannot fail shows nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest

from harness.api import SelectionTask
from harness.errors import Status
from harness.sandbox import Job, Limits, Outcome, run
from harness.tracks.base import View
from tests.redteam.channel.ways import SLOT, WAYS
from tests.redteam.test_attacks import TIERS

HERE = Path(__file__).parent / "channel"
SECRET = [1, 0, 0, 1, 1, 0, 1, 0]
SENT = "".join(map(str, SECRET))
SHARED = [  # that every cell can read, wherever its submission lies
    Path(str(distribution(name).locate_file(""))) / file
    for name in ("numpy", "scipy")
    for file in distribution(name).files or ()
    if file.name == "RECORD"
]
PACES = (1, 2, 4, 8)  # how slowly they go about it: a busy machine needs longer to start them and for every bit
LEAD = 2.5  # seconds for both to start, at the first pace


def pair(tier: str, folder: Path, ways: Sequence[str], pace: int) -> tuple[Outcome, Outcome]:
    """A sender that knows SECRET and a receiver that knows zeros, on one copy of the submission."""
    shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (folder / "shared.json").write_text(json.dumps(list(map(str, SHARED))))
    (folder / "ways.json").write_text(json.dumps(list(ways)))
    (folder / "slot.json").write_text(json.dumps(SLOT * pace))
    (folder / "start.json").write_text(json.dumps(time.time() + LEAD * pace))
    limits = Limits(seconds=60 * pace, memory_mb=512, processes=8, output_mb=8, log_kb=64)

    def cell(role: int) -> Outcome:
        X = np.array([[role] * len(SECRET), SECRET if role else [0] * len(SECRET)], np.float32)
        shown = View({"X": X, "y": np.zeros(2, np.int64)}, {"budget": 1, "n_classes": 1})
        time.sleep(0.0 if role else 0.3)  # where they take turns, the sender is first
        return run(Job(shown, SelectionTask, {"name": "logistic"}, (1,), folder, "algorithm", "select", limits), tier)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(cell, (1, 0))
    return first, second


def received(outcome: Outcome, ways: Sequence[str]) -> dict[str, str]:
    """What the receiver got, by way."""
    assert outcome.status is Status.OK, f"{outcome.reason}\n{outcome.log}"
    lines = [json.loads(line) for line in outcome.log.splitlines() if line.startswith("[")]
    assert [name for name, _ in lines] == list(ways)
    return dict(lines)


def control(folder: Path) -> tuple[dict[str, str], int]:
    """What arrives without walls, and the pace at which it did: ways that told nothing are tried again, more slowly."""
    got: dict[str, str] = {}
    for pace in PACES:
        ways = [way for way in WAYS if got.get(way) != SENT and "refused" not in got.get(way, "")]
        if not ways:
            break
        with warnings.catch_warnings(action="ignore"):  # that nothing is isolated
            got |= received(pair("none", folder, ways, pace)[1], ways)
        worked = pace
    return got, worked


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Tier -> way -> what arrived; ``none`` is the control without walls. Then the tiers, no faster than it worked."""
    found: dict[str, dict[str, str]] = {}
    before = SHARED[0].stat()
    found["none"], worked = control(tmp_path_factory.mktemp("channel"))
    for tier in TIERS:
        for pace in [pace for pace in PACES if pace >= worked]:
            outcomes = pair(tier, tmp_path_factory.mktemp("channel"), list(WAYS), pace)
            found[tier] = received(outcomes[1], list(WAYS))
            if tier == "landlock" or not any("late" in outcome.log for outcome in outcomes):
                break
    with suppress(PermissionError):  # then nobody could change them
        os.utime(SHARED[0], ns=(before.st_atime_ns, before.st_mtime_ns))
    return found


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("way", WAYS)
def test_no_bit_passes(
    way: str, tier: str, exchanged: dict[str, dict[str, str]], table: dict[str, dict[str, str]]
) -> None:
    if "refused" in exchanged["none"][way]:
        pytest.skip(f"{way} does not work on this machine without walls either:{exchanged['none'][way]}")
    assert exchanged["none"][way] == SENT
    got = exchanged[tier][way].split(" refused")[0]
    assert len(set(got)) <= 1, f"{way} told {got!r} of {SENT}"
    table.setdefault(f"channel/{way}", {})[tier] = "nothing passes"


def test_cells_that_are_to_be_alone_do_not_overlap(tmp_path: Path) -> None:
    """Nor with cells that may overlap with others, of another process as well as of this one."""
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "algorithm.py").write_text(
        "import time\ndef select(task):\n    a = time.time(); time.sleep(0.3); print(a, time.time())\n    return [0]\n"
    )
    shown = View({"X": np.zeros((2, 2), np.float32), "y": np.zeros(2, np.int64)}, {"budget": 1, "n_classes": 1})

    def cell(alone: bool) -> tuple[float, float]:
        job = Job(
            shown, SelectionTask, {"name": "logistic"}, (1,), folder, "algorithm", "select", Limits(), alone=alone
        )
        began, ended = run(job).log.split()
        return float(began), float(ended)

    wanted = (False, True, False, True, False, False)
    with ThreadPoolExecutor(len(wanted)) as pool:
        spans = sorted(zip(pool.map(cell, wanted), wanted, strict=True))
    assert len(spans) == len(wanted)
    for i, ((_, ended), alone) in enumerate(spans):
        for (began, _), other in spans[i + 1 :]:
            assert began >= ended or not (alone or other)
