"""Digits that arrive in periods, from a second scanner that lies on its side more of them every time; wrong labels; a crowd."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from harness.data import load_dataset

SHARES = (0.02, 0.08, 0.16, 0.3)  # of the rare slice, period by period
SIZES = (500, 400, 400, 400)
WRONG, SLIPS = 0.2, 0.1  # share of wrong labels in the first period, and of an annotator's


def write(folder: Path, *, sizes: tuple[int, ...] = SIZES, seed: int = 0) -> None:
    """``period1.csv`` ... and ``votes.csv``: three of nine people have looked at every row."""
    rng = np.random.default_rng(seed)
    digits = load_dataset("digits")
    order, votes, start = rng.permutation(len(digits.y)), [], 0
    for period, (size, share) in enumerate(zip(sizes, SHARES, strict=True), 1):
        rows, start = order[start : start + size], start + size
        X, y = digits.X[rows].copy(), digits.y[rows]
        rare = rng.random(size) < share
        X[rare] = X[rare].reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64)
        frame = pd.DataFrame(X.round(4), columns=[f"p{j}" for j in range(64)])
        given = np.where((rng.random(size) < WRONG) & (period == 1), (y + rng.integers(1, 10, size)) % 10, y)
        frame.insert(0, "id", [f"t{period}-{i}" for i in range(size)])
        frame.insert(1, "kind", np.where(rare, "sideways", "plain"))
        frame["digit"], frame["noted"] = y, given
        frame.to_csv(folder / f"period{period}.csv", index=False)
        for i, digit in zip(frame["id"], y, strict=True):
            for who in rng.choice(9, 3, replace=False):
                said = (digit + rng.integers(1, 10)) % 10 if rng.random() < SLIPS else digit
                votes.append((i, f"w{who}", said, period))
    votes = pd.DataFrame(votes, columns=["item", "annotator", "label", "period"])
    for period in range(1, len(sizes) + 1):
        votes[votes["period"] == period].drop(columns="period").to_csv(folder / f"votes{period}.csv", index=False)
