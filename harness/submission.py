"""A submission: a folder with ``submission.yaml`` and an algorithm. Read here, never imported here."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness import api
from harness.errors import ProtocolError, Status, SubmissionError
from harness.paths import SUBMISSIONS_DIR

MANIFEST = "submission.yaml"
_KEYS = {"name": str, "track": str, "entry": str, "authors": list, "description": str, "license": str}
_OPTIONAL = {"needs": list}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ENTRY = re.compile(r"[A-Za-z_]\w*:[A-Za-z_]\w*", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_IGNORED = {"__pycache__", ".git", ".DS_Store", ".mypy_cache", ".ruff_cache", ".ipynb_checkpoints"}
MAX_FOLDER_MB = 64


@dataclass(frozen=True)
class Submission:
    """A validated manifest and the digest of every file beside it."""

    name: str
    track: str  # the task kind it answers, a key of api.TASKS
    module: str
    function: str
    authors: tuple[str, ...]
    description: str
    license: str
    needs: tuple[str, ...]  # fields of the task that some challenges leave out and it cannot do without
    folder: Path
    digest: str  # SHA-256 over relative paths and contents


def shipped() -> dict[str, list[Path]]:
    """Baseline folders by name; a name may exist for several tracks (``random``)."""
    found: dict[str, list[Path]] = {}
    for manifest in sorted(SUBMISSIONS_DIR.glob(f"*/*/{MANIFEST}")):
        found.setdefault(manifest.parent.name, []).append(manifest.parent)
    return found


def find(name_or_path: str, task: str) -> Path:
    """The folder meant by a path, by a baseline's name, or by ``<track>/<name>``.

    ``task`` says whose baselines are meant; with none given, a name must belong to one task kind alone.
    Raises ProtocolError with the nearest names when there is none.
    """
    baselines = {
        p.name: p
        for paths in shipped().values()
        for p in paths
        if p.parent.name == task or (not task and len(paths) == 1)
    }
    if name_or_path in baselines:
        return baselines[name_or_path]
    if re.fullmatch(r"\w+/\w+", name_or_path) and (SUBMISSIONS_DIR / name_or_path / MANIFEST).is_file():
        return (SUBMISSIONS_DIR / name_or_path).resolve()
    folder = Path(name_or_path).expanduser()
    if name_or_path and folder.is_dir():
        return folder.resolve()
    elsewhere = [f"{path.parent.name}/{path.name}" for path in shipped().get(name_or_path, [])]
    if task and elsewhere:
        raise ProtocolError(
            f"The baseline {name_or_path!r} is not for {task} challenges.",
            f"There is {' and '.join(elsewhere)}. `harness list submissions` lists the baselines.",
        )
    near = elsewhere or difflib.get_close_matches(name_or_path, baselines, n=3, cutoff=0.4)
    raise ProtocolError(
        f"There is no submission {name_or_path!r}: neither a folder nor a {task} baseline.".replace("  ", " "),
        f"Did you mean {' or '.join(near)}?" if near else "`harness list submissions` lists the baselines.",
    )


def load(folder: Path) -> Submission:
    """Read and validate a submission folder. Raises SubmissionError (invalid_submission) listing all problems."""
    files = _files(folder)
    manifest = _manifest(folder)
    kinds = _KEYS | _OPTIONAL
    problems = [f"unknown key {_named(key)}" for key in manifest if key not in kinds]
    manifest = {"needs": []} | manifest
    for key, kind in kinds.items():
        if key not in manifest:
            problems.append(f"key {key!r} is missing")
        elif not isinstance(manifest[key], kind):
            problems.append(f"{key} must be a {'list' if kind is list else 'text'}, got {type(manifest[key]).__name__}")
    if not problems:
        if not _NAME.fullmatch(manifest["name"]):
            problems.append(f"name {manifest['name']!r:.80} must be 1 to 64 letters, digits, '_', '-' or '.'")
        if manifest["track"] not in api.TASKS:
            problems.append(f"track {manifest['track']!r:.80} must be one of {', '.join(api.TASKS)}")
        if not _ENTRY.fullmatch(manifest["entry"]):
            problems.append(f"entry {manifest['entry']!r:.80} must look like algorithm:function")
        elif f"{manifest['entry'].split(':')[0]}.py" not in files:
            problems.append(f"entry names {manifest['entry'].split(':')[0]}.py, which is not in the folder")
        if not manifest["authors"] or not all(isinstance(a, str) and 0 < len(a) <= 200 for a in manifest["authors"]):
            problems.append("authors must be a list of one or more names")
        if len(manifest["description"]) > 2000:
            problems.append("description is longer than 2000 characters")
        if len(manifest["license"]) > 200:
            problems.append("license is longer than 200 characters; an SPDX identifier is meant")
        fields = {field.name for field in dataclasses.fields(api.TASKS.get(manifest["track"], api.Task))}
        if not all(isinstance(need, str) and need in fields for need in manifest["needs"]):
            problems.append(f"needs must be a list of fields of the task ({', '.join(sorted(fields))})")
        problems += [f"{key} has characters that cannot be printed" for key in _KEYS if _unprintable(manifest[key])]
    if problems:
        raise _invalid(f"{folder / MANIFEST}: {'; '.join(problems)}.", "See a baseline's submission.yaml for the form.")
    module, _, function = manifest["entry"].partition(":")
    return Submission(
        name=manifest["name"],
        track=manifest["track"],
        module=module,
        function=function,
        authors=tuple(manifest["authors"]),
        description=manifest["description"],
        license=manifest["license"],
        needs=tuple(manifest["needs"]),
        folder=folder,
        digest=_digest(folder, files),
    )


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases: a few lines of them can stand for more values than memory holds."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("anchors and aliases (& and *) are not allowed here")
        return super().compose_node(parent, index)


def _named(key: object) -> str:
    return f"{key!r:.60}" if isinstance(key, str) else f"of type {type(key).__name__}"


def _unprintable(value: object) -> bool:
    """Whether a text, or one in a list, has control characters, surrogates or marks that reverse direction."""
    texts = value if isinstance(value, list) else [value]
    return any(isinstance(text, str) and _CONTROLS.search(text) for text in texts)


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise _invalid(f"{folder} has no {MANIFEST}.", "`harness new TRACK PATH` writes a working skeleton.")
    if path.stat().st_size > 64_000:
        raise _invalid(f"{path} is larger than 64 kB.")
    try:
        manifest = yaml.load(path.read_text(encoding="utf-8"), _PlainLoader)  # noqa: S506 - a SafeLoader
    except Exception as error:  # the constructors of explicit tags (!!float, !!timestamp) raise whatever happens there
        raise _invalid(f"{path} is not readable YAML: {' '.join(str(error).split())[:300]}.") from error
    if not isinstance(manifest, dict):
        raise _invalid(f"{path} must hold keys and values, got {type(manifest).__name__}.")
    return manifest


def _files(folder: Path) -> list[str]:
    """Relative paths of the regular files, sorted. Links and special files are refused: they would leave the folder."""
    found: list[str] = []
    size = 0
    for root, dirs, names in os.walk(folder):
        dirs[:] = sorted(d for d in dirs if d not in _IGNORED)
        for name in sorted([*names, *(d for d in dirs if (Path(root) / d).is_symlink())]):
            if name in _IGNORED or name.endswith(".pyc"):
                continue
            path = Path(root) / name
            relative = path.relative_to(folder).as_posix()
            info = path.lstat()
            if not stat.S_ISREG(info.st_mode):
                raise _invalid(f"{folder}: {relative!r} is not a regular file; links and special files are refused.")
            found.append(relative)
            size += info.st_size
            if len(found) > 1000 or size > MAX_FOLDER_MB * 2**20:
                raise _invalid(f"{folder} holds more than 1000 files or {MAX_FOLDER_MB} MB.")
    return sorted(found)


def _digest(folder: Path, files: list[str]) -> str:
    sha = hashlib.sha256()
    for relative in files:
        content = (folder / relative).read_bytes()
        sha.update(f"{relative}\0{len(content)}\0".encode())
        sha.update(content)
    return sha.hexdigest()


def _invalid(reason: str, hint: str = "") -> SubmissionError:
    return SubmissionError(reason, hint, Status.INVALID_SUBMISSION)
