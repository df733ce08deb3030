"""Runs made for tests: real records, items and replicates of a small accuracy protocol, without running anything."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from harness.api import FloatArray
from harness.errors import Status
from harness.evaluation.statistics import interval, replicates
from harness.tracking import delivery, ledger
from harness.tracking.record import CellRecord, Record, Seconds
from harness.tracking.runs import RunsDir, arrays_digest
from harness.tracks.base import Arrays

FINGERPRINT = "ab" * 32
SEEDS, ITEMS = 4, 60


def accuracy(items: Arrays, weights: FloatArray) -> FloatArray:
    """Weighted share of right answers: items["right"] [m], weights [r, m] -> [r]."""
    share: FloatArray = weights @ items["right"].astype(np.float64) / weights.sum(axis=1)
    return share


def items_of(skill: float, name: str) -> list[dict[str, FloatArray]]:
    """Right (1) or wrong (0) per test item and seed, for a method of the given skill."""
    rng = np.random.default_rng([len(name), *name.encode()])
    return [{"right": (rng.random(ITEMS) < skill).astype(np.float64)} for _ in range(SEEDS)]


def made_run(runs_dir: Path, name: str, skill: float = 0.7, *, deliver: bool = True, **changes: Any) -> Record:
    """Save cells, record, ledger line and (unless told not to) the MLflow run of one made-up submission."""
    runs = RunsDir(runs_dir)
    items = items_of(skill, name)
    scores = [float(accuracy(it, np.ones((1, ITEMS)))[0]) for it in items]
    run_id = changes.pop("run_id", f"made-{name}")
    cells = []
    for seed, (item, score) in enumerate(zip(items, scores, strict=True)):
        output = {"indices": np.arange(seed, seed + 5)}
        cell = CellRecord(
            seed=seed,
            status=Status.OK,
            score=score,
            metrics={"second": score / 2, "never": float("nan")},
            output_digest=arrays_digest(output),
            seconds=Seconds(submission=0.5, scoring=0.25),
            peak_memory_mb=20.0 + seed,
            submission_fits=100 + seed,
        )
        curve = np.column_stack([np.arange(5.0), score * np.arange(5) / 4])
        runs.save_cell(run_id, cell, output=output, items=item, curve=curve, log=f"seed {seed} of {name}\n")
        cells.append(cell)
    sample = replicates(items, accuracy, FINGERPRINT)
    record = Record(
        **{
            "run_id": run_id,
            "status": Status.OK,
            "challenge": "made",
            "fingerprint": FINGERPRINT,
            "track": "selection",
            "submission": name,
            "submission_digest": "cd" * 32,
            "metric": "accuracy",
            "direction": "max",
            "score": float(np.mean(scores)),
            "ci95": interval(sample, SEEDS),
            "cells": tuple(cells),
            "isolation": "bubblewrap",
            "versions": {"harness": "0"},
            "data_digests": {"digits": "ef" * 32},
            "created": "2026-01-02T03:04:05+00:00",
            "authors": ("A. Author",),
            "normalised": 0.5,
            "settings": {"name": "made", "model": {"name": "logistic", "C": 1.0}, "secret": "open"},
            "curve": tuple((float(x), x / 4) for x in range(5)),
            **changes,
        }
    )
    keep = record.status in (Status.OK, Status.SUSPICIOUS)
    record = runs.save_record(record, sample if keep else None, {"curve.svg": "<svg/>"} if keep else None)
    ledger.append(runs_dir, "run", run_id)
    if deliver:
        assert delivery.deliver(runs.run_dir(run_id)) is not None
    return record


def copied(source: Path, target: Path) -> Path:
    """A copy of a runs directory."""
    shutil.copytree(source, target)
    return target
