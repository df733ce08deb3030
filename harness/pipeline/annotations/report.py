"""How far the annotators of a file agree, in plain facts: what ``harness annotations report`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any

import numpy as np

from harness.api import FloatArray, IntArray
from harness.pipeline.annotations import agreement, consensus, kappa
from harness.pipeline.annotations.ballots import NOBODY, OTHER, Ballots, Cast

MOST_PAIRS = 1000  # listed: those with the most shared items
Facts = dict[str, Any]


def report(votes: Ballots, truth: Mapping[str, str] | None = None, gold: Mapping[str, str] | None = None) -> Facts:
    """All figures of a file of votes as JSON values; what is undefined is None, and ``undefined`` says why.

    Parameters
    ----------
    truth: label by item, which consensus labels are held against (``majority_accuracy``, ``dawid_skene_accuracy``).
    gold: label by item, which single annotators are held against; default: the file's own gold, else ``truth``.
    """
    cast, counts, cast_on = votes.cast, votes.counts, votes.voted[votes.voted > 0]
    why: dict[str, str] = {}
    facts: Facts = {
        "items": len(cast_on),
        "annotators": None if cast is None else len(np.unique(cast.annotator)),
        "labels": int(counts.sum()),
        "classes": list(votes.classes),
        "votes_per_item": {"least": int(cast_on.min()), "most": int(cast_on.max())},
        "alpha": _plain(agreement.alpha(counts)),
        "alpha_ci95": None,
        "fleiss": _plain(agreement.fleiss(counts[votes.voted > 0])),
        "cohen_mean": None,
    }
    interval = agreement.alpha_interval(counts)
    facts["alpha_ci95"] = None if interval is None else [_plain(end) for end in interval]
    if facts["alpha"] is None:
        why["alpha"] = _no_alpha(votes)
    if facts["fleiss"] is None:
        why["fleiss"] = _no_fleiss(**facts["votes_per_item"])
    facts["pairs"], facts["pairs_total"], facts["pairs_undefined"] = [], 0, 0
    if cast is None:
        why["cohen_mean"] = "counts do not say who voted"
    else:
        facts |= _pairs(cast, counts, why)
    facts["notes"] = list(votes.notes)
    known = votes.coded(gold) if gold is not None else votes.gold
    if truth is not None:
        coded = votes.coded(truth)
        facts |= _consensus(votes, coded, why)
        facts["notes"] += _about_truth(votes, coded, len(truth))
        known = known if (known != NOBODY).any() else coded
    facts["per_annotator"] = [] if cast is None else per_annotator(cast, counts, known)
    facts["per_class"] = _per_class(votes)
    facts["per_round"] = [{"round": name, **_of_round(each, why)} for name, each in votes.rounds.items()]
    facts["undefined"] = why
    return facts


def per_annotator(cast: Cast, counts: IntArray, gold: IntArray) -> list[Facts]:
    """Every annotator with votes: how many, agreement with the majority of the others' votes, accuracy on gold items [n]."""
    people = len(cast.annotators)
    votes = np.bincount(cast.annotator, minlength=people)
    known = gold[cast.item]
    compared, agreed = _means(cast.annotator, consensus.with_others(cast, counts), people)
    marked, right = _means(cast.annotator, np.where(known == NOBODY, np.nan, known == cast.label), people)
    said = np.zeros((people, counts.shape[1]), bool)
    said[cast.annotator, cast.label] = True
    return [
        {
            "annotator": cast.annotators[p], "votes": int(votes[p]), "compared": int(compared[p]),
            "agreement": _plain(agreed[p]), "gold": int(marked[p]), "accuracy": _plain(right[p]),
            "labels_used": int(said[p].sum()),
        }
        for p in np.flatnonzero(votes).tolist()
    ]  # fmt: skip


def _means(group: IntArray, values: FloatArray, size: int) -> tuple[IntArray, FloatArray]:
    """How many values that are not NaN every group has, and their mean."""
    there = ~np.isnan(values)
    count = np.bincount(group[there], minlength=size)
    with np.errstate(invalid="ignore"):
        return count, np.bincount(group[there], values[there], minlength=size) / count


