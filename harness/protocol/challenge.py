"""A challenge: one pinned protocol, composed by Hydra, validated whole, identified by its fingerprint.

Hydra's DictConfig stops here. Everything after this module works on the frozen :class:`Challenge`.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from harness.data import Dataset, DatasetSettings, dataset_settings, load_dataset
from harness.errors import BenchmarkError, ProtocolError
from harness.models import ModelSettings, load_model, model_names, model_settings, model_version
from harness.paths import CONF_DIR
from harness.protocol import catalogue
from harness.randomness import OPEN_SECRET
from harness.sandbox.base import Limits
from harness.tracks import track_class
from harness.tracks.base import Settings, Track

DEFAULT_CHALLENGE = "debugging_digits"
_GROUPS = ("track", "dataset", "model")
_COSMETIC = ("title", "description", "baseline")  # cannot change a score
_FREE_TEXT = ("submission", "runs_dir", "tracking.uri")
_MAX_SWEEP = 10_000  # combinations of one command line


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
    seeds: int = Field(10, ge=1, le=1000, strict=True)
    draws: int = Field(1, ge=1, le=100, strict=True)  # of a submission's randomness a seed; their scores are averaged
    secret: str = Field(min_length=1)
    baseline: str
    minimum_isolation: Literal["bubblewrap", "container", "landlock"] = "landlock"
    limits: Limits = Limits()
    modified: bool = Field(False, exclude=True)  # pinned values were overridden: never joins the official board

    @classmethod
    def from_plain(cls, raw: Mapping[str, Any], *, modified: bool = False) -> Challenge:
        """Validate plain nested values, as composed by Hydra or as kept beside a run.

        Raises
        ------
        ProtocolError: one paragraph listing every problem.
        """
        challenge, problems = _validated(raw)
        if challenge is None:
            raise _invalid(problems)
        return challenge.model_copy(update={"modified": modified})

    @model_serializer(mode="wrap")
    def _draws_where_several(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """``draws`` is left out where there is one: such challenges keep the fingerprints they had before."""
        facts: dict[str, Any] = plain(self)
        return facts if self.draws > 1 else {name: value for name, value in facts.items() if name != "draws"}

    @property
    def practice(self) -> bool:
        """Whether anybody may rebuild splits and noise, so that nothing a submission says needs to be kept back."""
        return self.secret == OPEN_SECRET

    @property
    def track_type(self) -> type[Track[Any, Any]]:
        """The class of this challenge's protocol."""
        return track_class(self.track.name)

    def pinned(self) -> dict[str, Any]:
        """All settings as plain JSON values, as kept beside every run."""
        return self.model_dump(mode="json")

    def published(self) -> dict[str, Any]:
        """All settings as a record shows them: a secret that is kept from participants is left out (None)."""
        return self.pinned() | ({} if self.practice else {"secret": None})

    def score_settings(self) -> dict[str, Any]:
        """The pinned settings that can change a score, with the secret replaced by its digest."""
        facts = {key: value for key, value in self.pinned().items() if key not in _COSMETIC}
        facts["secret"] = hashlib.sha256(self.secret.encode()).hexdigest()
        return facts

    def fingerprint(self, dataset: Dataset) -> str:
        """SHA-256 over the canonical JSON of everything that can change a score."""
        facts = self.score_settings()
        facts["data_digest"] = dataset.digest()
        facts["scorer_version"] = self.track_type.scorer_version
        named = [self.model.name, *_model_names_in(facts["track"])]  # some tracks name models beside the fixed one
        facts["model_versions"] = {name: model_version(name) for name in named}
        return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def load_dataset(self) -> Dataset:
        """The data of this challenge; ProtocolError if they are not to be had."""
        return load_dataset(**self.dataset.model_dump())

    def load_track(self, dataset: Dataset, device: str = "auto") -> Track[Any, Any]:
        """The protocol bound to data and fixed model."""
        model = load_model(device=device, n_classes=dataset.n_classes, **self.model.model_dump())
        return self.track_type(self.track, dataset, model, self.secret)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Sandbox(_Part):
    tier: str


class _Tracking(_Part):
    uri: str | None


class _Launcher(_Part):
    workers: int | None = Field(ge=1, strict=True)


