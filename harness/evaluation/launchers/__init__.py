"""Where cells are computed: in this process, in others of this machine, on a cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.protocol.launch import Launch, LocalLaunch, RayLaunch, SlurmLaunch

if TYPE_CHECKING:
    from harness.evaluation.bench import Bench
    from harness.evaluation.launchers.base import Launcher


def _uses_cuda(benches: Sequence[Bench]) -> bool:
    """Whether this very process, a notebook perhaps, has used the GPU that cells want: none forked from it could."""
    torch = sys.modules.get("torch")
    return torch is not None and any(bench.device == "cuda" for bench in benches) and torch.cuda.is_initialized()


def launcher(launch: Launch, benches: Sequence[Bench], place: Path) -> Launcher:
    """The launcher that settings describe, for the cells of these benches, whose runs are kept in ``place``."""
    if isinstance(launch, LocalLaunch) and not _uses_cuda(benches):
        from harness.evaluation.launchers.local import Local

        return Local(benches, launch.workers)
    if isinstance(launch, RayLaunch):
        from harness.evaluation.launchers.ray import Ray

        return Ray(benches, launch)
    if isinstance(launch, SlurmLaunch):
        from harness.evaluation.launchers.slurm import Slurm

        return Slurm(launch, place)
    from harness.evaluation.launchers.serial import Serial

    return Serial()
