"""Whether what MLflow holds is what was recorded: record, ledger line, MLflow run and its artifacts must agree."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

import numpy as np

from harness.api import FloatArray
from harness.errors import HarnessError
from harness.tracking.delivery import final_metrics, runs_of, undelivered
from harness.tracking.ledger import Entry, Ledger, latest_records
from harness.tracking.mlflow_store import open_store, store_errors, tracking_uri
from harness.tracking.record import Record, parse_record
from harness.tracking.runs import RunsDir

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


class BoardRefused(HarnessError):
    """A board cannot be trusted as things stand; the reason names every entry that does not agree."""


@dataclass(frozen=True)
class Verified:
    """A run whose record, ledger line and MLflow run agree."""

    record: Record
    replicates: FloatArray | None  # [R]


def verified_runs(challenge: str, fingerprint: str, runs_dir: Path, uri: str | None) -> list[Verified]:
    """All delivered runs of one fingerprint, by run id.

    Other harnesses may go on recording runs meanwhile: what does not agree is looked at again as long as the ledger grows.

    Raises
    ------
    BoardRefused: an edited record, ledger or MLflow metric, a row without a run, a run without its row.
    HarnessError: the store cannot be opened.
    """
    ledger = Ledger(runs_dir)
    while True:
        problems = ledger.verify()
        entries = [] if problems else ledger.read()
        found: dict[str, Verified] = {}
        if entries:
            client = open_store(tracking_uri(ledger.runs.path, uri))
            found = _compared(client, challenge, fingerprint, ledger.runs, entries, problems)
        if not problems:
            return [found[run_id] for run_id in sorted(found)]
        if not entries or ledger.read() == entries:
            raise _refused(challenge, problems)


def _compared(
    client: MlflowClient,
    challenge: str,
    fingerprint: str,
    runs: RunsDir,
    entries: list[Entry],
    problems: list[str],
) -> dict[str, Verified]:
    """The runs on which MLflow, ledger and record agree; what does not agree is added to ``problems``.

    A run's mark is set before its ledger line is written and removed after its delivery, so it is read between the two.
    """
    latest = latest_records(entries)
    earlier = {(entry.run_id, entry.record_sha256) for entry in entries if entry.kind == "run"}
    waiting = set(undelivered(runs.path))
    found: dict[str, Verified] = {}
    stale: dict[str, str] = {}
    for run in runs_of(client, challenge, fingerprint):
        if run.info.status in ("RUNNING", "SCHEDULED"):  # a delivery that was killed half-way, or is under way
            continue
        run_id = run.data.tags.get("run_id", "")
        where = f"MLflow run {run.info.run_id} ({run.info.run_name!r:.80}, run id {run_id!r:.120})"
        if run_id not in latest:
            problems.append(f"{where} has no line in the ledger: a row without a run.")
        elif (digest := run.data.tags.get("record_sha256")) != latest[run_id]:
            what = f"{where} is not of the record that the ledger holds for it."
            if (
                run_id,
                digest,
            ) in earlier:  # the new delivery is to come, or a kill came before the old one was deleted
                stale[run_id] = what
            else:
                problems.append(what)
        else:
            checked = _check(client, run, latest[run_id], where, problems)
            if checked is not None:
                found[run_id] = checked
    problems += [problem for run_id, problem in stale.items() if run_id not in found and run_id not in waiting]
    problems += _missing(challenge, fingerprint, runs, set(latest) - set(found) - set(stale) - waiting)
    wrong = [run_id for run_id, row in found.items() if row.record.fingerprint != fingerprint]
    problems += [f"Run {run_id} has another fingerprint than the board." for run_id in wrong]
    return found


def _check(client: MlflowClient, run: Run, digest: str, where: str, problems: list[str]) -> Verified | None:
    """Compare one MLflow run with its record; what does not agree is added to ``problems``."""
    try:
        content = _artifact(client, run, "record.json")
    except HarnessError as error:
        problems.append(f"{where}: {error.reason}")
        return None
    if hashlib.sha256(content).hexdigest() != digest:
        problems.append(f"{where}: its artifact record.json was edited.")
        return None
    record = parse_record(content, where)
    problems += [f"{where}: {what}" for what in _metric_problems(client, run, record)]
    if record.replicates_sha256 is None:
        return Verified(record, None)
    try:
        content = _artifact(client, run, "replicates.npy")
    except HarnessError as error:
        problems.append(f"{where}: {error.reason}")
        return None
    if hashlib.sha256(content).hexdigest() != record.replicates_sha256:
        problems.append(f"{where}: its artifact replicates.npy was edited.")
        return None
    return Verified(record, np.load(io.BytesIO(content), allow_pickle=False))


def _metric_problems(client: MlflowClient, run: Run, record: Record) -> Iterator[str]:
    expected = final_metrics(record)
    for name in ("score", "ci_low", "ci_high", "normalised", "seconds"):
        recorded, held = expected.get(name), run.data.metrics.get(name)
        if not _same(recorded, held):
            yield f"metric {name} is {held} in MLflow and {recorded} in the record."
    seeds = {cell.seed: cell.score for cell in record.cells if cell.score is not None}
    with store_errors():
        history = client.get_metric_history(run.info.run_id, "seed/score") if seeds else []
    held_seeds = {metric.step: metric.value for metric in history}
    for seed in sorted(set(seeds) | set(held_seeds)):
        if not _same(seeds.get(seed), held_seeds.get(seed)):
            yield f"the score of seed {seed} is {held_seeds.get(seed)} in MLflow and {seeds.get(seed)} in the record."


def _missing(challenge: str, fingerprint: str, runs: RunsDir, candidates: set[str]) -> Iterator[str]:
    """Runs of this board that were recorded here but that MLflow does not hold."""
    for run_id in sorted(candidates):
        record = runs.load_record(run_id)
        if (record.challenge, record.fingerprint) == (challenge, fingerprint):
            yield f"Run {run_id} is in the ledger, but MLflow does not have it; `harness sync` delivers it again."


def _artifact(client: MlflowClient, run: Run, name: str) -> bytes:
    """Content of an artifact. Raises HarnessError where it is missing or cannot be read."""
    place = urlparse(run.info.artifact_uri)
    try:
        if place.scheme in ("", "file"):
            return (Path(unquote(place.path)) / name).read_bytes()
        with store_errors(), tempfile.TemporaryDirectory(prefix="harness-board-") as folder:
            return Path(client.download_artifacts(run.info.run_id, name, folder)).read_bytes()
    except OSError as error:
        raise HarnessError(f"its artifact {name} is missing or unreadable ({error.strerror}).") from error


def _same(a: float | None, b: float | None) -> bool:
    return a is b if a is None or b is None else isclose(a, b, rel_tol=1e-12, abs_tol=1e-15)


def _refused(challenge: str, problems: list[str]) -> BoardRefused:
    listed = " ".join(f"({i}) {p}" for i, p in enumerate(problems[:10], 1)) if len(problems) > 1 else problems[0]
    more = f" And {len(problems) - 10} more." if len(problems) > 10 else ""
    return BoardRefused(
        f"The board of {challenge} is not built: {listed}{more}",
        "Restore what was changed, let `harness sync` deliver again what MLflow has lost, or run the submission again with "
        "--force; a board shows only what agrees everywhere.",
    )
