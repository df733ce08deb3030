"""A function in this process: given what a sandboxed one is given, scored as it is, on seeds that no board reports."""

from __future__ import annotations

import dataclasses
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from harness import evaluate, load_challenge, load_task
from harness.api import SelectionTask
from harness.errors import ProtocolError, Status, SubmissionError
from harness.evaluation import in_process
from harness.evaluation.bench import Bench
from harness.evaluation.cell import evaluate_cell, reference_cell
from harness.evaluation.practice import Practice
from harness.evaluation.task import PRACTICE_SEED, for_practice
from harness.evaluation.work import single_threaded
from harness.protocol import submission
from harness.protocol.view import view_of
from harness.tracking.runs import arrays_digest

Write = Callable[..., Path]
SMALL = ["seeds=2", "draws=1", "track.pool=60", "track.test=200", "track.budgets=[10]"]
SEEN = '''
import dataclasses
import hashlib

import numpy as np


def of(value):
    """One line for whatever a task holds, the same only for the same bits."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()} {value.flags.writeable}"
    if hasattr(value, "offsets"):
        return f"{of(value.data)} {of(value.offsets)} {value[0]!r}"
    if isinstance(value, np.random.Generator):
        return str([value.integers(1 << 60), value.normal(), value.spawn(1)[0].random()])
    return repr(value)


def seen(task):
    lines = [type(task).__name__]
    lines += [f"{f.name} {of(getattr(task, f.name))}" for f in dataclasses.fields(task) if f.name != "model"]
    X = getattr(task, "X", None)
    if getattr(task, "y", None) is not None:
        model = task.model
        lines.append(of(model.fit(X, task.y).predict_proba(X)))
        lines.append(repr(model.settings))
        left = getattr(task, "max_fits", None)
        if left is not None:
            try:
                model.fit_many(X, task.y, subsets=[np.delete(np.arange(len(X)), k) for k in range(left)])
                lines.append("no cap")
            except Exception as error:
                lines.append(f"{type(error).__name__} {error}")
    return "\\n".join(lines)
'''
ANSWERS = {
    "selection_digits": "return np.arange(task.budget)",
    "selection_text_subj": "return np.arange(task.budget)",
    "attribution_digits": "return np.ones((len(task.X_query), len(task.X))) * np.arange(len(task.X))",
    "selection_active_crowd_digits": (
        "free = np.setdiff1d(np.arange(len(task.X)), [*task.gold, *task.asked])[: task.money // task.prices[0]]\n"
        "    return free, np.zeros(len(free), int)"
    ),
}
OVERRIDES = {
    "selection_digits": SMALL,
    "selection_text_subj": ["draws=1", "track.pool=200", "track.test=200"],
    "attribution_digits": ["draws=1"],
    "selection_active_crowd_digits": ["draws=1", "track.rounds=2", "track.test=200"],
}


def _function(name: str) -> Any:
    space: dict[str, Any] = {}
    exec(f"{SEEN}\ndef answer(task):\n    {ANSWERS[name]}", space)
    return space


