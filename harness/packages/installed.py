"""What the harness's own environment has: it stays as it is, whatever a submission asks for."""

from __future__ import annotations

import functools
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version


@functools.cache
def installed() -> dict[str, Version]:
    """Distributions by normalised name; of two with one name the first on the path counts, as for an import."""
    found: dict[str, Version] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        try:
            found.setdefault(canonicalize_name(name), Version(distribution.version))
        except (InvalidVersion, TypeError):  # leftovers of a broken installation
            continue
    return found


@functools.cache
def own() -> frozenset[str]:
    """Normalised names of what the harness itself depends on, the same on every machine."""
    needs = map(Requirement, metadata.requires("harness") or ())
    return frozenset(canonicalize_name(need.name) for need in needs if "extra" not in str(need.marker or ""))


def contradiction(requirement: Requirement) -> str:
    """Where a requirement asks for another version of one of the harness's packages: both, named; else nothing."""
    there = installed().get(canonicalize_name(requirement.name))
    wanted = requirement.marker is None or requirement.marker.evaluate()
    if there is None or not wanted or requirement.specifier.contains(there, prereleases=True):
        return ""
    return f"{requirement} is asked for, and the harness has {requirement.name} {there}"


def constraints() -> str:
    """As a file for ``pip install --constraint``: nothing of the harness's is replaced."""
    return "".join(f"{name}=={version}\n" for name, version in sorted(installed().items()))
