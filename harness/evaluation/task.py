"""What a submission's function is given, made in this process: for notebooks and for functions still being written.

Field by field what a sandboxed cell hands over: the view of the seed, ``task.rng`` from the same entropy, and the fixed
model on the CPU, with the same cap on what it may train. No key is part of it, nor any way back to one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness import plugins, randomness
from harness.api import Texts
from harness.errors import ProtocolError
from harness.evaluation import draws
from harness.protocol.challenge import Challenge
from harness.protocol.compose import DEFAULT_CHALLENGE, load_challenge
from harness.tracks.base import Array, Arrays, Track, View

PRACTICE_SEED = 2_000_000
"""The first seed for practice: far beyond those that any challenge reports, and those that a check draws."""


def load_task(
    challenge: Challenge | str = DEFAULT_CHALLENGE,
    overrides: Sequence[str] = (),
    config_dir: Path | str | None = None,
    *,
    seed: int = 0,
) -> Any:
    """What a submission's function is given on one seed: a task of :mod:`harness.api`, bit for bit. Never the key.

    Of a protocol in rounds (``selection_active``, ``flywheel``, ...) it is the task of the first round; the later ones
    depend on what is returned, and ``evaluate(challenge, function)`` plays them all.

    Parameters
    ----------
    challenge: name of a challenge, or what :func:`harness.load_challenge` returned.
    overrides, config_dir: as for :func:`harness.load_challenge`, where a name is given.
    seed: 0 to ``challenge.seeds`` - 1, or a seed for practice, from ``2_000_000`` on (``.cells`` of a practice run name them).

    Raises
    ------
    ProtocolError: no such challenge or seed, data or secret that are not on this machine, nothing to measure on the seed.
    """
    challenge = challenge_of(challenge, overrides, config_dir)
    if isinstance(seed, int) and seed >= PRACTICE_SEED:
        challenge = for_practice(challenge)
    elif not isinstance(seed, int) or not 0 <= seed < challenge.seeds:
        raise ProtocolError(
            f"{challenge.name} has seeds 0 to {challenge.seeds - 1}, got {seed!r}.",
            f"Seeds from {PRACTICE_SEED} on are for practice.",
        )
    track = challenge.load_track(challenge.load_dataset(), device="cpu")
    return task_of(challenge, track, track.prepare(seed)[0], seed)


def challenge_of(
    challenge: Challenge | str, overrides: Sequence[str] = (), config_dir: Path | str | None = None
) -> Challenge:
    """The challenge of a name, or the one that is given. Raises ProtocolError where it is neither."""
    if isinstance(challenge, str):
        return load_challenge(challenge, overrides, config_dir)
    if not isinstance(challenge, Challenge):
        raise ProtocolError(
            f"A challenge is needed, got {type(challenge).__name__}.",
            "Pass its name, or what harness.load_challenge(name, overrides, config_dir) returns.",
        )
    if overrides or config_dir:
        raise ProtocolError(
            f"{challenge.name} is composed already, so overrides and config_dir come too late.",
            "Give them to harness.load_challenge, or pass the challenge's name.",
        )
    return challenge


def for_practice(challenge: Challenge) -> Challenge:
    """The same protocol under the open secret, whatever its own is: no split of it says anything of a secret one."""
    return challenge.model_copy(update={"secret": randomness.OPEN_SECRET, "lock": None, "modified": True})


def task_of(challenge: Challenge, track: Track[Any, Any], view: View, seed: int, draw: int = 0) -> Any:
    """The task of a view: read-only copies of its arrays, an own generator and a model of its own."""
    with plugins.said(type(challenge.model), "fixed model"):
        model = challenge.model.build(device="cpu", n_classes=track.dataset.n_classes)
    model.allowed = view.scalars.get("max_fits")
    entropy = randomness.seed_sequence(challenge.secret, seed, draws.purpose(draw)).generate_state(8).tolist()
    fields: dict[str, Any] = {field.name: None for field in dataclasses.fields(track.task)}
    fields |= dict(view.scalars) | {name: _sealed(array) for name, array in view.arrays.items()}
    fields |= {name: Texts(_sealed(texts.data), _sealed(texts.offsets)) for name, texts in view.texts.items()}
    fields |= {"rng": np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy))), "model": model}
    return track.task(**fields)


def next_round(task: Any, fields: Arrays) -> Any:
    """The task with what the harness replaces in it for the next round; numbers are arrays without an axis."""
    given: Mapping[str, Any] = {name: np.asarray(array) for name, array in fields.items()}
    return dataclasses.replace(task, **{name: _sealed(a) if a.ndim else a.item() for name, a in given.items()})


def _sealed(array: Array) -> Array:
    """A copy that not even ``setflags`` makes writable, as the sandbox's mapped files are."""
    array = np.asarray(array)
    if array.size:
        return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)
    empty = np.empty(array.shape, array.dtype)
    empty.setflags(write=False)
    return empty
