"""Cells as tasks of a Ray cluster: three real raylets, and nodes, tasks and heads that are killed in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.clusters import place
from tests.clusters.conftest import short_folder
from tests.clusters.place import SMALL

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.clusters


@pytest.fixture(scope="module")
def temporary() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def ray_cluster(temporary: Path) -> Iterator[Any]:
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'harness[ray]')")
    from tests.clusters import ray

    with ray.cluster(3, str(temporary)) as started:
        yield started


def run(runs: Path, *words: str, cluster: Any) -> place.Head:
    return place.start(runs, "launcher=ray", f"launcher.address={cluster.address}", *words)


def slow(submissions: SimpleNamespace, seeds: int) -> list[str]:
    return [f"submission={submissions.slow}", f"seeds={seeds}", *SMALL]


def test_the_same_cells(ray_cluster: Any, expected: SimpleNamespace, tmp_path: Path) -> None:
    place.ended(run(tmp_path / "runs", *expected.sweep, cluster=ray_cluster), code=1)
    assert place.results(tmp_path / "runs") == expected.results
    assert place.board(tmp_path / "runs", expected.config) == expected.board


def test_a_node_that_is_killed(ray_cluster: Any, submissions: SimpleNamespace, tmp_path: Path) -> None:
    """No finished cell is lost, the others go on, and the results are those of an undisturbed run."""
    runs = tmp_path / "runs"
    head = run(runs, *slow(submissions, 12), cluster=ray_cluster)
    place.until(lambda: len(place.kept(runs)) >= 2, "two cells")
    there = place.kept(runs)
    ray_cluster.remove_node(next(iter(ray_cluster.worker_nodes)), allow_graceful=False)
    place.ended(head)
    ray_cluster.add_node(num_cpus=1)
    assert {path: place.kept(runs)[path] for path in there} == there
    place.ended(place.start(tmp_path / "calm", *slow(submissions, 12)))
    assert place.results(runs) == place.results(tmp_path / "calm")
    assert place.board(runs) == place.board(tmp_path / "calm")


def test_a_node_that_has_just_gone(ray_cluster: Any, submissions: SimpleNamespace, tmp_path: Path) -> None:
    """Ray still lists it for a while: the command goes on with the others."""
    ray_cluster.remove_node(ray_cluster.add_node(num_cpus=1), allow_graceful=False)
    words = [f"submission={submissions.quick}", "seeds=2", *SMALL]
    place.ended(run(tmp_path / "runs", *words, cluster=ray_cluster))
    assert {row["status"] for row in place.results(tmp_path / "runs")} == {"ok"}


def test_ctrl_c_leaves_nothing_on_any_node(
    ray_cluster: Any, submissions: SimpleNamespace, tmp_path: Path, temporary: Path
) -> None:
    runs = tmp_path / "runs"
    words = [f"submission={submissions.endless}", "seeds=6", *SMALL]
    head = run(runs, *words, cluster=ray_cluster)
    place.until(lambda: len(list(temporary.glob("harness-cell-*/out"))) >= 3, "three cells that run")
    place.interrupt(head)
    place.ended(head, code=130, seconds=60)
    rows = {(row["submission"], row["status"]) for row in place.results(runs)}
    assert ("endless", "cancelled") in rows
    assert {status for name, status in rows if name == "endless"} == {
        "cancelled"
    }  # the harness's own may have ended before
    place.nothing_left(f"{temporary}/harness-cell-", str(tmp_path))


def test_a_head_that_dies(ray_cluster: Any, submissions: SimpleNamespace, tmp_path: Path, temporary: Path) -> None:
    """Its tasks end with it; the cells that it had are used by the next one."""
    runs = tmp_path / "runs"
    head = run(runs, *slow(submissions, 8), cluster=ray_cluster)
    place.until(lambda: len(place.kept(runs)) >= 2, "two cells")
    head.send_signal(signal.SIGKILL)
    head.communicate()
    there = place.kept(runs)
    place.nothing_left(f"{temporary}/harness-cell-")
    place.ended(run(runs, *slow(submissions, 8), cluster=ray_cluster))
    assert {path: place.kept(runs)[path] for path in there} == there
    assert [row["status"] for row in place.results(runs) if row["submission"] == "slow"] == ["ok"] * 8


def test_a_node_with_another_harness_is_named(ray_cluster: Any, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "harness", tmp_path / "other" / "harness")
    with (tmp_path / "other" / "harness" / "tracks" / "metrics.py").open("a") as file:
        file.write("# not the same\n")
    with other_node(ray_cluster, tmp_path / "other" / "harness"):
        error = place.ended(run(tmp_path / "runs", *SMALL, cluster=ray_cluster), code=2)
    assert "has another harness" in error
    assert "install the same one on all machines" in error
    assert not list((tmp_path / "runs").glob("*/record.json"))


@contextmanager
def other_node(cluster: Any, package: Path) -> Iterator[None]:
    """A node that sees another harness where the others see this one: in a mount namespace of its own."""
    shown = f"mount --bind {package} {ROOT / 'harness'} && exec {sys.executable} -m ray.scripts.scripts start --block --address={cluster.address} --num-cpus=1"
    before = alive(cluster)
    node = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", shown],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        place.until(lambda: alive(cluster) > before, "the node")
        yield
    finally:
        os.killpg(node.pid, signal.SIGTERM)
        node.wait()
        place.until(lambda: alive(cluster) == before, "the node's end")


def alive(cluster: Any) -> int:
    """How many nodes a cluster has now."""
    return sum(node["Alive"] for node in cluster.global_state.node_table())


def test_no_cluster_there_is_said(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    head = place.start(tmp_path / "runs", "launcher=ray", "launcher.address=127.0.0.1:1", *SMALL)
    assert "No Ray cluster can be reached at launcher.address=127.0.0.1:1" in place.ended(head, code=2)


def test_one_is_started_where_there_is_none(expected: SimpleNamespace, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    before = daemons()
    place.ended(place.start(tmp_path / "runs", "launcher=ray", "launcher.address=local", *expected.sweep), code=1)
    assert place.results(tmp_path / "runs") == expected.results
    place.until(lambda: daemons() <= before, "an end of Ray's processes", 30)


def daemons() -> set[str]:
    """Processes of Ray's on this machine."""
    found = set()
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            if comm.read_text().startswith(("raylet", "gcs_server")):
                found.add(comm.parent.name)
    return found
