"""Whether MLflow holds what was recorded: each of its runs, metrics and artifacts beside the record and the ledger.

What costs time is reading; an outcome without problems is remembered for a local SQLite store as long as neither the
database nor any artifact that was read has changed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isclose
from pathlib import Path

from harness.errors import BenchmarkError, HarnessError
from harness.tracking.addresses import DATABASE, is_own, sqlite_path, sqlite_uri, tracking_uri
from harness.tracking.delivery import undelivered
from harness.tracking.description import final_metrics
from harness.tracking.files import write_json_atomic
from harness.tracking.places import local_path
from harness.tracking.reader import FINAL, Held, Reader, experiment_name, open_reader
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir

_FORMAT = 1  # of what is remembered and of the comparison: another number forgets
_SETTLED = 2.0  # seconds; a file changed within them could change again and keep its time

Board = tuple[str, str]
"""Challenge and fingerprint: an experiment of MLflow's."""
Problem = tuple[str, str]
"""Run id and what is wrong, in one sentence."""


@dataclass(frozen=True)
class Recorded:
    """A run as its record and the ledger have it."""

    record: Record
    sha256: str  # of its record.json, as the ledger holds it now
    earlier: frozenset[str] = frozenset()  # of the records that it had before

    @property
    def board(self) -> Board:
        """Challenge and fingerprint."""
        return self.record.challenge, self.record.fingerprint


def compare(
    runs: RunsDir, uri: str | None, wanted: Mapping[str, Recorded], fingerprints: Collection[Board]
) -> list[Problem]:
    """Where MLflow's runs of some experiments differ from what was recorded: run id and one sentence each.

    A delivery that waits, was killed half-way or is under way is no difference. Where the ledger has grown since
    ``wanted`` was read, what is named may be new: read it and compare again.

    Parameters
    ----------
    runs: the runs directory.
    uri: the MLflow store; default as for runs.
    wanted: by run id, the runs that the ledger holds; all of them, or those of these experiments.
    fingerprints: (challenge, fingerprint) of the experiments to compare.

    Raises
    ------
    HarnessError: the store cannot be read.
    """
    where = tracking_uri(runs.path, uri)
    waiting = set(undelivered(runs.path))  # after the ledger, before MLflow: a mark is set and removed around them
    memory = _Memory(where, wanted, fingerprints, waiting)
    if memory.holds():
        return []
    reader = open_reader(where)
    problems: list[Problem] = []
    read: list[Path] = []
    for board in sorted(fingerprints):
        rows = [] if reader is None else list(_rows(reader, board))
        read += [folder / "record.json" for row in rows if (folder := local_path(row.artifacts)) is not None]
        current, found = _matched(rows, wanted, board, own=is_own(where, runs.path))
        problems += found
        if reader is not None:
            problems += _contents(reader, current, wanted)
        absent = {run_id for run_id, recorded in wanted.items() if recorded.board == board} - waiting
        problems += _missing(absent - {row.run_id for row in rows})
        problems += _stale(rows, wanted, waiting | {row.run_id for row in current})
    if not problems:
        memory.keep(read)
    return problems


def boards(runs: RunsDir, uri: str | None) -> set[Board]:
    """Challenge and fingerprint of all experiments in a runs directory's own store; none of a store kept elsewhere.

    Others may share a store, so that what it holds of theirs is no riddle.
    """
    where = tracking_uri(runs.path, uri)
    if where != tracking_uri(runs.path, sqlite_uri(runs.path / DATABASE)):
        return set()
    reader = open_reader(where)
    known = reader.experiments() if reader else []
    return {(found.tags["challenge"], found.tags["fingerprint"]) for found in known if found.ours}


def _rows(reader: Reader, board: Board) -> Iterator[Held]:
    """The live runs of a board's experiment whose delivery came to its end."""
    for experiment in reader.experiments():
        if experiment.name == experiment_name(*board):
            yield from (row for row in reader.rows(experiment) if row.ended)


def _matched(
    rows: Sequence[Held], wanted: Mapping[str, Recorded], board: Board, *, own: bool
) -> tuple[list[Held], list[Problem]]:
    """The rows of the records that the ledger holds now, and what is wrong with those that are of none."""
    current: list[Held] = []
    problems: list[Problem] = []
    for row in rows:
        recorded = wanted.get(row.run_id)
        if recorded is None:
            hint = "" if own else " If another runs directory's, `harness import` brings it here."
            problems.append((row.run_id, f"{row} has no line in the ledger: a row without a run.{hint}"))
        elif recorded.board != board:
            what = f"Run {row.run_id} has another fingerprint than the board: {row} is in its experiment."
            problems.append((row.run_id, what))
        elif row.record_sha256 == recorded.sha256:
            current.append(row)
        elif row.record_sha256 not in recorded.earlier:
            problems.append((row.run_id, _not_of_the_record(row)))
    return current, problems


