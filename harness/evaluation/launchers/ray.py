"""Cells as tasks of a Ray cluster: an existing one, or one started on this machine for the time being.

Ray schedules, carries bench and submission to a node once, and runs a task again whose node or process is lost. A
participant's fault is an answer like any other: nothing is retried for it.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from harness import __version__
from harness.errors import ProtocolError, Status
from harness.evaluation.bench import Bench
from harness.evaluation.cell import failed
from harness.evaluation.launchers.base import Launcher
from harness.evaluation.launchers.remote import Packed, differs, perform_here
from harness.evaluation.work import Answer, Work
from harness.protocol.launch import RayLaunch
from harness.protocol.submission import Submission
from harness.tracking import provenance

_PROBE = 120.0  # seconds a node may take to say that it is fit
_PARTING = 10.0  # seconds for tasks that were cancelled to end, before their processes are killed
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_DISABLE_IMPORT_WARNING": "1"}


class Ray(Launcher):
    """One task a cell."""

    def __init__(self, benches: Sequence[Bench], launch: RayLaunch) -> None:
        self.launch = launch
        self._benches = benches
        self._sent: dict[int, Any] = {}  # by id of a bench or submission: where the cluster has it
        self._tasks: dict[Any, Work] = {}
        self._ahead = 0

    def __enter__(self) -> Ray:
        os.environ |= {name: value for name, value in _QUIET.items() if name not in os.environ}
        try:
            import ray
        except ImportError as error:
            raise ProtocolError(
                "launcher=ray needs Ray, which is not installed.", "pip install 'harness[ray]'."
            ) from error
        logging.getLogger("ray").setLevel(logging.ERROR)
        self._ray, self._ours = ray, not ray.is_initialized()
        if self._ours:
            self._connect()
        try:
            self._ahead = self._fit_nodes()
        except BaseException:
            self._leave()
            raise
        self._perform = ray.remote(perform_here)
        return self

    def _connect(self) -> None:
        where = self.launch.address
        if where and (why := _unreachable(where)):
            raise _no_cluster(where, why)
        with _signals_kept():
            try:
                self._ray.init(
                    where, log_to_driver=False, include_dashboard=False, logging_level="ERROR", configure_logging=False
                )
            except (OSError, ValueError, RuntimeError) as error:  # also a TMPDIR too long for sockets
                raise _no_cluster(where, " ".join(str(error).split())[:300].rstrip(".")) from error

    def _fit_nodes(self) -> int:
        """How many cells may wait beside those that run. Raises ProtocolError, naming it, for a node that would score otherwise.

        Ray lists a node that has died for some seconds more: one that is gone by the time it is asked is left out.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = self._alive()
        probe = self._ray.remote(differs)
        asked = {
            probe.options(
                num_cpus=0,
                max_retries=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            ).remote(provenance.source(), __version__): name
            for name, node in nodes.items()
        }
        for answer, name in asked.items():
            try:
                why = self._ray.get(answer, timeout=_PROBE)
            except Exception as error:  # noqa: BLE001 - no harness there at all, another Python, a node that has gone
                if name not in self._alive():
                    del nodes[name]
                    continue
                why = f"The node {nodes[name]['NodeManagerAddress']} cannot compute cells: {' '.join(str(error).split())[-300:]}."
            if why:
                raise ProtocolError(why)
        cells = int(sum(node["Resources"]["CPU"] for node in nodes.values()) // self.launch.cpus)
        return max(64, 4 * cells)

    def _alive(self) -> dict[str, Any]:
        """Nodes with cores that Ray takes to be there, by their ids."""
        nodes = self._ray.nodes()
        return {node["NodeID"]: node for node in nodes if node["Alive"] and node["Resources"].get("CPU")}

    def room(self) -> int:
        return min(self._ahead, self.launch.workers or self._ahead) - len(self._tasks)

    def submit(self, work: Work) -> None:
        limits, device = work.bench.challenge.limits, work.bench.device
        options = {
            "num_cpus": self.launch.cpus,
            "num_gpus": int(limits.gpu or device == "cuda"),
            "max_retries": self.launch.retries,  # for lost nodes and processes; an exception is never one of them
            "name": f"{work.bench.challenge.name} seed {work.seed}",
        }
        whose = self._put(work.whose) if isinstance(work.whose, Submission) else work.whose
        task = self._perform.options(**options).remote(self._put(work.bench), whose, work.seed, self.launch.cpus)
        self._tasks[task] = work

    def _put(self, what: Bench | Submission) -> Any:
        if id(what) not in self._sent:
            self._sent[id(what)] = self._ray.put(Packed.of(what) if isinstance(what, Bench) else what), what
        return self._sent[id(what)][0]

    def ended(self, seconds: float) -> list[tuple[Work, Answer]]:
        tasks = list(self._tasks)
        first, _ = self._ray.wait(tasks, num_returns=1, timeout=seconds) if tasks else ([], [])
        done = self._ray.wait(tasks, num_returns=len(tasks), timeout=0)[0] if first else []
        return [(work, self._answer(task, work)) for task in done for work in [self._tasks.pop(task)]]

    def _answer(self, task: Any, work: Work) -> Answer:
        try:
            answer: Answer = self._ray.get(task)
        except (self._ray.exceptions.TaskCancelledError, KeyboardInterrupt):
            return failed(work.seed, Status.CANCELLED, "The run was stopped before this cell ended.")
        except Exception as error:  # noqa: BLE001 - whatever became of a cluster is this cell's fault of ours
            said = " ".join(str(error).split())[:500]
            return failed(work.seed, Status.HARNESS_ERROR, f"Ray lost this cell: {type(error).__name__}: {said}")
        return answer

    def stop(self) -> None:
        for task in self._tasks:
            self._ray.cancel(task, force=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = list(self._tasks)
        for task in left:
            self._ray.cancel(task, force=False)
        if left:
            _, left = self._ray.wait(left, num_returns=len(left), timeout=_PARTING)
        for task in left:
            self._ray.cancel(task, force=True)
        self._tasks, self._sent = {}, {}
        self._leave()

    def _leave(self) -> None:
        if self._ours:
            with _signals_kept():
                self._ray.shutdown()


def _no_cluster(address: str | None, why: str) -> ProtocolError:
    return ProtocolError(
        f"No Ray cluster can be reached at launcher.address={address or 'null'}: {why}.",
        "`ray start --head` starts one; launcher.address=null starts one on this machine for one command.",
    )


def _unreachable(address: str) -> str:
    """Why nothing listens at HOST:PORT, found out in seconds: Ray itself would try for minutes. Nothing where it does."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return ""  # auto, local and the like
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        return str(getattr(error, "strerror", None) or error).lower()
    return ""


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes signals for itself; a run that is stopped has its own way to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)  # whatever Python knows: Ray sets some behind its back
