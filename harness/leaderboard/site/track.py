"""A track's page: what it asks, its challenges and who leads them, all methods, its suites' rankings and profiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.leaderboard.site.heat import Boards, Plain, by_track, heat, key, page, protocol, template
from harness.leaderboard.site.pictures import HIGHLIGHTED, label, leads, profile
from harness.statistics.overall import Entry, NoScale, Panel, panel, scale
from harness.statistics.profiles import grid, profiles

ASKED = {
    "selection": "Choose the rows, labels or documents that the fixed model is trained on.",
    "debugging": "Find the wrong labels among the training rows, most suspicious first, or mend them.",
    "slicing": "Find the groups of rows on which a model fails.",
    "valuation": "Say what rows, sets of rows or purchases are worth to the model trained on them.",
    "training_set": "Make a training set: keep, relabel, augment, synthesise or distil rows.",
    "test_set": "Make a test set that breaks models unseen, or mend one that has wrong labels.",
    "annotation": "Make one label of what several annotators said.",
    "cleaning": "Repair the cells of a dirty table, and say which rows to learn from.",
    "weighting": "Give every training row, or every vendor of rows, its weight.",
}
"""What a track asks; of one that a package brought, its challenges' titles say it."""

_TAUS = (0.0, 0.25, 0.5, 0.75)
_FLOOR, _SKYLINE = "reference-random", "reference-skyline"


@dataclass(frozen=True)
class Profile:
    """Curves of the methods, best mean score first, over runs of certain challenges."""

    challenges: tuple[str, ...]
    taus: tuple[float, ...]
    curves: tuple[tuple[str, tuple[float, ...]], ...]
    missing: tuple[str, ...]  # methods without a row on one of the challenges, where they count as the floor


def title(track: str) -> str:
    """A track's name for a heading."""
    return track.replace("_", " ").capitalize()


def asked(track: str, boards: Sequence[Plain]) -> str:
    """What the track asks, in a sentence."""
    return ASKED.get(track) or "; ".join(str(board["title"]) for board in boards[:3]) + "."


def body(track: str, published: Boards) -> str:
    """The page's HTML from the JSON of the boards and suites. KeyError for a track without boards."""
    boards = by_track(published)[track]
    suites = [suite for suite in published.suites if suite["track"] == track and suite["ranked"]]
    suites.sort(key=lambda suite: (suite["suite"] != track, suite["suite"]))
    one, found = profile_of(boards, suites), heat(track, boards)
    return template("track.html").render(
        track=track,
        title=title(track),
        asked=asked(track, boards),
        map=found,
        challenges=[_summary(board) for board in found.boards],
        suites=[{**suite, "rows": [{**row, "label": label(row)} for row in suite["ranked"]]} for suite in suites],
        profile=one,
        picture=profile(one.curves, one.taus) if one else "",
        numbers=[(name, [_at(one.taus, shares, tau) for tau in _TAUS]) for name, shares in one.curves] if one else [],
        taus=_TAUS,
        highlighted=HIGHLIGHTED,
        pages={board["challenge"]: page(board) for board in boards},
    )


def _summary(board: Plain) -> dict[str, Any]:
    first = [row for row in board["ranked"] if leads(row)]
    names = [label(row) for row in first]
    return {
        "board": board,
        "best": board["ranked"][0] if board["ranked"] else None,
        "leaders": ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else ""),
        "tied": len(names),
    }


def profile_of(boards: Sequence[Plain], suites: Sequence[Mapping[str, Any]]) -> Profile | None:
    """The profile of the track's first suite as published, else that over the boards of its commonest protocol.

    A method missing on one of the challenges counts as the floor there, in both. None where nothing can be normalised.
    """
    if not suites:
        return computed(boards)
    suite = suites[0]
    missing = [label(row) for row in suite["ranked"] if any(place["missing"] for place in row["places"].values())]
    curves = tuple((label(row), tuple(row["profile"])) for row in suite["ranked"])
    return Profile(tuple(p["challenge"] for p in suite["challenges"]), tuple(suite["taus"]), curves, tuple(missing))


def computed(boards: Sequence[Plain]) -> Profile | None:
    """The profile over the boards of the commonest protocol, from the scores by seed in their JSON."""
    sizes = Counter(protocol(board) for board in boards if board["ranked"])
    chosen = [b for b in boards if b["ranked"] and sizes[protocol(b)] == max(sizes.values())]
    chosen = [b for b in chosen if protocol(b) == protocol(chosen[0])]
    scales = {}
    for board in chosen:
        seeds = {row["submission"]: _seeds(row) for row in board["references"]}
        try:
            scales[page(board)] = scale(seeds.get(_FLOOR, {}), seeds.get(_SKYLINE, {}), str(board["direction"]))
        except NoScale:  # its scores cannot be put beside others
            continue
    rows = {(page(b), key(row)): row for b in chosen for row in b["ranked"] if page(b) in scales and _seeds(row)}
    owners = sorted({owner for _, owner in rows}, key=str)
    if not owners:
        return None
    entries = [Entry(challenge, str(owners.index(owner)), _seeds(row)) for (challenge, owner), row in rows.items()]
    panels = [panel(name, entries, [str(i) for i in range(len(owners))], on) for name, on in scales.items()]
    taus = grid(panels)
    shares, mean = profiles(panels, taus), _means(panels)
    names = {owner: label(row) for (_, owner), row in rows.items()}
    order = sorted(range(len(owners)), key=lambda i: (-round(mean[i], 12), names[owners[i]]))
    missing = np.any([p.missing for p in panels], axis=0)
    return Profile(
        tuple(scales),
        tuple(taus.tolist()),
        tuple((names[owners[i]], tuple(shares[i].tolist())) for i in order),
        tuple(names[owners[i]] for i in order if missing[i]),
    )


def _means(panels: Sequence[Panel]) -> list[float]:
    found: list[float] = np.mean([np.nanmean(p.values, axis=0) for p in panels], axis=0).tolist()
    return found


def _seeds(row: Plain) -> dict[int, float]:
    return {int(seed): float(score) for seed, score in (row["seed_scores"] or {}).items() if score is not None}


def _at(taus: Sequence[float], shares: Sequence[float], tau: float) -> float:
    """A profile's share at the grid's point nearest to tau."""
    return shares[min(range(len(taus)), key=lambda i: abs(taus[i] - tau))]
