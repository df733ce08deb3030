"""MLflow as teams have it: a server on PostgreSQL, or PostgreSQL itself, and several harness processes at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.leaderboard.board import build
from harness.tracking import delivery
from harness.tracking.addresses import shown, tracking_uri
from harness.tracking.importing import import_runs
from harness.tracking.mlflow_store import open_store
from harness.tracking.reader import Held, open_reader
from harness.tracking.runs import RunsDir
from harness.verification.directory import BoardRefused
from tests.tracking.made import DATA, challenge, made_run
from tests.tracking.servers import PASSWORD, MlflowServer, Postgres, mlflow_server, postgres
from tests.tracking.test_held import compared

pytestmark = pytest.mark.servers
TEAMS = ("shared", "shared", "own-1", "own-2")  # runs directories of four processes


@pytest.fixture(autouse=True)
def _no_configured_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


def begun(places: list[Path], count: int, uri: str) -> list[subprocess.Popen[str]]:
    """A harness process for each place, all at once."""
    lines = [
        [sys.executable, "-m", "tests.tracking.delivering", str(place), f"p{i}", str(count), uri]
        for i, place in enumerate(places)
    ]
    return [subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for line in lines]


def ended(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What they said. An error of one fails the test."""
    said = []
    for process in processes:
        out, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
        said += out.split()
    return said


def live(uri: str) -> list[Held]:
    reader = open_reader(uri)
    assert reader is not None
    return reader.all_rows()


def differing(places: set[Path], uri: str) -> list[tuple[str, str]]:
    """What the harness's own comparison says of each directory's runs; it does not know those of the others."""
    found = [problem for place in sorted(places) for problem in compared(place, uri)]
    return [(run_id, what) for run_id, what in found if "no line in the ledger" not in what]


def check_whole(places: set[Path], uri: str, count: int) -> None:
    """Every run is there once, as its record says, and nothing else is."""
    recorded = [run_id for place in places for run_id in RunsDir(place).run_ids()]
    assert len(recorded) == count
    rows = live(uri)
    assert Counter(row.run_id for row in rows) == Counter(recorded), "lost or doubled"
    assert [row for row in rows if not row.ended] == []
    assert differing(places, uri) == []
    assert [run_id for place in places for run_id in delivery.undelivered(place)] == []


