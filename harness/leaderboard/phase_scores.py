"""The scores of a published board of a phase, computed again from the cells by whoever knows the secret."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import BenchmarkError
from harness.leaderboard.board import build
from harness.protocol.compose import load_challenge

_COMPARED = ("score", "ci95", "normalised", "normalised_ci95")


def phase_scores(plain: Mapping[str, Any], runs_dir: Path, config_dir: str) -> tuple[list[str], list[str]]:
    """What of a board's scores the cells do not give, and why they could not be computed: a sentence each.

    Rows that came later, or count no longer, are none of the board's; behind the Ladder scores depend on them, too.
    """
    phase = plain["phase"]
    if phase["ladder"]:
        return [], ["Its scores are steps of the Ladder, which later entries move: they were not computed again."]
    try:
        challenge = load_challenge(plain["challenge"], config_dir=config_dir)
        digest = challenge.load_dataset().digest()
        if challenge.fingerprint_under(digest, challenge.commitment(digest)) != plain["fingerprint"]:
            return [], [f"{config_dir} holds another version of the challenge, so its scores were not computed again."]
        board = build(challenge, digest, runs_dir, config_dir=config_dir, phase=phase["name"], hidden=True)
    except BenchmarkError as error:
        return [], [f"Its scores were not computed again: {error}"]
    now = {row.run_id: row for row in (*board.ranked, *board.references, *board.unranked)}
    found = []
    for row in (*plain["ranked"], *plain["references"]):
        here = now.get(row["run_id"])
        if here is None:
            continue
        for name in _COMPARED:
            said, given = row[name], getattr(here, name)
            if (said is None) != (given is None) or (
                said is not None and not np.allclose(said, given, rtol=1e-9, atol=1e-9)
            ):
                found.append(f"{row['run_id']}: {name} is {said}, its cells give {given}")
        seeds = {int(seed): score for seed, score in row["seed_scores"].items()}
        if seeds and not (
            seeds.keys() == here.seed_scores.keys() and all(np.isclose(seeds[s], here.seed_scores[s]) for s in seeds)
        ):
            found.append(f"{row['run_id']}: its cells give other scores of seeds")
    return found, []
