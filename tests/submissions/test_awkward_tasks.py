"""Every shipped baseline on tasks with an awkward property: each returns what its track's read_output accepts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness import api
from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from harness.protocol import submission
from harness.tracks.base import Track, View
from harness.tracks.crowd import consensus
from harness.tracks.selection_active_crowd import Purse
from tests.tracks.helpers import baseline, named

C = 4
TRACKS = {
    "selection": "selection:Selection",
    "debugging": "debugging:Debugging",
    "debugging_correct": "debugging_correct:DebuggingCorrect",
    "slicing": "slicing:Slicing",
    "valuation": "valuation:Valuation",
    "training_set": "training_set:TrainingSet",
    "distillation": "distillation:Distillation",
    "test_set": "test_set:TestSet",
    "test_set_repair": "test_set_repair:TestSetRepair",
    "selection_active": "selection_active:SelectionActive",
    "selection_active_crowd": "selection_active_crowd:SelectionActiveCrowd",
    "flywheel": "flywheel:Flywheel",
    "selection_pairs": "selection_legacy_vision:SelectionLegacyVision",
    "valuation_sets": "valuation_sets:ValuationSets",
    "acquisition": "acquisition:Acquisition",
    "annotation": "annotation:Annotation",
    "weighting": "weighting:Weighting",
    "cleaning": "cleaning:Cleaning",
    "mixture": "mixture:Mixture",
    "attribution": "attribution:Attribution",
}
SHORT: dict[str, dict[str, int]] = {  # baselines whose cost is all in their number of fits
    "tmc_shapley": {"orders": 3},
    "beta_shapley": {"orders": 3},
    "banzhaf": {"fits": 60},
    "ame": {"fits": 60},
    "data_oob_trees": {"trees": 60},
}
FEW = {
    "dcgan_balance": {"STEPS": 10},
    "gradient_boosting": {"TREES": 40},
}  # the same, where the number is a constant of the file


def data(kind: str, n: int) -> tuple[Any, Any]:
    """X [n, d] float32 and y [n] in 0..3 with the property that ``kind`` names."""
    rng = np.random.default_rng(3)
    y = np.arange(n) % C
    X = rng.normal(size=(n, 6)) + 2 * np.eye(C, 6)[y]
    match kind:
        case "a class is absent":
            y[y == 1] = 2
        case "a class has one row":
            y[y == 1] = 2
            y[1] = 1
        case "one class":
            y[:] = 2
        case "constant features":
            X[:, 1:] = 3.0
        case "equal rows":
            X[:] = 1.0
        case "two distinct rows":
            X = X[np.arange(n) % 2]
        case "three distinct rows":
            X = X[np.arange(n) % 3]
        case "huge values":
            X *= 1e6
        case "more features than rows":
            X = np.concatenate([X, rng.normal(size=(n, 500))], axis=1)
        case "an image":
            X = np.concatenate([X, rng.normal(size=(n, 10))], axis=1).reshape(n, 4, 4)
    return X.astype(np.float32), y.astype(np.int64)


KINDS = (
    "nothing", "few rows", "a class is absent", "a class has one row", "one class", "constant features", "equal rows",
    "two distinct rows", "three distinct rows", "huge values", "more features than rows", "an image",
)  # fmt: skip


def views(task: str, kind: str, model: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:  # noqa: C901 - a table of kinds, a branch each
    """Arrays and scalars of some tasks: budgets of one row and of all, validation of one row and none."""
    n = 4 if kind == "few rows" else 30
    X, y = data(kind, n)
    X_val, y_val = data(kind, 12)
    rows = {"X": X, "y": y}
    proba, proba_val = (model.fit(X, y).predict_proba(Z) for Z in (X, X_val))
    public = np.stack([proba, proba[:, [1, 0, 2, 3]]])
    match task:
        case "selection":
            for budget in (1, n // 2, n):
                for documents in (["" for _ in X], [" ".join(map("{:.0f}".format, row.ravel())) for row in X]):
                    group = np.arange(n) % 3 * (documents[0] != "")
                    yield rows | {"texts": api.Texts.of(documents), "group": group}, {"budget": budget}
        case "debugging":
            yield rows, {}
            for m in (1, 12):
                yield rows | {"X_val": X_val[:m], "y_val": y_val[:m]}, {}
        case "debugging_correct":
            for budget in (1, n):
                yield rows, {"budget": budget}
                yield rows | {"X_val": X_val[:1], "y_val": y_val[:1]}, {"budget": budget}
                yield rows | {"X_val": X_val, "y_val": y_val}, {"budget": budget}
        case "valuation":
            for m in (1, 12):
                yield rows | {"X_val": X_val[:m], "y_val": y_val[:m]}, {}
        case "attribution":
            for q, most in ((1, 1), (12, 20)):
                yield rows | {"X_query": X_val[:q], "y_query": y_val[:q]}, {"max_fits": most}
        case "slicing":
            for m, labels in (
                (1, y_val),
                (2, y_val),
                (12, y_val),
                (12, proba_val.argmax(axis=1)),
                (12, (y_val + 1) % C),
            ):
                shown = {"X_val": X_val[:m], "y_val": labels[:m], "proba_val": proba_val[:m]}
                for most in (1, 5):
                    yield shown | {"X_test": X, "proba_test": proba}, {"max_slices": most}
        case "training_set" | "distillation":
            for budget in (C, n, 2 * n):
                yield rows, {"budget": budget, "low": float(X.min()), "high": float(X.max()), "updates": 0}
        case "test_set":
            yield {"X": X, "public_proba": public}, {"budget": n, "class_floor": n // C}
        case "test_set_repair":
            for budget in (1, n):
                yield rows | {"public_proba": public}, {"budget": budget}
        case "selection_active":
            for start, batch in ((1, 1), (n // 2, n // 4)):
                yield {"X": X, "labelled": np.arange(start), "y_labelled": y[:start]}, {"batch": batch, "rounds": 2}
        case "selection_active_crowd":
            for start, money, prices in ((1, 3, [3]), (n // 2, min(7, n // 3), [1, 2, 5])):
                known = {"gold": np.arange(start), "y_gold": y[:start], "prices": np.array(prices)}
                none = np.empty(0, np.int64)
                asked = {
                    "asked": none,
                    "asked_of": none,
                    "votes": none,
                    "labelled": known["gold"],
                    "y_labelled": y[:start],
                }
                yield {"X": X} | known | asked, {"money": money, "rounds": 3}
        case "flywheel":
            none = np.empty(0, np.int64)
            for budget, failures in ((1, none), (n // 2, np.arange(2)), (n, none)):
                known = {"X_labelled": X_val, "y_labelled": y_val}
                yield known | {"X": X, "proba": proba, "failures": failures, "y_failures": failures}, {
                    "budget": budget, "rounds": 1
                }  # fmt: skip
        case "selection_pairs":
            examples, concept_of = np.array([0, 1, 2]), np.array([0, 1, 1])
            for budget in (4, n):
                yield (
                    {"X": X.reshape(n, -1), "examples": examples, "concept_of": concept_of},
                    {"n_concepts": 2, "budget": budget},
                )
        case "valuation_sets":
            base = max(n // 3, 2)
            yield rows | {"X": X[:base], "y": y[:base], "X_sets": X, "set_of": np.arange(n) % 3}, {"n_sets": 3}
            yield rows | {"X_sets": X, "set_of": np.zeros(n, np.int64)}, {"n_sets": 1}
        case "annotation":
            yield from crowds(X, y)
        case "weighting":
            alone = {"n_sources": 1, "by_source": False}
            yield rows, alone
            for m in (1, 12):
                clean = rows | {"X_val": X_val[:m], "y_val": y_val[:m]}
                yield clean, alone
                yield clean | {"source": np.arange(n) % 3}, {"n_sources": 3, "by_source": True}
        case "cleaning":
            yield table(X.reshape(n, -1), y, 0.0), {}
            yield table(X.reshape(n, -1), y, 0.4), {}
        case "mixture":
            X = X.reshape(n, -1)[
                :, : n + 10
            ]  # domains, still more of them than mixtures: laws are fitted in all of them
            losses = np.column_stack([X[:, 0], y]).astype(np.float64)
            names = {"domains": api.Texts.of(["d"]), "targets": api.Texts.of(["a", "b"])}
            for candidates in (X[:1], X):
                shares = {"mixtures": X, "candidates": candidates}
                yield shares | names | {"losses": losses}, {}
        case "acquisition":
            yield from markets(X.reshape(n, -1), y % 2)


def crowds(X: Any, y: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Nobody votes, one annotator alone, everybody agrees, nobody does, all is known; hard and soft."""
    n = len(y)
    item, annotator = (a.ravel() for a in np.meshgrid(np.arange(n), np.arange(3), indexing="ij"))
    for keep, label in (
        (item < 0, y[item]),
        (annotator == 0, y[item]),
        (item < n // 2, y[item]),
        (item >= 0, (item + annotator) % C),
    ):
        for gold in (np.arange(0), np.arange(n // 3), np.arange(n)):
            votes = {"item": item[keep], "annotator": annotator[keep], "label": label[keep]}
            for soft in (False, True):
                scalars = {"n_items": n, "n_annotators": 3, "soft": soft}
                yield votes | {"X": X, "gold": gold, "y_gold": y[gold]}, scalars


def table(X: Any, y: Any, gaps: float) -> dict[str, Any]:
    """Six columns, the last two of three levels; one number and one level column have nothing in them where there are gaps."""
    rng = np.random.default_rng(5)
    cells = X[:, :6].astype(np.float64)
    cells[:, 4:] = np.clip(np.abs(cells[:, 4:]), 0, 2).round()
    cells[rng.random(cells.shape) < gaps] = np.nan
    if gaps:
        cells[:, [0, 5]] = np.nan
    words = ["0", "1", "2"]
    raw = ["" if np.isnan(cell) else f"{cell:g}" for cell in cells.ravel()]
    return {
        "cells": cells,
        "missing": np.isnan(cells),
        "y": y,
        "is_category": np.arange(6) >= 4,
        "least": np.array([-np.inf] * 4 + [0.0] * 2),
        "most": np.array([np.inf] * 4 + [2.0] * 2),
        "first_level": np.array([0, 0, 0, 0, 0, 3, 6]),
        "allowed": np.array([True, True, False] * 2),
        "levels": api.Texts.of(words * 2),
        "names": api.Texts.of(list("abcdef")),
        "raw": api.Texts.of(raw),
    }


def markets(X: Any, y: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """One market of one seller, and two of five; everyone sells the same rows."""
    for k, s in ((1, 1), (2, 5)):
        shape = (k, s)
        few = np.resize(np.arange(len(X)), 5)
        edges = np.linspace(X.min(axis=0), X.max(axis=0) + 1, 11, axis=1)
        counts = np.stack([np.histogram(column, bins)[0] for column, bins in zip(X.T, edges, strict=True)])
        centred, signs = X - X.mean(axis=0), y - y.mean()
        length = np.sqrt((centred**2).sum(axis=0) * (signs**2).sum())
        correlation = (signs @ centred) / np.where(length > 0, length, 1)
        arrays = {
            "rows": np.full(shape, len(X)),
            "prices": np.linspace(1.0, 2.0, k * s).reshape(shape),
            "edges": edges,
            "histograms": np.broadcast_to(counts, (*shape, *counts.shape)),
            "correlations": np.broadcast_to(correlation, (*shape, X.shape[1])),
            "X_samples": np.broadcast_to(X[few], (*shape, *X[few].shape)),
            "y_samples": np.broadcast_to(y[few], (*shape, 5)),
        }
        for budget in (2.0, 1000.0):
            yield arrays, {"budget": budget, "n_classes": 2}


def bound(task: str, scalars: dict[str, Any]) -> Track[Any, Any]:
    """The track that reads the output, with no more settings than reading takes."""
    module, _, name = TRACKS[task].partition(":")
    track: Any = object.__new__(getattr(import_module(f"harness.tracks.{module}"), name))
    budget = scalars.get("budget")
    track.settings = SimpleNamespace(
        budget=budget,
        cap=budget,
        class_floor=scalars.get("class_floor"),
        all_classes=False,
        soft=scalars.get("soft"),
        by_source=scalars.get("by_source"),
    )
    track.dataset = SimpleNamespace(class_names=tuple("abcd"))
    made: Track[Any, Any] = track
    return made


def needs(task: str, name: str) -> tuple[str, ...]:
    return tuple(submission.load(SUBMISSIONS_DIR / task / name).needs)


BASELINES = [
    (task, path.parent.name) for task in TRACKS for path in sorted((SUBMISSIONS_DIR / task).glob("*/algorithm.py"))
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("task", "name"), BASELINES, ids=["/".join(pair) for pair in BASELINES])
def test_an_awkward_task_gets_a_valid_answer(task: str, name: str, kind: str) -> None:
    function, unmet = baseline(task, name), needs(task, name)
    function.__globals__.update(FEW.get(name, {}))
    for arrays, scalars in views(task, kind, load_model("logistic", device="cpu", n_classes=C)):
        if set(unmet) <= set(arrays):
            scalars = {"n_classes": C} | scalars
            fields: dict[str, Any] = {field.name: None for field in dataclasses.fields(api.TASKS[task])}
            model = load_model("logistic", device="cpu", n_classes=scalars["n_classes"])
            fields |= arrays | scalars | {"rng": np.random.default_rng(0), "model": model}
            output = answer(task, function, fields, SHORT.get(name, {}))
            bound(task, scalars).read_output(output, View(arrays, scalars))
    if task == "selection" and not {"y", "texts", "group"} & set(unmet):
        X, _ = data(kind, 10)
        hidden = {field.name: None for field in dataclasses.fields(api.SelectionTask)}
        given: Any = hidden | {"X": X, "budget": 10, "n_classes": C, "rng": np.random.default_rng(0)}
        assert sorted(function(api.SelectionTask(**given))) == list(range(10))


def answer(task: str, function: Any, fields: dict[str, Any], short: dict[str, int]) -> dict[str, Any]:
    """The named arrays of one cell, all rounds of it where the track has rounds."""
    if task == "selection_active_crowd":
        return questions(function, fields)
    if task == "flywheel":
        return {"indices": np.asarray(function(api.FlywheelTask(**fields)))[None]}
    if task != "selection_active":
        return dict(named(api.TASKS[task], function(api.TASKS[task](**fields), **short)))
    rounds = []
    for _ in range(fields["rounds"]):
        chosen = np.asarray(function(api.SelectionActiveTask(**fields)))
        rounds.append(chosen)
        labelled = np.concatenate([fields["labelled"], chosen])
        fields |= {"labelled": labelled, "y_labelled": labelled % C}
    return {"indices": np.stack(rounds)}


def questions(function: Any, fields: dict[str, Any]) -> dict[str, Any]:
    """All rounds of a crowd that always answers with class 2."""
    arrays = {name: fields[name] for name in ("X", "gold", "y_gold", "prices")}
    view = View(arrays, {"rounds": fields["rounds"], "money": fields["money"]})
    purse, ties = Purse(view), np.random.default_rng(0).random((len(fields["X"]), C))
    known = np.full(len(fields["X"]), -1)
    known[fields["gold"]] = fields["y_gold"]
    for round in range(fields["rounds"]):
        asked = named(api.SelectionActiveCrowdTask, function(api.SelectionActiveCrowdTask(**fields)))
        purse.pay(round, asked["indices"], asked["annotators"])
        votes = np.full(len(purse.rows), 2)
        rows, labels = consensus(purse.rows, purse.people, votes, known, ties, len(fields["prices"]))
        fields |= {"asked": purse.rows, "asked_of": purse.people, "votes": votes, "money": purse.money}
        fields |= {
            "labelled": np.concatenate([fields["gold"], rows]),
            "y_labelled": np.concatenate([fields["y_gold"], labels]),
        }
    return purse.history()