@pytest.mark.parametrize("runs", [60, pytest.param(200, marks=pytest.mark.slow)])
def test_many_runs_of_four_processes_and_a_server_that_is_killed(cluster: Postgres, tmp_path: Path, runs: int) -> None:
    places = [tmp_path / name for name in TEAMS]
    said: list[str] = []
    with mlflow_server(cluster.new("killed"), tmp_path / "server") as server:
        started = time.monotonic()
        processes = begun(places, runs // 4, server.url)
        readers = [threading.Thread(target=_listen, args=(process, said)) for process in processes]
        for reader in readers:
            reader.start()
        while len(said) < 0.3 * runs and any(process.poll() is None for process in processes):
            time.sleep(0.02)
        server.kill()
        server.start()
        for reader in readers:
            reader.join()
        assert "error" not in said
        left = sum(len(delivery.undelivered(place)) for place in set(places))
        assert said.count("delivered") + said.count("waits") == runs
        assert left == said.count("waits") > 0, "killed in the middle"
        delivered = 0
        for place in sorted(set(places)):
            line = [sys.executable, "-m", "harness", "sync", "--runs-dir", str(place), "--tracking-uri", server.url]
            done = subprocess.run(line, capture_output=True, text=True, check=True)
            delivered += int(done.stdout.split()[0])
        print(f"{runs} runs, {left} of them after the kill, in {time.monotonic() - started:.1f} s")
        assert delivered == left
        check_whole(set(places), server.url, runs)


def _listen(process: subprocess.Popen[str], said: list[str]) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    for line in process.stdout:
        said.append(line.strip())  # noqa: PERF401 - others read the list meanwhile
    if process.wait() != 0:
        said.append("error")
        print(process.stderr.read())


def test_four_processes_use_an_empty_database_first(cluster: Postgres, tmp_path: Path) -> None:
    uri = cluster.new("first", "postgresql")  # without a driver's name
    places = [tmp_path / name for name in TEAMS]
    assert open_reader(tracking_uri(tmp_path, uri)) is None, "reading makes nothing"
    assert ended(begun(places, 3, uri)) == ["delivered"] * 12
    check_whole(set(places), tracking_uri(tmp_path, uri), 12)


def test_a_database_read_edited_rebuilt_and_imported(cluster: Postgres, tmp_path: Path) -> None:
    uri, place = cluster.new("life"), tmp_path / "runs"
    for name in ("reference-random", "reference-skyline", "good", "fair"):
        delivery.deliver(tmp_path / "runs" / made_run(place, name, deliver=False).run_id, uri)
    check_whole({place}, uri, 4)
    client, row = open_store(uri), next(row for row in live(uri) if row.name == "fair")
    client.log_metric(row.mlflow_id, "score", 0.99)
    ((run_id, what),) = compared(place, uri)
    assert (run_id, "metric score" in what) == (row.run_id, True)
    line = [sys.executable, "-m", "harness", "sync", "--rebuild", "--runs-dir", str(place), "--tracking-uri", uri]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout == "1 delivered, 0 left\n"
    check_whole({place}, uri, 4)
    assert set(import_runs(tmp_path / "elsewhere", uri).brought) == set(RunsDir(place).run_ids())
    written = "".join(path.read_text() for path in tmp_path.rglob("ledger.jsonl"))
    assert shown(uri) in written
    assert PASSWORD not in written


def test_a_database_that_goes_away_and_comes_back(cluster: Postgres, tmp_path: Path) -> None:
    """Its connections are cut, and it refuses new ones: what is recorded meanwhile waits."""
    import psycopg

    uri, place = cluster.new("away"), tmp_path / "runs"
    assert delivery.deliver(place / made_run(place, "a", deliver=False).run_id, uri) is not None
    admin = psycopg.connect(cluster.uri("postgres", "postgresql"), autocommit=True)
    with admin:
        admin.execute("ALTER DATABASE away WITH ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'away'")
        late = made_run(place, "b", deliver=False).run_id
        with pytest.warns(delivery.UndeliveredWarning, match="not currently accepting connections") as caught:
            assert delivery.deliver(place / late, uri) is None
        assert "--tracking-uri URI" in str(caught[0].message)
        assert cluster.uri("").split("@")[0].split("//")[1] not in str(caught[0].message)
        assert "accepting connections" in delivery.sync(place, uri)[1][late]
        admin.execute("ALTER DATABASE away WITH ALLOW_CONNECTIONS true")
    assert delivery.sync(place, uri) == ([late], {})
    check_whole({place}, uri, 2)


def test_a_board_of_two_directories(cluster: Postgres, tmp_path: Path) -> None:
    """Another machine's runs through the server alone, with cells and submissions; both have the references."""
    ours, theirs, of = tmp_path / "ours", tmp_path / "theirs", challenge("team")
    with mlflow_server(cluster.new("brought"), tmp_path / "server") as server:
        for place, own, month in ((ours, "good", 1), (theirs, "fair", 2)):
            created = f"2026-0{month}-02T03:04:05+00:00"
            for name, skill in (("reference-random", 0.2), ("reference-skyline", 0.99), (own, 0.8)):
                made_run(place, name, skill, of=of, created=created, deliver=False)
            assert delivery.sync(place, server.url)[1] == {}
        with pytest.raises(BoardRefused, match="`harness import` brings it here"):
            build(of, DATA, ours, server.url)
        shutil.rmtree(theirs)
        done = import_runs(ours, server.url)
        assert (len(done.brought), len(done.known), done.refused) == (1, 3, {})
        assert delivery.sync(ours, server.url)[1] == {}
        board = build(of, DATA, ours, server.url)
        assert {row.submission for row in board.ranked} == {"good", "fair"}
        assert len(live(server.url)) == 4
        _unreachable(server, ours)


def _unreachable(server: MlflowServer, place: Path) -> None:
    server.kill()
    with pytest.warns(delivery.UndeliveredWarning, match=f"{server.url} cannot be reached"):
        assert delivery.deliver(place / made_run(place, "late", deliver=False).run_id, server.url) is None
