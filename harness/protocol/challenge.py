"""A challenge: one pinned protocol, validated whole, identified by its fingerprint."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from packaging.utils import canonicalize_name
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from harness import data, models, plugins, registry, tracks
from harness.data import Dataset, DatasetSettings
from harness.data.specification import Specification
from harness.errors import BenchmarkError, ProtocolError
from harness.models import ModelSettings, model_names, model_version
from harness.packages.provide import Allowed
from harness.protocol import specifications
from harness.protocol.lock import Lock
from harness.protocol.rules import Counts, Logs, Phases, Quota
from harness.randomness import OPEN_SECRET
from harness.sandbox.base import Limits
from harness.tracks.base import Settings, Track

_GROUPS = ("track", "dataset", "model")
Homes = Mapping[str, Path | None]
NOWHERE: Homes = {}
USUAL = {
    "draws": 1,
    "packages": "none",
    "counts": "last",
    "phases": None,
    "quota": None,
    "logs": "kept",
    "transfer": None,
}
# settings that are left out where so: older challenges keep their fingerprints
_LEARNS = {"rows": "rows with labels", "documents": "documents alone"}
_COSMETIC = ("title", "description", "baseline", "counts", "quota", "logs")  # cannot change a score


def _packages(value: object) -> object:
    """``none``, ``any``, or names of packages in one spelling and order, so that a list has one fingerprint."""
    if value in ("none", "any"):
        return value
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(f"must be none, any or a list of names of packages, got {value!r:.60}")
    if odd := [name for name in value if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", str(name))]:
        raise ValueError(f"{odd[0]!r:.60} is no name of a package; versions are for submissions to say")
    return tuple(sorted({canonicalize_name(str(name)) for name in value}))


def _shipped_specification(values: dict[str, Any]) -> Specification | None:
    return specifications.shipped(values["dataset"].name) if "dataset" in values else None


class Challenge(BaseModel):
    """Everything that is pinned. ``fingerprint`` leaves out what cannot change a score."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")
    title: str = Field(min_length=1, max_length=200)
    description: str = Field("", max_length=4000)
    version: int = Field(1, ge=1, strict=True)
    track: SerializeAsAny[Settings]
    dataset: SerializeAsAny[DatasetSettings]
    model: SerializeAsAny[ModelSettings]
    transfer: SerializeAsAny[ModelSettings] | None = None
    """A second fixed model that every output is scored with as well: a secondary metric, never ranked by."""
    seeds: int = Field(10, ge=1, le=1000, strict=True)
    draws: int = Field(1, ge=1, le=100, strict=True)  # of a submission's randomness a seed; their scores are averaged
    secret: str = Field(min_length=1)
    baseline: str
    minimum_isolation: Literal["bubblewrap", "container", "landlock"] = "landlock"
    limits: Limits = Limits()
    packages: Annotated[Allowed, BeforeValidator(_packages)] = "none"
    """What a submission may require beside the harness's own packages: nothing, anything, or these names."""
    counts: Counts = "last"
    """Which of a team's entries stands on the board."""
    phases: Phases | None = None
    quota: Quota | None = None
    logs: Logs = "kept"
    """Whether what a submission printed stays with the organiser, or is part of its report."""
    teams: Path | None = Field(None, exclude=True)  # the roster: who may enter; None: whoever has the runs directory
    secret_file: Path | None = Field(None, exclude=True)  # where the secret was read
    lock: Lock | None = Field(None, exclude=True)  # what was frozen of it
    specification: Specification | None = Field(default_factory=_shipped_specification, exclude=True)
    """What people have to know of its data, None where nobody has written it; of a shipped data set its own."""
    modified: bool = Field(False, exclude=True)  # pinned values were overridden: never joins the official board

    @classmethod
    def from_plain(cls, raw: Mapping[str, Any], homes: Homes = NOWHERE, *, modified: bool = False) -> Challenge:
        """Validate plain nested values, as composed by Hydra or as kept beside a run.

        ``homes``: for track, dataset and model the directory that relative paths and modules in it start from.

        Raises
        ------
        ProtocolError: one paragraph listing every problem.
        """
        challenge, problems = validated(raw, homes)
        if challenge is None:
            raise invalid(problems)
        return challenge.model_copy(update={"modified": modified})

    @model_serializer(mode="wrap")
    def _without_the_usual(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Settings that came later are left out where they change nothing: see ``USUAL``."""
        facts: dict[str, Any] = plain(self)
        return {name: value for name, value in facts.items() if name not in USUAL or value != USUAL[name]}

    @property
    def transfer_name(self) -> str:
        """The name of the second fixed model, empty without one."""
        return str(self.transfer.model_dump()["name"]) if self.transfer else ""

    @property
    def practice(self) -> bool:
        """Whether anybody may rebuild splits and noise, so that nothing a submission says needs to be kept back."""
        return self.secret == OPEN_SECRET

    @property
    def public_data(self) -> bool:
        """Whether anybody can have the data, labels and all: they are shipped, or lie at an address."""
        return plugins.of(type(self.dataset)) is None and getattr(self.dataset, "path", None) is None

    @property
    def track_type(self) -> type[Track[Any, Any]]:
        """The class of this challenge's protocol."""
        return self.track.track_type

    def left_out(self) -> frozenset[str]:
        """Fields of the task that are None in this challenge: its track withholds them, or its data have none such."""
        return self.track.left_out() | (frozenset() if self.dataset.has_texts else {"texts", "texts_val"})

    def pinned(self) -> dict[str, Any]:
        """All settings as plain JSON values, as kept beside every run."""
        return self.model_dump(mode="json")

    def published(self) -> dict[str, Any]:
        """All settings as a record shows them: a secret that is kept from participants is left out (None)."""
        return self.pinned() | ({} if self.practice else {"secret": None})

    def score_settings(self) -> dict[str, Any]:
        """The pinned settings that can change a score, but for the secret."""
        return counting(self.pinned(), self.dataset.whereabouts)

    def commitment(self, data_digest: str) -> str:
        """HMAC-SHA256 of everything else that is fixed, under the secret: binds the secret, and does not tell it.

        Whoever guesses at a secret has to guess anew for every challenge; that a secret must be long enough not to be
        guessed remains.
        """
        return hmac.new(self.secret.encode(), self.canonical(data_digest), "sha256").hexdigest()

    def fingerprint(self, dataset: Dataset) -> str:
        """SHA-256 over the canonical JSON of everything that can change a score, and the commitment to the secret."""
        return self.fingerprint_under(dataset.digest(), self.commitment(dataset.digest()))

    def fingerprint_under(self, data_digest: str, commitment: str) -> str:
        """The fingerprint as whoever does not know the secret can compute it: from what a record shows."""
        return hashlib.sha256(self.canonical(data_digest) + commitment.encode()).hexdigest()

    def canonical(self, data_digest: str) -> bytes:
        """Everything that can change a score but for the secret, as JSON with sorted keys: what is hashed and signed."""
        facts = self.score_settings()
        facts["data_digest"] = data_digest
        facts["scorer_version"] = self.track_type.scorer_version
        beside = {
            name: model_version(name) for name in _model_names_in([facts["track"], facts.get("transfer")])
        }  # that some tracks name
        facts["model_versions"] = {self.model.name: self.model.version} | beside
        classes = {"track": self.track_type, "dataset": type(self.dataset), "model": type(self.model)}
        classes |= {"transfer": type(self.transfer)} if self.transfer else {}
        if foreign := {group: found.digest for group, cls in classes.items() if (found := plugins.of(cls))}:
            facts["plugins"] = foreign
        return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()

    def load_dataset(self) -> Dataset:
        """The data of this challenge; ProtocolError if they cannot be had, or if a plug-in's loader fails."""
        with plugins.said(type(self.dataset), "data set"):
            return self.dataset.load()

    def load_track(
        self, dataset: Dataset, device: str = "auto", settings: ModelSettings | None = None
    ) -> Track[Any, Any]:
        """The protocol bound to data and fixed model: the challenge's own, or the one of these ``settings``."""
        settings = settings or self.model
        with plugins.said(type(settings), "fixed model"):
            model = settings.build(device=device, n_classes=dataset.n_classes)
        with plugins.said(self.track_type, "track"):
            return self.track_type(self.track, dataset, model, self.secret)


def _model_names_in(settings: object) -> Iterator[str]:
    """Names of fixed models anywhere in a track's plain settings."""
    if isinstance(settings, Mapping):
        if settings.get("name") in model_names():
            yield settings["name"]
        settings = list(settings.values())
    if isinstance(settings, list):
        for value in settings:
            yield from _model_names_in(value)


def counting(settings: Mapping[str, Any], whereabouts: Collection[str]) -> dict[str, Any]:
    """What can change a score, of plain settings as :meth:`Challenge.pinned` or a record has them; no secret.

    ``whereabouts``: keys that say where the data are; what they are is in their digest. Of the phases the size of the
    public part decides, where there is another.
    """
    facts = {key: value for key, value in settings.items() if key not in (*_COSMETIC, "secret", "phases")}
    facts["dataset"] = {key: value for key, value in facts["dataset"].items() if key not in whereabouts}
    phases = settings.get("phases")
    share = {"public": {"share": phases["public"]["share"]}} if phases and phases.get("final") is not None else None
    return facts | ({"phases": share} if share else {})


def validated(raw: Mapping[str, Any], homes: Homes = NOWHERE) -> tuple[Challenge | None, list[str]]:
    """The challenge, or all problems of its settings at once; ``homes`` as for :meth:`Challenge.from_plain`."""
    problems = [f"{key} is not set" for key, value in raw.items() if value == "???"]
    parts: dict[str, Any] = {}
    rooms: dict[str, Any] = {"track": tracks, "dataset": data, "model": models}
    if raw.get("transfer") is not None:
        rooms["transfer"] = models
    for group, room in rooms.items():
        try:
            plain = _mapping("model" if group == "transfer" else group, raw.get(group))
            root = homes.get("model" if group == "transfer" else group)
            parts[group] = room.settings_class(plain["name"], root).model_validate(plain, context={"root": root})
        except ValidationError as error:
            problems += registry.problems(error, group)
        except BenchmarkError as error:
            problems.append(str(error).rstrip("."))
    if {"track", "model"} <= parts.keys():
        wanted, model = parts["track"].track_type.learns, parts["model"]
        if model.learns != wanted:
            problems.append(
                f"model.name: {model.name} learns from {_LEARNS[model.learns]}, and the protocol {raw['track']['name']} "
                f"trains its model on {_LEARNS[wanted]}"
            )
    try:
        challenge = Challenge.model_validate({**raw, **dict.fromkeys([*_GROUPS, "transfer"]), **parts})
    except ValidationError as error:
        return None, problems + [
            registry.problem(e) for e in error.errors() if e["loc"][0] not in _GROUPS and e["input"] != "???"
        ]
    problems += _unfit_transfer(challenge) if not problems else []
    return (None if problems else challenge), problems


def _unfit_transfer(challenge: Challenge) -> list[str]:
    """Why a second fixed model says nothing here, where that is so."""
    if challenge.transfer and not challenge.track_type.transferable:
        return [f"transfer: protocol {challenge.track.name} trains no second model on what is returned"]
    if challenge.transfer and challenge.transfer == challenge.model:
        return ["transfer: the second model is the challenge's own, with the same settings"]
    return []


def _mapping(group: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ProtocolError(f"{group} must name one of the configs under conf/{group}/, got {value!r:.80}.")
    return dict(value)


def invalid(problems: Sequence[str]) -> ProtocolError:
    """The error of settings that are wrong, all of them in one paragraph."""
    listed = "; ".join(f"({i}) {p}" for i, p in enumerate(problems, 1)) if len(problems) > 1 else "".join(problems)
    return ProtocolError(f"The configuration is not valid: {listed}.", "`harness show CHALLENGE` prints a valid one.")
