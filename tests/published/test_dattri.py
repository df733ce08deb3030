"""dattri's table: its pieces against torch and a dense solve, on small made data."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.published import dattri

RNG = np.random.default_rng(0)


def test_training_is_torchs_sgd_on_the_same_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dattri, "EPOCHS", 3)
    A = np.column_stack([RNG.normal(size=(90, 6)), np.ones(90)]).astype(np.float32)
    y, sets = RNG.integers(0, 10, 90), np.stack([np.arange(90) % 2 == 0, np.arange(90) % 2 == 1])
    found = dattri.trained(A, y, sets, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    start = rng.uniform(-1 / np.sqrt(6), 1 / np.sqrt(6), (2, 7, 10)).astype(np.float32)
    orders = [rng.random((2, 45)).argsort(axis=1) for _ in range(3)]
    for k in range(2):
        layer = torch.nn.Linear(6, 10)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(start[k, :6].T.copy()))
            layer.bias.copy_(torch.from_numpy(start[k, 6]))
        optimizer = torch.optim.SGD(layer.parameters(), lr=dattri.RATE)
        for order in orders:
            for first in range(0, 45, dattri.BATCH):
                rows = np.flatnonzero(sets[k])[order[k, first : first + dattri.BATCH]]
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(
                    layer(torch.from_numpy(A[rows, :6])), torch.from_numpy(y[rows])
                )
                loss.backward()
                optimizer.step()
        assert found[k, :6] == pytest.approx(layer.weight.detach().numpy().T, abs=1e-5)
        assert found[k, 6] == pytest.approx(layer.bias.detach().numpy(), abs=1e-5)


def test_the_solve_is_the_dense_one() -> None:
    A = RNG.normal(size=(40, 5)).astype(np.float32)
    p = RNG.dirichlet(np.ones(3), 40)
    sums = RNG.normal(size=(5, 2, 3)).astype(np.float32)
    H = sum(np.kron(np.outer(a, a), np.diag(r) - np.outer(r, r)) for a, r in zip(A.astype(float), p, strict=True)) / 40
    found = dattri.solved(A, p, sums, 0.05)
    for s in range(2):
        expected = np.linalg.solve(H + 0.05 * np.eye(15), sums[:, s].ravel()).reshape(5, 3)
        assert found[:, s] == pytest.approx(expected, abs=0.02 * np.abs(expected).max())


def test_sums_over_half_sets_are_sums_of_outer_products() -> None:
    A, pull = RNG.normal(size=(8, 3)).astype(np.float32), RNG.normal(size=(8, 2))
    half = np.stack([np.arange(8) < 4, np.arange(8) % 2 == 0])
    found = dattri.summed(A, pull, half)
    for s, one in enumerate(half):
        assert found[:, s] == pytest.approx(sum(np.outer(A[i], pull[i]) for i in np.flatnonzero(one)), abs=1e-5)
    assert dattri.times(A, found) == pytest.approx(np.einsum("md,dsc->msc", A, found), abs=1e-4)


def test_every_published_bar_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dattri, "scores", lambda seed: dict.fromkeys(dattri.PUBLISHED, 0.25))
    found = dattri.rows()
    assert [row["figure"] for row in found] == list(dattri.PUBLISHED)
    assert all({"table", "figure", "published", "ours", "reason"} == set(row) for row in found), "all are far off"
    monkeypatch.setattr(dattri, "scores", lambda seed: dattri.PUBLISHED)
    assert all({"table", "figure", "published", "ours"} == set(row) for row in dattri.rows())
