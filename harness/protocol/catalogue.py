"""What there is: shipped and user-made challenges, baselines, data sets; nothing is composed for that."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from harness.data import dataset_names
from harness.errors import ProtocolError
from harness.protocol import source
from harness.protocol import submission as submissions
from harness.protocol import suites as suite_files
from harness.protocol.manifest import MANIFEST
from harness.tracks import track_class, track_of

BUNDLED = ("digits", "breast_cancer", "wine", "digit_cells", "marked_digits")
"""Data sets that come with scikit-learn."""


@dataclass(frozen=True)
class Entry:
    """One line of ``harness list``."""

    name: str
    track: str  # one of the tracks
    title: str
    task: str  # kind of task: which submissions go with which challenges
    detail: str  # challenges: protocol, data set, model; submissions: folder under submissions/; suites: challenges
    problem: str = ""  # why it cannot be used, where it cannot

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def challenges(config_dir: Path | None = None) -> list[Entry]:
    """Every challenge, sorted by name; a broken file is a row that says why.

    Raises ProtocolError where ``config_dir`` is no directory.
    """
    return [_challenge(name, config_dir) for name in source.names(config_dir)]


def suites(config_dir: Path | None = None) -> list[Entry]:
    """Every suite, sorted by name; a broken file is a row that says why.

    Raises ProtocolError where ``config_dir`` is no directory.
    """
    return [_suite(name, config_dir) for name in source.names(config_dir, "suite")]


def baselines() -> list[Entry]:
    """Every shipped submission, sorted by track and name."""
    entries = []
    for folder in sorted(path for paths in submissions.shipped().values() for path in paths):
        manifest = submissions.load(folder)
        title = manifest.description.split("\n")[0]
        place = f"{folder.parent.name}/{folder.name}"
        entries.append(Entry(manifest.name, track_of(manifest.track), title, manifest.track, place))
    return entries


def baseline_names(task: str, left_out: frozenset[str] = frozenset()) -> list[str]:
    """Names of the shipped submissions that answer one task kind and need no field of it that is left out."""
    folders = sorted(path.parent for place in submissions.places() for path in place.glob(f"{task}/*/{MANIFEST}"))
    return [folder.name for folder in folders if left_out.isdisjoint(submissions.load(folder).needs)]


def quick_challenges() -> list[str]:
    """Names of the shipped challenges on data bundled with scikit-learn: nothing is fetched for them."""
    return [entry.name for entry in challenges() if entry.detail.split(", ")[1:2] in [[name] for name in BUNDLED]]


def quick_challenge(task: str) -> str:
    """The challenge of a task kind to try things on: a quick one if there is any.

    Raises ProtocolError where no shipped challenge has this task kind.
    """
    fitting = [entry for entry in challenges() if entry.task == task]
    if not fitting:
        raise ProtocolError(f"No shipped challenge takes {task} submissions.", "Name one with challenge=NAME.")
    quick = quick_challenges()
    names = [entry.name for entry in fitting if entry.name in quick] or [entry.name for entry in fitting]
    return f"{task}_digits" if f"{task}_digits" in names else names[0]


def data_sets(config_dir: Path | None = None) -> list[str]:
    """Names that a challenge may choose as /dataset: those with a loader, and the configs of plug-ins and of an organiser."""
    files = (path for root in source.roots(config_dir) for path in (root / "dataset").glob("[!._]*.yaml"))
    return sorted({*dataset_names(), *(path.stem for path in files)})


def _challenge(name: str, config_dir: Path | None) -> Entry:
    try:
        found = source.read(name, config_dir)
        protocol = track_class(*found.kind("track", config_dir))
    except ProtocolError as error:
        return Entry(name, "?", f"cannot be used: {error}", "", "", str(error))
    detail = ", ".join(found.groups[group] for group in source.GROUPS)
    return Entry(name, protocol.track, found.title, protocol.task.kind, detail)


def _suite(name: str, config_dir: Path | None) -> Entry:
    try:
        found = suite_files.read(name, config_dir)
    except ProtocolError as error:
        return Entry(name, "?", f"cannot be used: {error}", "", "", str(error))
    return Entry(name, found.track, found.title, found.task, ", ".join(found.challenges))
