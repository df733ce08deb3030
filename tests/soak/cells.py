"""A thousand good and bad cells in a row in one harness: how each ends, what they leave, what the harness grows by."""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import Status
from harness.evaluation.launchers.base import Launcher, compute
from harness.evaluation.launchers.local import Local
from harness.evaluation.session import Session
from harness.evaluation.work import Work
from harness.protocol import submission
from harness.protocol.compose import load_challenge
from harness.sandbox import cell as cells
from harness.sandbox.base import Limits
from tests.soak.place import NAME, placed, watched

_GOOD = "def rank(task):\n    return task.rng.permutation(len(task.y))\n"

KINDS: dict[str, tuple[float, Status, str]] = {
    "permutation": (0.30, Status.OK, _GOOD),
    "fits the model": (0.15, Status.OK, "def rank(task):\n    p = task.model.fit(task.X, task.y).predict_proba(task.X)\n"
                       "    return p[range(len(task.y)), task.y].argsort()\n"),
    "prefix, with files and words": (0.10, Status.OK, "import os\ndef rank(task):\n    print('words')\n"
                       "    open(os.environ['TMPDIR'] + '/file', 'w').write('x' * 100000)\n    return [3, 1, 2]\n"),
    "leaves a daemon": (0.05, Status.OK, "import os, time\ndef rank(task):\n    if os.fork() == 0:\n        os.setsid()\n"
                       "        time.sleep(600)\n    return [0]\n"),
    "floods the log": (0.05, Status.OK, "def rank(task):\n    for _ in range(400):\n        print('x' * 100000)\n    return [0]\n"),
    "raises": (0.07, Status.CRASHED, "def rank(task):\n    raise ValueError('a reason')\n"),
    "loops": (0.06, Status.TIMEOUT, "def rank(task):\n    while True:\n        pass\n"),
    "takes all memory": (0.06, Status.OUT_OF_MEMORY, "def rank(task):\n    kept = []\n    while True:\n"
                         "        kept.append(bytearray(b'x') * 10000000)\n"),
    "repeats a row": (0.05, Status.CONTRACT_VIOLATION, "def rank(task):\n    return [0, 1, 0]\n"),
    "not a number": (0.03, Status.CONTRACT_VIOLATION, "def rank(task):\n    return [float('nan')]\n"),
    "returns nothing": (0.03, Status.NO_OUTPUT, "def rank(task):\n    pass\n"),
    "exits": (0.02, Status.NO_OUTPUT, "import os\ndef rank(task):\n    os._exit(0)\n"),
    "dies of a signal": (0.02, Status.CRASHED, "import os, signal\ndef rank(task):\n    os.kill(os.getpid(), signal.SIGSEGV)\n"),
    "does not import": (0.01, Status.INVALID_SUBMISSION, "import nothing_of_that_name\ndef rank(task):\n    return [0]\n"),
}  # fmt: skip
"""Share of all cells, status it must end in, source."""


@dataclass
class Cells:
    """What came of them. Memory is this process's resident set, MB."""

    cells: int = 0
    seed: int = 0
    workers: int = 0
    tier: str = ""
    seconds: float = 0.0
    statuses: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    harness_faults: list[str] = field(default_factory=list)  # exceptions out of the harness, harness_error cells
    rss_start: float = 0.0  # after the first 20 cells (or a fifth)
    rss_end: float = 0.0
    rss_max: float = 0.0
    rss: list[float] = field(default_factory=list)  # fifty values over the run
    files_start: int = 0  # open descriptors
    files_end: int = 0
    threads_end: int = 0
    leftovers: dict[str, list[str]] = field(default_factory=dict)

    @property
    def fine(self) -> bool:
        grown = self.rss_end > self.rss_start + 25 or self.files_end > self.files_start
        return not (self.unexpected or self.harness_faults or any(self.leftovers.values()) or grown)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"fine": self.fine}


def run_many(count: int, *, seed: int = 0, workers: int = 2, said: Callable[[str], None] = lambda text: None) -> Cells:
    """Run ``count`` cells, their kinds drawn from ``seed``, ``workers`` at a time, in this process."""
    found = Cells(cells=count, seed=seed, workers=workers)
    kinds = drawn(count, seed)
    before = tempfile.tempdir
    with placed() as place, watched(place):
        tempfile.tempdir = str(place.tmp)
        cells.sweep.cache_clear()
        try:
            challenge = load_challenge(NAME, config_dir=place.path)
            session = Session.open(challenge, runs_dir=place.path / "runs", device="cpu")
            tight = replace(
                session, challenge=challenge.model_copy(update={"limits": Limits(seconds=1, memory_mb=512)})
            )
            small = replace(session, challenge=challenge.model_copy(update={"limits": Limits(memory_mb=512)}))
            entries = {
                kind: submission.load(place.submission(kind.replace(" ", "_").replace(",", ""), source))
                for kind, (_, _, source) in KINDS.items()
            }
            found.tier = session.tier
            found.kinds = dict(Counter(kinds))

            where = {"loops": tight, "takes all memory": small}
            works = [
                Work(where.get(kind, session), entries[kind], number % challenge.seeds)
                for number, kind in enumerate(kinds)
            ]
            _run(works, Local([session, tight, small], workers), kinds, found, said)
        finally:
            tempfile.tempdir = before
            cells.sweep.cache_clear()
        place.look()
        found.leftovers = place.leftovers()
    return found


def drawn(count: int, seed: int) -> list[str]:
    """Kinds in their shares, at least one of each where there is room, in random order."""
    rng = random.Random(seed)
    shares = [share for share, _, _ in KINDS.values()]
    kinds = [*KINDS, *rng.choices(list(KINDS), shares, k=max(0, count - len(KINDS)))][:count]
    rng.shuffle(kinds)
    return kinds


def _run(
    works: list[Work],
    launcher: Launcher,
    kinds: list[str],
    found: Cells,
    said: Callable[[str], None],
) -> None:
    count, warm, every = len(kinds), min(20, len(kinds) // 5), max(1, len(kinds) // 50)
    statuses: Counter[str] = Counter()
    began = time.monotonic()
    numbers = {work: number for number, work in enumerate(works)}
    for done, (work, stored) in enumerate(compute(works, launcher), 1):
        number, status = numbers[work], stored.cell.status
        statuses[status.value] += 1
        if status is Status.HARNESS_ERROR:
            found.harness_faults.append(f"cell {number} ({kinds[number]}): {stored.cell.reason}\n{stored.log}")
        elif status is not KINDS[kinds[number]][1]:
            found.unexpected.append(f"cell {number} ({kinds[number]}): {status}: {stored.cell.reason}")
        now = resident()
        found.rss_max = max(found.rss_max, now)
        if done == warm:
            found.rss_start, found.files_start = now, open_files()
        if done % every == 0:
            found.rss.append(round(now, 1))
            said(f"{done} of {count} cells, {now:.0f} MB, {len(found.unexpected) + len(found.harness_faults)} problems")
    found.seconds = time.monotonic() - began
    found.statuses = dict(statuses)
    found.rss_end, found.files_end = resident(), open_files()
    found.threads_end = threading.active_count()


def resident() -> float:
    """Resident set of this process, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def open_files() -> int:
    """Open descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))