class _RunSettings(_Part):
    """What a command line sets beside the challenge: how it is run, never what it scores."""

    submission: str = Field(min_length=1)
    device: Literal["auto", "cpu", "cuda"]
    runs_dir: str = Field(min_length=1)
    sandbox: _Sandbox
    tracking: _Tracking
    launcher: _Launcher


@dataclass(frozen=True)
class RunConfig:
    """A composed command line: the challenge and how to run it."""

    challenge: Challenge
    submission: str
    device: str
    runs_dir: Path
    tier: str
    tracking_uri: str | None
    workers: int | None


def load_challenge(
    name: str = DEFAULT_CHALLENGE, overrides: Sequence[str] = (), config_dir: Path | str | None = None
) -> Challenge:
    """Compose and validate one challenge.

    Parameters
    ----------
    name: file name (without .yaml) under ``conf/challenge`` or ``config_dir/challenge``.
    overrides: Hydra overrides, e.g. ``["seeds=3", "model.C=10"]``.
    config_dir: a user's own config directory, added to the shipped one.

    Raises
    ------
    ProtocolError: unknown name (with the nearest ones) or any number of config problems, all listed.
    """
    return compose([f"challenge={name}", *overrides], config_dir).challenge


def compose(overrides: Sequence[str], config_dir: Path | str | None = None) -> RunConfig:
    """Compose a ``harness run`` command line (Hydra overrides) into a validated :class:`RunConfig`."""
    directory = Path(config_dir) if config_dir else None
    raw = _hydra([_quoted(o) for o in overrides], directory)
    run, problems = _run_settings({key: raw.pop(key) for key in _RunSettings.model_fields})
    challenge, pinned_problems = _validated(raw)
    if run is None or challenge is None:
        raise _invalid([*problems, *pinned_problems])
    pristine_overrides = [o for o in overrides if o.startswith("challenge=")]
    if len(pristine_overrides) < len(overrides):
        pristine = _hydra(pristine_overrides, directory)
        official = Challenge.from_plain({k: v for k, v in pristine.items() if k not in _RunSettings.model_fields})
        if official.score_settings() != challenge.score_settings():
            challenge = challenge.model_copy(update={"modified": True})
    return RunConfig(
        challenge=challenge,
        submission=run.submission,
        device=run.device,
        runs_dir=Path(run.runs_dir).expanduser(),
        tier=run.sandbox.tier,
        tracking_uri=run.tracking.uri,
        workers=run.launcher.workers,
    )


def sweep(overrides: Sequence[str]) -> list[list[str]]:
    """All combinations of comma-separated overrides: ``a=1,2 b=3`` gives ``[[a=1, b=3], [a=2, b=3]]``."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    lists: list[list[str]] = []
    for override in overrides:
        key, _, value = override.partition("=")
        if key in _FREE_TEXT:
            lists.append([f"{key}={part}" for part in value.split(",")])
            continue
        try:
            parsed = OverridesParser.create().parse_override(override)
            values = (
                itertools.islice(parsed.sweep_string_iterator(), _MAX_SWEEP + 1) if parsed.is_sweep_override() else ()
            )
            lists.append([f"{parsed.get_key_element()}={value}" for value in values] or [override])
        except Exception as error:  # besides its own errors, Hydra lets through whatever its parser runs into
            raise ProtocolError(
                f"{override!r:.200} is not a Hydra override: {' '.join(str(error).split())[:300]}."
            ) from error
    if math.prod(map(len, lists)) > _MAX_SWEEP:
        raise ProtocolError(f"The sweep has more than {_MAX_SWEEP} combinations.", "Give fewer values at once.")
    return [list(combination) for combination in itertools.product(*lists)]


def _quoted(override: str) -> str:
    """Paths and addresses need no quoting on the command line: Hydra's grammar never sees them bare."""
    key, separator, value = override.partition("=")
    if separator and key in _FREE_TEXT and value[:1] not in ("'", '"') and value != "null":
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"{key}='{escaped}'"
    return override


def _model_names_in(settings: object) -> Iterator[str]:
    """Names of fixed models anywhere in a track's plain settings."""
    if isinstance(settings, Mapping):
        if settings.get("name") in model_names():
            yield settings["name"]
        settings = list(settings.values())
    if isinstance(settings, list):
        for value in settings:
            yield from _model_names_in(value)