def _stale(rows: Sequence[Held], wanted: Mapping[str, Recorded], excused: set[str]) -> Iterator[Problem]:
    """Rows of an earlier record, unless the new delivery is to come, or has come and a kill spared the old one."""
    for row in rows:
        recorded = wanted.get(row.run_id)
        if recorded is not None and row.record_sha256 in recorded.earlier and row.run_id not in excused:
            yield row.run_id, _not_of_the_record(row)


def _missing(run_ids: set[str]) -> Iterator[Problem]:
    for run_id in sorted(run_ids):
        yield run_id, f"Run {run_id} is in the ledger, but MLflow does not have it; `harness sync` delivers it again."


def _contents(reader: Reader, rows: Sequence[Held], wanted: Mapping[str, Recorded]) -> Iterator[Problem]:
    """What differs in artifacts and metrics of rows that claim to be of the right record."""
    digests = reader.digests(rows, "record.json")
    scores = reader.histories(rows, "seed/score")
    for row in rows:
        digest, recorded = digests[row.mlflow_id], wanted[row.run_id]
        if isinstance(digest, HarnessError):
            yield row.run_id, f"{row}: {digest.reason} `harness sync` delivers it again."
        elif digest != recorded.sha256:
            yield row.run_id, f"{row}: its artifact record.json was edited."
        for what in _metrics(row, recorded.record, scores[row.mlflow_id]):
            yield row.run_id, f"{row}: {what}"


def _metrics(row: Held, record: Record, held: Mapping[int, float]) -> Iterator[str]:
    expected = final_metrics(record)
    for name in FINAL:
        if not _same(expected.get(name), row.metrics.get(name)):
            yield f"metric {name} is {row.metrics.get(name)} in MLflow and {expected.get(name)} in the record."
    seeds = {cell.seed: cell.score for cell in record.cells if cell.score is not None}
    for seed in sorted(set(seeds) | set(held)):
        if not _same(seeds.get(seed), held.get(seed)):
            yield f"the score of seed {seed} is {held.get(seed)} in MLflow and {seeds.get(seed)} in the record."


def _same(a: float | None, b: float | None) -> bool:
    return a is b if a is None or b is None else isclose(a, b, rel_tol=1e-12, abs_tol=1e-15)


def _not_of_the_record(row: Held) -> str:
    return f"{row} is not of the record that the ledger holds for it."


class _Memory:
    """Remembers in the user's cache that a question to a local SQLite store had no problem as its answer.

    It holds while database and artifacts have the size, times and inode they had. The time of a file's last change
    (ctime) is the kernel's, so that nobody who may write the file can bring back an old one.
    """

    def __init__(self, uri: str, wanted: Mapping[str, Recorded], boards: Collection[Board], waiting: set[str]) -> None:
        self._started = time.time()
        self._database = sqlite_path(uri)
        expected = sorted((run_id, r.sha256, sorted(r.earlier)) for run_id, r in wanted.items())
        self._question = _sha256([_FORMAT, uri, sorted(boards), expected, sorted(waiting)])
        self._name = f"{_sha256([uri, sorted(boards)])[:32]}.json"

    def holds(self) -> bool:
        """Whether the same was asked before, of the same files."""
        with suppress(BenchmarkError, OSError, ValueError, KeyError, TypeError):
            known = json.loads(self._path().read_bytes())
            if known["question"] == self._question:
                return bool(known["files"] == self._signature([Path(path) for path in known["paths"]])[0])
        return False

    def keep(self, read: Sequence[Path]) -> None:
        """Remember, unless something changed a moment before it was read, or since."""
        if self._database is None or not self._database.exists():
            return
        with suppress(BenchmarkError, OSError, ValueError):
            signature, newest = self._signature(read)
            if newest + _SETTLED < self._started:
                paths = [str(path) for path in read]
                write_json_atomic(self._path(), {"question": self._question, "files": signature, "paths": paths})

    def _path(self) -> Path:
        from harness.data.fetch import cache_dir

        return cache_dir() / "held" / self._name

    def _signature(self, paths: Sequence[Path]) -> tuple[str, float]:
        """Digest of what the kernel says of all files, and when the last of them was changed. OSError: one is missing."""
        if self._database is None:
            raise OSError("no file")
        newest, signs = 0.0, []
        logs = [self._database.with_name(f"{self._database.name}{end}") for end in ("-wal", "-journal")]
        for path in [self._database, *(log for log in logs if log.exists()), *paths]:
            found = path.stat()
            newest = max(newest, found.st_ctime)
            signs.append((found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino))
        return _sha256(signs), newest


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