@pytest.mark.parametrize("name", ANSWERS)
def test_a_function_here_sees_and_scores_what_a_sandboxed_one_does(
    name: str, write_submission: Write, real_folder: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    if "text" in name:
        real_folder("nltk_text")
    challenge = load_challenge(name, OVERRIDES[name])
    kind = challenge.track_type.task
    source = f"{SEEN}\ndef answer(task):\n    print(seen(task))\n    {ANSWERS[name]}\n"
    entry = submission.load(write_submission("seer", source, track=kind.kind, function="answer"))
    bench = Bench.ready(for_practice(challenge), device="cpu")
    with single_threaded():  # as cells are evaluated
        sandboxed = evaluate_cell(bench, entry, PRACTICE_SEED)
        references = [reference_cell(bench, which, PRACTICE_SEED).cell.score for which in ("random", "skyline")]
    assert sandboxed.cell.status is Status.OK, sandboxed.cell.reason
    capsys.readouterr()
    here = evaluate(challenge, entry.folder, in_process=True, seeds=1, device="cpu")
    assert capsys.readouterr().out == sandboxed.log
    assert sandboxed.log.count(kind.__name__) == (2 if bench.track.rounds else 1)
    assert ("task.model was asked for" in sandboxed.log) == (name == "attribution_digits"), "capped as there"
    assert here.cells[0].result == sandboxed.cell.result
    assert here.cells[0].submission_fits == sandboxed.cell.submission_fits
    assert [here.floor, here.skyline] == pytest.approx(references, rel=1e-12)

    first = _function(name)["seen"](load_task(challenge, seed=PRACTICE_SEED))
    assert sandboxed.log.startswith(first)


def test_a_reported_seed_is_the_one_of_the_sandbox_too(write_submission: Write) -> None:
    source = f"{SEEN}\ndef select(task):\n    print(seen(task))\n    return [0]\n"
    entry = submission.load(write_submission("seer", source, track="selection", function="select"))
    challenge = load_challenge("selection_digits", SMALL)
    stored = evaluate_cell(Bench.ready(challenge, device="cpu"), entry, 1)
    space = _function("selection_digits")
    assert stored.log.rstrip("\n") == space["seen"](load_task("selection_digits", SMALL, seed=1))
    assert stored.log.rstrip("\n") != space["seen"](load_task("selection_digits", SMALL, seed=0))


def test_a_task_holds_its_view_and_nothing_else() -> None:
    challenge = load_challenge("selection_digits", SMALL)
    task, view = load_task(challenge, seed=0), view_of(challenge, 0)
    fields = {field.name: getattr(task, field.name) for field in dataclasses.fields(task)}
    assert isinstance(task, SelectionTask)
    assert set(vars(task)) == set(fields)
    with pytest.raises(ValueError, match="WRITEABLE"):
        task.X.setflags(write=True)
    given = {name: value for name, value in fields.items() if value is not None and name not in ("rng", "model")}
    assert set(given) == set(view.arrays) | set(view.scalars)
    assert not {"secret", "dataset", "key", "track"} & set(vars(task.model))


def test_practice_seeds_say_nothing_of_reported_ones() -> None:
    opened = load_challenge("selection_digits", SMALL)
    reported = {arrays_digest(view_of(opened, seed).arrays) for seed in range(opened.seeds)}
    secret = opened.model_copy(update={"secret": "0123456789abcdef0123456789abcdef"})
    practised = [evaluate(one, np_first, seeds=2, device="cpu") for one in (opened, secret)]
    assert practised[0].scores == practised[1].scores, "the secret must play no part"
    for seed in practised[0].scores:
        task = load_task(secret, seed=seed)
        assert arrays_digest({"X": task.X, "y": task.y}) not in reported
        assert arrays_digest({"X": task.X, "y": task.y}) == arrays_digest(
            {name: getattr(load_task(opened, seed=seed), name) for name in ("X", "y")}
        )
    assert min(practised[0].scores) > 1_000_100  # beyond those of a challenge (at most 1,000) and of a check


def np_first(task: Any) -> Any:
    return np.arange(task.budget)


def test_a_function_gets_a_score_with_all_that_belongs_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    challenge = load_challenge("selection_digits", [*SMALL, "draws=2"])

    def drawn(task: Any) -> Any:
        print("asked")
        return task.rng.permutation(len(task.X))[: task.budget]

    mine = evaluate(challenge, drawn, seeds=3, device="cpu")
    assert capsys.readouterr().out.count("asked") == 6, "two draws of three seeds"
    assert (mine.status, mine.isolation, mine.name) == (Status.OK, "in process", "drawn")
    assert [cell.seed for cell in mine.cells] == [PRACTICE_SEED + k for k in range(3)]
    assert mine.score is not None
    assert mine.score == pytest.approx(np.mean([cell.score for cell in mine.cells]))
    assert mine.ci95 is not None
    assert mine.ci95[0] < mine.score < mine.ci95[1]
    assert mine.floor is not None
    assert mine.skyline is not None
    assert mine.floor < mine.skyline
    assert [x for x, _ in mine.curve or ()] == [10, 20]
    baseline = evaluate(challenge, "random", in_process=True, seeds=3, device="cpu")
    gap = mine.compare(baseline)
    assert gap.seeds == tuple(mine.scores)
    assert gap.mean == pytest.approx(mine.score - (baseline.score or 0))
    figure = mine.plot(baseline, baseline)
    assert all(f">{name}<" in figure for name in ("drawn", "random", "random (2)", "floor", "skyline"))
    assert figure._repr_svg_() == figure
    assert "prefers-color-scheme" not in figure
    assert "not recorded, not ranked" in str(mine)
    assert list(tmp_path.iterdir()) == []


def test_without_a_curve_the_picture_has_intervals() -> None:
    result = evaluate("test_set_repair_digits", "random", in_process=True, seeds=1, device="cpu")
    assert result.metric in result.plot()
    assert result.plot().count("<circle") == 3


def test_what_a_function_raises_comes_out_as_it_is() -> None:
    challenge = load_challenge("selection_digits", SMALL)

    def broken(task: Any) -> Any:
        return 1 // (task.budget - 20)

    with pytest.raises(ZeroDivisionError) as raised:
        evaluate(challenge, broken, seeds=1)
    assert traceback.extract_tb(raised.value.__traceback__)[-1].name == "broken", "where pdb.pm() begins"
    assert raised.value.__notes__ == [
        f"On practice seed {PRACTICE_SEED} of selection_digits: harness.load_task(..., seed={PRACTICE_SEED}) is its task."
    ]


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda task: [0, 1, 1], r"indices\[2\]"),
        (lambda task: [0, 60], r"indices\[1\]"),
        (lambda task: np.arange(task.budget + 1), "20"),
        (lambda task: None, "returned None"),
        (lambda task: ["first"], "text"),
    ],
)
def test_what_breaks_a_rule_is_named_by_row(function: Any, said: str) -> None:
    with pytest.raises(SubmissionError, match=said):
        evaluate(load_challenge("selection_digits", SMALL), function, seeds=1)


