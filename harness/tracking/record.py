"""The record: what is kept of a finished cell and of the run that groups its cells.

Keys may be added, never renamed or removed. Reading ignores keys it does not know, so that an older harness can show
a newer record.
"""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.errors import HarnessError, Status
from harness.packages.lock import Lock, Package
from harness.tracking.files import json_bytes

SCHEMA_VERSION = 2
"""2: cells and source are bound by digest. Records of 1 are read and shown, and do not rank."""
MAX_RECORD_BYTES = 32 * 2**20


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
"""A finite float; NaN and infinities are kept as null."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


M = TypeVar("M", bound=_Model)


class Seconds(_Model):
    """Wall-clock seconds of one cell."""

    submission: float = 0.0  # of the sandboxed process, measured outside it; the mean over a cell's draws
    scoring: float = 0.0  # of the harness: fits, metrics


class CellRecord(_Model):
    """One cell (challenge, submission, seed)."""

    seed: int
    status: Status
    reason: str = ""
    score: Number = None
    metrics: dict[str, Number] = Field(default_factory=dict)
    output_digest: str | None = None  # SHA-256 of the output's arrays
    seconds: Seconds = Seconds()
    peak_memory_mb: Number = None
    fits: int | None = None  # models the harness trained to prepare and score; None in records of older versions
    submission_fits: int | None = None  # models the submission trained, as it reports itself: shown, never ranked by
    draws: int = 1  # of the submission's randomness, their scores averaged; 1 where a second one changed nothing
    source: str | None = None  # digest of the harness's scoring source that made it
    sha256: str | None = None  # of the kept cell.json, which holds the digests of all else; in it, null

    @property
    def result(self) -> tuple[object, ...]:
        """What the same work gives again, whatever it costs."""
        return self.score, self.metrics, self.output_digest


class _KeptCell(CellRecord):
    run_id: str = ""  # so that no run's cells pass for another's
    files: dict[str, str]


class Record(_Model):
    """One run: a submission on all seeds of a challenge. A failed run has one too, with ``score`` null."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    status: Status
    reason: str = ""
    challenge: str
    fingerprint: str
    track: str
    submission: str
    submission_digest: str | None
    metric: str
    direction: Literal["max", "min"]
    score: Number = None  # mean over seeds
    ci95: tuple[float, float] | None = None
    cells: tuple[CellRecord, ...] = ()
    isolation: str = "none"
    device: str = "cpu"
    versions: dict[str, str] = Field(default_factory=dict)
    data_digests: dict[str, str] = Field(default_factory=dict)
    created: str  # UTC, ISO 8601
    # --- added to the contract's keys ---
    challenge_version: int = 1
    minimum_isolation: str = "landlock"  # the weakest tier that may rank on this challenge
    cells_alone: bool = False  # none of its cells ran while another did (harness/sandbox/turns.py)
    modified: bool = False  # pinned settings were overridden: never joins the official board
    unpinned: bool = False  # own data without a digest in their YAML: nothing holds them to what they were
    reference: bool = False  # the harness's own random or skyline row
    normalised: Number = None  # 0 = floor, 1 = skyline
    floor: Number = None
    skyline: Number = None
    suspicious_bound: Number = None
    task: str = ""
    authors: tuple[str, ...] = ()
    description: str = ""
    license: str = ""
    settings: dict[str, Any] = Field(default_factory=dict)  # Challenge.pinned()
    packages: tuple[Package, ...] | None = None  # the lock of what the submission requires; None: it asks for nothing
    curve: tuple[tuple[float, float], ...] | None = None  # mean over seeds of the track's curve, for the board's plot
    # --- schema 2 ---
    commitment: str = ""  # to the challenge's secret: with settings and data digest it gives the fingerprint
    n_classes: int = 0
    normalised_ci95: tuple[float, float] | None = None
    source: str | None = None  # digest of the harness's scoring source: tracks, models, data
    statistics: str | None = None  # digest of the source that summed up its cells
    commit: str | None = None  # of the checkout, where the harness runs from one
    dirty: bool | None = None  # whether that checkout had changes
    dataset: dict[str, str] = Field(default_factory=dict)  # its specification's name, title, version, license
    team: str = ""  # whose entry it is: an id of the organiser's roster
    params: dict[str, Any] = Field(
        default_factory=dict
    )  # keyword arguments of the submission's function, from its manifest

    @property
    def identity(self) -> str:
        """What decides a submission's answers: its files, and the packages that it runs with."""
        return identity(self.submission_digest or "", Lock.of(self.packages or ()))

    @property
    def measured(self) -> tuple[CellRecord, ...]:
        """The cells that count: those of seeds on which there was something to measure."""
        return tuple(cell for cell in self.cells if cell.status is not Status.SKIPPED)

    @property
    def seed_scores(self) -> dict[int, float]:
        """Score by seed, of the cells that count and have one."""
        return {cell.seed: cell.score for cell in self.measured if cell.score is not None}

    def json_bytes(self) -> bytes:
        """The exact content of record.json."""
        return json_bytes(self.model_dump(mode="json"))


