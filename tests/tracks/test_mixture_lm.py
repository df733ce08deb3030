"""Mixtures for language models: the order in which a mixture is read, known losses and scores against trainings by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.api import Texts
from harness.errors import ProtocolError
from harness.tracks.language import within_budget
from harness.tracks.mixture_lm import order_of
from tests.tracks.helpers import bind
from tests.tracks.languages import bound, documents

SMALL: dict[str, Any] = {
    "domains": ("north", "south"),
    "targets": ("east", "west"),
    "pool": 90,
    "test": 10,
    "validation": 10,
    "budget": 6000,
    "known": 8,
}
RNG = np.random.default_rng(0)


def model_of(track: Any) -> Any:
    return track.model


def test_a_mixture_is_read_in_its_shares_at_every_point() -> None:
    """Against a reader that always takes the next document of the domain furthest behind its share."""
    texts = Texts.of(["x" * int(size) for size in RNG.integers(5, 30, 300)])
    size, domain = np.diff(texts.offsets), RNG.integers(0, 4, 300)
    for weights in (*RNG.dirichlet(np.ones(4), 20), np.array([0.5, 0, 0.5, 0]), np.array([0, 0, 0, 1.0])):
        queues = [list(np.flatnonzero(domain == d)) for d in range(4)]
        read, had = [], np.zeros(4)
        while any(queues[d] and weights[d] > 0 for d in range(4)):
            due = [had[d] / weights[d] if queues[d] and weights[d] > 0 else np.inf for d in range(4)]
            d = int(np.argmin(due))
            row = queues[d].pop(0)
            had[d] += size[row]
            read.append(row)
        assert order_of(weights, domain, texts).tolist() == read
        first = within_budget(np.array(read), texts, 800)
        shares = np.bincount(domain[first], size[first], minlength=4) / size[first].sum()
        assert np.abs(shares - weights).max() < 60 / 700  # two documents of 800 bytes


def test_known_losses_are_those_of_the_model_trained_and_tested_by_hand() -> None:
    track, data = bound("mixture_lm", **SMALL | {"validation": 50}), documents()  # all that are not hidden
    view, key = track.prepare(0)
    texts, domain = view.texts["texts"], view.arrays["domain"]
    everything = list(data.texts or ())
    hidden = list(key.hidden)
    for mixture, losses in zip(view.arrays["mixtures"], view.arrays["losses"], strict=True):
        read = within_budget(order_of(mixture, domain, texts), texts, 6000)
        fitted = model_of(track).fit(texts[read])
        for t, name in enumerate(SMALL["targets"]):
            checked = [
                text
                for text, y in zip(everything, data.y, strict=True)
                if data.class_names[y] == name and text not in hidden
            ]
            assert len(checked) == 50
            assert losses[t] == pytest.approx(fitted.bits_per_byte(Texts.of(checked)), abs=1e-12)
    assert view.arrays["losses"].shape == (8, 2)


def test_a_score_is_the_mean_of_the_targets_bits_per_byte() -> None:
    track = bound("mixture_lm", budgets=(2000, 4000), **SMALL)
    view, key = track.prepare(1)
    output = track.read_output({"weights": np.array([0.25, 0.75])}, view)
    score = track.score(output, view, key, 1)
    texts, domain = view.texts["texts"], view.arrays["domain"]
    order = order_of(output["weights"], domain, texts)
    by_hand = []
    for budget in (2000, 4000, 6000):
        fitted = model_of(track).fit(texts[within_budget(order, texts, budget)])
        of = [key.hidden[np.flatnonzero(key.domain == t)] for t in range(2)]
        by_hand.append(np.mean([fitted.bits_per_byte(one) for one in of]))
    assert score.value == pytest.approx(by_hand[-1], abs=1e-12)
    assert score.curve is not None
    assert score.curve[:, 1] == pytest.approx(by_hand, abs=1e-12)
    assert score.metrics["share_north"] == pytest.approx(0.25, abs=0.1)
    assert score.metrics["share_north"] + score.metrics["share_south"] == pytest.approx(1)


def test_nothing_hidden_or_measured_on_is_in_the_pool() -> None:
    track = bound("mixture_lm", **SMALL | {"domains": ("north", "east", "south"), "pool": 60})
    view, key = track.prepare(0)
    assert set(view.texts["texts"]).isdisjoint(key.hidden)
    assert "hidden" not in {*view.arrays, *view.texts}
    assert list(view.texts["domains"]) == ["north", "east", "south"]
    assert np.bincount(view.arrays["domain"]).tolist() == [20, 20, 20]


def test_the_skyline_is_not_worse_than_the_best_known_mixture() -> None:
    track = bound("mixture_lm", **SMALL)
    view, key = track.prepare(2)
    known = [track.score({"weights": weights}, view, key, 2).value for weights in view.arrays["mixtures"]]
    floor, skyline = (track.reference(which, view, key, 2).value for which in ("random", "skyline"))
    assert skyline <= min(known)
    assert floor > skyline


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"targets": ("east", "up")}, "made has no domain 'up'"),
        ({"domains": ("north", "up")}, "made has no domain 'up'"),
        ({"pool": 200}, "60 documents are left for domain north, 100 are asked for"),
        ({"validation": 70}, "made has 60 documents of domain east, 80 are asked for"),
    ],
)
def test_what_the_data_have_not_got(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        bound("mixture_lm", **SMALL | settings).prepare(0)


def test_the_shipped_challenge_measures_what_it_says(real_folder: Callable[[str], Path]) -> None:
    """No target domain is mixed, and text in French serves no English target: less of it is known to be better."""
    real_folder("nltk_text")
    track = bind("mixture_lm", "track.budgets=[]")
    view, key = track.prepare(0)
    assert set(view.texts["domains"]).isdisjoint(view.texts["targets"])
    foreign = view.arrays["mixtures"][:, -2:].sum(axis=1)
    assert np.corrcoef(foreign, view.arrays["losses"].mean(axis=1))[0, 1] > 0.5
    english = np.array([1, 1, 1, 1, 1, 1, 0, 0]) / 6
    scores = [track.score({"weights": w}, view, key, 0).value for w in (english, english[::-1])]
    assert scores[0] < scores[1] - 0.05
