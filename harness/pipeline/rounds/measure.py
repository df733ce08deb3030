"""Is the next version better? The fixed model of two versions on rows that neither has seen: the next period's."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from harness.api import FloatArray, IntArray
from harness.data import Dataset
from harness.models.base import FixedModel
from harness.pipeline.rounds.decisions import at_random
from harness.pipeline.rounds.state import BOOK, TEST, TRAIN, WAITING, Round
from harness.pipeline.rounds.written import settings_of
from harness.protocol.compose import load_challenge
from harness.statistics.bootstrap import replicates
from harness.tracks import metrics
from harness.tracks.base import Arrays

DRAWS = 20  # of the comparison that asks about rows at random


@dataclass(frozen=True)
class Measured:
    """One comparison: the version before, random questions in the same number, the version after; 95 % by bootstrap of rows."""

    rows: int
    before: float
    random: float
    after: float
    gain: tuple[float, float]  # interval of after - before
    over_random: tuple[float, float]  # and of after - random


def predicted(made: Round) -> dict[str, str]:
    """What the model in force, trained on this round's labels, says of its waiting rows: label by id."""
    data, model = _loaded(made, made.rows)
    part, ids = data.extras["part"], data.extras["id"].astype(str)
    said = model.fit(data.X[part == 0], data.y[part == 0]).predict_proba(data.X[part == 1]).argmax(axis=1)
    return {row: data.class_names[c] for row, c in zip(ids[part == 1].tolist(), said.tolist(), strict=True)}


def compare(made: Round, after: pd.DataFrame, arrivals: pd.DataFrame, asked: int) -> dict[str, Measured]:
    """``next``: macro-F1 on the arrivals; ``slice``: accuracy on their rare slice; ``regression``: macro-F1 on round 1's test.

    All models are the round's fixed model; the arrivals' labels are those of the label's column.
    """
    s = made.settings
    new = arrivals.assign(
        given=arrivals[s.label], part=WAITING, **{name: "" for name in BOOK if name not in ("given", "part")}
    )
    whole = pd.concat([after[after["part"] != WAITING], made.rows[~made.rows[s.id].isin(
        after.loc[after["part"] != WAITING, s.id])], new])  # fmt: skip
    data, model = _loaded(made, whole)
    place = {row: i for i, row in enumerate(data.extras["id"].astype(str).tolist())}
    code = {name: c for c, name in enumerate(data.class_names)}

    def training(rows: pd.DataFrame, more: Mapping[str, str]) -> dict[int, int]:
        """Position and label of every row that is trained on."""
        labels = dict(zip(rows[s.id], rows["given"], strict=True)) | dict(more)
        return {place[row]: code[label] for row, label in labels.items()}

    old, now = made.rows[made.rows["part"] == TRAIN], after[after["part"] == TRAIN]
    versions = [training(old, {}), training(now, {}), *(training(old, said) for said in at_random(made, asked, DRAWS))]
    targets = {"next": new[s.id].tolist(), "regression": _regression(made)}
    if s.slice:
        targets["slice"] = new.loc[new[s.slice[0]] == s.slice[1], s.id].tolist()
    true = dict(zip(whole[s.id], whole[s.label], strict=True))
    found = {}
    for name, ids in targets.items():
        if not ids:
            continue
        at = np.array([place[row] for row in ids])
        y = np.array([code[true[row]] for row in ids])
        found[name] = _compared(_predictions(data, model, versions, at), y, data.n_classes, exact=name == "slice",
                                fingerprint=f"{made.stem} {name}")  # fmt: skip
    return found


def _regression(made: Round) -> list[str]:
    rows = made.rows
    return [str(row) for row in rows.loc[(rows["part"] == TEST) & (rows["how"] == "first"), made.settings.id]]


def _loaded(made: Round, rows: pd.DataFrame) -> tuple[Dataset, FixedModel]:
    """These rows encoded as a round's data are (constants from the rows that are trained on), and the fixed model."""
    with tempfile.TemporaryDirectory(prefix="harness-round-") as folder:
        path = Path(folder) / "rows.csv"
        rows.to_csv(path, index=False, lineterminator="\n")
        settings = settings_of(made, path.name, label="given", part="part")
        data = settings.model_validate(settings.model_dump(), context={"root": Path(folder)}).load()
    challenge = load_challenge(made.challenges["find"], config_dir=made.root)
    return data, challenge.model.build(device="cpu", n_classes=data.n_classes)


def _predictions(data: Dataset, model: FixedModel, versions: Sequence[dict[int, int]], at: IntArray) -> IntArray:
    """Classes [versions, rows] that the fixed model says of these rows, trained on each version."""
    everywhere = sorted(set().union(*versions))
    column = {row: j for j, row in enumerate(everywhere)}
    weights, labels = (
        np.zeros((len(versions), len(everywhere)), np.float32),
        np.zeros((len(versions), len(everywhere)), np.int64),
    )
    for b, version in enumerate(versions):
        for row, label in version.items():
            weights[b, column[row]], labels[b, column[row]] = 1, label
    fitted = model.fit_many(data.X[everywhere], labels=labels, weights=weights)
    return fitted.predict(data.X[at])


def _compared(predictions: IntArray, y: IntArray, classes: int, *, exact: bool, fingerprint: str) -> Measured:
    def scores(items: Arrays, weights: FloatArray) -> FloatArray:
        """Score of every version under weights [r, n] of the rows: [r, versions]."""
        if exact:
            right = (items["said"] == items["y"][:, None]).astype(np.float64)
            share: FloatArray = weights @ right / weights.sum(axis=1, keepdims=True)
            return share
        return np.stack([metrics.macro_f1(items["y"], said, classes, weights) for said in items["said"].T], axis=1)

    def differences(against: slice) -> tuple[float, float]:
        def statistic(items: Arrays, weights: FloatArray) -> FloatArray:
            all_of_them = scores(items, weights)
            difference: FloatArray = all_of_them[:, 1] - all_of_them[:, against].mean(axis=1)
            return difference

        low, high = np.nanpercentile(replicates([items], statistic, fingerprint), [2.5, 97.5])
        return float(low), float(high)

    items = {"y": y, "said": np.ascontiguousarray(predictions.T)}
    plain = scores(items, np.ones((1, len(y)), np.float32))[0]
    return Measured(
        len(y),
        float(plain[0]),
        float(plain[2:].mean()),
        float(plain[1]),
        differences(slice(0, 1)),
        differences(slice(2, None)),
    )
