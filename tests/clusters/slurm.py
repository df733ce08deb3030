"""A Slurm cluster of two nodes on this machine, of Debian's packages: munged, slurmctld, two slurmd."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")


def missing() -> str:
    """Why no cluster can be had here; nothing where one can."""
    if os.getuid() != 0:
        return "needs root"
    search = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    absent = [name for name in PROGRAMS if shutil.which(name, path=search) is None]
    return f"{', '.join(absent)} not installed (apt-get install slurmctld slurmd slurm-client munge)" if absent else ""


@contextmanager
def cluster(place: Path, nodes: int = 2) -> Iterator[dict[str, str]]:
    """Start one in ``place``; yields the environment in which its commands work. Everything is ended afterwards."""
    host = socket.gethostname().partition(".")[0]
    ports = _free_ports(nodes + 1)
    place.chmod(0o755)
    key = place / "munge.key"
    key.write_bytes(os.urandom(128))
    sock = place / "munge" / "socket"
    sock.parent.mkdir(mode=0o755)
    for path in (key, sock.parent):
        shutil.chown(path, "munge", "munge")
    key.chmod(0o400)
    config = place / "slurm.conf"
    lines = [
        "ClusterName=test", f"SlurmctldHost={host}(127.0.0.1)", f"SlurmctldPort={ports[0]}", "SlurmUser=root",
        "AuthType=auth/munge", f"AuthInfo=socket={sock}", "CredType=cred/munge", "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none", "SelectType=select/cons_tres", "SelectTypeParameters=CR_Core", "ReturnToService=2",
        "SwitchType=switch/none", "MpiDefault=none", "KillWait=5", "SlurmdTimeout=10", "MinJobAge=60", "SchedulerParameters=sched_interval=1,bf_interval=2",
        f"StateSaveLocation={place}/state", f"SlurmdSpoolDir={place}/spool-%n", f"SlurmctldPidFile={place}/ctld.pid",
        f"SlurmdPidFile={place}/d-%n.pid", f"SlurmctldLogFile={place}/ctld.log", f"SlurmdLogFile={place}/d-%n.log",
        *(f"NodeName=n{i} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[i]} CPUs=1 State=UNKNOWN" for i in range(1, nodes + 1)),
        f"PartitionName=all Nodes=n[1-{nodes}] Default=YES MaxTime=60 State=UP",
    ]  # fmt: skip
    config.write_text("\n".join(lines) + "\n")
    environment = {**os.environ, "SLURM_CONF": str(config), "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    with ExitStack() as stack:
        munged = ["runuser", "-u", "munge", "--", "munged", "--foreground", f"--key-file={key}", f"--socket={sock}"]
        munged += [f"--pid-file={sock.parent}/pid", f"--log-file={sock.parent}/log", f"--seed-file={sock.parent}/seed"]
        stack.callback(_stopped, _started(munged, environment))
        _until(sock.exists, "munged")
        stack.callback(_stopped, _started(["slurmctld", "-D"], environment))
        for i in range(1, nodes + 1):
            stack.callback(_stopped, _started(["slurmd", "-D", "-N", f"n{i}"], environment))
        _until(lambda: _idle(environment) == nodes, "slurmd", place / "ctld.log")
        yield environment
        subprocess.run(["scancel", "--user=root"], env=environment, capture_output=True, check=False)


def _idle(environment: dict[str, str]) -> int:
    done = subprocess.run(["sinfo", "-hN", "-o", "%T"], env=environment, capture_output=True, text=True, check=False)
    return done.stdout.split().count("idle")


def _started(line: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def _stopped(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _until(true: object, what: str, log: Path | None = None) -> None:
    deadline = time.monotonic() + 60
    while not true():  # type: ignore[operator]
        if time.monotonic() > deadline:
            said = log.read_text()[-2000:] if log and log.exists() else ""
            raise AssertionError(f"{what} did not start. {said}")
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
