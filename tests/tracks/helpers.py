"""What the sandbox does, in this process: build the task from a view, call the function, check what it returned."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from harness import api
from harness.paths import SUBMISSIONS_DIR
from harness.protocol import submission
from harness.protocol.compose import load_challenge
from harness.randomness import generator
from harness.tracks.base import Arrays, Score, Track, View


def bind(challenge: str, *overrides: str) -> Track[Any, Any]:
    """The protocol of a shipped challenge on the CPU, e.g. ``bind("debugging_digits", "track.train=100")``."""
    loaded = load_challenge(challenge, overrides)
    return loaded.load_track(loaded.load_dataset(), "cpu")


def cell(track: Track[Any, Any], name: str, seed: int = 0) -> Score:
    """One cell of a shipped baseline, without the sandbox."""
    view, key = track.prepare(seed)
    return track.score(run(track, view, key, baseline(track.task.kind, name), seed), view, key, seed)


def make_task(track: Track[Any, Any], view: View, seed: int = 0) -> Any:
    """The task of a view, with read-only arrays, the track's own model and a generator."""
    cls = track.task
    values: dict[str, Any] = {field.name: None for field in dataclasses.fields(cls)}
    values |= {name: _read_only(array) for name, array in view.arrays.items()} | dict(view.texts)
    return cls(**(values | dict(view.scalars) | {"rng": generator("test", seed, "algorithm"), "model": track.model}))


def baseline(task: str, name: str) -> Callable[..., Any]:
    """The function that a shipped submission's manifest names: the task, then constants of its own by keyword."""
    found = submission.load(SUBMISSIONS_DIR / task / name)
    assert found.track == task
    spec = importlib.util.spec_from_file_location(f"{task}_{name}", found.folder / f"{found.module}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    function: Callable[..., Any] = getattr(module, found.function)
    return function


def named(task: type[api.Task], returned: Any) -> Arrays:
    """What a function returned, under the names its task gives."""
    names = task.outputs
    if isinstance(returned, dict):
        return {name: np.asarray(returned[name]) for name in names}
    values = (returned,) if len(names) == 1 else returned
    return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def run(track: Track[Any, Any], view: View, key: Any, function: Callable[[Any], Any], seed: int = 0) -> Arrays:
    """The validated output of an algorithm on one view, all rounds of it."""
    task = make_task(track, view, seed)
    if not track.rounds:
        return track.read_output(named(track.task, function(task)), view)
    dialogue = track.dialogue(view, key, seed)
    for round in range(10_000):
        fields = dialogue.reply(round, named(track.task, function(task)))
        if fields is None:
            break
        given = {name: _read_only(np.asarray(array)) for name, array in fields.items()}
        task = dataclasses.replace(task, **{name: a if a.ndim else a.item() for name, a in given.items()})
    return track.read_output(dialogue.output(), view)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view
