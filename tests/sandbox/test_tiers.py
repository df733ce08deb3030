"""What is said about tiers is what happens in them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.errors import HarnessError, ProtocolError, Status
from harness.sandbox import podman, probe, resolve_tier, run, tiers, trial, walls
from harness.sandbox.base import Limits
from harness.sandbox.cell import Cell
from harness.sandbox.inside import landlock, seccomp, syscalls
from harness.sandbox.visible import BUNDLED, code, readable, visible
from tests.sandbox.helpers import TIERS, job


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch):
    """Probes are tried anew, before and after."""
    tiers._try.cache_clear()
    trial.trials.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    tiers._try.cache_clear()
    trial.trials.cache_clear()


def test_probe_tells_every_tier() -> None:
    reports = {report.name: report for report in probe()}
    assert list(reports) == ["bubblewrap", "container", "landlock", "none"]
    assert all(report.why for report in reports.values())
    assert probe() == probe()


def test_without_bwrap(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setenv("PATH", str(tmp_path))
    report = next(report for report in probe() if report.name == "bubblewrap")
    assert not report.works
    assert "apt-get install bubblewrap" in report.why
    with pytest.raises(ProtocolError, match="apt-get install bubblewrap"):
        resolve_tier("bubblewrap", "landlock")
    with pytest.raises(ProtocolError, match="bwrap"):
        resolve_tier("auto", "bubblewrap")


def test_a_bwrap_that_fails_is_not_trusted(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "bwrap"
    for script, says in (
        ("echo 'No permissions to create new namespace' >&2; exit 1", "No permissions"),
        ("exit 0", "said nothing"),
        ("echo confined maybe", "confined maybe"),
    ):
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        fresh.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        tiers._try.cache_clear()
        report = next(report for report in probe() if report.name == "bubblewrap")
        assert not report.works
        assert says in report.why


@pytest.mark.skipif("container" not in TIERS, reason="the container tier does not work here")
def test_a_podman_that_fails_is_said_and_is_ours(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "podman"
    fake.write_text("#!/bin/sh\necho 'Error: no space in the store' >&2; exit 125\n")
    fake.chmod(0o755)
    assert resolve_tier("container", "bubblewrap") == "container"
    with fresh.context() as patch:
        patch.setattr(podman, "installed", lambda: str(fake))
        outcome = run(job(tmp_path / "s", "def select(task):\n    return [0]\n"), "container")
        assert outcome.status is Status.HARNESS_ERROR
        assert "no space in the store" in outcome.reason
        tiers._try.cache_clear()
        trial.trials.cache_clear()
        with pytest.raises(ProtocolError, match="no space in the store"):
            resolve_tier("container", "none")
    fresh.setenv("PATH", str(tmp_path / "empty"))
    tiers._try.cache_clear()
    assert "podman is not installed" in next(report.why for report in probe() if report.name == "container")


def test_without_room_for_temporary_files(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(HarnessError, match=r"No such file.*TMPDIR") as caught:
        resolve_tier("auto", "none")
    assert "\n" not in str(caught.value)


def test_a_probe_without_walls_finds_the_holes(tmp_path: Path) -> None:
    """The probe's own questions, asked in a process without any isolation, must not be answered 'confined'."""
    with Cell() as cell:
        hidden = tmp_path / "hidden"
        hidden.write_text("x")
        extra = {"probe": {"hidden": str(hidden), "pid": os.getpid()}}
        walls.prepare("none", cell, cell.path / "empty", Limits(), extra)
        done = subprocess.run(walls.program("none", cell, tmp_path), capture_output=True, text=True, check=True)
    assert "a file outside can be read" in done.stdout
    assert "processes outside can be signalled" in done.stdout