def test_a_folder_is_loaded_anew_for_every_seed(write_submission: Write) -> None:
    source = """
import helper
calls = []
def select(task):
    calls.append(1)
    assert len(calls) == 1, "kept from another seed"
    return helper.rows(task)
"""
    folder = write_submission("mine", source, track="selection", function="select")
    (folder / "helper.py").write_text("def rows(task):\n    return list(range(task.budget))\n")
    challenge = load_challenge("selection_digits", SMALL)
    before, files = list(sys.path), sorted(folder.rglob("*"))
    first = evaluate(challenge, folder, in_process=True, seeds=2)
    assert first.scores == evaluate(challenge, np_first, seeds=2).scores
    (folder / "helper.py").write_text("def rows(task):\n    return list(range(2, task.budget))\n")
    assert evaluate(challenge, folder, in_process=True, seeds=1).cells[0].metrics["rows"] == 18, (
        "an edit counts at once"
    )
    assert "helper" not in sys.modules
    assert (sys.path, sorted(folder.rglob("*"))) == (before, files)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: evaluate("selection_digits", np_first, runs_dir="runs"), "runs_dir is for recorded runs"),  # type: ignore[call-overload]
        (lambda: evaluate("selection_digits", "random", seeds=2), "seeds is for evaluations in process"),  # type: ignore[call-overload]
        (lambda: evaluate("selection_digits", np_first, seeds=0), "whole number from 1 to 1000"),
        (lambda: evaluate("selection_digits", np_first, seeds=True), "whole number"),
        (lambda: evaluate("selection_digits", 3, seeds=1), "A submission is a function"),  # type: ignore[call-overload]
        (lambda: evaluate(3, np_first), "A challenge is needed, got int"),  # type: ignore[call-overload]
        (lambda: evaluate("selection_digit", np_first), "selection_digit"),
        (lambda: evaluate("selection_digits", "knn_shapley", in_process=True), "not for selection challenges"),
        (lambda: load_task("selection_digits", seed=10), "has seeds 0 to 9"),
        (lambda: load_task("selection_digits", seed="0"), "got '0'"),  # type: ignore[arg-type]
        (lambda: load_task(load_challenge("selection_digits"), ["seeds=2"]), "come too late"),
    ],
)
def test_a_slip_is_one_paragraph(call: Callable[[], object], said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        call()


def test_a_secret_that_is_not_at_hand_is_said(tmp_path: Path) -> None:
    (tmp_path / "challenge").mkdir()
    (tmp_path / "challenge" / "won.yaml").write_text(
        yaml.safe_dump({"defaults": ["selection_digits", "_self_"], "secret_file": "won.secret"})
    )
    with pytest.raises(ProtocolError, match=r"won\.secret is not there.*bundle"):
        load_task("won", config_dir=tmp_path)


@pytest.mark.parametrize(("name", "one"), [("debugging_legacy_04hgtk", True), ("selection_digits", False)])
def test_a_protocol_with_one_split_is_known(name: str, one: bool, real_folder: Callable[[str], Path]) -> None:
    if one:
        real_folder("dataperf_debugging")
    assert in_process.same_view(in_process.bench_of(for_practice(load_challenge(name)), "cpu")) is one


def test_a_protocol_with_one_split_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process, "same_view", lambda bench: True)
    result = evaluate(load_challenge("selection_digits", SMALL), np_first, seeds=1)
    assert any("draws nothing by seed" in remark for remark in result.remarks)


def test_two_challenges_are_not_compared() -> None:
    small, other = (load_challenge("selection_digits", [*SMALL, f"model.C={C}"]) for C in (1, 10))
    results: list[Practice] = [evaluate(one, np_first, seeds=1) for one in (small, other)]
    with pytest.raises(ProtocolError, match="different challenges"):
        results[0].compare(results[1])


def test_markup_in_a_name_stays_text() -> None:
    def answer(task: Any) -> Any:
        return np.arange(task.budget)

    answer.__name__ = "<img src=x onerror=alert(1)>"
    shown = evaluate(load_challenge("selection_digits", SMALL), answer, seeds=1)._repr_html_()
    assert "<img src=x" not in shown
    assert "&lt;img src=x" in shown
