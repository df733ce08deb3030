"""Data, timing and devices for the steps: real rows, a clock that waits for the device, proof that it was used."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np

from harness.models import nets, transformer_lm
from harness.models.backend import Backend

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def digits(rows: int) -> Split:
    """X [rows, 64] in 0..1, y, and 300 test rows of scikit-learn's digits, which need no network."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    X, y = (data.data[order] / 16).astype(np.float32), data.target[order].astype(np.int64)
    return X[:rows], y[:rows], X[-300:], y[-300:]


def coalitions(models: int, rows: int, share: float) -> np.ndarray:
    """0/1 weights [models, rows] that keep about ``share`` of the rows."""
    return (np.random.default_rng(1).random((models, rows)) < share).astype(np.float32)


@dataclass(frozen=True)
class Timed:
    """What a piece of work gave, its wall seconds, and the most memory it had on the device (MB; None on the CPU)."""

    value: Any
    seconds: float
    device_mb: float | None = None


def timed(work: Callable[[], object], device: str = "cpu") -> Timed:
    """Once to warm up, then against the clock, waiting for the device before and after.

    Raises AssertionError where the work is to run on CUDA and takes no memory there: libraries fall back in silence.
    """
    work()
    if device != "cuda":
        began = time.perf_counter()
        return Timed(work(), time.perf_counter() - began)
    import torch

    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before, began = torch.cuda.memory_allocated(), time.perf_counter()
    value = work()
    torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    used = torch.cuda.max_memory_allocated() - before
    assert used > 0, "device=cuda was asked for and no memory was taken there: it ran on the CPU"
    return Timed(value, seconds, round(used / 2**20, 1))


@contextlib.contextmanager
def the_gpus_way(device: str) -> Iterator[None]:
    """In a rehearsal the code that a GPU would run, on torch's CPU tensors: members stacked, bfloat16 inputs."""
    if device != "cpu":
        yield
        return
    there = SimpleNamespace(of=lambda device: Backend.of(device, torch_on_cpu=True))
    with (
        patch.object(nets, "mixed_precision", lambda backend: True),
        patch.object(transformer_lm, "mixed_precision", lambda backend: True),
        patch.object(nets, "members_at_once", lambda *_: 4),
        patch("harness.models.logistic.Backend", there),
    ):
        yield


@contextlib.contextmanager
def nearly_full(needed_mb: float | None) -> Iterator[None]:
    """Holds all of the device's memory but 60 % of what is needed; nothing on the CPU."""
    if needed_mb is None:
        yield
        return
    import torch

    torch.cuda.empty_cache()
    room = int(0.6 * needed_mb * 2**20)
    ballast = torch.empty(torch.cuda.mem_get_info()[0] - room, dtype=torch.uint8, device="cuda")
    yield
    del ballast
