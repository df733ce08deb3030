"""Votes for the tests of this room: published ones where they are on this machine, and exports as Label Studio writes them."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.pipeline.annotations.ballots import Ballots, ballots
from harness.pipeline.annotations.reading import read_truth
from tests.data.conftest import data_dir

__all__ = ["data_dir"]
Crowd = Callable[[str], tuple[Ballots, dict[str, str]]]


@pytest.fixture
def found(data_dir: Path) -> Callable[[str], Path]:
    """A file among the real data, or a test that is skipped."""

    def at(name: str) -> Path:
        if not (data_dir / name).is_file():
            pytest.skip(f"{name} is not in {data_dir}")
        return data_dir / name

    return at


@pytest.fixture
def crowd(found: Callable[[str], Path]) -> Crowd:
    """Votes and truth of a published crowd by its name."""

    def load(name: str) -> tuple[Ballots, dict[str, str]]:
        if name in ("labelme", "sentiment_polarity"):
            folder, truth = {
                "labelme": ("labelme_crowd", "LabelMe_Z_train.txt"),
                "sentiment_polarity": ("sentiment_crowd", "Sentiment_Z_train.txt"),
            }[name]
            answers = np.loadtxt(found(f"{folder}/answers.txt.gz"), dtype=int)
            item, worker = np.nonzero(answers >= 0)
            true = np.loadtxt(found(f"{folder}/{truth}"), dtype=int)
            votes = ballots(words(item), words(answers[item, worker]), words(worker))
            return votes, dict(zip(words(np.arange(len(true))), words(true), strict=True))
        folder = f"crowd_labels/{name}"
        table = np.loadtxt(found(f"{folder}/label.csv"), dtype=str, delimiter=",", skiprows=1)
        item, worker, label = table.T.tolist()
        return ballots(item, label, worker), read_truth(found(f"{folder}/truth.csv"))

    return load


@pytest.fixture
def cifar10h(found: Callable[[str], Path]) -> Any:
    """Counts [10000, 10]."""
    return np.load(io.BytesIO(gzip.decompress(found("cifar10h/cifar10h-counts.npy.gz").read_bytes())))


def words(numbers: Any) -> list[str]:
    return [str(number) for number in np.asarray(numbers).tolist()]


def annotation(who: object, *labels: str, at: str = "2024-05-01T10:00:00.000000Z", **more: Any) -> dict[str, Any]:
    """One annotation as the JSON export has it."""
    region = {
        "id": "Dx_aB91ISN", "type": "choices", "origin": "manual", "from_name": "label", "to_name": "text",
        "value": {"choices": list(labels)},
    }  # fmt: skip
    return {
        "id": more.pop("id", 7), "completed_by": who, "result": [region] if labels else [], "was_cancelled": False,
        "ground_truth": False, "created_at": at, "updated_at": at, "draft_created_at": None, "lead_time": 4.288,
        "prediction": {}, "result_count": len(labels), "task": 1, "parent_prediction": None, **more,
    }  # fmt: skip


def task(number: int, annotations: Sequence[dict[str, Any]], **data: Any) -> dict[str, Any]:
    """One task as the JSON export has it."""
    guess = {"model_version": "m", "score": 0.3, "result": annotation(0, "a prediction")["result"]}
    return {
        "id": number, "annotations": list(annotations), "file_upload": "abc-tasks.json", "drafts": [],
        "predictions": [guess], "data": data or {"text": f"document {number}"}, "meta": {}, "inner_id": number,
        "created_at": "2024-05-01T09:00:00.000000Z", "total_annotations": len(annotations), "project": 83,
    }  # fmt: skip
