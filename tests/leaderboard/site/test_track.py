"""A track's page: its profile against a loop over runs and against the suite's published one, leaders with their ties."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from harness.leaderboard.site import track
from harness.leaderboard.site.heat import by_track
from harness.tracks import track_class, track_names
from tests.leaderboard.site.made import Published, committed, harmless, nasty, some


def test_every_shipped_track_says_what_it_asks() -> None:
    assert {track_class(name).track for name in track_names()} == set(track.ASKED)
    assert track.asked("a_track_of_a_package", some("debugging_wine")) == "Find the wrong labels among 80 wines."


def test_the_profile_is_the_share_of_runs_above() -> None:
    boards = some("weighting_digits", "weighting_vendors_digits")
    found = track.computed(boards)
    assert found is not None
    assert found.challenges == ("weighting_digits", "weighting_vendors_digits")
    for name, shares in found.curves:
        for at in (0, 40, 100, 150, 199):
            parts = []
            for board in boards:
                mean = {r["submission"]: np.mean(list(r["seed_scores"].values())) for r in board["references"]}
                floor, skyline = mean["reference-random"], mean["reference-skyline"]
                scores = [list(r["seed_scores"].values()) for r in board["ranked"] if r["submission"] == name]
                runs = [(s - floor) / (skyline - floor) for s in (scores[0] if scores else [floor] * 10)]
                parts.append(sum(run > found.taus[at] for run in runs) / len(runs))
            assert shares[at] == pytest.approx(np.mean(parts))
    assert found.missing == ("source_accuracy",)
    means = [sum(shares) for _, shares in found.curves]  # areas: nothing lies below the grid
    assert means == sorted(means, reverse=True)


@pytest.mark.parametrize("name", ["debugging", "valuation"])
def test_it_agrees_with_what_the_suite_published(name: str) -> None:
    """The suite's own computation, from rows of runs, gives the same curves; the track's page shows those."""
    (suite,) = [suite for suite in committed().suites if suite["suite"] == name]
    challenges = [part["challenge"] for part in suite["challenges"]]
    computed, shown = track.computed(some(*challenges)), track.profile_of([], [suite])
    assert computed is not None
    assert shown is not None
    assert sorted(computed.challenges) == sorted(shown.challenges)
    np.testing.assert_allclose(computed.taus, shown.taus)
    theirs = dict(shown.curves)
    assert set(theirs) == {method for method, _ in computed.curves}
    for method, shares in computed.curves:
        np.testing.assert_allclose(shares, theirs[method], atol=1e-12)


def test_a_challenge_without_a_scale_has_no_profile() -> None:
    (board,) = some("debugging_wine")
    changes: list[dict[str, Any]] = [{"references": []}, {"references": board["references"][:1]}, {"ranked": []}]
    for change in changes:
        assert track.computed([{**board, **change}]) is None
        assert "<svg" not in track.body("debugging", Published(({**board, **change},)))


def test_leaders_are_the_rows_that_may_be_first() -> None:
    for name, boards in by_track(committed()).items():
        html = track.body(name, committed()).replace("<wbr>", "")
        table = html[html.index("<tbody>") : html.index("</tbody>")].split("<tr>")[1:]
        assert len(table) == len(boards)
        for line in table:
            (board,) = [b for b in boards if f"<code>{b['challenge']}</code>" in line]
            first = [row["submission"] for row in board["ranked"] if row["rank_ci95"][0] == 1]
            assert first[0] in line
            assert ([int(n) for n in re.findall(r">(\d+) tied<", line)] or [1]) == [len(first)]
            assert f"{board['ranked'][0]['score']:.4f}" in line


def test_the_suite_ranks_on_its_tracks_page_and_others_fold() -> None:
    html = track.body("debugging", committed())
    (suite,) = [suite for suite in committed().suites if suite["suite"] == "debugging"]
    ranking = html[html.index("Suite ranking") : html.index("How often")]
    names = [re.sub("<.*?>", "", name) for name in re.findall(r'class="wide">(.*?)</th>', ranking)]
    assert names == [row["submission"] for row in suite["ranked"]]
    assert html.count("<summary>Another suite") == 2
    assert html.count("<svg") == 1
    assert "Agarwal et al." in html
    assert len(html.encode()) < 200_000


def test_an_unknown_track_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        track.body("nothing", committed())


def test_strangers_texts_are_text() -> None:
    assert harmless(track.body("debugging", nasty()))
    assert harmless(track.body("slicing", nasty()))
