"""How many inputs: a few hundred in the normal suite, ``HARNESS_FUZZ_INPUTS=100000`` for a thorough run in all."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_QUICK = 1500


def inputs(share: float) -> settings:
    """Settings of one target that gets ``share`` of all inputs. Half a minute for one is a hang."""
    total = int(os.environ.get("HARNESS_FUZZ_INPUTS", _QUICK))
    unhealthy = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return settings(max_examples=max(10, round(total * share)), deadline=30_000, suppress_health_check=unhealthy)
