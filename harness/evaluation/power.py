"""Can a challenge tell methods apart? Judged before it opens, from its references and baselines."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import Status
from harness.evaluation.run import run_references, run_submission
from harness.evaluation.session import Session
from harness.protocol.catalogue import baseline_names
from harness.protocol.challenge import Challenge

_Z = 1.959964 + 0.841621  # two-sided 5 % test, power 80 %


def power(challenge: Challenge, runs_dir: Path) -> dict[str, Any]:
    """Run random, skyline and two baselines; say how far apart they are and what difference the board resolves.

    Separations are in standard errors of the paired difference over seeds: mean(d) / (sd(d) / sqrt(S)). The smallest
    difference resolved is that of a two-sided paired test at 5 % with power 80 %, from the median sd of all pairs.
    """
    session = Session.open(challenge, runs_dir=runs_dir)
    fitting = baseline_names(session.track.task.kind, challenge.track.left_out())
    others = [name for name in fitting if name not in (challenge.baseline, "random")]
    references = run_references(session)
    scores = {
        "random": {stored.cell.seed: stored.cell.score for stored in references.floor},
        "skyline": {stored.cell.seed: stored.cell.score for stored in references.skyline},
    }
    seconds: dict[str, float] = {}
    for name in [challenge.baseline, *others[:1]]:
        record = run_submission(session, name)
        if session.engine.stopped.is_set():
            raise KeyboardInterrupt
        seconds[name] = sum(cell.seconds.submission + cell.seconds.scoring for cell in record.cells)
        if record.status in (Status.OK, Status.SUSPICIOUS):
            scores[name] = {cell.seed: cell.score for cell in record.measured}
        elif record.status is Status.SKIPPED:
            return {"seeds measured": 0, "reason": record.reason}
    by_seed = {name: [of.get(seed) for seed in range(challenge.seeds)] for name, of in scores.items()}
    return summary({name: np.array(values, dtype=float) for name, values in by_seed.items()}, seconds)


def summary(scores: dict[str, np.ndarray[Any, Any]], seconds: dict[str, float]) -> dict[str, Any]:
    """The facts of :func:`power` from scores [S] by name; seeds on which one has none (nan) are left out."""
    scored = np.isfinite(np.stack(list(scores.values()))).all(axis=0)
    scores = {name: values[scored] for name, values in scores.items()}
    count = int(scored.sum())
    facts: dict[str, Any] = {"seeds measured": count}
    if count == 0:
        return facts
    facts |= {f"{name}, mean": round(float(values.mean()), 4) for name, values in scores.items()}
    deviations = []
    for a, b in combinations(scores, 2):
        difference = scores[b] - scores[a]
        deviation = float(difference.std(ddof=1)) if len(difference) > 1 else math.nan
        deviations.append(deviation)
        error = deviation / math.sqrt(len(difference))
        apart = round(float(difference.mean()) / error, 1) if error > 0 else None  # None: nothing varies, or one seed
        facts[f"{b} - {a}, standard errors"] = apart
    resolved = _Z * float(np.median(deviations)) / math.sqrt(count)
    facts["smallest difference resolved"] = round(resolved, 4) if math.isfinite(resolved) else None
    facts |= {f"{name}, seconds of work a run": round(value, 1) for name, value in seconds.items()}
    if math.isfinite(resolved) and {"random", "skyline"} <= scores.keys():
        facts["verdict"] = verdict(abs(float((scores["skyline"] - scores["random"]).mean())), resolved)
    return facts


def verdict(gap: float, resolved: float) -> str:
    """One sentence for the organiser: what share of the way from random to skyline the board resolves."""
    share = f"a difference of {resolved / gap:.0%} of the way from random to skyline" if gap > 0 else ""
    if gap <= resolved:
        return "too weak: it would not tell random from the skyline. More test rows, more seeds or more noise help."
    if resolved > gap / 3:
        return f"tells only large differences: {share} is found four times in five. More seeds or test rows help."
    return f"tells methods apart: {share} is found four times in five."
