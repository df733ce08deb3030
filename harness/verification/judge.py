"""What a record must agree with beyond its own cells: the protocol that its settings pin, and the harness's own rows."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import BenchmarkError, HarnessError
from harness.evaluation.entrants import Entrant
from harness.evaluation.session import TRUSTED
from harness.evaluation.tally import References
from harness.protocol.challenge import NOWHERE, Challenge
from harness.protocol.compose import homes_of
from harness.tracking.record import SCHEMA_VERSION, Record, run_id_of
from harness.tracking.runs import RunsDir, StoredCell
from harness.tracks.base import Track

OTHER_VERSION = (
    "its fingerprint is not that of its settings, data and commitment under this version of scorer and model"
)
_NOT_KNOWN = "not known to whoever verifies"


class Judge:
    """Protocols and references of one runs directory, each read once."""

    def __init__(self, runs: RunsDir, config_dir: Path | None = None) -> None:
        self.runs = runs
        self.config_dir = config_dir
        self._protocols: dict[str, Protocol] = {}
        self._references: dict[tuple[str, str, str], References | str] = {}
        self._unsettled: dict[tuple[str, ...], str] = {}

    def protocol(self, record: Record) -> Protocol:
        """The protocol of a record's settings. Raises BenchmarkError where they are none, or not known here."""
        key = json.dumps([record.settings, record.n_classes], sort_keys=True)
        if key not in self._protocols:
            self._protocols[key] = Protocol(record, self.config_dir)
        return self._protocols[key]

    def references(self, record: Record) -> References:
        """Floor and skyline that a row was seen against. Raises HarnessError where they are not kept whole."""
        key = (record.challenge, record.fingerprint, record.device)
        if key not in self._references:
            try:
                floor, skyline = map(self._cells, reference_ids(*key))
                self._references[key] = References.of(floor, skyline)
            except HarnessError as error:
                self._references[key] = error.reason
        found = self._references[key]
        if isinstance(found, str):
            raise HarnessError(f"the harness's own rows that it is seen against cannot be read: {found}")
        return found

    def unsettled(self, record: Record) -> str:
        """Why a row cannot be seen against floor and skyline for now, though nothing need be wrong; empty where it can."""
        source = record.source or ""
        key = (record.challenge, record.fingerprint, record.device, source)
        if key not in self._unsettled:
            found = (self._left(run_id, source) for run_id in reference_ids(*key[:3]))
            self._unsettled[key] = next(filter(None, found), "")
        return self._unsettled[key]

    def _left(self, run_id: str, source: str) -> str:
        try:
            own = self.runs.load_record(run_id)
        except HarnessError:  # which whoever asks for them is told
            return ""
        if self.runs.unfinished(run_id) or own.schema_version < SCHEMA_VERSION:
            return f"the harness's own row {run_id} that it is seen against is to be run again"
        if own.source != source:
            return f"scored by another source of the harness ({source[:12] or 'unknown'}) than {run_id}: run it again"
        return ""

    def _cells(self, run_id: str) -> list[StoredCell]:
        cells = []
        for cell in self.runs.load_record(run_id).cells:
            stored = self.runs.read_cell(run_id, cell.seed)
            if stored.cell.sha256 != cell.sha256:
                raise HarnessError(f"{run_id}, seed {cell.seed}: its cell.json is not the one that the record binds.")
            cells.append(stored)
        return cells


def reference_ids(challenge: str, fingerprint: str, device: str) -> tuple[str, str]:
    """Run ids of floor and skyline of a challenge."""
    floor, skyline = Entrant.reference("random"), Entrant.reference("skyline")
    of_floor, of_skyline = (
        run_id_of(challenge, fingerprint, own.name, own.identity, TRUSTED, device) for own in (floor, skyline)
    )
    return of_floor, of_skyline


class Protocol:
    """A challenge as a record shows it, without its data and, where it is kept, without its secret."""

    def __init__(self, record: Record, config_dir: Path | None) -> None:
        settings = {**record.settings}
        self.kept_secret = settings.get("secret") is None
        if self.kept_secret:
            settings["secret"] = _NOT_KNOWN
        homes = NOWHERE
        if config_dir is not None:
            with suppress(BenchmarkError):  # a challenge that is shipped, or is in neither: its settings will tell
                homes = homes_of(record.challenge, config_dir)
        self.challenge = Challenge.from_plain(settings, homes)
        self._n_classes = record.n_classes

    @cached_property
    def track(self) -> Track[Any, Any]:
        """For recomputing scores."""
        return self.challenge.track_type.without_data(self.challenge.track, self._n_classes)

    def problems(self, record: Record) -> list[str]:
        """What of a record is not as its settings have it."""
        challenge, kind = self.challenge, self.challenge.track_type
        expected = {
            "challenge": challenge.name,
            "challenge_version": challenge.version,
            "minimum_isolation": challenge.minimum_isolation,
            "track": kind.track,
            "metric": kind.metric,
            "direction": kind.direction,
            "task": kind.task.kind,
            "unpinned": not challenge.dataset.pinned,
        }
        found = [
            f"{name} is {getattr(record, name)!r}, its settings say {value!r}"
            for name, value in expected.items()
            if getattr(record, name) != value
        ]
        return [*found, *self._identity(record)]

    def _identity(self, record: Record) -> list[str]:
        """Fingerprint and run id follow from settings, data, commitment, submission, packages, tier and device."""
        if len(record.data_digests) != 1:
            return ["it names no data set, or several"]
        (data,) = record.data_digests.values()
        found = []
        if not self.kept_secret and record.commitment != self.challenge.commitment(data):
            found.append("its commitment is not to the secret in its settings")
        if self.challenge.fingerprint_under(data, record.commitment) != record.fingerprint:
            found.append(OTHER_VERSION)
        whose = (record.submission, record.identity, record.isolation, record.device, record.team)
        if record.run_id != (run_id := run_id_of(record.challenge, record.fingerprint, *whose)):
            found.append(
                f"its id does not follow from fingerprint, submission, packages, isolation, device and team: {run_id}"
            )
        return found
