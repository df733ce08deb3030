"""What competitions found in a round: the best run of each of its challenges, its answers as ids of rows, the best first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ProtocolError, Status
from harness.leaderboard.board import build
from harness.pipeline.rounds.state import Round
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.tracking.runs import RunsDir
from harness.tracks.base import Arrays


@dataclass(frozen=True)
class Found:
    """Rows by id, the most promising first, and the run that named them; ``claims``: the label claimed for each, if any."""

    run_id: str
    submission: str
    ids: tuple[str, ...]
    claims: Mapping[str, str]


def found(made: Round, runs_dir: Path, take: Mapping[str, str], uri: str | None = None) -> dict[str, Found]:
    """For every challenge of the round that has a ranked run (or one named in ``take``: kind -> run id): what it found.

    Boards are built as for publishing, so runs that were edited are refused.

    Raises
    ------
    ProtocolError: no runs of any of them, an unknown kind, a run that is not on that board, rows or votes that were edited.
    BoardRefused: something was edited.
    """
    if odd := sorted(set(take) - set(made.challenges)):
        raise ProtocolError(f"A round has no {odd[0]!r:.40}.", f"Its challenges: {', '.join(made.challenges)}.")
    if not Path(runs_dir).is_dir():
        raise ProtocolError(f"There is no runs directory {runs_dir}.", "--runs-dir names another one.")
    load_challenge(
        made.challenges["find"], config_dir=made.root
    ).load_dataset()  # refuses rows and votes that were edited
    answers = {}
    for kind, name in made.challenges.items():
        challenge = load_challenge(name, config_dir=made.root)
        run_id = _best(challenge, made, runs_dir, take.get(kind), uri)
        if run_id:
            answers[kind] = _read(kind, challenge, RunsDir(runs_dir), run_id)
    if not answers:
        raise ProtocolError(
            f"No challenge of round {made.number} of {made.name} has a ranked run in {runs_dir}: nothing was found yet.",
            f"harness run challenge={made.challenges['find']} submission=all --config-dir {made.root}",
        )
    return answers


def _best(challenge: Challenge, made: Round, runs_dir: Path, wanted: str | None, uri: str | None) -> str | None:
    if not any(name.startswith(f"{challenge.name}-") for name in RunsDir(runs_dir).run_ids()):
        if wanted:
            raise ProtocolError(f"{challenge.name} has no run {wanted:.80}.")
        return None
    digest = challenge.load_dataset().digest()
    board = build(challenge, digest, runs_dir, uri, config_dir=made.root, hidden=True)
    ranked = [row.run_id for row in board.ranked]
    if wanted and wanted not in ranked:
        raise ProtocolError(f"{wanted:.80} is no ranked run of {challenge.name}.", f"Ranked: {', '.join(ranked[:8])}.")
    return wanted or (ranked[0] if ranked else None)


def _read(kind: str, challenge: Challenge, runs: RunsDir, run_id: str) -> Found:
    dataset = challenge.load_dataset()
    track = challenge.load_track(dataset, device="cpu")
    ids = dataset.extras["id"].astype(str)
    answers = []
    for seed in range(challenge.seeds):
        cell = runs.read_cell(run_id, seed)
        if cell.cell.status is Status.OK:
            answers.append((ids[track.rows(seed)], cell.output))
    order, claims = _NAMED[kind](answers, dataset.class_names)
    return Found(run_id, runs.load_record(run_id).submission, tuple(order), claims)


_Answers = list[tuple[np.ndarray[Any, Any], Arrays]]


def _claimed(answers: _Answers, classes: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """Rows of a test set: those that most seeds name come first, with the label that most claim."""
    count: Counter[str] = Counter()
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for ids, output in answers:
        for row, label in zip(ids[output["indices"]].tolist(), output["labels"].tolist(), strict=True):
            count[row] += 1
            labels[row][classes[label]] += 1
    claims = {row: max(sorted(said), key=said.__getitem__) for row, said in labels.items()}
    return [row for row, _ in count.most_common()], claims


def _suspected(answers: _Answers, classes: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """Rows by their mean place over the seeds that saw them; one that a list leaves out comes behind all it has."""
    places: dict[str, list[float]] = defaultdict(list)
    for ids, output in answers:
        place = np.full(len(ids), len(output["indices"]), np.float64)
        place[output["indices"]] = np.arange(len(output["indices"]))
        for row, at in zip(ids.tolist(), (place / len(ids)).tolist(), strict=True):
            places[row].append(at)
    return sorted(places, key=lambda row: (float(np.mean(places[row])), row)), {}


def _bought(answers: _Answers, classes: tuple[str, ...]) -> tuple[list[str], dict[str, str]]:
    """Rows whose labels most seeds buy come first, among these the earlier bought."""
    said: dict[str, list[int]] = defaultdict(list)
    for ids, output in answers:
        for at, row in _rounds(ids, output):
            said[row].append(at)
    return sorted(said, key=lambda row: (-len(said[row]), float(np.mean(said[row])), row)), {}


def _rounds(ids: np.ndarray[Any, Any], output: Arrays) -> Iterator[tuple[int, str]]:
    for at, batch in enumerate(output["indices"]):
        yield from ((at, row) for row in ids[batch].tolist())


_NAMED = {"find": _claimed, "repair": _suspected, "buy": _bought}
