"""What participants get: a folder, or a .zip, with rules, a challenge to practise on, a skeleton and the baselines.

It is built beside its place, composed and drawn from there as a participant would, searched for what must not be in it,
and renamed. The same challenge gives the same bytes.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.competition.bundling import rehearsal, rules_page
from harness.competition.freezing.freeze import own_file
from harness.errors import ProtocolError
from harness.evaluation import frozen
from harness.packages.installed import installed, own
from harness.paths import permit
from harness.protocol import catalogue, roster, submission
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.protocol.describe import describe
from harness.protocol.scaffold import scaffold
from harness.tracking import provenance
from harness.tracking.files import TEMPORARY, disk_errors, json_bytes

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment that a .zip knows


@dataclass(frozen=True)
class Bundle:
    """What was written."""

    path: Path
    files: tuple[str, ...]
    data: str  # what the data in it are


def bundle(name: str, config_dir: Path, out: Path, *, practice: str | None = None) -> Bundle:
    """Write the bundle of a challenge of ``config_dir`` to ``out``: a new folder, or a new file that ends in ``.zip``.

    Raises
    ------
    ProtocolError: a shipped challenge, one that is not what was frozen, something at ``out``, practice data that do not do.
    HarnessError: the disk refuses.
    """
    own_file(name, config_dir)
    challenge = load_challenge(name, config_dir=config_dir)
    if os.path.lexists(out):
        raise ProtocolError(f"{out} exists already; nothing was written.", "--out names a new folder or .zip.")
    official = challenge.load_dataset()
    frozen.refuse_drift(challenge, official.digest())
    with disk_errors(f"write {out}"):
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f"{TEMPORARY}{out.name}-", dir=out.absolute().parent))
        try:
            folder = building / name
            folder.mkdir()
            data = _fill(folder, challenge, config_dir, practice)
            for rubbish in list(folder.rglob("__pycache__")):
                shutil.rmtree(rubbish)
            _refuse_leaks(folder, challenge, config_dir)
            files = tuple(file.relative_to(folder).as_posix() for file in _files(folder))
            if out.suffix.lower() == ".zip":
                _zip(folder, building / "bundle.zip")
                permit(building / "bundle.zip")
                os.link(building / "bundle.zip", out)  # unlike a rename, never over another file
            else:
                folder.rename(out)
        except FileExistsError:
            raise ProtocolError(f"{out} exists already; nothing was written.") from None
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return Bundle(out, files, data)


def _fill(folder: Path, challenge: Challenge, config_dir: Path, chosen: str | None) -> str:
    """Write everything; returns what the data are."""
    official = challenge.load_dataset()
    here, data = rehearsal.write(challenge, official, config_dir, folder / "conf", chosen)
    task = challenge.track_type.task
    scaffold(task.kind, folder / "my_method")
    for baseline in catalogue.baseline_names(task.kind, challenge.left_out()):
        for file, content in submission.load(submission.find(baseline, task.kind)).contents.items():
            place = folder / "baselines" / baseline / file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    (folder / "packages.txt").write_text("".join(_packages()), encoding="utf-8")
    if challenge.lock:
        shown = {"facts": challenge.lock.facts, "frozen": challenge.lock.frozen, "lock_sha256": challenge.lock.sha256}
        (folder / "CHALLENGE.lock").write_bytes(json_bytes(shown))
    (folder / "README.md").write_text(rules_page.page(challenge, official, describe(here), data), encoding="utf-8")
    return data


def _packages() -> Iterator[str]:
    yield f"python=={provenance.versions()['python']}\n"
    yield f"harness=={provenance.versions()['harness']}\n"
    there = installed()
    for name in sorted(own() - {"harness"}):
        if name in there:
            yield f"{name}=={there[name]}\n"


def _files(folder: Path) -> list[Path]:
    return sorted((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.as_posix())


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "x") as archive:
        for file in _files(folder):
            info = zipfile.ZipInfo(file.relative_to(folder.parent).as_posix(), _EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, file.read_bytes())


def _refuse_leaks(folder: Path, challenge: Challenge, config_dir: Path) -> None:
    """Raise ProtocolError where a file tells what stays with the organiser, as a description or a plug-in's code may."""
    secrets = {"the secret": challenge.secret if not challenge.practice else ""}
    secrets |= {
        "the path of the config directory": str(config_dir.resolve()),
        "the path of your home": str(Path.home()),
    }
    secrets["the path of the secret"] = str(challenge.secret_file or "")
    if challenge.teams:
        for team in roster.read(challenge.teams).teams.values():
            secrets[f"the contact of {team.id}"] = team.contact
            secrets[f"the token's digest of {team.id}"] = team.token_sha256 or ""
    words = {what: word for what, word in secrets.items() if len(word) > 4}
    for file in _files(folder):
        content = file.read_bytes()
        for what, word in words.items():
            if word.encode() in content or json.dumps(word)[1:-1].encode() in content:
                raise ProtocolError(
                    f"{file.relative_to(folder)} of the bundle would hold {what}; nothing was written.",
                    "Take it out of the challenge's texts, of its settings, or of the practice data.",
                )
