"""Cells as Slurm jobs: two real slurmd, and jobs that are cancelled, run out of time, or lose their node or their head."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness import load_challenge
from harness.evaluation.bench import Bench
from harness.evaluation.launchers.base import compute
from harness.evaluation.launchers.slurm import Slurm
from harness.evaluation.work import Work
from harness.protocol.launch import SlurmLaunch
from harness.tracking.runs import StoredCell
from tests.clusters import place
from tests.clusters.place import SMALL

Environment = dict[str, str]
pytestmark = pytest.mark.clusters


def run(runs: Path, *words: str, environment: Environment) -> place.Head:
    return place.start(runs, "launcher=slurm", *words, environment=environment)


def slurm(environment: Environment, *words: str) -> str:
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout


def running(environment: Environment) -> list[str]:
    return slurm(environment, "squeue", "-h", "--array", "-t", "R", "-o", "%F_%K").split()


def test_the_same_cells(slurm_cluster: Environment, expected: SimpleNamespace, tmp_path: Path) -> None:
    head = run(tmp_path / "runs", *expected.sweep, "launcher.cells=4", environment=slurm_cluster)
    place.ended(head, code=1)
    assert place.results(tmp_path / "runs") == expected.results
    assert place.board(tmp_path / "runs", expected.config) == expected.board
    assert not (tmp_path / "runs" / "exchange").exists()


def test_a_job_that_somebody_cancels(slurm_cluster: Environment, submissions: SimpleNamespace, tmp_path: Path) -> None:
    """Its cells are `cancelled`, the others go on; the next run has only those to compute."""
    words = [f"submission={submissions.slow}", "seeds=4", *SMALL, "launcher.cells=2"]
    head = run(tmp_path / "runs", *words, environment=slurm_cluster)
    place.until(lambda: len(running(slurm_cluster)) == 2, "two jobs")
    first = min(running(slurm_cluster))
    slurm(slurm_cluster, "scancel", first)
    place.ended(head, code=130)
    rows = [row for row in place.results(tmp_path / "runs") if row["submission"] == "slow"]
    statuses = [row["status"] for row in rows]
    assert statuses[2:] == ["ok", "ok"]
    assert "cancelled" in statuses[:2]
    assert f"The Slurm job {first} was cancelled." in {row["reason"] for row in rows}
    before = place.kept(tmp_path / "runs")
    place.ended(run(tmp_path / "runs", *words, environment=slurm_cluster))
    after = place.kept(tmp_path / "runs")
    done = {path for path in before if f"/{statuses.index('cancelled')}/" not in path}
    assert all(before[path] == after[path] for path in done if "cancelled" not in statuses[int(Path(path).parent.name)])


def test_a_job_that_runs_out_of_time(slurm_cluster: Environment, submissions: SimpleNamespace, tmp_path: Path) -> None:
    """That is nobody's fault but ours: the cell is no `timeout` of the submission's."""
    words = [f"submission={submissions.endless}", "seeds=1", "limits.seconds=600", *SMALL, "launcher.minutes=1"]
    head = run(tmp_path / "runs", *words, environment=slurm_cluster)
    place.until(lambda: running(slurm_cluster), "a job")
    job = running(slurm_cluster)[0].partition("_")[0]
    slurm(slurm_cluster, "scontrol", "update", f"JobId={job}", "EndTime=now+2seconds")  # a minute passes sooner
    place.ended(head, code=1)
    (row,) = [row for row in place.results(tmp_path / "runs") if row["submission"] == "endless"]
    assert row["status"] == "harness_error"
    assert "at its time limit: give it more than launcher.minutes=1" in row["reason"]


def test_ctrl_c_leaves_no_job(slurm_cluster: Environment, submissions: SimpleNamespace, tmp_path: Path) -> None:
    words = [f"submission={submissions.endless}", "seeds=6", *SMALL, "launcher.cells=1"]
    (tmp_path / "tmp").mkdir()
    head = run(
        tmp_path / "runs", *words, environment={**slurm_cluster, "TMPDIR": str(tmp_path / "tmp")}
    )  # the jobs', too
    place.until(lambda: len(running(slurm_cluster)) == 2, "two jobs")
    place.until(lambda: list((tmp_path / "tmp").glob("harness-cell-*/out")), "a cell")
    place.interrupt(head)
    place.ended(head, code=130, seconds=60)
    place.until(lambda: not slurm(slurm_cluster, "squeue", "-h"), "an empty queue", 30)
    assert {row["status"] for row in place.results(tmp_path / "runs")} == {"cancelled"}
    place.nothing_left(str(tmp_path))
    assert not (tmp_path / "runs" / "exchange").exists()


def test_a_head_that_dies(slurm_cluster: Environment, submissions: SimpleNamespace, tmp_path: Path) -> None:
    """The jobs go on without it; what they have finished is collected by the next head, which ends the rest."""
    runs = tmp_path / "runs"
    words = [f"submission={submissions.slow}", "seeds=6", *SMALL, "launcher.cells=3"]
    head = run(runs, *words, environment=slurm_cluster)
    place.until(lambda: running(slurm_cluster), "a job")
    head.send_signal(signal.SIGKILL)
    head.communicate()
    there = place.kept(runs)
    place.until(lambda: list(runs.glob("exchange/cells/*/cells/*/cell.json")), "a cell in the exchange")
    finished = {path: path.read_bytes() for path in runs.glob("exchange/cells/*/cells/*/cell.json")}
    place.ended(run(runs, *words, environment=slurm_cluster))
    assert all(place.kept(runs)[path] == when for path, when in there.items())
    seconds = [row for row in place.results(runs) if row["submission"] == "slow"]
    assert [row["status"] for row in seconds] == ["ok"] * 6
    spent = {content.split(b'"submission": ')[1].split(b",")[0] for content in finished.values()}
    now = b"".join(Path(path).read_bytes() for path in place.kept(runs))
    assert all(b'"submission": ' + value in now for value in spent), "a finished cell was computed again"
    assert not (runs / "exchange").exists()


def test_a_node_that_dies(slurm_cluster: Environment, submissions: SimpleNamespace, tmp_path: Path) -> None:
    """Slurm starts its job again on the other one, which goes on with the cells that are not there yet."""
    runs = tmp_path / "runs"
    words = [f"submission={submissions.slow}", "seeds=8", *SMALL, "launcher.cells=4"]
    head = run(runs, *words, environment=slurm_cluster)
    place.until(lambda: len(running(slurm_cluster)) == 2, "two jobs")
    place.until(lambda: len(place.kept(runs)) >= 2, "two cells")
    kill_node(slurm_cluster, "n2")
    place.ended(head)
    place.ended(place.start(tmp_path / "calm", *words[:2], *SMALL, "seeds=8"))
    assert place.results(runs) == place.results(tmp_path / "calm")


def test_what_could_not_be_kept_is_taken_by_the_next_head(
    slurm_cluster: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, say, ends the head between taking a cell and keeping it."""
    for name in ("SLURM_CONF", "PATH"):
        monkeypatch.setenv(name, slurm_cluster[name])
    bench = Bench.ready(load_challenge("debugging_wine"), device="cpu")

    def cells() -> Generator[tuple[Work, StoredCell], None, None]:
        return compute([Work(bench, "random", seed) for seed in range(3)], Slurm(SlurmLaunch(), tmp_path))

    def keep_nothing() -> None:
        for _ in cells():
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        keep_nothing()
    left = {path.parent.name: path.read_bytes() for path in tmp_path.glob("exchange/cells/*/cells/*/cell.json")}
    assert left
    taken = {str(work.seed): stored.cell.seconds.scoring for work, stored in cells()}
    assert set(taken) == {"0", "1", "2"}
    assert all(f'"scoring": {taken[seed]}'.encode() in content for seed, content in left.items())
    assert not (tmp_path / "exchange").exists()


def kill_node(environment: Environment, name: str) -> None:
    """kill -9 of a slurmd, its steps and all their children at once, so that none is left to tell of the others' end."""
    log = Path(environment["SLURM_CONF"]).parent / f"d-{name}.log"
    parents, doomed = {}, []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if any(opened.resolve() == log for opened in (process / "fd").iterdir()):
                doomed.append(int(process.name))
    assert len(doomed) >= 2
    for pid in doomed:
        doomed += [child for child, parent in parents.items() if parent == pid]
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in set(doomed):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def test_no_slurm_is_said(submissions: SimpleNamespace, tmp_path: Path) -> None:
    pytest.importorskip("submitit")
    environment = {**os.environ, "PATH": "/usr/local/bin"}
    head = place.start(tmp_path / "runs", "launcher=slurm", environment=environment)
    assert "finds no Slurm on this machine (no srun on PATH)" in place.ended(head, code=2)
