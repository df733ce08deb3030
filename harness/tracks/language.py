"""What the protocols of language models share: an order of documents, its first bytes trained on, hidden documents paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, TypeVar

import numpy as np
from pydantic import Field, model_validator

from harness.api import FloatArray, IntArray, LanguageModel, Texts
from harness.data.base import Dataset
from harness.errors import ProtocolError, SubmissionError
from harness.tracks import checks
from harness.tracks.base import Arrays, Score, Settings, Track, View
from harness.tracks.leaks import LeakGate

LARGEST = 10_000_000  # bytes of a document


class LanguageSettings(Settings):
    """Settings of all of them: see ``conf/track/selection_lm.yaml``."""

    pool: int = Field(2500, ge=1)
    test: int = Field(40, ge=1)
    budget: int = Field(300_000, ge=1)
    budgets: tuple[int, ...] = ()
    floor_draws: int = Field(5, ge=1, le=100)
    domains: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if any(not 0 < b < self.budget for b in self.budgets) or list(self.budgets) != sorted(set(self.budgets)):
            raise ValueError(f"budgets must rise and lie below budget {self.budget}, got {list(self.budgets)}")
        if len(set(self.domains)) < len(self.domains):
            raise ValueError(f"domains must be different ones, got {list(self.domains)}")
        return self


@dataclass(frozen=True)
class LanguageKey:
    """What stays hidden: documents of the target domains, and what the pool's documents are."""

    hidden: Texts  # [m] none of them blank
    domain: IntArray  # [m] target domain of each, 0..T-1
    groups: tuple[str, ...]  # [T] what each is called beside the score; several may have one name
    kind: IntArray  # [n] what each document of the pool is: a target domain or a kind of dirt, -1 or 0 for neither
    dropped: int  # documents that the leak gate kept out of the pool


S = TypeVar("S", bound=LanguageSettings)
K = TypeVar("K", bound=LanguageKey)


class LanguageTrack(Track[S, K]):
    """Mean over the target domains of bits per byte on hidden documents, of the fixed model trained on the documents chosen.

    Documents are taken in the order returned, whole, until the first that does not fit into the budget. Where ``budgets``
    are pinned, the shorter prefixes are scored as well: the curve.
    """

    metric = "bits_per_byte"
    direction: ClassVar[Literal["max", "min"]] = "min"
    learns: ClassVar[Literal["rows", "documents"]] = "documents"
    curve_axes = ("bytes trained on", "bits per byte")
    model: LanguageModel  # type: ignore[assignment]

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        texts, budget = view.texts["texts"], int(view.scalars["budget"])
        order = checks.indices(arrays["indices"], name="indices", n=len(texts), at_most=len(texts))
        if not len(within_budget(order, texts, budget)):
            size = len(texts.encoded(int(order[0])))
            raise SubmissionError(
                f"indices[0] is document {order[0]} of {size} bytes, over the budget of {budget}; documents are taken whole and "
                "in this order, so nothing can be trained on.",
                "Leave documents out that are longer than task.budget.",
            )
        return {"indices": order}

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        """Mean over domains of weighted bits over weighted bytes; a domain that is not drawn leaves the mean."""
        weights = np.asarray(weights, np.float64)
        of = items["domain"][:, None] == np.unique(items["domain"])  # [m, T]
        bits, size = weights @ (of * items["bits"][:, None]), weights @ (of * items["bytes"][:, None])
        rate = np.divide(bits, size, out=np.full(size.shape, np.nan), where=size > 0)
        mean: FloatArray = np.nanmean(rate, axis=1)
        return mean

    def suspicious_above(self, skyline: float) -> float:
        """Below nine tenths of the skyline: which of the good documents are learned from makes a difference as well.

        All of them, many times the budget, come to about .94 of it in ``selection_lm``.
        """
        return 0.9 * skyline

    def scores(
        self, orders: Sequence[IntArray], texts: Texts, key: K, budgets: tuple[int, ...] | None = None
    ) -> list[Score]:
        """Each order of documents of ``texts`` scored at the budget; the curve of each at ``budgets``, by default those pinned."""
        s = self.settings
        steps = (*(s.budgets if budgets is None else budgets), s.budget)
        chosen = [within_budget(order, texts, budget) for order in orders for budget in steps]
        used = np.unique(np.concatenate(chosen))
        fitted = self.model.fit_many(texts[used], subsets=[np.searchsorted(used, one) for one in chosen])
        bits = fitted.bits(key.hidden).reshape(len(orders), len(steps), -1)
        found = []
        for i in range(len(orders)):
            items = {"bits": bits[i, -1], "bytes": np.diff(key.hidden.offsets), "domain": key.domain}
            ones = np.ones((1, len(key.domain)))
            curve = [
                (b, self.statistic({**items, "bits": cost}, ones)[0]) for b, cost in zip(steps, bits[i], strict=True)
            ]
            secondary = {f"bits_per_byte_at_{b:.0f}": float(value) for b, value in curve[:-1]}
            for name in dict.fromkeys(key.groups):
                of = np.isin(key.domain, [t for t, group in enumerate(key.groups) if group == name])
                group = {item: values[of] for item, values in items.items()}
                secondary[f"bits_per_byte_{name}"] = float(self.statistic(group, np.ones((1, of.sum())))[0])
            trained = chosen[(i + 1) * len(steps) - 1]
            secondary["bytes"] = float(np.diff(texts.offsets)[trained].sum())
            secondary["documents"] = float(len(trained))
            secondary["pool_leaks"] = float(key.dropped)
            found.append(Score(float(curve[-1][1]), items, secondary, np.array(curve, np.float64)))
        return found

    def floor(self, view: View, key: K, seed: int) -> Score:
        """The mean over ``floor_draws`` random orders."""
        texts, rng = view.texts["texts"], self.rng(seed, "random reference")
        orders = [rng.permutation(len(texts)) for _ in range(self.settings.floor_draws)]
        return self.mean(self.scores(orders, texts, key), key)

    def mean(self, drawn: Sequence[Score], key: K) -> Score:
        """The mean of several draws' scores."""
        items = dict(drawn[0].items) | {"bits": np.mean([score.items["bits"] for score in drawn], axis=0)}
        return Score.mean(drawn, float(self.statistic(items, np.ones((1, len(key.domain))))[0]), items)


