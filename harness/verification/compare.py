"""Two runs of one challenge side by side: their difference on the seeds that both measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, ProtocolError
from harness.statistics.differences import Difference, difference
from harness.tracking.ledger import Ledger
from harness.tracking.record import Record, record_sha256
from harness.tracking.runs import RunsDir
from harness.verification.judge import Judge
from harness.verification.run import check

_WIDTH = 41  # characters of the plot of one seed's difference; odd, so that zero has a middle


@dataclass(frozen=True)
class Comparison:
    """``first`` less ``second``."""

    first: Record
    second: Record
    difference: Difference

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values; ``ci95`` and ``p`` are null where one seed, or none, is common."""
        d = self.difference
        return {
            "first": self.first.run_id,
            "second": self.second.run_id,
            "metric": self.first.metric,
            "direction": self.first.direction,
            "difference": d.mean,
            "ci95": d.ci95,
            "p": d.p,
            "seeds": len(d.seeds),
            "by_seed": {seed: [self.first.seed_scores[seed], self.second.seed_scores[seed]] for seed in d.seeds},
        }

    def lines(self) -> list[str]:
        """For a terminal: a line a seed with a dot where its difference lies, then the verdict."""
        one, other, d = self.first.seed_scores, self.second.seed_scores, self.difference
        widest = max((abs(one[seed] - other[seed]) for seed in d.seeds), default=0.0) or 1.0
        better = "higher" if self.first.direction == "max" else "lower"
        plotted = [
            f"{seed:>4}  {one[seed]:.4f}  {other[seed]:.4f}  {one[seed] - other[seed]:+.4f}  {_dot((one[seed] - other[seed]) / widest)}"
            for seed in d.seeds
        ]
        interval = f"{d.ci95[0]:+.4f} to {d.ci95[1]:+.4f}" if d.ci95 else "none"
        p = "none" if d.p is None else f"{d.p:.2g}"
        return [
            f"{self.first.challenge}, {self.first.metric} ({better} is better): {self.first.submission} less {self.second.submission}",
            f"seed  {'first':<6}  {'second':<6}  difference",
            *plotted,
            f"difference {d.mean:+.4f}, 95 % interval {interval}, p {p}, {len(d.seeds)} seeds",
            self._verdict(),
        ]

    def _verdict(self) -> str:
        """What it comes to, in plain English."""
        d = self.difference
        one, other = self.first.submission, self.second.submission
        if d.mean == 0:
            said = f"{one} and {other} score the same on average"
        else:
            ahead = (d.mean > 0) == (self.first.direction == "max")
            better, worse = (one, other) if ahead else (other, one)
            said = f"{better} is better than {worse} by {abs(d.mean):.4f} on average over {len(d.seeds)} seeds"
        if d.p is None:
            return (
                said.replace(f"over {len(d.seeds)} seeds", "on the one common seed") + ": one seed tells nothing apart."
            )
        if d.p >= 0.05:
            return f"{said}, which may be chance: they cannot be told apart."
        return f"{said}, by more than chance, as long as no other pair was looked at."


def compare(first: str, second: str, runs_dir: Path | str, config_dir: Path | str | None = None) -> Comparison:
    """Compare two recorded runs, both verified from their cells first.

    ``first``, ``second``: ids of runs, or how the id of one run alone begins (``debugging_digits-aum``).

    Raises
    ------
    ProtocolError: no such run, several, one and the same, or of different protocols.
    HarnessError: a record that is not what was run, or without a score.
    """
    runs = RunsDir(runs_dir)
    known = runs.run_ids()
    if first != second:
        first, second = (_meant(word, known, runs) for word in (first, second))
    if first == second:
        raise ProtocolError(f"{first} is compared with itself.", "Name two runs.")
    judge = Judge(runs, Path(config_dir) if config_dir else None)
    one, other = (_verified(run_id, runs, judge) for run_id in (first, second))
    if one.fingerprint != other.fingerprint:
        raise ProtocolError(
            f"{first} and {second} are of different protocols ({one.challenge}, fingerprint {one.fingerprint[:12]}; "
            f"{other.challenge}, {other.fingerprint[:12]}): their scores cannot be compared."
        )
    for record in (one, other):
        if record.score is None:
            raise HarnessError(f"{record.run_id} has no score: {record.status}, {record.reason}")
    found = difference(one.seed_scores, other.seed_scores)
    if not found.seeds:
        raise HarnessError(f"{first} and {second} have no seed in common that both measured.")
    return Comparison(one, other, found)


def _meant(word: str, known: Sequence[str], runs: RunsDir) -> str:
    """The run of an id or of how one begins."""
    found = [run_id for run_id in known if run_id == word] or [
        run_id for run_id in known if word and run_id.startswith(word)
    ]
    named = [run_id for run_id in found if run_id.rpartition("-")[0] == word] or found
    if not named:
        raise ProtocolError(
            f"There is no run {word!r:.200} in {runs.path}.",
            "`harness results` lists the runs there; --runs-dir names another directory.",
        )
    if len(named) > 1:
        raise ProtocolError(
            f"{word} may be any of {', '.join(named[:5])}{' ...' if len(named) > 5 else ''}.", "Name one."
        )
    return named[0]


def _verified(run_id: str, runs: RunsDir, judge: Judge) -> Record:
    record = runs.load_record(run_id)
    problems = list(check(record, judge).problems)
    if Ledger(runs.path).recorded(run_id) != record_sha256(runs.run_dir(run_id)):
        problems.append("it is not the record that the ledger holds")
    if problems:
        raise HarnessError(f"The record of {run_id} is not what was run: {'; '.join(problems[:5])}.")
    return record


def _dot(share: float) -> str:
    """A line of fixed width with a bar at zero and a dot at ``share`` (-1 to 1)."""
    middle = _WIDTH // 2
    line = [" "] * _WIDTH
    line[middle] = "|"
    line[middle + round(share * middle)] = "o"
    return "".join(line)
