"""From requirements to a lock: which wheels, with which hashes, beside what the harness has."""

from __future__ import annotations

import hashlib
import json
import platform
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic import TypeAdapter, ValidationError

from harness.data.fetch import cache_dir
from harness.errors import HarnessError
from harness.packages.blame import blame, refused
from harness.packages.installed import constraints, contradiction
from harness.packages.installer import pip, workplace
from harness.packages.lock import Lock, Package

_PACKAGES = TypeAdapter(tuple[Package, ...])


def resolve(requires: Sequence[str], *, fresh: bool = False) -> Lock:
    """The wheels that meet ``requires`` (PEP 508) and are not already there.

    The same requirements beside the same installation come to the same lock from then on, also without a network;
    ``fresh`` asks the index again.

    Raises
    ------
    SubmissionError: invalid_submission: no such package, version or wheel, or it contradicts the harness's packages.
    HarnessError: the index cannot be reached.
    ProtocolError: there is no pip.
    """
    if not requires:
        return Lock(())
    kept = cache_dir() / "locks" / f"{_key(requires)}.json"
    if not fresh and (lock := _read(kept)):
        return lock
    if told := list(filter(None, (contradiction(Requirement(requirement)) for requirement in requires))):
        raise refused(
            f"{'; '.join(told)}. The harness's packages stay as they are.",
            "Leave the version open, or ask for one that goes with it.",
        )
    with workplace(cache_dir() / "overlays") as work:
        (work / "constraints.txt").write_text(constraints())
        report = work / "report.json"
        said = pip(["--dry-run", "--report", str(report), "-c", str(work / "constraints.txt"), "--", *requires], work)
        if said.code:
            raise blame(said)
        lock = Lock.of([_package(item) for item in json.loads(report.read_bytes())["install"]])
        kept.parent.mkdir(parents=True, exist_ok=True)
        (work / "lock.json").write_text(json.dumps(lock.plain(), indent=2))
        (work / "lock.json").replace(kept)
    return lock


def _package(item: dict[str, Any]) -> Package:
    """One entry of pip's report (https://pip.pypa.io/en/stable/reference/installation-report/)."""
    source, about = item["download_info"], item["metadata"]
    wheel = source["url"].partition("#")[0].rpartition("/")[2].replace("%2B", "+").replace("%21", "!")
    if item.get("is_direct") or not wheel.endswith(".whl"):  # a dependency named by its address
        raise refused(f"{about['name']} is named by its address, not as a package of the index.")
    name = canonicalize_name(about["name"])
    try:
        digest = source["archive_info"]["hashes"]["sha256"]
        return Package(name=name, version=about["version"], wheel=wheel, sha256=digest)
    except (KeyError, ValidationError) as error:
        raise HarnessError(f"pip names no exact wheel for {name}.", "A newer pip may.") from error


def _key(requires: Sequence[str]) -> str:
    facts = [sorted(requires), constraints(), platform.python_version(), sysconfig.get_platform(), platform.libc_ver()]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _read(path: Path) -> Lock | None:
    try:
        return Lock(_PACKAGES.validate_json(path.read_bytes()))
    except (OSError, ValidationError):
        return None
