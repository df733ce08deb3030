"""A challenge made ready to run, with a place for what comes out: which cells it has, which are left, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.errors import HarnessError, Status
from harness.evaluation.bench import Bench
from harness.evaluation.entrants import Entrant
from harness.evaluation.tally import References
from harness.evaluation.versions import refuse_changed
from harness.protocol.challenge import Challenge
from harness.tracking import delivery, ledger, provenance
from harness.tracking.record import SCHEMA_VERSION, Record, record_sha256, run_id_of
from harness.tracking.runs import RunsDir, StoredCell

TRUSTED = "trusted"
"""The tier of the harness's own rows."""
OnCell = Callable[[str, StoredCell], None]
"""Called in the main thread for every finished cell, with the name of the row it belongs to."""


@dataclass(frozen=True)
class Session(Bench):
    """A bench, and the runs directory that its cells are kept in."""

    runs: RunsDir
    references: list[References] = field(default_factory=list)  # as soon as they are known, one

    @classmethod
    def open(
        cls,
        challenge: Challenge,
        *,
        runs_dir: Path | str,
        device: str = "auto",
        tier: str = "auto",
        elsewhere: bool = False,
    ) -> Session:
        """Make a challenge ready; parameters and errors as for :meth:`Bench.ready`.

        Raises ProtocolError as well where its settings have changed and its version has not.
        """
        bench = Bench.ready(challenge, device=device, tier=tier, elsewhere=elsewhere)
        runs = RunsDir(runs_dir)
        refuse_changed(challenge, bench.data_digest, runs)
        return cls(**vars(bench), runs=runs)

    def run_id(self, entrant: Entrant) -> str:
        """Identity of a run: the same work always has the same id, whenever and wherever it is done."""
        tier = self.tier_of(entrant)
        whose = (entrant.name, entrant.identity, tier, self.device, entrant.team)
        return run_id_of(self.challenge.name, self.fingerprint, *whose)

    def tier_of(self, entrant: Entrant) -> str:
        """What a row's code ran in; no stranger's code runs in the harness's own rows, which are one whatever the tier."""
        return TRUSTED if entrant.is_reference else self.tier

    def finished(self, entrant: Entrant) -> Record | None:
        """The record of a run that is whole and told to ledger and MLflow, so that nothing is left to do."""
        run_id = self.run_id(entrant)
        run_dir = self.runs.run_dir(run_id)
        if not self.runs.recorded(run_id) or (run_dir / delivery.UNDELIVERED).exists():
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

    def known(self, entrant: Entrant, *, force: bool = False) -> dict[int, StoredCell]:
        """Finished cells from disk that need not be run again, by seed; none with ``force``, which forgets them.

        A cell that is not what the record says of it was edited, and is run again; so is one that another source of the
        harness has scored.
        """
        run_id = self.run_id(entrant)
        if force:
            self.runs.mark_unfinished(run_id)
            self.runs.clear_cells(run_id)
        recorded = self.runs.load_record(run_id).cells if self.runs.recorded(run_id) else ()
        digests = {cell.seed: cell.sha256 for cell in recorded if cell.status is Status.OK}
        return {
            seed: stored
            for seed in range(self.challenge.seeds)
            if (stored := self.runs.load_cell(run_id, seed))
            and stored.cell.source == provenance.source()
            and stored.cell.sha256 == digests.get(seed, stored.cell.sha256)
        }

    def keep(self, entrant: Entrant, stored: StoredCell) -> StoredCell:
        """Keep a cell the moment it ends. Raises HarnessError where the disk refuses."""
        cell = stored.cell.model_copy(update={"source": provenance.source()})
        cell = self.runs.save_cell(
            self.run_id(entrant), cell, output=stored.output, items=stored.items, curve=stored.curve, log=stored.log
        )
        return replace(stored, cell=cell)