def _pairs(cast: Cast, counts: IntArray, why: dict[str, str]) -> Facts:
    pairs = kappa.pairwise(cast, *counts.shape)
    if pairs is None:
        why["cohen_mean"] = "there are more than 30 million pairs of annotators"
        return {}
    undefined = int(np.isnan(pairs.kappa).sum())
    if not len(pairs.kappa):
        why["cohen_mean"] = "no two annotators share an item"
    elif undefined == len(pairs.kappa):
        why["cohen_mean"] = "every pair says one and the same label alone on the items it shares (0/0)"
    elif undefined:
        why["pairs"] = (
            f"{undefined} of {len(pairs.kappa)} pairs say one and the same label alone on their shared items (0/0)"
        )
    listed = zip(pairs.first[:MOST_PAIRS], pairs.second[:MOST_PAIRS], pairs.shared, pairs.kappa, strict=False)
    return {
        "cohen_mean": _plain(pairs.mean),
        "pairs_total": len(pairs.kappa),
        "pairs_undefined": undefined,
        "pairs": [
            {"a": cast.annotators[a], "b": cast.annotators[b], "shared": int(shared), "kappa": _plain(value)}
            for a, b, shared, value in listed
        ],
    }


def _consensus(votes: Ballots, truth: IntArray, why: dict[str, str]) -> Facts:
    found: Facts = {
        "majority_accuracy": _plain(consensus.accuracy(consensus.majority(votes.counts), truth, votes.voted))
    }
    found |= {"dawid_skene_accuracy": None, "dawid_skene_iterations": None}
    if found["majority_accuracy"] is None:
        why["majority_accuracy"] = why["dawid_skene_accuracy"] = "no item with a vote has a truth"
    elif votes.cast is None:
        why["dawid_skene_accuracy"] = "counts do not say who voted"
    else:
        model = consensus.dawid_skene(votes.cast, *votes.counts.shape)
        shares = consensus.most_probable(model.posterior)
        found["dawid_skene_accuracy"] = _plain(consensus.accuracy(shares, truth, votes.voted))
        found["dawid_skene_iterations"] = model.iterations
    return found


def _about_truth(votes: Ballots, truth: IntArray, given: int) -> list[str]:
    here = int(((truth != NOBODY) & (votes.voted > 0)).sum())
    said = [f"{here} of {int((votes.voted > 0).sum())} items have a truth."]
    if given > here:
        said.append(f"{given - here} items of the truth have no vote and are passed over.")
    if (other := int((truth == OTHER).sum())) > 0:
        said.append(f"The truth of {other} items is a label that nobody voted for.")
    return said


def _per_class(votes: Ballots) -> list[Facts]:
    total = votes.counts.sum(axis=0)
    said, rest = agreement.per_class(votes.counts)
    return [
        {
            "label": name, "votes": int(total[c]), "share": float(total[c] / total.sum()),
            "agreement": _plain(said[c]), "alpha": _plain(rest[c]),
        }
        for c, name in enumerate(votes.classes)
    ]  # fmt: skip


def _of_round(votes: Ballots, why: dict[str, str]) -> Facts:
    cast = votes.cast
    assert cast is not None  # counts have no rounds
    alpha = _plain(agreement.alpha(votes.counts))
    if alpha is None:
        why["per_round"] = f"alpha of a round: {_no_alpha(votes)}"
    _, agreed = _means(np.zeros(len(cast), np.int64), consensus.with_others(cast, votes.counts), 1)
    return {
        "labels": len(cast), "items": int((votes.voted > 0).sum()), "annotators": len(np.unique(cast.annotator)),
        "alpha": alpha, "agreement": _plain(agreed[0]),
    }  # fmt: skip


def _no_alpha(votes: Ballots) -> str:
    if not (votes.voted > 1).any():
        return "no item has two votes"
    return "all votes that can be compared are one label"


def _no_fleiss(least: int, most: int) -> str:
    if least != most:
        return f"items have {least} to {most} votes, and Fleiss' kappa is of equal numbers; Krippendorff's alpha is not"
    return "items have one vote each" if most < 2 else "all votes are one label"


def _plain(value: float) -> float | None:
    return None if isnan(value) else float(value)
