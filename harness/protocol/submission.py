"""A submission: a folder with ``submission.yaml`` and an algorithm. Read here, never imported here."""

from __future__ import annotations

import difflib
import functools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness import plugins
from harness.api import Task
from harness.errors import ProtocolError
from harness.packages.lock import Lock
from harness.paths import SUBMISSIONS_DIR
from harness.protocol import folder as folders
from harness.protocol.manifest import MANIFEST, missing, parse
from harness.protocol.params import NONE, Params, written
from harness.protocol.requirements import requirements
from harness.tracks import task_kinds


@dataclass(frozen=True)
class Submission:
    """A validated manifest, and every file of the folder as it was when it was read."""

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
    contents: Mapping[str, bytes] = field(repr=False)  # the bytes that were digested, by relative path
    requires: tuple[str, ...] = ()  # packages beside the harness's own, PEP 508
    lock: Lock | None = None  # what these came to, once they are resolved
    packages: Path | None = None  # where those wheels are unpacked, once they are
    params: Params = field(default_factory=dict)  # keyword arguments of the function

    def with_params(self, params: Params) -> Submission:
        """The submission with some of its parameters at other values: other files, known by another digest."""
        changed = {**self.params, **params}
        if not params or (changed == self.params and str(changed) == str(self.params)):  # 1, 1.0 and true are equal
            return self
        contents = {**self.contents, MANIFEST: written(self.contents[MANIFEST], changed)}
        return replace(self, params=changed, contents=contents, digest=folders.digest_of(contents))


def places() -> list[Path]:
    """The folders that hold baselines, one folder a kind of task: the shipped one and those of installed plug-ins."""
    return [SUBMISSIONS_DIR, *plugins.folders("submissions")]


def shipped() -> dict[str, list[Path]]:
    """Baseline folders by name; a name may exist for several tracks (``random``)."""
    found: dict[str, list[Path]] = {}
    for manifest in (path for place in places() for path in sorted(place.glob(f"*/*/{MANIFEST}"))):
        found.setdefault(manifest.parent.name, []).append(manifest.parent)
    return found


@functools.cache
def shipped_digests() -> frozenset[str]:
    """Digests of all baselines that are shipped or come with plug-ins."""
    return frozenset(load(folder).digest for paths in shipped().values() for folder in paths)


def is_shipped(digest: str, name: str = "", params: Params = NONE) -> bool:
    """Whether files are those of a baseline, if need be of the one of this name with these parameters."""
    if digest in shipped_digests():
        return True
    return bool(params) and any(load(folder).with_params(params).digest == digest for folder in shipped().get(name, ()))


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
    for place in places() if re.fullmatch(r"\w+/\w+", name_or_path) else ():
        if os.path.isfile(place / name_or_path / MANIFEST):  # noqa: PTH113
            return (place / name_or_path).resolve()
    folder = os.path.expanduser(name_or_path)  # noqa: PTH111 - Path's own raise where a name is too long or unknown
    if os.path.isdir(folder):  # noqa: PTH112
        return Path(folder).resolve()
    elsewhere = [f"{path.parent.name}/{path.name}" for path in shipped().get(name_or_path, [])]
    if task and elsewhere:
        raise ProtocolError(
            f"The baseline {name_or_path!r} is not for {task} challenges.",
            f"There is {' and '.join(elsewhere)}. `harness list submissions` lists the baselines.",
        )
    if "," in name_or_path:
        raise ProtocolError(
            f"There is no submission {name_or_path!r}.", "To run several, add -m: `harness run -m submission=A,B`."
        )
    near = elsewhere or difflib.get_close_matches(name_or_path, baselines, n=3, cutoff=0.4)
    raise ProtocolError(
        f"There is no submission {name_or_path!r}: neither a folder nor a {task} baseline.".replace("  ", " "),
        f"Did you mean {' or '.join(near)}?" if near else "`harness list submissions` lists the baselines.",
    )


def load(folder: Path, *, everything: bool = False, kind: type[Task] | None = None) -> Submission:
    """Read and validate a submission folder.

    ``everything``: leave no file out, as in a kept copy. ``kind``: a kind of task that only a challenge's own track has.
    Raises SubmissionError (invalid_submission) listing all problems.
    """
    files = folders.read(folder, everything=everything)
    if MANIFEST not in files.contents:
        raise missing(folders.shown(folder), files.contents)
    kinds = task_kinds() | ({kind.kind: kind} if kind else {})
    manifest = parse(files.contents[MANIFEST], folders.shown(folder / MANIFEST), files.contents, kinds)
    module, _, function = manifest.entry.partition(":")
    return Submission(
        **manifest.model_dump(exclude={"entry", "requires"}),
        module=module,
        function=function,
        folder=folder,
        digest=files.digest,
        contents=files.contents,
        requires=requirements(manifest.requires, files.contents, folders.shown(folder)),
    )