def identity(submission_digest: str, packages: Lock | None) -> str:
    """Submission and packages in one text, part of a run's id."""
    return f"{submission_digest}+{packages.digest}" if packages and packages.packages else submission_digest


def run_id_of(
    challenge: str, fingerprint: str, submission: str, identity: str, tier: str, device: str, team: str = ""
) -> str:
    """Identity of a run: the same work of the same team always has the same id, whenever and wherever it is done."""
    text = "|".join([fingerprint, identity, tier, device, *([team] if team else [])])
    return f"{challenge}-{submission}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def read_record(path: Path) -> Record:
    """Read and validate a record.json (or the directory that holds it).

    Raises HarnessError, in one paragraph, where it is missing, too large, no JSON, too deep or of wrong types.
    """
    if path.is_dir():
        path = path / "record.json"
    return parse_record(_read_limited(path), str(path))


def parse_record(content: bytes, where: str) -> Record:
    """The record in ``content``; ``where`` names its place in the HarnessError raised if it is broken."""
    return _parse(Record, content, where)


def parse_kept_cell(content: bytes, where: str) -> tuple[CellRecord, str, dict[str, str]]:
    """The cell record in a cell.json, the id of its run, and the digests of the files beside it by name.

    HarnessError if it is broken.
    """
    kept = _parse(_KeptCell, content, where)
    cell = CellRecord.model_construct(**{name: getattr(kept, name) for name in CellRecord.model_fields})
    return cell, kept.run_id, kept.files


def record_sha256(run_dir: Path) -> str:
    """SHA-256 of record.json's bytes, as the ledger keeps it. Raises HarnessError where there is none."""
    return hashlib.sha256(_read_limited(run_dir / "record.json")).hexdigest()


def _read_limited(path: Path) -> bytes:
    try:
        if not path.is_file():  # a FIFO would hang the open
            raise FileNotFoundError(2, "no such file")
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size  # the largest buffer for each of many small files costs seconds
            content = file.read(min(size, MAX_RECORD_BYTES) + 1)
    except (OSError, ValueError) as error:
        raise HarnessError(f"There is no readable record at {path}: {getattr(error, 'strerror', error)}.") from error
    if len(content) > MAX_RECORD_BYTES:
        raise HarnessError(f"{path} is larger than {MAX_RECORD_BYTES // 2**20} MB and was not read.")
    return content


def _parse(kind: type[M], content: bytes, where: str) -> M:
    try:
        return kind.model_validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        at = ".".join(str(part)[:40] for part in first["loc"]) or "the document"
        more = f" and {error.error_count() - 1} more" if error.error_count() > 1 else ""
        raise HarnessError(
            f"{where} is not a valid record: {at}: {first['msg'][:200]}{more}.",
            "It was edited, or written by something else; run the submission again with --force.",
        ) from error
