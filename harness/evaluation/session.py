"""A challenge made ready to run, and the cells it has: from disk, or computed now and kept."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness import sandbox
from harness.errors import HarnessError, ProtocolError, Status
from harness.evaluation.entrants import Entrant
from harness.evaluation.launchers.local import Engine, RunCell, compute
from harness.evaluation.tally import References
from harness.models.backend import resolve_device
from harness.protocol.challenge import Challenge
from harness.sandbox import gpu
from harness.sandbox.turns import must_be_alone
from harness.tracking import delivery, ledger, provenance
from harness.tracking.record import SCHEMA_VERSION, Record, record_sha256, run_id_of
from harness.tracking.runs import RunsDir, StoredCell
from harness.tracks.base import Track

TRUSTED = "trusted"
"""The tier of the harness's own rows."""
OnCell = Callable[[str, StoredCell], None]
"""Called in the main thread for every finished cell, with the name of the row it belongs to."""


@dataclass(frozen=True)
class Session:
    """Data loaded, protocol bound to the fixed model, isolation proved to work, a place for what comes out."""

    challenge: Challenge
    track: Track[Any, Any]
    fingerprint: str
    data_digest: str
    tier: str
    device: str
    runs: RunsDir
    engine: Engine = field(default_factory=Engine)  # one user of the fixed model at a time; none once stopped
    references: list[References] = field(default_factory=list)  # as soon as they are known, one

    @classmethod
    def open(cls, challenge: Challenge, *, runs_dir: Path | str, device: str = "auto", tier: str = "auto") -> Session:
        """Load data and model of a challenge and resolve device and tier.

        Raises ProtocolError where this machine has not got the data, the device, the tier or a GPU for submissions.
        """
        try:
            device = resolve_device(device)
        except HarnessError as error:  # asking for what this machine lacks is a matter of usage
            raise ProtocolError(error.reason, error.hint) from error
        minimum = "none" if tier == "none" else challenge.minimum_isolation  # asked for by name: runs, never ranks
        with ThreadPoolExecutor(1) as aside:  # where Ctrl-C cannot break into the trial of a tier
            tier = aside.submit(sandbox.resolve_tier, tier, minimum).result()
        if challenge.limits.gpu:
            gpu.require(tier)
        dataset = challenge.load_dataset()
        return cls(
            challenge=challenge,
            track=challenge.load_track(dataset, device),
            fingerprint=challenge.fingerprint(dataset),
            data_digest=dataset.digest(),
            tier=tier,
            device=device,
            runs=RunsDir(runs_dir),
        )

    @property
    def alone(self) -> bool:
        """Whether its cells never overlap with others in time."""
        return must_be_alone(self.tier, not self.challenge.practice, self.challenge.limits.gpu)

    def run_id(self, entrant: Entrant) -> str:
        """Identity of a run: the same work always has the same id, whenever and wherever it is done."""
        tier = self.tier_of(entrant)
        return run_id_of(self.challenge.name, self.fingerprint, entrant.name, entrant.identity, tier, self.device)

    def tier_of(self, entrant: Entrant) -> str:
        """What a row's code ran in; no stranger's code runs in the harness's own rows, which are one whatever the tier."""
        return TRUSTED if entrant.is_reference else self.tier

    def finished(self, entrant: Entrant) -> Record | None:
        """The record of a run that is whole and told to ledger and MLflow, so that nothing is left to do."""
        run_id = self.run_id(entrant)
        run_dir = self.runs.run_dir(run_id)
        if run_id not in self.runs.run_ids() or (run_dir / delivery.UNDELIVERED).exists():
            return None
        if self.runs.unfinished(run_id):
            return None
        if ledger.Ledger(self.runs.path).recorded(run_id) != record_sha256(run_dir):
            return None  # a kill came between record and ledger, and `harness sync` has delivered it since
        record = self.runs.load_record(run_id)
        made_by = (record.schema_version, record.source, record.statistics)
        if made_by != (SCHEMA_VERSION, provenance.source(), provenance.statistics()):
            return None
        if record.status not in (Status.OK, Status.SUSPICIOUS, Status.SKIPPED):
            return None
        try:
            kept = {stored.cell.seed: stored.cell.sha256 for stored in self.kept(record)}
        except HarnessError:
            return None
        bound = {cell.seed: cell.sha256 for cell in record.cells}
        return record if kept == bound and set(kept) == set(range(self.challenge.seeds)) else None

    def kept(self, record: Record) -> list[StoredCell]:
        """The cells of a finished run from disk, those too on which nothing could be measured. HarnessError: one is not whole."""
        return [self.runs.read_cell(record.run_id, cell.seed) for cell in record.cells]

    def cells(
        self,
        entrant: Entrant,
        run_cell: RunCell,
        *,
        workers: int | None = None,
        force: bool = False,
        on_cell: OnCell | None = None,
    ) -> list[StoredCell]:
        """Cells of all seeds: those finished ``ok`` from disk, the others run now, each kept the moment it ends.

        A cell from disk that is not what the record says of it was edited, and is run again; so is one that another
        source of the harness has scored.
        """
        run_id = self.run_id(entrant)
        if force:
            self.runs.mark_unfinished(run_id)
            self.runs.clear_cells(run_id)
        seeds = range(self.challenge.seeds)
        recorded = self.runs.load_record(run_id).cells if run_id in self.runs.run_ids() else ()
        known = {cell.seed: cell.sha256 for cell in recorded if cell.status is Status.OK}
        cells = {
            seed: stored
            for seed in seeds
            if (stored := self.runs.load_cell(run_id, seed))
            and stored.cell.source == provenance.source()
            and stored.cell.sha256 == known.get(seed, stored.cell.sha256)
        }
        for stored in cells.values():
            if on_cell:
                on_cell(entrant.name, stored)
        left = [seed for seed in seeds if seed not in cells]
        if left:
            self.runs.mark_unfinished(run_id)
        with closing(compute(run_cell, left, workers, self.engine)) as ended:  # a full disk ends the others at once
            for stored in ended:
                cell = stored.cell.model_copy(update={"source": provenance.source()})
                cell = self.runs.save_cell(
                    run_id, cell, output=stored.output, items=stored.items, curve=stored.curve, log=stored.log
                )
                cells[cell.seed] = replace(stored, cell=cell)
                if on_cell:
                    on_cell(entrant.name, stored)
        return [cells[seed] for seed in seeds]
