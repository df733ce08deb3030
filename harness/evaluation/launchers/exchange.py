"""The directory through which a head and its jobs exchange cells: what a job computes stays there until it is taken.

::

    exchange/
      cells/<key>/cells/<seed>/   finished cells, whole by one rename each, under a digest of all that decides them
      <head>/                     of one head: .lock, benches and submissions by digest, submitit's files of its jobs

A job never reads another's cells. A head that dies leaves its jobs' cells to the next one that asks for them.
"""

from __future__ import annotations

import hashlib
import pickle
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, Status
from harness.evaluation.launchers.remote import Packed
from harness.evaluation.work import Work
from harness.protocol.submission import Submission
from harness.tracking import provenance
from harness.tracking.files import disk_errors, write_bytes_atomic
from harness.tracking.record import identity
from harness.tracking.runs import Held, RunsDir, StoredCell, exclusive

OURS = (Status.CANCELLED, Status.HARNESS_ERROR)  # not the answer to anything: to be computed again


def key_of(work: Work) -> str:
    """A digest of all that decides a cell but its seed: two heads that want the same cell find the same one."""
    whose = work.whose
    what = identity(whose.digest, whose.lock) if isinstance(whose, Submission) else f"reference {whose}"
    bench = work.bench
    text = "|".join((bench.fingerprint, what, bench.tier, bench.device, provenance.source()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Exchange:
    """One head's side. A context manager: it is there as long as the head lives, and cleans up after itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cells = RunsDir(path / "cells")
        self._held = ExitStack()
        self._sent: dict[int, tuple[Path, Any]] = {}

    def __enter__(self) -> Exchange:
        with disk_errors(f"make the exchange directory {self.path}"):
            self.path.mkdir(parents=True, exist_ok=True)
            self.own = Path(tempfile.mkdtemp(prefix="head-", dir=self.path))
        self._held.enter_context(exclusive(self.own / ".lock", f"the exchange {self.own}", 0))
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()
        shutil.rmtree(self.own, ignore_errors=True)
        for empty in (*self.path.glob("cells/*/*"), *self.path.glob("cells/*"), self.path / "cells", self.path):
            with suppress(OSError):
                empty.rmdir()

    def orphans(self) -> Iterator[Path]:
        """The directories of heads that have died, each removed when the next is asked for."""
        for other in self.path.glob("head-*"):
            if other != self.own:
                with suppress(Held, HarnessError), exclusive(other / ".lock", f"the exchange {other}", 0):
                    yield other
                    shutil.rmtree(other, ignore_errors=True)

    def send(self, what: Submission | Work) -> Path:
        """A file with a submission, or with the bench of a cell, for jobs to read; written once."""
        of = what.bench if isinstance(what, Work) else what
        if id(of) not in self._sent:
            content = pickle.dumps(Packed.of(of) if not isinstance(of, Submission) else of)
            path = self.own / f"{hashlib.sha256(content).hexdigest()[:32]}.pickle"
            write_bytes_atomic(path, content)
            self._sent[id(of)] = path, of
        return self._sent[id(of)][0]

    def left(self, work: Work) -> StoredCell | None:
        """The answer that a job of a dead head has left; what is no answer to anything is removed."""
        stored = self.found(work)
        if stored is None or stored.cell.status not in OURS:
            return stored
        self.forget(work)
        return None

    def found(self, work: Work) -> StoredCell | None:
        """A cell that a job has kept, whatever came of it."""
        key = key_of(work)
        if not (self.cells.cell_dir(key, work.seed) / "cell.json").exists():
            return None
        try:
            return self.cells.read_cell(key, work.seed)
        except HarnessError:  # changed since: it is computed again
            self.forget(work)
            return None

    def forget(self, work: Work) -> None:
        """Remove a cell that was taken, so that ``--force`` never finds it again; its folder stays for those still to come."""
        shutil.rmtree(self.cells.cell_dir(key_of(work), work.seed), ignore_errors=True)