def within_budget(order: IntArray, texts: Texts, budget: int) -> IntArray:
    """The first documents of the order whose bytes add up to at most ``budget``: none after the first that does not fit."""
    total = np.cumsum(np.diff(texts.offsets)[order])
    return order[: np.searchsorted(total, budget, side="right")]


def documents_of(dataset: Dataset, names: Sequence[str] = ()) -> tuple[Texts, IntArray]:
    """The data set's documents, and the classes [k] of these names (of none: all).

    Raises ProtocolError where the data are no text, a document is larger than ``LARGEST``, or a name is not among its classes.
    """
    if dataset.texts is None:
        raise ProtocolError(
            f"{dataset.name} has no documents; language models learn from text.", "nltk_documents and `text` have some."
        )
    sizes = np.diff(dataset.texts.offsets)
    if (sizes > LARGEST).any():
        i = int(np.argmax(sizes > LARGEST))
        raise ProtocolError(
            f"Document {i} of {dataset.name} has {sizes[i] / 1e6:.0f} MB; documents of up to {LARGEST / 1e6:.0f} MB are compared "
            "with hidden ones.",
            "Cut it into documents a reader would call one.",
        )
    unknown = [name for name in names if name not in dataset.class_names]
    if unknown:
        raise ProtocolError(
            f"{dataset.name} has no domain {unknown[0]!r}; it has {', '.join(dataset.class_names)}.",
            "See track.domains.",
        )
    wanted = names or dataset.class_names
    return dataset.texts, np.array([dataset.class_names.index(name) for name in wanted], np.int64)


def written(texts: Texts, rows: IntArray) -> IntArray:
    """Those of the rows whose document is not blank."""
    return np.array([row for row in rows if texts.encoded(int(row)).strip()], np.int64)


def of_domain(dataset: Dataset, texts: Texts, domain: int, least: int, rng: np.random.Generator) -> IntArray:
    """Rows of a domain in random order, blank documents left out. Raises ProtocolError where they are fewer than ``least``."""
    rows = rng.permutation(written(texts, np.flatnonzero(dataset.y == domain)))
    if len(rows) < least:
        raise ProtocolError(
            f"{dataset.name} has {len(rows)} documents of domain {dataset.class_names[domain]}, {least} are asked for.",
            "Lower track.test or track.samples, or choose other domains.",
        )
    return rows


def gated(gate: LeakGate, texts: Texts, rows: IntArray, wanted: int, what: str) -> tuple[IntArray, int]:
    """The first ``wanted`` of the rows whose documents are not blank and pass the gate; how many did not pass.

    Raises ProtocolError where fewer are left.
    """
    kept, dropped, start = np.empty(0, np.int64), 0, 0
    while len(kept) < wanted and start < len(rows):
        stop = start + wanted - len(kept)
        part = written(texts, rows[start:stop])
        leaks = gate.leaks(texts[part])
        kept, dropped, start = np.concatenate([kept, np.delete(part, leaks)]), dropped + len(leaks), stop
    if len(kept) < wanted:
        raise ProtocolError(
            f"{len(kept)} documents are left for {what}, {wanted} are asked for: {dropped} repeat hidden ones.",
            "Lower track.pool, track.test or track.samples.",
        )
    return kept, dropped