def _run_settings(raw: Mapping[str, Any]) -> tuple[_RunSettings | None, list[str]]:
    """How to run, or all problems of that at once."""
    try:
        return _RunSettings.model_validate(raw), []
    except ValidationError as error:
        return None, [_problem(e) for e in error.errors()]


def _validated(raw: Mapping[str, Any]) -> tuple[Challenge | None, list[str]]:
    """The challenge, or all problems of its settings at once."""
    problems = [f"{key} is not set" for key, value in raw.items() if value == "???"]
    parts: dict[str, Any] = {}
    for group, build in (("track", _track_settings), ("dataset", dataset_settings), ("model", model_settings)):
        try:
            parts[group] = build(**_mapping(group, raw.get(group)))
        except ValidationError as error:
            problems += [_problem(e, group) for e in error.errors()]
        except BenchmarkError as error:
            problems.append(str(error).rstrip("."))
    try:
        challenge = Challenge.model_validate({**raw, **dict.fromkeys(_GROUPS), **parts})
    except ValidationError as error:
        return None, problems + [
            _problem(e) for e in error.errors() if e["loc"][0] not in _GROUPS and e["input"] != "???"
        ]
    return (None if problems else challenge), problems


def _track_settings(**raw: Any) -> Settings:
    return track_class(str(raw.get("name"))).settings_class.model_validate(raw)


def _mapping(group: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise ProtocolError(f"{group} must name one of the configs under conf/{group}/, got {value!r:.80}.")
    return dict(value)


def _problem(error: Any, group: str = "") -> str:
    where = ".".join(str(part) for part in (*([group] if group else []), *error["loc"]))[:200] or "config"
    if error["type"] == "extra_forbidden":
        return f"{where} is not a known setting"
    return f"{where}: {error['msg'].removeprefix('Value error, ')} (got {error['input']!r:.80})"


def _invalid(problems: Sequence[str]) -> ProtocolError:
    listed = "; ".join(f"({i}) {p}" for i, p in enumerate(problems, 1)) if len(problems) > 1 else "".join(problems)
    return ProtocolError(f"The configuration is not valid: {listed}.", "`harness show CHALLENGE` prints a valid one.")


def _hydra(overrides: list[str], config_dir: Path | None) -> dict[str, Any]:
    """Plain nested values of the composed config; Hydra's own errors become one paragraph."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from omegaconf import OmegaConf

    if config_dir is not None:
        if not config_dir.is_dir():
            raise ProtocolError(f"--config-dir {config_dir} is not a directory.")
        overrides = [*overrides, f"hydra.searchpath=[file://{config_dir.resolve()}]"]
    for override in overrides:
        if override.startswith("challenge="):
            known = catalogue.challenge_names(config_dir)
            wanted = override.removeprefix("challenge=")
            if wanted not in known:
                near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4)
                hint = f"Did you mean {' or '.join(near)}?" if near else "`harness list challenges` lists them."
                if "," in wanted:
                    hint = "`harness run -m` sweeps over several."
                raise ProtocolError(f"There is no challenge {wanted!r:.200}.", hint)
    while True:
        try:
            with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
                config = hydra_compose("config", overrides=overrides)
            plain = OmegaConf.to_container(config, resolve=True)
            break
        except Exception as error:  # besides its own errors, Hydra lets through whatever its parser runs into
            said = " ".join(str(error).split())
            unknown = re.search(r"Could not override '([^']+)'", said)
            if not unknown or not any(o.startswith(f"{unknown[1]}=") for o in overrides):
                raise _hydra_problem(said) from error
            # Let it in: validation names it together with all other problems.
            overrides = [f"+{o}" if o.startswith(f"{unknown[1]}=") else o for o in overrides]
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _hydra_problem(text: str) -> ProtocolError:
    """Hydra's error text in our words, where it is one of the usual mistakes."""
    option = re.search(
        r"Could not find '([^'/]+)/([^']+)' Available options in '[^']+': (.*?) Config search path", text
    )
    if option:
        near = difflib.get_close_matches(option[2], option[3].split(), n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {option[3]}."
        return ProtocolError(f"There is no {option[1]} {option[2]!r:.200}.", hint)
    said = text.split(" See https://hydra")[0][:400] or "Hydra does not understand these overrides"
    return ProtocolError(f"The configuration cannot be composed: {said}.", "Overrides look like KEY=VALUE, as seeds=3.")
