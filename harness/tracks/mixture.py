"""Mixture: predict how well language models do from the shares of domains they are trained on (RegMix's regression)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from harness.api import FloatArray, MixtureTask, Texts
from harness.data.regmix import Mixtures
from harness.errors import ProtocolError
from harness.tracks import checks
from harness.tracks.base import Arrays, Reference, Score, Settings, Track, View
from harness.tracks.metrics import rank_correlation
from harness.tracks.sources import rows_of


class MixtureSettings(Settings):
    """See ``conf/track/mixture.yaml``."""

    known: int = Field(128, ge=2)
    hidden: int = Field(0, ge=0)
    floor_draws: int = Field(10, ge=1, le=100)

    def left_out(self) -> frozenset[str]:
        return frozenset({"texts", "texts_val"})


@dataclass(frozen=True)
class MixtureKey:
    """What stays hidden: the losses of the candidates."""

    losses: FloatArray  # [m, t]


class Mixture(Track[MixtureSettings, MixtureKey]):
    """``spearman``: rank correlation of predicted and measured losses over the hidden mixtures, mean of the targets.

    Liu et al. (*RegMix: data mixture as regression for language model pre-training*, ICLR 2025) judge their regression so,
    target by target, and go on to train on the mixture with the least predicted loss. What that choice costs among the
    candidates is said beside it: ``regret``, the measured loss of the candidate predicted best less the least there is, mean of the
    targets, nats a token. Losses of mixtures that nobody trained are not known, so weights of one's own cannot be scored here.
    A constant prediction has rank correlation 0.
    """

    name = "mixture"
    track = "selection"
    task = MixtureTask
    metric = "spearman"
    curve_axes = ("target domain, in the order of the view", "Spearman correlation")
    settings_class = MixtureSettings

    def prepare(self, seed: int) -> tuple[View, MixtureKey]:
        data, s = self._mixtures(), self.settings
        trained, tested = rows_of(data, "train"), rows_of(data, "test")
        if s.known > len(trained) or s.hidden > len(tested):
            raise ProtocolError(
                f"{data.name} has {len(trained)} training and {len(tested)} test mixtures; {s.known} and {s.hidden} are asked for.",
                "Lower track.known or track.hidden.",
            )
        known = self.rng(seed, "known").permutation(trained)[: s.known]
        hidden = self.rng(seed, "hidden").permutation(tested)[: s.hidden or None]
        arrays = {"mixtures": data.X[known], "losses": data.losses[known], "candidates": data.X[hidden]}
        texts = {"domains": Texts.of(data.domains), "targets": Texts.of(data.targets)}
        return View(arrays, {"n_classes": data.n_classes}, texts), MixtureKey(data.losses[hidden])

    def read_output(self, arrays: Arrays, view: View) -> Arrays:
        shape = (len(view.arrays["candidates"]), view.arrays["losses"].shape[1])
        return {"losses": checks.finite(arrays["losses"], name="losses", shape=shape)}

    def score(self, output: Arrays, view: View, key: MixtureKey, seed: int) -> Score:
        items = {"predicted": output["losses"], "measured": key.losses}
        each = rank_correlation(output["losses"], key.losses, np.ones((1, len(key.losses))))[0]
        first = output["losses"].argmin(axis=0)
        regret = key.losses[first, np.arange(len(each))] - key.losses.min(axis=0)
        secondary = {"regret": float(regret.mean()), "least": float(each.min())}
        secondary |= {f"spearman_{view.texts['targets'][t]}": float(value) for t, value in enumerate(each)}
        curve = np.column_stack([np.arange(len(each)), each])
        return Score(float(self.statistic(items, np.ones((1, len(key.losses))))[0]), items, secondary, curve)

    def reference(self, which: Reference, view: View, key: MixtureKey, seed: int) -> Score:
        """``random``: losses of known mixtures, dealt out at random, mean over ``floor_draws``. ``skyline``: the losses themselves, 1.

        The losses of a second training run, the true limit of any prediction, are not published.
        """
        if which == "skyline":
            return self.score({"losses": key.losses}, view, key, seed)
        rng, known = self.rng(seed, "random reference"), view.arrays["losses"]
        scores = [
            self.score({"losses": known[rng.integers(len(known), size=len(key.losses))]}, view, key, seed)
            for _ in range(self.settings.floor_draws)
        ]
        items = {
            "predicted": np.stack([one.items["predicted"] for one in scores], axis=2),
            "measured": key.losses,
        }
        return Score.mean(scores, float(np.mean([one.value for one in scores])), items)

    def statistic(self, items: Arrays, weights: FloatArray) -> FloatArray:
        """Mean rank correlation; of the floor's ``predicted`` [m, t, draws] the mean over its draws."""
        predicted = items["predicted"].reshape(*items["measured"].shape, -1)
        each = [rank_correlation(one, items["measured"], weights).mean(axis=1) for one in np.moveaxis(predicted, 2, 0)]
        mean: FloatArray = np.mean(each, axis=0)
        return mean

    def suspicious_above(self, skyline: float) -> float:
        """.999: the answers are published, and the best regression here comes to .99 on all 512 known mixtures."""
        return min(skyline, 0.999)

    def _mixtures(self) -> Mixtures:
        if not isinstance(self.dataset, Mixtures):
            raise ProtocolError(
                f"{self.dataset.name} holds no trained mixtures; this protocol needs some.",
                "regmix is such a data set.",
            )
        return self.dataset
