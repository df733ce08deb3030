"""RegMix (Liu et al., ICLR 2025): mixtures of 17 domains of the Pile, and the losses of models trained on them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.data.base import TEST, TRAIN, Dataset, DatasetSettings
from harness.data.fetch import DataFile, get

_REGMIX = "https://raw.githubusercontent.com/sail-sg/regmix/b004d3a3f39846dcec6b3740da22bcd1ba95a5d0/data"
_SHA256 = {
    "train_mixture_1m.csv": "04a32ef4ab594376bf90e11404c033668f887c351d6a03ad3744824c7296a2d8",
    "train_pile_loss_1m.csv": "49a959aa07ce5c20831d5abe3a7896ff0cd90a398bd407c8913fd5588be0465a",
    "test_mixture_1m.csv": "197267b7d6f15367e2f46c881e564c35b0d34e51b1754bb09d07e650cf8e1ce8",
    "test_pile_loss_1m.csv": "e027b1674f60140a65a87b5e4a59ab5f09dc33e8fd02c080682678074b160f53",
}
_FILES = {name: DataFile("regmix", name, sha256, f"{_REGMIX}/{name}") for name, sha256 in _SHA256.items()}
LOSS = "loss_"  # extras of this name and a target domain hold its losses


@dataclass(frozen=True)
class Mixtures(Dataset):
    """A row a trained model: X [n, d] the shares of ``domains``, extras ``loss_<target>`` [n] its losses."""

    domains: tuple[str, ...] = ()  # d
    targets: tuple[str, ...] = ()

    @property
    def losses(self) -> npt.NDArray[np.float64]:
        """Losses of the models, [n, targets]."""
        return np.stack([self.extras[LOSS + target].astype(np.float64) for target in self.targets], axis=1)


class Regmix(DatasetSettings):
    """768 models of a million parameters: what they were trained on and how well they predict 13 domains.

    X [768, 17]: shares of the domains, each row adding up to 1 but for rounding to three digits. Extras: ``loss_<domain>`` [768], the
    validation loss in nats a token; ``part`` (0: the 512 mixtures that RegMix fits on, 2: the 256 that it tests on). Nobody
    labels a mixture: y is 0.
    """

    name: Literal["regmix"] = "regmix"

    @classmethod
    def files(cls) -> tuple[DataFile, ...]:
        return tuple(_FILES.values())

    def load(self) -> Dataset:
        (domains, shares), (targets, losses) = (self._both(what) for what in ("mixture", "pile_loss"))
        X = np.concatenate(shares).astype(np.float32)
        part = np.repeat([TRAIN, TEST], [len(rows) for rows in shares])
        extras = {LOSS + target: column for target, column in zip(targets, np.concatenate(losses).T, strict=True)}
        y = np.zeros(len(X), np.int64)
        return Mixtures(
            self.name, X, y, ("mixture",), {"part": part, **extras}, domains=tuple(domains), targets=tuple(targets)
        )

    def _both(self, what: str) -> tuple[list[str], list[npt.NDArray[np.float64]]]:
        """Names of the columns, and the tables [n, columns] of training and test mixtures."""
        tables = []
        for part in ("train", "test"):
            with get(_FILES[f"{part}_{what}_1m.csv"], self.name).open(encoding="utf-8", newline="") as stream:
                head, *rows = csv.reader(stream)
            tables.append(np.array([row[1:] for row in rows], np.float64))
        names = [name.removeprefix("metric/").removeprefix("train_").removeprefix("the_pile_") for name in head[1:]]
        return [name.removesuffix("_val_loss") for name in names], tables
