"""Which isolation works on this machine, found out by running something in it, and which one a challenge gets."""

from __future__ import annotations

import functools
import os
import shutil
import threading
from dataclasses import dataclass

from harness.errors import HarnessError, ProtocolError
from harness.sandbox import podman, trial, walls
from harness.sandbox.cell import failure
from harness.sandbox.inside import landlock, seccomp

STRENGTH = {"none": 0, "landlock": 1, "container": 2, "bubblewrap": 2}
AUTO = ("bubblewrap", "landlock")  # strongest first; the container is asked for by name
_lock = threading.Lock()


@dataclass(frozen=True)
class TierReport:
    """One tier on this machine. ``why``: what it is made of, or what is missing and how to get it."""

    name: str
    works: bool
    why: str


def probe() -> list[TierReport]:
    """Every tier, strongest first, each tried by really running something in it; once per process.

    Raises HarnessError where there is no room for temporary files to try them with.
    """
    return [_tried(name) for name in ("bubblewrap", "container", "landlock", "none")]


def resolve_tier(wanted: str, minimum: str) -> str:
    """The tier to use: the one asked for by name, or with ``"auto"`` the strongest that works.

    Raises ProtocolError, saying what is missing and what to install, where it does not work or is weaker than
    ``minimum``, and HarnessError where there is no room to try it. Never falls back from a tier that was asked for by
    name.
    """
    for value, known in ((wanted, ("auto", *STRENGTH)), (minimum, tuple(STRENGTH))):
        if value not in known:
            raise ProtocolError(f"There is no isolation tier {value!r}.", f"Known: {', '.join(known)}.")
    candidates = AUTO if wanted == "auto" else (wanted,)
    strong = [name for name in candidates if STRENGTH[name] >= STRENGTH[minimum]]
    if not strong:
        raise ProtocolError(
            f"The isolation tier {wanted!r} is weaker than {minimum!r}, the least this challenge allows.",
            "Run with sandbox.tier=auto, or with a challenge of your own that allows less; such runs do not rank.",
        )
    reports = []
    for name in strong:
        reports.append(_tried(name))
        if reports[-1].works:
            return name
    reasons = "; ".join(f"{report.name}: {report.why}" for report in reports)
    raise ProtocolError(
        f"No isolation tier that this run may use works here ({reasons}).", "`harness doctor` shows all."
    )


def _tried(name: str) -> TierReport:
    """Raises HarnessError where there is no room to try it: that says nothing about the tier, and is not kept."""
    try:
        with _lock:
            return _try(name)
    except OSError as error:
        why, hint = failure(error)
        raise HarnessError(
            f"The isolation tier {name} cannot be tried, for want of temporary files: {why}",
            hint or "Let TMPDIR name a directory that can be written.",
        ) from error


@functools.cache
def _try(name: str) -> TierReport:
    if name == "none":
        return TierReport("none", True, "no isolation at all: for development, never ranks")
    missing = _missing(name)
    if missing:
        return TierReport(name, False, missing)
    said = _contained() if name == "container" else trial.run_probe(name)
    if said == "confined":
        return TierReport(name, True, _DESCRIPTIONS[name])
    return TierReport(name, False, f"{said}. {_REMEDIES[name]}")


def _contained() -> str:
    if trial.runtime():
        return "confined"
    return "; ".join(f"with {oci}, {said}" for oci, said in trial.trials().items())


_DESCRIPTIONS = {
    "bubblewrap": "all namespaces unshared, read-only binds, no network, no capabilities, seccomp",
    "container": "Podman: all namespaces unshared, read-only binds, no network, no capabilities, seccomp",
    "landlock": "Landlock, seccomp and resource limits, no namespaces: weaker than bubblewrap",
}
_REMEDIES = {
    "bubblewrap": "It needs unprivileged user namespaces: see sysctl kernel.unprivileged_userns_clone, "
    "kernel.apparmor_restrict_unprivileged_userns and user.max_user_namespaces.",
    "container": "It needs Podman 4.3 or newer and an OCI runtime that knows this machine's control groups; without "
    "root also user namespaces, newuidmap and a range of ids in /etc/subuid and /etc/subgid.",
    "landlock": "It needs a Linux kernel 6.2 or newer with Landlock and seccomp enabled.",
}


def _missing(name: str) -> str:
    if not seccomp.supported():
        return f"no seccomp filter is written for {os.uname().machine} (x86_64 and aarch64 are)"
    if name == "bubblewrap" and not walls.bwrap():
        return "the program bwrap is not installed: apt-get install bubblewrap, or dnf install bubblewrap"
    if name == "container" and not podman.installed():
        return "the program podman is not installed (optional; Docker cannot take its place)"
    if name == "container" and not any(map(shutil.which, trial.RUNTIMES)):
        return "Podman has neither crun nor runc to run containers with"
    if name == "landlock" and landlock.abi() < landlock.MINIMUM_ABI:
        return f"this kernel's Landlock has version {landlock.abi()}. {_REMEDIES['landlock']}"
    return ""
