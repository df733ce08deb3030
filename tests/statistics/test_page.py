"""docs/statistics.md says what its tables show."""

from __future__ import annotations

import pytest

from tests.statistics.simulation import binomial_bounds
from tests.statistics.tables import PAGE, TABLES, filled


def table(name: str) -> list[list[str]]:
    """Cells of a table's body."""
    _, found, after = PAGE.read_text(encoding="utf-8").partition(f"<!-- table {name} -->\n")
    assert found, f"docs/statistics.md has no table {name}"
    lines = [line.strip("| ").split(" | ") for line in after.split("<!-- end -->")[0].splitlines() if line]
    return lines[2:]


@pytest.mark.parametrize("name", TABLES)
def test_every_table_stands_on_the_page_and_would_be_replaced(name: str) -> None:
    assert len(table(name)) >= 4
    page = filled(PAGE.read_text(encoding="utf-8"), name, "\nnew\n\n")
    assert page.count("\nnew\n") == 1
    assert page.count("<!-- table ") == len(TABLES)


def test_intervals_cover_93_to_97_percent_in_full() -> None:
    shares = [float(share) for row in table("coverage") for share in row[1:]]
    assert len(shares) == 12
    assert all(93 <= share <= 97 for share in shares)
    real = {row[0]: [float(share) for share in row[3:]] for row in table("real")}
    for submission in ("`dense_margin`", "`lowest_margin`"):
        assert all(93 <= share <= 97 for share in real[submission])


def test_family_wise_errors_are_2_to_6_percent_but_for_simulation_error() -> None:
    for rows, _, *shares, real, beside, _gaussian in table("errors"):
        low, high = binomial_bounds(0.05, 2000 if rows == "4" else 1000)
        assert all(100 * low <= float(share) <= 100 * high for share in (*shares, beside))
        assert float(real) <= 100 * high


def test_power_is_that_of_the_t_test_within_a_tenth() -> None:
    for _, _, ours, exact in table("power"):
        assert float(ours) == pytest.approx(float(exact), rel=0.1)


def test_rank_sets_cover() -> None:
    low, high = binomial_bounds(0.95, 1000)
    for means, _, share, _ in table("ranks"):
        assert 100 * low <= float(share) <= (100 if "3" in means else 100 * high)
