"""A PostgreSQL cluster and ``mlflow server``, started for tests and ended with them, even where those are killed."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote

import pytest

USER = "team@home"
PASSWORD = "s%20cr/et:?#@"  # what a careful person chooses and a careless URI breaks
_PR_SET_PDEATHSIG = 1
_START_SECONDS = 180  # mlflow server imports half the world, beside other tests


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass(frozen=True)
class Postgres:
    """A running cluster on a loopback port of its own, which asks for a password."""

    port: int

    def uri(self, database: str, scheme: str = "postgresql+psycopg") -> str:
        return f"{scheme}://{quote(USER)}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    def new(self, database: str, scheme: str = "postgresql+psycopg") -> str:
        """The URI of a new, empty database."""
        import psycopg

        address = f"host=127.0.0.1 port={self.port} dbname=postgres"
        with psycopg.connect(address, user=USER, password=PASSWORD, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"'.encode())
        return self.uri(database, scheme)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Skips the test where Debian's package, or PostgreSQL's own programs, are not there."""
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'harness[postgres]'")
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="harness-postgres-"))
    who = _user()
    if who is not None:
        os.chown(folder, pwd.getpwnam(who).pw_uid, pwd.getpwnam(who).pw_gid)
    as_who: dict[str, Any] = {} if who is None else {"user": who, "group": pwd.getpwnam(who).pw_gid, "extra_groups": []}
    port, data = free_port(), str(folder / "data")
    try:
        _make_cluster(programs, folder, data, as_who)
        settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        settings |= {"full_page_writes": "off", "synchronous_commit": "off", "max_connections": "200"}
        line = [str(programs / "postgres"), "-D", data, *(f"--{key}={value}" for key, value in settings.items())]
        with (folder / "log").open("wb") as log:
            how: dict[str, Any] = {"cwd": folder, "stdout": log, "stderr": log, **as_who}
            server = subprocess.Popen(line, preexec_fn=_dies_with_us(signal.SIGQUIT), **how)
        try:
            _wait(lambda: _accepts(port), server, folder / "log")
            yield Postgres(port)
        finally:
            server.send_signal(signal.SIGQUIT)  # at once
            server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class MlflowServer:
    """``mlflow server`` on a database, artifacts proxied; killed and started again at will, on the same port."""

    def __init__(self, backend: str, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._backend = backend
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def line(self) -> list[str]:
        line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        line += ["--workers", "2", "--backend-store-uri", self._backend]
        return [*line, "--artifacts-destination", str(self._folder / "artifacts")]

    def start(self) -> None:
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
        environment["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"  # eight more processes, none of them used here
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.line(),
                cwd=self._folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_dies_with_us(signal.SIGTERM),
            )
        _wait(self._healthy, self._process, self._folder / "log")

    def kill(self) -> None:
        """SIGKILL to the server and all its workers."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False


@contextmanager
def mlflow_server(backend: str, folder: Path) -> Iterator[MlflowServer]:
    server = MlflowServer(backend, folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def _make_cluster(programs: Path, folder: Path, data: str, as_who: dict[str, Any]) -> None:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    line = [str(programs / "initdb"), "-D", data, "-U", USER, f"--pwfile={secret}", "--no-sync"]
    line += ["-A", "scram-sha-256", "-E", "UTF8", "--locale=C"]
    made = subprocess.run(line, check=False, capture_output=True, text=True, cwd=folder, **as_who)
    assert made.returncode == 0, made.stderr


def _programs() -> Path:
    """Where ``initdb`` is: where Debian puts it, or on the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    found = [*(map(Path, filter(None, [shutil.which("initdb")]))), *debian]
    if not found:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    return found[-1].parent


def _user() -> str | None:
    """Who runs the cluster where root may not: Debian's user."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        pytest.skip("needs the user postgres, as whom root may start PostgreSQL")


def _dies_with_us(sent: signal.Signals) -> Callable[[], None]:
    """For a child: the kernel sends it a signal when this process ends, however it ends."""
    prctl = ctypes.CDLL(None).prctl  # before the fork

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, int(sent))

    return ask


def _accepts(port: int) -> bool:
    """Whether the cluster answers at all; it refuses while it starts."""
    import psycopg

    try:
        psycopg.connect(f"host=127.0.0.1 port={port} dbname=postgres", user=USER, password=PASSWORD).close()
    except psycopg.OperationalError:
        return False
    return True


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r:.200} did not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)
