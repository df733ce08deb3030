"""Names that belong to the harness's own rows, in whatever spelling."""

from __future__ import annotations

import pytest

from harness.protocol import submission
from harness.protocol.names import reserved, skeleton


@pytest.mark.parametrize(
    "name",
    [
        "reference-skyline", "Reference-Skyline", "reference_skyline", "referenceskyline", "REFERENCE.RANDOM",
        "reference-sky1ine", "refеrence-skyline", "ｒｅｆｅｒｅｎｃｅ-ｓｋｙｌｉｎｅ", "reférence-skyline", "reference\u200b-skyline",
        "random", "RAND0M", "rаndom", "rándom", "r-a-n-d-o-m", "rαndοm", "harness baselines", "Harness  Baselines", "harness",
    ],
)  # fmt: skip
def test_what_reads_like_a_row_of_the_harness(name: str) -> None:
    assert reserved(name)


@pytest.mark.parametrize(
    "name", ["my_method", "aum2", "randomized", "Nearest Neighbours", "skyline", "北京", "", "Łódź"]
)
def test_what_does_not(name: str) -> None:
    assert not reserved(name)


def test_every_shipped_baseline_has_its_name_to_itself() -> None:
    assert all(reserved(name) and reserved(name.upper()) for name in submission.shipped())


def test_names_of_one_look_are_one() -> None:
    assert skeleton("Modern 1") == skeleton("modem_l") == skeleton("MODERN-I")
    assert skeleton("First") != skeleton("Fist")
