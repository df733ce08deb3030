"""Targets for the attackers, and the table attack -> status per tier at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.redteam.targets import Targets, planted

TABLE = pytest.StashKey[dict[str, dict[str, str]]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = {}


@pytest.fixture(scope="session")
def table(pytestconfig: pytest.Config) -> dict[str, dict[str, str]]:
    """Attack -> tier -> status; printed at the end."""
    return pytestconfig.stash[TABLE]


@pytest.fixture(scope="session")
def targets() -> Iterator[Targets]:
    with planted() as found:
        yield found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    table = config.stash.get(TABLE, {})
    if not table:
        return
    tiers = sorted({tier for row in table.values() for tier in row})
    terminalreporter.section("red team: attack -> status per tier")
    terminalreporter.write_line("".join([f"{'attack':38}", *(f"{tier:28}" for tier in tiers)]))
    for attack, row in sorted(table.items()):
        terminalreporter.write_line("".join([f"{attack:38}", *(f"{row.get(tier, '-'):28}" for tier in tiers)]))
