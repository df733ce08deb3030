"""Runs that were found in order are remembered, and looked at again only when one of their files has changed.

A file's signature is its size, inode, and the times of its last change of content and of status in nanoseconds; the
latter is the kernel's and cannot be set back. Whatever is not remembered is checked, by all cores where it is much.
What is remembered lies in the user's cache, which is as safe as the harness itself, and never in the runs directory.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.data.fetch import cache_dir
from harness.errors import HarnessError
from harness.tracking import provenance
from harness.tracking.files import write_json_atomic
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir
from harness.verification.judge import Judge, reference_ids
from harness.verification.run import Checked, check

_MANY = 400  # runs to check from which further processes, a second each to start, pay
_SETTLED = 2 * 10**9  # nanoseconds: a file changed more lately could change again and keep its times


class Memory:
    """What is known of the runs of one directory."""

    def __init__(self, runs: RunsDir, config_dir: Path | None) -> None:
        self.runs = runs
        self.config_dir = config_dir
        name = hashlib.sha256(os.fsencode(runs.path)).hexdigest()[:24]
        self._file = cache_dir() / "verified" / f"{name}.json"
        self._archives: dict[str, _Seen] = {}
        self._rows: dict[tuple[str, str, str], list[_Seen]] = {}
        self._key = f"{provenance.source()}|{provenance.statistics()}|{provenance.digest_of('verification', 'evaluation', 'protocol')}|{config_dir}"

    def checked(self, records: Mapping[str, Record]) -> dict[str, Checked]:
        """Every record checked, or known to be in order."""
        known, now = self._read(), time.time_ns()
        seen = {run_id: self._seen(record, known[run_id][1]) for run_id, record in records.items() if run_id in known}
        found = {
            run_id: Checked(records[run_id]) for run_id, seen_now in seen.items() if seen_now.sha == known[run_id][0]
        }
        left = {run_id: record for run_id, record in records.items() if run_id not in found}
        if left:
            found |= self._check(left)
            self._keep(known, {run_id: found[run_id] for run_id in left}, now)
        return {run_id: found[run_id] for run_id in records}

    def _check(self, records: Mapping[str, Record]) -> dict[str, Checked]:
        cores = len(os.sched_getaffinity(0))
        if len(records) < _MANY or cores < 2:
            judge = Judge(self.runs, self.config_dir)
            return {run_id: check(record, judge) for run_id, record in records.items()}
        ids = list(records)
        parts = [(self.runs, self.config_dir, ids[k :: 4 * cores]) for k in range(4 * cores)]
        with ProcessPoolExecutor(cores, multiprocessing.get_context("forkserver")) as pool:
            told = {run_id: facts for part in pool.map(_part, parts) for run_id, facts in part.items()}
        return {run_id: Checked(record, *told[run_id]) for run_id, record in records.items()}

    def _keep(self, known: _Known, found: Mapping[str, Checked], now: int) -> None:
        """Remember what is in order and has been so for a moment; what was known of other runs stays."""
        kept = {run_id: facts for run_id, facts in known.items() if run_id not in found}
        for run_id, one in found.items():
            if not one.problems and not one.notes:
                seen = self._seen(one.record, one.files)
                if seen.latest < now - _SETTLED:
                    kept[run_id] = (seen.sha, list(one.files))
        with suppress(HarnessError, OSError):  # no cache, no memory
            write_json_atomic(self._file, {"key": self._key, "runs": kept})

    def _read(self) -> _Known:
        try:
            plain = json.loads(self._file.read_bytes())
            return (
                {run_id: (sha, files) for run_id, (sha, files) in plain["runs"].items()}
                if plain["key"] == self._key
                else {}
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _seen(self, record: Record, files: Sequence[str]) -> _Seen:
        """The signature of all files that the check of a run reads: record, cells, archive, and the rows it is seen against."""
        folder = os.fspath(self.runs.run_dir(record.run_id))
        names = [f"{folder}/record.json"]
        names += [f"{folder}/cells/{cell.seed}/{name}" for cell in record.cells for name in files]
        seen = _signature(names)
        beside = [] if record.reference else [self._archive(record), *self._references(record)]
        text = "|".join([record.run_id, seen.sha, *(one.sha for one in beside)])
        return _Seen(hashlib.sha256(text.encode()).hexdigest(), max(one.latest for one in (seen, *beside)))

    def _archive(self, record: Record) -> _Seen:
        digest = record.submission_digest or ""
        if digest not in self._archives:
            try:
                folder = self.runs.submission_dir(digest)
                self._archives[digest] = _signature(_all_of(folder))
            except HarnessError:
                self._archives[digest] = _Seen("none", 0)
        return self._archives[digest]

    def _references(self, record: Record) -> list[_Seen]:
        key = (record.challenge, record.fingerprint, record.device)
        if key not in self._rows:
            folders = [self.runs.run_dir(run_id) for run_id in reference_ids(*key)]
            self._rows[key] = [_signature(_all_of(folder)) for folder in folders]
        return self._rows[key]


@dataclass(frozen=True)
class _Seen:
    sha: str
    latest: int  # nanoseconds: the last change of any of the files


_Known = dict[str, tuple[str, list[str]]]  # run id -> signature, and the files in each of its cells


def _all_of(folder: Path) -> list[str]:
    """The folder and all below it. Faster than ``rglob``, which counts where it is done for thousands of runs."""
    below = [f"{place}/{name}" for place, folders, files in os.walk(folder) for name in (*folders, *files)]
    return [os.fspath(folder), *sorted(below)]


def _signature(names: Sequence[str]) -> _Seen:
    sha, latest = hashlib.sha256(), 0
    for name in names:
        try:
            s = os.stat(name)  # noqa: PTH116 - follows links, as readers do; a Path for each of many files would cost
        except OSError:
            sha.update(b"-\n")
            continue
        sha.update(b"%d %d %d %d\n" % (s.st_size, s.st_ino, s.st_mtime_ns, s.st_ctime_ns))
        latest = max(latest, s.st_ctime_ns, s.st_mtime_ns)
    return _Seen(sha.hexdigest(), latest)


def _part(asked: tuple[RunsDir, Path | None, list[str]]) -> dict[str, tuple[Any, ...]]:
    """Some of the runs, in a process of their own."""
    runs, config_dir, run_ids = asked
    judge = Judge(runs, config_dir)
    told = {}
    for run_id in run_ids:
        one = check(runs.load_record(run_id), judge)
        told[run_id] = (one.problems, one.notes, one.files)
    return told
