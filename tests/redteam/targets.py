"""What the attackers look for, really planted: a process, files, sockets and memory with a text nobody may find."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from multiprocessing import shared_memory
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


class Targets:
    """An attacker with perfect knowledge reads ``facts`` from a file beside the algorithm."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.canary = "harness-canary-" + secrets.token_hex(16)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redteam-")))
        (folder / "mlflow.db").write_text(self.canary)
        (folder / "executed").unlink(missing_ok=True)
        self.executed = folder / "executed"
        self.tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.udp.bind(("127.0.0.1", 0))
        self.abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract = f"redteam-{secrets.token_hex(4)}"
        self.abstract.bind("\0" + abstract)
        self.unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        self.unix.bind(str(folder / "socket"))
        for listener in (self.tcp, self.udp, self.abstract, self.unix):
            listener.setblocking(False)
        self.abstract.listen()
        self.unix.listen()
        memory = shared_memory.SharedMemory(create=True, size=64)
        stack.callback(memory.unlink)
        stack.callback(memory.close)
        assert memory.buf is not None
        memory.buf[: len(self.canary)] = self.canary.encode()
        libc = ctypes.CDLL(None)
        key = secrets.randbits(30)
        segment = libc.shmget(key, 4096, 0o1666)
        stack.callback(libc.shmctl, segment, 0, None)
        self.leaked = os.open(folder / "mlflow.db", os.O_RDONLY)
        os.set_inheritable(self.leaked, True)  # as a careless library would
        stack.callback(os.close, self.leaked)
        self.facts = {
            "pid": os.getpid(),
            "ppid": os.getppid(),
            "marker": f"rt{secrets.token_hex(6)}",
            "variable": "HARNESS_CANARY",
            "files": [str(folder / "mlflow.db"), "/etc/passwd"],
            "folders": [str(folder), str(REPOSITORY)],
            "repository": str(REPOSITORY),
            "executed": str(self.executed),
            "tcp": self.tcp.getsockname()[1],
            "udp": self.udp.getsockname()[1],
            "abstract": abstract,
            "unix": str(folder / "socket"),
            "shm": memory.name,
            "sysv": key,
        }

    def write(self, folder: Path) -> None:
        """Put the facts beside an algorithm."""
        (folder / "targets.json").write_text(json.dumps(self.facts))

    def touched(self) -> list[str]:
        """What was reached since the last call, seen from this side."""
        reached = ["file executed"] if self.executed.exists() else []
        for name in ("tcp", "abstract", "unix"):
            with contextlib.suppress(BlockingIOError):
                getattr(self, name).accept()
                reached.append(name)
        with contextlib.suppress(BlockingIOError):
            self.udp.recv(64)
            reached.append("udp")
        for path in Path("/proc").glob("[0-9]*/comm"):
            with contextlib.suppress(OSError):
                if path.read_text().strip() == self.facts["marker"]:
                    reached.append(f"process {path.parent.name} outlived its cell")
        return reached


@contextlib.contextmanager
def planted() -> Iterator[Targets]:
    """Targets for as long as the context lasts."""
    with contextlib.ExitStack() as stack:
        targets = Targets(stack)
        before = os.environ.get("HARNESS_CANARY")
        os.environ["HARNESS_CANARY"] = targets.canary
        try:
            yield targets
        finally:
            os.environ.pop("HARNESS_CANARY") if before is None else None
