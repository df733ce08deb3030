"""Challenges on which nothing can be learned: whoever scores above chance has seen what is hidden.

Real data, real protocols, real sandbox; only the labels are shuffled over all rows before anything is drawn, so that a
row says nothing about its label. Each honeypot is shown to notice a leak as well.
"""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path

import numpy as np
import pytest

from harness import load_challenge
from harness.protocol.challenge import Challenge
from harness.protocol import submission
from harness.evaluation.session import Session
from harness.errors import Status
from harness.evaluation.cell import evaluate_cell
from harness.data.base import Dataset
from harness.sandbox import probe
from harness.tracks.training_set import TrainingSet

HERE = Path(__file__).parent / "honeypot"
SEEDS = 2
ERROR = (0.1 * 0.9 / (SEEDS * 600)) ** 0.5  # of an accuracy of 1 in 10 on that many test rows
TIERS = [report.name for report in probe() if report.works and report.name != "none"]


def session(name: str, tier: str, tmp_path: Path, secret: str) -> Session:
    pinned = load_challenge(name, [f"secret={secret}", f"seeds={SEEDS}", "limits.seconds=60"])
    return Session.open(pinned, runs_dir=tmp_path, device="cpu", tier=tier)


@pytest.fixture
def shuffled(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Challenge.load_dataset

    def load(challenge: Challenge) -> Dataset:
        data = real(challenge)
        return dataclasses.replace(data, y=np.random.default_rng().permutation(data.y))

    monkeypatch.setattr(Challenge, "load_dataset", load)


@pytest.mark.parametrize("tier", TIERS)
def test_shuffled_labels_cannot_be_learned(tier: str, tmp_path: Path, shuffled: None) -> None:
    pot = session("training_set_digits", tier, tmp_path, secrets.token_hex(16))
    folders = [HERE / "look_up"]
    if tier == TIERS[0]:
        folders.append(submission.find("as_given", "training_set"))
    for folder in folders:
        scores = []
        for seed in range(SEEDS):
            stored = evaluate_cell(pot, submission.load(folder), seed)
            assert stored.cell.status is Status.OK, stored.cell.reason
            assert folder.name != "look_up" or "found: []" in stored.log, stored.log
            assert stored.cell.score is not None
            scores.append(stored.cell.score)
        assert np.mean(scores) < 0.1 + 4 * ERROR, folder.name
    leaked = []
    assert isinstance(pot.track, TrainingSet)
    for seed in range(SEEDS):
        view, key = pot.track.prepare(seed)
        rng = np.random.default_rng(seed)
        rows = rng.permutation(len(key.y_test))
        near = key.X_test[rows] + rng.normal(0, 0.02, key.X_test.shape).astype(np.float32)
        leaked.append(pot.track._train_and_test(near, key.y_test[rows], key).value)
    assert np.mean(leaked) > 0.1 + 10 * ERROR  # who knew the test rows would stand out


@pytest.mark.parametrize("tier", TIERS[:1])
def test_noise_cannot_be_drawn_again_without_the_secret(tier: str, tmp_path: Path) -> None:
    entry = submission.load(HERE / "rebuild_noise")

    def precision(secret: str) -> float:
        pot = session("debugging_digits", tier, tmp_path, secret)
        cells = [evaluate_cell(pot, entry, seed).cell for seed in range(SEEDS)]
        assert all(cell.status is Status.OK for cell in cells)
        return float(np.mean([cell.metrics["average_precision"] for cell in cells]))

    assert precision(secrets.token_hex(16)) < 0.45  # 0.3 of the rows are wrong; standard error about 0.04
    assert precision("open") > 0.99  # why a competition keeps its secret
