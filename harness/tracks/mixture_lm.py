"""Mixtures for language models: weigh the domains of a pool; the fixed model is trained on the mixture, so many bytes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from harness.api import FloatArray, IntArray, MixtureLmTask, Texts
from harness.errors import SubmissionError
from harness.tracks import checks
from harness.tracks.base import Arrays, Reference, Score, View
from harness.tracks.language import (
    LanguageKey,
    LanguageSettings,
    LanguageTrack,
    documents_of,
    gated,
    of_domain,
    within_budget,
)
from harness.tracks.leaks import LeakGate

SHARPER = 40  # the oracle's Dirichlet draws around the best mixture so far: this times its shares


class MixtureLmSettings(LanguageSettings):
    """See ``conf/track/mixture_lm.yaml``."""

    pool: int = Field(880, ge=1)
    budget: int = Field(150_000, ge=1)
    targets: tuple[str, ...] = ()
    validation: int = Field(40, ge=1)
    known: int = Field(64, ge=1, le=4096)
    concentration: float = Field(1.0, gt=0)
    oracle_rounds: int = Field(3, ge=0, le=100)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if len(set(self.targets)) < len(self.targets):
            raise ValueError(f"targets must be different ones, got {list(self.targets)}")
        return self


class MixtureLm(LanguageTrack[MixtureLmSettings, LanguageKey]):
    """Mean bits per byte on hidden documents of target domains, of the fixed model trained on a weighted mixture of others.

    Known are K mixtures that the fixed model was trained on and what each pays for other documents of the target domains, as
    RegMix gives them (Liu et al., ICLR 2025). A mixture is trained on document by document: at every point of the text
    the domains have had their shares of it as nearly as whole documents allow. A domain that runs out leaves its share to the
    others.
    """

    name = "mixture_lm"
    track = "selection"
    task = MixtureLmTask
    settings_class = MixtureLmSettings

    def prepare(self, seed: int) -> tuple[View, LanguageKey]:
        s, data, rng = self.settings, self.dataset, self.rng(seed, "split")
        texts, targets = documents_of(data, s.targets)
        _, sources = documents_of(data, s.domains)
        names = tuple(data.class_names[t] for t in targets)
        of = [of_domain(data, texts, int(t), s.test + s.validation, rng) for t in targets]
        hidden = texts[np.concatenate([rows[: s.test] for rows in of])]
        checked = texts[np.concatenate([rows[s.test : s.test + s.validation] for rows in of])]
        apart = np.concatenate([rows[: s.test + s.validation] for rows in of])
        gate, each = LeakGate(texts[apart]), -(-s.pool // len(sources))
        drawn = []
        for source in sources:
            rows = np.setdiff1d(of_domain(data, texts, int(source), 1, rng), apart)
            drawn.append(gated(gate, texts, rng.permutation(rows), each, f"domain {data.class_names[source]}"))
        pool = texts[np.concatenate([rows for rows, _ in drawn])]
        domain = np.repeat(np.arange(len(sources)), each)
        mixtures = rng.dirichlet(np.full(len(sources), s.concentration), s.known)
        of_target = LanguageKey(
            checked,
            np.repeat(np.arange(len(targets)), s.validation),
            names,
            domain,
            sum(leaks for _, leaks in drawn),
        )
        view = View(
            {"domain": domain, "mixtures": mixtures},
            {"n_classes": len(targets), "budget": s.budget},
            {
                "texts": pool,
                "domains": Texts.of(data.class_names[d] for d in sources),
                "targets": Texts.of(names),
            },
        )
        losses = [
            [score.metrics[f"bits_per_byte_{name}"] for name in names]
            for score in self._trained(mixtures, view, of_target, budgets=())
        ]
        key = replace(of_target, hidden=hidden, domain=np.repeat(np.arange(len(targets)), s.test))
        return replace(view, arrays={**view.arrays, "losses": np.array(losses)}), key

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        weights = checks.mixture(arrays["weights"], name="weights", length=view.arrays["mixtures"].shape[1])
        order = order_of(weights, view.arrays["domain"], view.texts["texts"])
        if not len(within_budget(order, view.texts["texts"], int(view.scalars["budget"]))):
            raise SubmissionError(
                f"weights: the first document of this mixture, {order[0]}, is over the budget of {view.scalars['budget']} bytes."
            )
        return {"weights": weights}

    def score(self, output: Arrays, view: View, key: LanguageKey, seed: int) -> Score:
        (score,) = self._trained(output["weights"][None], view, key)
        texts, domain = view.texts["texts"], view.arrays["domain"]
        trained = order_of(output["weights"], domain, texts)[: int(score.metrics["documents"])]
        size = np.bincount(domain[trained], np.diff(texts.offsets)[trained], minlength=len(view.texts["domains"]))
        shares = {
            f"share_{name}": float(share) for name, share in zip(view.texts["domains"], size / size.sum(), strict=True)
        }
        return replace(score, metrics={**score.metrics, **shares})

    def reference(self, which: Reference, view: View, key: LanguageKey, seed: int) -> Score:
        """``random``: the mean over ``floor_draws`` random mixtures. ``skyline``: the best of those known and, ``oracle_rounds``
        times, of as many around the best so far, told by the hidden documents. It is no bound.
        """
        rng, mixtures = self.rng(seed, which), view.arrays["mixtures"]
        if which == "random":
            alpha = np.full(mixtures.shape[1], self.settings.concentration)
            return self.mean(self._trained(rng.dirichlet(alpha, self.settings.floor_draws), view, key), key)
        best, least = mixtures[0], np.inf
        for round in range(self.settings.oracle_rounds + 1):
            tried = mixtures if round == 0 else rng.dirichlet(SHARPER * best + 0.05, len(mixtures))
            values = [score.value for score in self._trained(tried, view, key, budgets=())]
            if min(values) < least:
                best, least = tried[int(np.argmin(values))], min(values)
        return self.score({"weights": best}, view, key, seed)

    def _trained(
        self, mixtures: FloatArray, view: View, key: LanguageKey, budgets: tuple[int, ...] | None = None
    ) -> list[Score]:
        texts = view.texts["texts"]
        orders = [order_of(weights, view.arrays["domain"], texts) for weights in mixtures]
        return self.scores(orders, texts, key, budgets)


def order_of(weights: FloatArray, domain: IntArray, texts: Texts) -> IntArray:
    """Documents in the order in which a mixture is read: each starts when its domain's share has come to the bytes before it.

    Documents of a domain stand in the pool's order, those of weight 0 are not listed.
    """
    starts = np.zeros(len(domain))
    size = np.diff(texts.offsets).astype(np.float64)
    for d in range(len(weights)):
        rows = np.flatnonzero(domain == d)
        starts[rows] = np.cumsum(size[rows]) - size[rows]
    with np.errstate(divide="ignore", invalid="ignore"):
        due = starts / weights[domain]
    order: IntArray = np.lexsort((domain, due))
    return order[weights[domain[order]] > 0]
