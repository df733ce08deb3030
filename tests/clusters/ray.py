"""A Ray cluster of real raylets on this machine: a head without cores, nodes of one each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def cluster(nodes: int = 3, temporary: str | None = None) -> Iterator[Any]:
    """Start one; yields Ray's own handle of it (``address``, ``add_node``, ``remove_node``). All is ended afterwards."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    from ray.cluster_utils import Cluster

    before = os.environ.get("TMPDIR")
    if temporary:
        os.environ["TMPDIR"] = temporary  # of the nodes' cells
    try:
        started = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            for _ in range(nodes):
                started.add_node(num_cpus=1)
            yield started
        finally:
            started.shutdown()
    finally:
        if temporary:
            os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
