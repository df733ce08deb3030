"""What a team is told of an entry: a page to read and the same as JSON, without anything it was not meant to keep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.competition.intake.quota import Left
from harness.leaderboard.text import clean, number
from harness.protocol.roster import UNASSIGNED
from harness.tracking.files import write_text_atomic

_NEWS = ("challenge", "version", "status", "reason", "score", "ci95", "late")


@dataclass(frozen=True)
class Report:
    """One entry and what came of it."""

    challenge: str
    version: int
    team: str | None
    entry: str  # its place in the inbox
    submission: str | None
    received: str  # UTC
    status: str  # of the run; ``refused`` where nothing was run
    reason: str = ""
    traceback: tuple[str, ...] = ()  # the team's own files and lines, the innermost last
    score: float | None = None  # as far as the phase allows
    ci95: tuple[float, float] | None = None
    phase: str | None = None
    said: str = ""  # about the score, or why there is none to see
    counts: str = ""  # which of the team's entries counts now
    late: bool = False
    quota_left: Mapping[str, int | None] = field(default_factory=dict)
    receipt: Mapping[str, Any] = field(default_factory=dict)  # run id, digests, head of the ledger
    log: str = ""  # only where the challenge shows logs

    @property
    def place(self) -> Path:
        """Its file below the directory of reports, without suffix; one entry has one report."""
        key = hashlib.sha256(f"{self.entry}|{self.receipt.get('digest', '')}".encode()).hexdigest()[:8]
        return Path(self.team or UNASSIGNED) / f"{self.received.replace(':', '-')}_{key}"

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def markdown(self) -> str:
        """As a page."""
        lines = [f"# {clean(self.challenge)}: your entry of {self.received}", ""]
        lines += [f"- entry: {clean(self.entry)}", f"- team: {self.team or 'none'}"]
        lines += [f"- submission: {clean(self.submission)}"] if self.submission else []
        lines += [f"- status: **{self.status}**" + (", late: it never ranks" if self.late else "")]
        lines += [f"- reason: {clean(self.reason)}"] if self.reason else []
        if self.score is not None:
            interval = f", 95 % interval {number(self.ci95[0])} to {number(self.ci95[1])}" if self.ci95 else ""
            lines += [f"- score: {number(self.score)}{interval}"]
        lines += [f"- {line}" for line in (self.said, self.counts) if line]
        left = Left(self.quota_left.get("today"), self.quota_left.get("total"))
        lines += [f"- entries left: {left}", ""]
        if self.traceback:
            lines += ["Where your code was, the innermost last:", "", *(f"    {line}" for line in self.traceback), ""]
        if self.log:
            lines += ["What it printed last:", "", *(f"    {line}" for line in self.log.splitlines()), ""]
        lines += ["Receipt:", "", *(f"    {name}: {value}" for name, value in self.receipt.items())]
        return "\n".join(lines) + "\n"


def _same(text: str, report: Report) -> bool:
    """Whether a team was told this already."""
    try:
        told = json.loads(text)
        return all(told[name] == json.loads(json.dumps(getattr(report, name))) for name in _NEWS)
    except (ValueError, KeyError, TypeError):
        return False


def write(report: Report, reports: Path) -> bool:
    """Write ``<team>/<time>_<digest>.md`` and ``.json``; whether anything is new. HarnessError where the disk refuses."""
    stem = reports / report.place
    page, facts = stem.with_name(f"{stem.name}.md"), stem.with_name(f"{stem.name}.json")
    text = json.dumps(report.plain(), indent=2) + "\n"
    if facts.is_file() and _same(facts.read_text(encoding="utf-8"), report):
        return False  # the receipt of the first time stands
    write_text_atomic(page, report.markdown())
    write_text_atomic(facts, text)
    return True
