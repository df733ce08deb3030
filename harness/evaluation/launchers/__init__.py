"""Where cells are computed: in this process, in others of this machine, on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.protocol.launch import Launch, LocalLaunch, RayLaunch

if TYPE_CHECKING:
    from harness.evaluation.bench import Bench
    from harness.evaluation.launchers.base import Launcher


def launcher(launch: Launch, benches: Sequence[Bench]) -> Launcher:
    """The launcher that settings describe, for the cells of these benches."""
    if isinstance(launch, LocalLaunch):
        from harness.evaluation.launchers.local import Local

        return Local(benches, launch.workers)
    if isinstance(launch, RayLaunch):
        from harness.evaluation.launchers.ray import Ray

        return Ray(benches, launch)
    from harness.evaluation.launchers.serial import Serial

    return Serial()
