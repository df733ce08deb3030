"""What there is: shipped and user-made challenges, baselines, data sets; read from their files, composed by nobody."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.data import dataset_names
from harness.errors import BenchmarkError, ProtocolError
from harness.paths import CONF_DIR, SUBMISSIONS_DIR
from harness.protocol import submission as submissions
from harness.protocol.manifest import MANIFEST
from harness.tracks import track_class, track_names

BUNDLED = ("digits", "breast_cancer", "wine")
"""Data sets that come with scikit-learn."""


@dataclass(frozen=True)
class Entry:
    """One line of ``harness list``."""

    name: str
    track: str  # one of the six tracks
    title: str
    task: str  # task kind: which submissions go with which challenges
    detail: str  # challenges: protocol, data set, model; submissions: folder under submissions/

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def challenges(config_dir: Path | None = None) -> list[Entry]:
    """Every challenge, sorted by name; the shipped file of a name wins over a user's.

    Raises ProtocolError for a file that is no challenge.
    """
    found: dict[str, Entry] = {}
    for root in (CONF_DIR, *([config_dir] if config_dir else [])):
        for path in sorted((root / "challenge").glob("*.yaml")):
            found.setdefault(path.stem, _challenge(path))
    return [found[name] for name in sorted(found)]


def challenge_names(config_dir: Path | None = None) -> list[str]:
    """Names of all challenges; reads no file."""
    roots = (CONF_DIR, *([config_dir] if config_dir else []))
    return sorted({path.stem for root in roots for path in (root / "challenge").glob("*.yaml")})


def baselines() -> list[Entry]:
    """Every shipped submission, sorted by track and name."""
    entries = []
    for folder in sorted(path for paths in submissions.shipped().values() for path in paths):
        manifest = submissions.load(folder)
        title = manifest.description.split("\n")[0]
        place = folder.relative_to(SUBMISSIONS_DIR).as_posix()
        entries.append(Entry(manifest.name, _track_of(manifest.track), title, manifest.track, place))
    return entries


def baseline_names(task: str, left_out: frozenset[str] = frozenset()) -> list[str]:
    """Names of the shipped submissions that answer one task kind and need no field of it that is left out."""
    folders = sorted(path.parent for path in SUBMISSIONS_DIR.glob(f"{task}/*/{MANIFEST}"))
    return [folder.name for folder in folders if left_out.isdisjoint(submissions.load(folder).needs)]


def quick_challenges() -> list[str]:
    """Names of the shipped challenges on data bundled with scikit-learn: nothing is fetched for them."""
    return [entry.name for entry in challenges() if entry.detail.split(", ")[1] in BUNDLED]


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


def data_sets() -> list[str]:
    """Names of all data sets with a loader."""
    return dataset_names()


def _track_of(task: str) -> str:
    """One of the six tracks, for a task kind of :data:`harness.api.TASKS`."""
    return next(cls.track for cls in map(track_class, track_names()) if cls.task.kind == task)


def _challenge(path: Path) -> Entry:
    try:
        raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        groups: dict[str, Any] = {}
        for default in raw.get("defaults", []):
            if isinstance(default, dict):
                groups.update({key.removeprefix("override").strip(" /"): value for key, value in default.items()})
        protocol = track_class(groups["track"])
        return Entry(
            name=path.stem,
            track=protocol.track,
            title=raw["title"],
            task=protocol.task.kind,
            detail=f"{groups['track']}, {groups['dataset']}, {groups['model']}",
        )
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, AttributeError, TypeError, BenchmarkError) as error:
        raise ProtocolError(
            f"{path} is not a challenge: {' '.join(str(error).split())[:200]}.",
            "It needs a title and a defaults list with override /track, /dataset and /model.",
        ) from error