@pytest.mark.parametrize("version", [1, 2])
def test_a_landlock_that_is_too_old(version: int, fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(landlock, "abi", lambda: version)
    report = next(report for report in probe() if report.name == "landlock")
    assert not report.works
    assert "6.2" in report.why


@pytest.mark.skipif("landlock" not in TIERS, reason="Landlock does not work here")
@pytest.mark.parametrize("version", [3, 4, 5, 6])
def test_older_landlocks_hold_as_well(version: int, fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What this kernel's Landlock would do itself is left to seccomp where the version is said to be older."""
    if landlock.abi() < version:
        pytest.skip(f"this kernel's Landlock has version {landlock.abi()}")
    fresh.setattr(landlock, "abi", lambda: version)
    source = f"""
    import os, signal, socket

    def select(task):
        found = []
        for attempt in (lambda: os.kill({os.getpid()}, 0), lambda: socket.socket(), lambda: open("/etc/passwd"),
                        lambda: os.truncate(os.__file__, 10**6)):
            try:
                attempt()
                found.append(attempt)
            except OSError:
                pass
        os.kill(os.getpid(), 0)
        return [len(found)]
    """
    outcome = run(job(tmp_path / "s", source), "landlock")
    assert outcome.arrays is not None, outcome.reason
    assert outcome.arrays["indices"].tolist() == [0]


def test_none_warns_and_is_never_automatic(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="without isolation"):
        outcome = run(job(tmp_path / "s", "def select(task):\n    return [0]\n"), "none")
    assert outcome.status is Status.OK
    assert outcome.tier == "none"
    with pytest.raises(ProtocolError, match="weaker"):
        resolve_tier("none", "landlock")


def test_nothing_automatic_when_nothing_works(fresh: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fresh.setenv("PATH", str(tmp_path))
    fresh.setattr(landlock, "abi", lambda: 0)
    with pytest.raises(ProtocolError, match=r"bubblewrap.*landlock") as caught:
        run(job(tmp_path / "s", ""), "auto")
    assert "\n" not in str(caught.value)


def test_only_a_little_of_the_harness_goes_in() -> None:
    names = {name for name in code() if name.endswith(".py")}
    assert {
        "harness/api/tasks.py",
        "harness/errors.py",
        "harness/models/__init__.py",
        "harness/sandbox/inside/worker.py",
    } <= names
    assert not [n for n in names if n.startswith(("harness/tracks", "harness/data", "harness/tracking", "harness/cli"))]
    assert not {"harness/protocol/challenge.py", "harness/evaluation/run.py", "harness/sandbox/supervisor.py"} & names


def test_the_worker_is_light() -> None:
    program = (
        "import sys, json; import harness.sandbox.inside.launcher, harness.sandbox.inside.worker;"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {
        "pydantic",
        "torch",
        "mlflow",
        "hydra",
        "omegaconf",
        "sklearn",
        "pandas",
        "harness.sandbox.base",
    }
    assert not [
        name for name in loaded if name.startswith(("harness.tracks", "harness.data", "harness.protocol.challenge"))
    ]


def test_library_copies_of_data_are_masked() -> None:
    seen = visible()
    sklearn = [p for root in seen.site for p in [f"{root}/sklearn/datasets/data"] if Path(p).is_dir()]
    assert sklearn, "scikit-learn's data are not where they were: the mask would miss them"
    assert set(sklearn) <= set(seen.masked)
    assert "sklearn/datasets/data" in BUNDLED
    for path in readable():
        assert not any(mask == path or mask.startswith(path + "/") for mask in seen.masked)
    repository = str(Path(__file__).parents[2])
    assert not [p for p in readable() if p == repository or repository.startswith(p + "/")]


def test_the_filter_is_well_formed() -> None:
    for program in (
        seccomp.program(namespaces=True),
        seccomp.program(namespaces=True, gpu=True),
        seccomp.program(namespaces=False),
        seccomp.program(namespaces=False, signal_only=7),
    ):
        assert len(program) % 8 == 0
        count = len(program) // 8
        assert count < 4096
        for i in range(count):  # every jump stays inside
            operation, hit, miss = program[8 * i], program[8 * i + 2], program[8 * i + 3]
            assert i + max(hit, miss) + (operation != RETURN) < count


RETURN = 0x06
GROUPS = {name: group for name, group in vars(syscalls).items() if name.isupper()}
EXPECTED = {"read": 0, "openat": 257, "mmap": 9, "futex": 202, "fcntl": 72, "clone": 56, "chmod": 90, "utimensat": 280,
            "prlimit64": 302, "shmget": 29, "kill": 62, "socket": 41}  # fmt: skip
KEPT_OUT = [
    "flock",
    "inotify_init",
    "inotify_init1",
    "inotify_add_watch",
    "fanotify_init",
    "add_key",
    "request_key",
    "keyctl",
    "cachestat",
    "preadv2",
    "futex_waitv",
    "move_pages",
    "io_setup",
    "sync",
    "syncfs",
    "ptrace",
    "process_vm_readv",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "mount",
    "unshare",
    "setns",
    "chroot",
    "init_module",
    "kexec_load",
    "syslog",
    "settimeofday",
    "sethostname",
    "personality",
    "clone3",
]


def test_call_numbers_are_the_kernels() -> None:
    """Against the kernel's own headers, where they are installed, else a few known by heart."""
    header, generic = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h")
    tables = {name: numbers for group in GROUPS.values() for name, numbers in group.items()}
    assert len(tables) == sum(map(len, GROUPS.values())), "a call is in two groups"
    for column, path in enumerate((header, generic)):
        wanted = dict(EXPECTED) if column == 0 else {}
        if path.is_file():
            lines = [line.split() for line in path.read_text().splitlines() if line.startswith("#define __NR")]
            wanted |= {re.sub("__NR(3264)?_", "", p[1]): int(p[2]) for p in lines if p[2:] and p[2].isdigit()}
        checked = {name: tables[name][column] for name in tables if name in wanted and tables[name][column] is not None}
        assert len(checked) >= (10 if column == 0 else 200 * path.is_file())
        assert checked == {name: wanted[name] for name in checked}


def test_what_two_cells_could_share_is_kept_out() -> None:
    assert not [name for name in KEPT_OUT for group in GROUPS.values() if name in group]


def test_the_survey_of_calls_is_the_filters() -> None:
    """docs/security.md lists every call that is allowed, group by group."""
    text = (Path(__file__).parents[2] / "docs/security.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z][a-z ]+) \| .* \| ((?:`\w+` ?)+) \|$", text, re.MULTILINE)
    listed = {name.upper().replace(" ", "_"): re.findall(r"`(\w+)`", calls) for name, calls in rows}
    assert listed == {name: list(group) for name, group in GROUPS.items()}
