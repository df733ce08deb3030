"""Where a challenge's secret is kept: in a file of its own, outside whatever is copied or published."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.competition.freezing.yaml_line import REVEALED
from harness.errors import ProtocolError
from harness.paths import expanded
from harness.protocol import secret, source
from harness.protocol.challenge import Challenge
from harness.randomness import OPEN_SECRET
from harness.tracking import signature
from harness.tracking.files import TEMPORARY, sync_directory

_ENVIRONMENT = re.compile(r"\$\{oc\.env:")
_ELSEWHERE = "--secret-file PATH names another place."


@dataclass(frozen=True)
class Plan:
    """The secret that a challenge is to have, where it is to lie, and how it came to that."""

    secret: str
    place: Path | None  # None: nowhere, it comes from the environment
    write: bool  # into the place, and the place into the challenge's file
    said: str


def plan(
    challenge: Challenge, file: Path, *, secret_file: Path | str | None, new: bool, refused: Mapping[str, Path]
) -> Plan:
    """Decide on a secret; nothing is written. ``refused``: folders it must not lie in, by what they are.

    Raises ProtocolError: a weak secret that somebody has put into a file or the environment, a place where others get to
    see it, or one that holds another secret already.
    """
    name, now = challenge.name, challenge.secret_file
    own = source.load(file).get("secret")
    asked = expanded(secret_file).absolute() if secret_file else None
    if now and not new:
        if asked and asked.resolve() != now.resolve():
            raise ProtocolError(
                f"The secret of {name} lies in {now} already.", "Take that, or add --new-secret for another one."
            )
        secret.require_strong(challenge.secret, f"in {now}")
        for where in _inside(now, refused):
            warnings.warn(
                f"the secret file {now} lies in {where}: copying or publishing it gives it away", stacklevel=4
            )
        return Plan(challenge.secret, now, write=False, said="as it was")
    if isinstance(own, str) and _ENVIRONMENT.search(own) and not (new or asked):
        secret.require_strong(challenge.secret, f"of {name}, from the environment,")
        return Plan(challenge.secret, None, write=False, said="from the environment, where it stays")
    place = asked or _default(name)
    _refuse_place(place, refused)
    drawn, said = _chosen(challenge, file, own, new=new)
    if os.path.lexists(place):
        there = secret.read(place)
        ours = _mark(file) in place.read_text(encoding="utf-8").splitlines()  # of a freeze that was killed
        if there != drawn and not (ours and said.startswith("a new one") and there != challenge.secret):
            raise ProtocolError(
                f"{place} is there already and holds another secret, which is never written over.", _ELSEWHERE
            )
        drawn = there
    secret.require_strong(drawn, f"in {place}")
    return Plan(drawn, place, write=True, said=said)


def keep(planned: Plan, file: Path) -> None:
    """Write the secret, whole and synced, for its owner alone, never over another file.

    Raises ProtocolError where that cannot be.
    """
    place = planned.place
    if place is None or os.path.lexists(place):
        return
    content = f"{_mark(file)}\n{planned.secret}\n"
    try:
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True, mode=0o700)
            place.parent.chmod(0o700)
        descriptor, temporary = tempfile.mkstemp(prefix=f"{TEMPORARY}{place.name}-", dir=place.parent)  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.link(temporary, place)  # unlike a rename, never over another file
        finally:
            with suppress(OSError):
                Path(temporary).unlink()
        sync_directory(place.parent)
    except OSError as error:
        raise ProtocolError(f"The secret cannot be kept in {place}: {error.strerror or error}.", _ELSEWHERE) from error


def written(place: Path) -> str:
    """A place as a challenge's file has it: from ``~`` on where it lies there, which names no user."""
    with suppress(RuntimeError, ValueError):
        return f"~/{place.relative_to(Path.home()).as_posix()}"
    return str(place)


def _chosen(challenge: Challenge, file: Path, own: object, *, new: bool) -> tuple[str, str]:
    """The secret of the challenge's own file where nobody but its author has seen it, else a new one; and why."""
    why = ""
    if new:
        why = "as was asked for"
    elif challenge.secret == OPEN_SECRET:
        why = "the secret was open"
    elif own != challenge.secret:
        why = f"{file.name} had its secret from a file that it builds on"
    elif secret.bits(challenge.secret) < secret.FEWEST_BITS:
        why = f"the one in {file.name} could be guessed ({secret.bits(challenge.secret):.0f} bits)"
    elif f"{REVEALED}" in file.read_text(encoding="utf-8"):
        why = f"the one in {file.name} was revealed"
    elif _known_to_git(file):
        why = f"the one in {file.name} is known to git"
    if why:
        return secret.new(), f"a new one, since {why}" if not new else f"a new one, {why}"
    return challenge.secret, f"moved from {file.name}; runs made so far keep their fingerprint"


def _mark(file: Path) -> str:
    """Says for which challenge a secret was drawn, so that a freeze that was killed can be taken up again."""
    return f"# Splits and noise of {file.resolve()} are drawn from this. It stays with the organiser."


def _default(name: str) -> Path:
    key = signature.default_place()
    if key is None:
        raise ProtocolError("There is no home directory to keep a secret in.", _ELSEWHERE)
    return key.parent / "secrets" / f"{name}.secret"


def _refuse_place(place: Path, refused: Mapping[str, Path]) -> None:
    for where in _inside(place, refused):
        raise ProtocolError(
            f"The secret would lie in {place}, inside {where}: whoever copies or publishes that would give it away.",
            _ELSEWHERE,
        )


def _inside(place: Path, refused: Mapping[str, Path]) -> list[str]:
    """Folders around a place that others get to see."""
    real = Path(os.path.realpath(place))
    inside = [f"{what} ({folder})" for what, folder in refused.items() if real.is_relative_to(folder.resolve())]
    return inside + [f"a git repository ({folder})" for folder in real.parents if _is_repository(folder)]


def _is_repository(folder: Path) -> bool:
    with suppress(OSError):
        return (folder / ".git").exists() or ((folder / "HEAD").is_file() and (folder / "objects").is_dir())
    return False


def _known_to_git(file: Path) -> bool:
    """Whether a commit or the index may hold the file; so it is assumed in a repository where git cannot say."""
    if not any(_is_repository(folder) for folder in file.resolve().parents):
        return False
    said = [
        _git(file, "ls-files", "--", file.name),
        _git(file, "log", "--all", "--max-count=1", "--format=%H", "--", file.name),
    ]
    return any(text is None or text.strip() for text in said)


def _git(file: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(file.resolve().parent), *words], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
