"""Runs made for tests: records, cells and archives that verify, of a real protocol, without running anything."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import FloatArray
from harness.errors import Status
from harness.evaluation.entrants import Entrant
from harness.evaluation.session import TRUSTED
from harness.evaluation.tally import References, tally
from harness.protocol import submission
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.tracking import delivery, ledger, provenance
from harness.tracking.record import CellRecord, Record, Seconds, identity, run_id_of
from harness.tracking.runs import RunsDir, StoredCell, arrays_digest
from harness.tracks.base import Arrays
from harness.verification.judge import reference_ids

SEEDS, ITEMS, CLASSES = 4, 60, 10
DATA = "ef" * 32  # digest of no data: scores come from items alone
AUTHORS = ("A. Author",)
MADE = "made for tests"


@functools.cache
def challenge(name: str = "made") -> Challenge:
    """A shipped challenge under the name of the made runs."""
    return load_challenge("selection_digits").model_copy(update={"name": name, "seeds": SEEDS, "draws": 1})


def commitment(of: Challenge) -> str:
    return of.commitment(DATA)


FINGERPRINT = challenge().fingerprint_under(DATA, commitment(challenge()))


def items_of(skill: float, name: str) -> list[dict[str, Any]]:
    """Truth and prediction of every test item by seed, for a method that is right with the chance ``skill``."""
    rng = np.random.default_rng([len(name), *name.encode()])
    truth = np.arange(ITEMS) % CLASSES
    return [{"y_true": truth, "y_pred": (truth + (rng.random(ITEMS) >= skill)) % CLASSES} for _ in range(SEEDS)]


def run_id(name: str, authors: tuple[str, ...] = AUTHORS, of: Challenge | None = None) -> str:
    """The id of a made run."""
    of = of or challenge()
    who = identity(_entrant(name, authors).digest, None)
    tier = TRUSTED if name.startswith("reference-") else "bubblewrap"
    return run_id_of(of.name, of.fingerprint_under(DATA, commitment(of)), name, who, tier, "cpu")


def short_run(runs_dir: Path, name: str, **changes: Any) -> Record:
    """A made run under the short id ``made-NAME``, for tests to which a run is a directory with a record."""
    return made_run(runs_dir, name, run_id=f"made-{name}", **changes)


def made_run(
    runs_dir: Path,
    name: str,
    skill: float = 0.7,
    *,
    deliver: bool = True,
    items: list[dict[str, Any]] | None = None,
    of: Challenge | None = None,
    failed: Mapping[int, tuple[Status, str]] | None = None,
    description: str = MADE,
    **changes: Any,
) -> Record:
    """Save cells, archive, record, ledger line and (unless told not to) the MLflow run of one made-up submission.

    Floor and skyline (``reference-random``, ``reference-skyline``) are to be made first. ``failed`` gives status and
    reason of seeds that did not come to a score. What ``changes`` sets in the record is set there alone.
    """
    runs, of = RunsDir(runs_dir), of or challenge()
    track = of.track_type.without_data(of.track, CLASSES)
    fingerprint = of.fingerprint_under(DATA, commitment(of))
    authors = changes.pop("authors", AUTHORS)
    entrant = _entrant(name, authors, description)
    tier = TRUSTED if entrant.is_reference else changes.get("isolation", "bubblewrap")
    device = changes.get("device", "cpu")
    whose = (name, entrant.digest, tier, device, changes.get("team", ""))
    own_id = changes.pop("run_id", None) or run_id_of(of.name, fingerprint, *whose)
    stored = []
    for seed, item in enumerate(items or items_of(skill, name)):
        if failed and seed in failed:
            status, reason = failed[seed]
            cell = CellRecord(
                seed=seed, status=status, reason=reason, source=changes.get("source", provenance.source())
            )
            stored.append(StoredCell(runs.save_cell(own_id, cell, log="it failed\n"), {}, {}, None, ""))
            continue
        score = float(track.statistic(item, np.ones((1, len(item["y_true"]))))[0])
        output = {} if entrant.is_reference else {"indices": np.arange(seed, seed + 5)}
        curve = np.column_stack([np.arange(5.0), score * np.arange(5) / 4])
        cell = CellRecord(
            seed=seed,
            status=Status.OK,
            score=score,
            metrics={"accuracy": score / 2, "never": float("nan")},
            output_digest=arrays_digest(output) if output else None,
            seconds=Seconds(submission=0.5, scoring=0.25),
            peak_memory_mb=20.0 + seed,
            submission_fits=100 + seed,
            source=changes.get("source", provenance.source()),
        )
        cell = runs.save_cell(own_id, cell, output=output, items=item, curve=curve, log=f"seed {seed} of {name}\n")
        stored.append(StoredCell(cell, output, item, curve, ""))
    references = None if entrant.is_reference else _references(runs, of.name, fingerprint, device)
    record = Record(
        **{
            **vars(tally(track, fingerprint, stored, references, name)),
            "run_id": own_id,
            "challenge": of.name,
            "fingerprint": fingerprint,
            "commitment": commitment(of),
            "track": track.track,
            "task": track.task.kind,
            "submission": name,
            "submission_digest": entrant.digest,
            "metric": track.metric,
            "direction": track.direction,
            "cells": tuple(one.cell for one in stored),
            "isolation": tier,
            "device": device,
            "versions": {"harness": "0"},
            "source": provenance.source(),
            "statistics": provenance.statistics(),
            "data_digests": {"digits": DATA},
            "n_classes": CLASSES,
            "created": "2026-01-02T03:04:05+00:00",
            "authors": authors if not entrant.is_reference else entrant.authors,
            "description": entrant.description,
            "license": entrant.license,
            "reference": entrant.is_reference,
            "challenge_version": of.version,
            "minimum_isolation": of.minimum_isolation,
            "settings": of.published(),
            **changes,
        }
    )
    if not entrant.is_reference:
        runs.keep_submission(archived(name, authors, runs_dir.parent / "made", description))
    keep = record.status in (Status.OK, Status.SUSPICIOUS)
    runs.save_record(record, {"curve.svg": "<svg/>"} if keep else None)
    ledger.append(runs_dir, "run", own_id)
    if deliver:
        assert delivery.deliver(runs.run_dir(own_id)) is not None
    return record


def _references(runs: RunsDir, name: str, fingerprint: str, device: str) -> References | None:
    ids = reference_ids(name, fingerprint, device)
    if not set(ids) <= set(runs.run_ids()):
        return None
    floor, skyline = ([runs.read_cell(run_id, seed) for seed in range(SEEDS)] for run_id in ids)
    return References.of(floor, skyline)


def manifest(name: str, authors: tuple[str, ...], description: str) -> str:
    """The manifest of a made submission; JSON's strings are YAML's."""
    return (
        f"name: {json.dumps(name)}\ntrack: selection\nentry: algorithm:select\nauthors: {json.dumps(authors)}\n"
        f"description: {json.dumps(description)}\nlicense: Apache-2.0\n"
    )


def archived(name: str, authors: tuple[str, ...], place: Path, description: str = MADE) -> submission.Submission:
    """The folder of a made submission, written below ``place``."""
    folder = place / f"{name}-{abs(hash((authors, description)))}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "submission.yaml").write_text(manifest(name, authors, description), encoding="utf-8")
    (folder / "algorithm.py").write_text("def select(task):\n    return range(task.budget)\n", encoding="utf-8")
    return submission.load(folder)


@functools.cache
def _entrant(name: str, authors: tuple[str, ...], description: str = MADE) -> Entrant:
    if name in ("reference-random", "reference-skyline"):
        return Entrant.reference("random" if name.endswith("random") else "skyline")
    with tempfile.TemporaryDirectory() as place:
        return Entrant.of(archived(name, authors, Path(place), description))


def macro_f1(items: Arrays) -> float:
    """The score of a made cell, by scikit-learn."""
    from sklearn.metrics import f1_score

    return float(f1_score(items["y_true"], items["y_pred"], average="macro"))


def spread(record: Record) -> FloatArray:
    """Scores of a record's seeds in their order."""
    return np.array([cell.score for cell in record.cells], np.float64)
