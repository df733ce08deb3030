"""Whether a challenge lets a submission have the packages it asks for, and the packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.packages.blame import refused
from harness.packages.installed import own
from harness.packages.lock import Lock
from harness.packages.overlay import overlay
from harness.packages.resolve import resolve

Allowed = Literal["none", "any"] | tuple[str, ...]


@dataclass(frozen=True)
class Provided:
    """What a submission's requirements came to."""

    lock: Lock
    folder: Path | None  # with the packages unpacked; None where there are none


def provide(requires: Sequence[str], allowed: Allowed) -> Provided | None:
    """The packages for a submission, None where it asks for none.

    Raises SubmissionError (invalid_submission) where the challenge does not allow them, and what :func:`resolve` and
    :func:`overlay` raise.
    """
    if not requires:
        return None
    permit(requires, allowed)
    lock = resolve(requires)
    return Provided(lock, overlay(lock))


def permit(requires: Sequence[str], allowed: Allowed) -> None:
    """Raises SubmissionError (invalid_submission) where a challenge's ``packages`` do not allow what is asked for.

    A list names what may be asked for; what those packages need comes with them.
    """
    if allowed == "none":
        raise refused(
            f"The submission requires packages ({', '.join(requires)}), and this challenge allows none.",
            "The harness's own packages are there without asking; `harness show CHALLENGE` says what a challenge allows.",
        )
    if allowed == "any":
        return
    names = {canonicalize_name(Requirement(requirement).name): requirement for requirement in requires}
    if outside := [names[name] for name in names if name not in allowed and name not in own()]:
        raise refused(
            f"The submission requires {', '.join(outside)}, and this challenge allows {', '.join(allowed)} alone.",
            "Do without, or ask the organiser.",
        )
