"""What a cell says of its own trainings, and what it is shown of the fixed model."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import Status
from harness.sandbox import run
from tests.sandbox.helpers import TIERS, job

pytestmark = pytest.mark.skipif(not TIERS, reason="no tier of isolation works here")


def test_a_cell_reports_its_fits_and_shows_the_settings_of_the_fixed_model(tmp_path: Path) -> None:
    source = """
        import numpy as np
        def select(task):
            settings = task.model.settings
            assert (settings.name, settings.C) == ("logistic", 1.0)
            try:
                settings.C = 2.0
            except Exception:
                task.model.fit(task.X, task.y)
                task.model.fit_many(task.X, task.y, weights=task.rng.random((6, len(task.y))))
            return np.arange(5)
    """
    outcome = run(job(tmp_path / "s", source), TIERS[0])
    assert outcome.status is Status.OK, outcome.reason
    assert outcome.fits == 7


@pytest.mark.parametrize("claim", ["'many'", "-1", "2.5", "True", "10**400", "None", "[[]]"])
def test_a_count_of_fits_that_cannot_be_is_not_shown(claim: str, tmp_path: Path) -> None:
    source = f"""
        import numpy as np
        def select(task):
            type(task.model).fits = {claim}
            return np.arange(5)
    """
    outcome = run(job(tmp_path / "s", source), TIERS[0])
    assert outcome.status is Status.OK, outcome.reason
    assert outcome.fits is None
