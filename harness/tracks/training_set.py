"""Training-set creation: make a training set from few, dirty, imbalanced rows; the fixed model learns from it alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import FloatArray, IntArray, Task, TrainingSetTask
from harness.data import noise
from harness.data.base import Dataset
from harness.errors import ProtocolError, SubmissionError
from harness.models.base import FixedModel
from harness.randomness import OPEN_SECRET
from harness.tracks import checks, fidelity, metrics
from harness.tracks.base import Array, Arrays, Reference, Score, Settings, Track, View, texts_of
from harness.tracks.distances import nearest, within
from harness.tracks.drawing import apart, draw
from harness.tracks.sources import Source, rows_of

_SPREAD = 1.25  # copy radii are drawn from copy_distance to this times as much


class TrainingSetSettings(Settings):
    """See ``conf/track/training_set.yaml``."""

    raw: int = Field(300, ge=0)
    validation: int = Field(0, ge=0)
    test: int = Field(600, ge=0)
    raw_from: Source = "any"
    validation_from: Source = "any"
    test_from: Source = "any"
    cap: int = Field(600, ge=1)
    imbalance: float | None = Field(0.1, gt=0, le=1)
    noise: float = Field(0.3, ge=0, lt=1)
    duplicates: float = Field(0.1, ge=0, lt=1)
    all_classes: bool = True
    copy_distance: float = Field(0.25, ge=0, lt=1)
    skyline: Literal["clean", "test"] = "clean"

    def left_out(self) -> frozenset[str]:
        return frozenset(() if self.validation else ("X_val", "y_val"))

    @model_validator(mode="after")
    def _whole_or_made(self) -> Self:
        if self.raw == 0 and (self.imbalance is not None or self.duplicates):
            raise ValueError("raw 0 takes all rows as they are: imbalance must then be null and duplicates 0")
        return self


@dataclass(frozen=True)
class TrainingSetKey:
    """What stays hidden: the test set, clean rows for the skyline, and what counts as a copy of a test row."""

    X_test: FloatArray  # [m, ...]
    y_test: IntArray  # [m]
    X_clean: FloatArray  # [p, ...] every row that is neither tested on nor shown for validation
    y_clean: IntArray  # [p] true labels
    radius: FloatArray  # [m] how near to each test row a row is a copy of it


class TrainingSet(Track[TrainingSetSettings, TrainingSetKey]):
    """Macro-F1 on hidden rows of the fixed model trained on the set handed in.

    Any mix of kept, relabelled, augmented and synthetic rows, at most ``cap``. Whether the model takes a fixed number
    of gradient updates or goes to its optimum is the model's own setting; the view tells the algorithm (``updates``).
    """

    name = "training_set"
    track = "training_set"
    task: ClassVar[type[Task]] = TrainingSetTask
    metric = "macro_f1"
    transferable = True
    tie_break = "accuracy"
    scorer_version = 2  # copy radii are drawn from the secret
    settings_class = TrainingSetSettings

    def __init__(self, settings: TrainingSetSettings, dataset: Dataset, model: FixedModel, secret: str) -> None:
        super().__init__(settings, dataset, model, secret)
        if settings.all_classes and settings.cap < dataset.n_classes:
            raise ProtocolError(
                f"{settings.cap} rows cannot have one of each of the {dataset.n_classes} classes of {dataset.name}.",
                f"Raise track.cap to {dataset.n_classes}, or set track.all_classes to false.",
            )

    def prepare(self, seed: int) -> tuple[View, TrainingSetKey]:
        s, data = self.settings, self.dataset
        rng = self.rng(seed, "split")
        test = self._draw(rows_of(data, s.test_from), s.test, rng)
        if not len(test):
            raise ProtocolError(f"{data.name} has no rows in {s.test_from} to test on.", "See track.test_from.")
        left = apart(data, rows_of(data, s.validation_from), test)
        validation = self._draw(left, s.validation, rng) if s.validation else left[:0]
        pool = apart(data, rows_of(data, s.raw_from), np.concatenate([test, validation]))
        raw = self._raw_rows(pool, rng)
        y = self._given_labels(data.y[raw], seed)
        X = data.X[raw]

        # A test row that the data themselves also show to the algorithm would make honest sets look like copies.
        gap = nearest(data.X[test], np.concatenate([X, data.X[validation]]))
        test, gap = test[gap > 0], gap[gap > 0]
        if not len(test):
            raise ProtocolError(f"Every test row of {data.name} is also among the raw rows.")
        # Without the secret nobody can tell how far a test row must be moved to pass.
        radius = s.copy_distance * self.rng(seed, "copies").uniform(1, _SPREAD, len(gap)) * gap

        arrays: dict[str, Array] = {"X": X, "y": y}
        if s.validation:
            arrays |= {"X_val": data.X[validation], "y_val": data.y[validation]}
        scalars: dict[str, int | float | str] = {
            "n_classes": data.n_classes,
            "budget": s.cap,
            "low": float(X.min()),
            "high": float(X.max()),
            "updates": int(getattr(getattr(self.model, "settings", None), "updates", 0)),
        }
        key = TrainingSetKey(data.X[test], data.y[test], data.X[pool], data.y[pool], radius)
        return View(arrays, scalars, texts_of(data, texts=raw, texts_val=validation)), key

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        s, scalars = self.settings, view.scalars
        X = checks.finite(arrays["X"], name="X", shape=(None, *view.arrays["X"].shape[1:]))
        if len(X) > s.cap:
            raise SubmissionError(f"X has {len(X)} rows, over the cap of {s.cap}; row {s.cap} is one too many.")
        X = X.astype(np.float32)
        low, high = np.float32(scalars["low"]), np.float32(scalars["high"])
        bad = np.argwhere(X.clip(low, high) != X)
        if len(bad):
            at = ", ".join(map(str, bad[0]))
            raise SubmissionError(
                f"X[{at}] is {X[tuple(bad[0])]}; values must lie between task.low = {low} and task.high = {high}.",
                "Clip the rows: numpy.clip(X, task.low, task.high).",
            )
        y = checks.labels(arrays["y"], name="y", length=len(X), n_classes=int(scalars["n_classes"]))
        missing = np.setdiff1d(np.arange(int(scalars["n_classes"])), y)
        if s.all_classes and len(missing):
            names = ", ".join(f"{c} ({self.dataset.class_names[c]})" for c in missing[:10])
            raise SubmissionError(
                f"y has no row of class {names}; the fixed model needs at least one row of every class.",
                "Keep a row of each class.",
            )
        return {"X": X, "y": y}

    def score(self, output: Arrays, view: View, key: TrainingSetKey, seed: int) -> Score:
        """Raises SubmissionError if a row copies a hidden test row: the same bytes, or nearer by far than any raw row."""
        X, y = output["X"], output["y"]
        refuse_copies(X, key.X_test, key.radius, say_which=self.secret == OPEN_SECRET)
        score = self._train_and_test(X, y, key)
        return replace(score, metrics={**score.metrics, **self._fidelity(X, y, view, key, score.value, seed)})

    def _fidelity(
        self, X: FloatArray, y: IntArray, view: View, key: TrainingSetKey, value: float, seed: int
    ) -> dict[str, float]:
        """What synthetic rows are like, and the score less that of the same set without them. No part of the score."""
        raw = view.arrays["X"].astype(np.float32)
        kept = fidelity.known(X, raw)
        drawn = self.rng(seed, "fidelity").permutation(len(key.X_clean))[: fidelity.REAL_ROWS]
        density, coverage = fidelity.density_and_coverage(key.X_clean[drawn], X[~kept])
        gain = 0.0 if kept.all() else float("nan")
        if kept.any() and not kept.all():
            gain = value - self._train_and_test(X[kept], y[kept], key).value
        return {
            "synthetic_rows": float((~kept).sum()),
            "synthetic_gain": gain,
            "density": density,
            "coverage": coverage,
            "copy_rate": float(fidelity.copies(X, raw).mean()),
        }

    def reference(self, which: Reference, view: View, key: TrainingSetKey, seed: int) -> Score:
        """``random``: as many raw rows, drawn with replacement. ``skyline``: all clean rows, whatever the cap.

        Where nobody has cleaned the data set's labels (``skyline: test``), the oracle learns the test rows as well.
        """
        X, y = view.arrays["X"], view.arrays["y"]
        if which == "skyline":
            if self.settings.skyline == "clean":
                return self._train_and_test(key.X_clean, key.y_clean, key)
            both = np.concatenate([X, key.X_test]), np.concatenate([y, key.y_test])
            return self._train_and_test(*both, key)
        drawn = self.rng(seed, "random reference").integers(len(y), size=min(len(y), self.settings.cap))
        return self._train_and_test(X[drawn], y[drawn], key)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        return metrics.macro_f1(items["y_true"], items["y_pred"], self.dataset.n_classes, weights)

    def suspicious_above(self, skyline: float) -> float:
        """Half-way between the skyline and 1: augmented and synthetic rows may honestly beat a clean pool.

        The oracle that has learned the test rows is a bound; there it is the skyline itself.
        """
        return skyline if self.settings.skyline == "test" else (1 + skyline) / 2

    def _train_and_test(self, X: FloatArray, y: IntArray, key: TrainingSetKey) -> Score:
        predicted = self.model.fit(X, y).predict(key.X_test)
        items, ones, classes = (
            {"y_true": key.y_test, "y_pred": predicted},
            np.ones((1, len(predicted))),
            self.dataset.n_classes,
        )
        secondary = {
            "accuracy": float(np.mean(predicted == key.y_test)),
            "balanced_accuracy": float(np.nanmean(metrics.recall(key.y_test, predicted, classes))),
            "rows": float(len(y)),
        }
        per_class = metrics.per_class_f1(key.y_test, predicted, classes, ones)[0]
        for name, f1 in zip(self.dataset.class_names, per_class, strict=True):
            secondary["f1_" + metrics.named(name)] = float(f1)
        return Score(float(self.statistic(items, ones)[0]), items, secondary)

    def _draw(self, rows: IntArray, size: int, rng: np.random.Generator) -> IntArray:
        """``size`` of the rows (0: all), classes in their proportions."""
        (drawn,) = draw(self.dataset, rows, (size or len(rows),), rng)
        return drawn

    def _raw_rows(self, pool: IntArray, rng: np.random.Generator) -> IntArray:
        """Rows to hand out, some repeated; a seeded order of classes decides which of them are scarce."""
        s = self.settings
        repeats = round(s.duplicates * s.raw)
        if s.imbalance is None:
            kept = self._draw(pool, s.raw - repeats if s.raw else 0, rng)
        else:
            counts = class_counts(s.raw - repeats, s.imbalance, self.dataset.n_classes)
            drawn = []
            for c, count in zip(rng.permutation(self.dataset.n_classes), counts, strict=True):
                rows = np.flatnonzero(self.dataset.y[pool] == c)
                if len(rows) < count:
                    raise ProtocolError(
                        f"{self.dataset.name} has {len(rows)} rows of class {c} left, {count} are asked for.",
                        "Lower track.raw or track.test, or raise track.imbalance.",
                    )
                drawn.append(pool[rng.permutation(rows)[:count]])
            kept = np.concatenate(drawn)
        shown: IntArray = rng.permutation(np.concatenate([kept, kept[rng.integers(len(kept), size=repeats)]]))
        return shown

    def _given_labels(self, y: IntArray, seed: int) -> IntArray:
        """The labels as handed out: a share flipped, but every class that has rows keeps a label."""
        rng, classes = self.rng(seed, "noise"), self.dataset.n_classes
        given = noise.uniform_flips(y, self.settings.noise, classes, rng)
        for c in np.setdiff1d(y, given):
            given[rng.choice(np.flatnonzero(y == c))] = c
        if self.settings.all_classes and len(np.unique(given)) < classes:
            missing = np.setdiff1d(np.arange(classes), given)[0]
            raise ProtocolError(f"No raw row is of class {missing}, yet every class is needed.", "Raise track.raw.")
        return given


def class_counts(n: int, imbalance: float, n_classes: int) -> IntArray:
    """Rows per class [C], largest first, adding up to n: geometric from 1 down to ``imbalance``, at least one each."""
    share = imbalance ** (np.arange(n_classes) / max(n_classes - 1, 1))
    ideal = share / share.sum() * n
    counts: IntArray = np.maximum(np.floor(ideal), 1).astype(np.int64)
    if counts.sum() > n:
        raise ProtocolError(f"{n} distinct raw rows are too few for {n_classes} classes at imbalance {imbalance}.")
    counts[np.argsort(counts - ideal, kind="stable")[: n - counts.sum()]] += 1
    return counts


def refuse_copies(X: FloatArray, hidden: FloatArray, radius: FloatArray, *, say_which: bool) -> None:
    """Raise SubmissionError if rows of X [n, ...] copy hidden rows, saying which and how many only if told to.

    A copy has the bytes of a hidden row [m, ...], or lies within ``radius`` [m] of it. Where the test rows are secret
    a position, or a number of copies, would say which of many guesses are among them.
    """
    X, hidden = (np.asarray(rows, np.float32) + 0.0 for rows in (X, hidden))  # adding 0 turns -0 into 0
    known = {row.tobytes() for row in hidden}
    copies = within(X, hidden, radius) | np.array([row.tobytes() in known for row in X])
    if copies.any():
        which = f"X[{copies.argmax()}], first of {copies.sum()}," if say_which else "At least one row of X"
        raise SubmissionError(
            f"{which} copies a hidden test item: the two are equal or nearly so.",
            "Train on the rows of the task and on what you make of them; no other source may hold the test items.",
        )
