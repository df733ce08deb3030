"""A challenge: one pinned protocol, composed by Hydra, validated whole, identified by its fingerprint.

Hydra's DictConfig stops here. Everything after this module works on the frozen :class:`Challenge`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, field_validator

from harness.errors import BenchmarkError, ProtocolError
from harness.paths import CONF_DIR
from harness.sandbox.base import Limits
from harness.tracks import track_class
from harness.tracks.base import Settings, Track

if TYPE_CHECKING:
    from harness.data.base import Dataset

DEFAULT_CHALLENGE = "debugging_digits"
_RUN_KEYS = ("submission", "device", "runs_dir", "sandbox", "tracking", "launcher")


class Challenge(BaseModel):
    """Everything that is pinned. ``fingerprint`` leaves out what cannot change a score (title, description, ...)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]{0,63}$")
    title: str = Field(min_length=1, max_length=200)
    description: str = Field("", max_length=4000)
    version: int = Field(1, ge=1)
    track: SerializeAsAny[Settings]
    dataset: SerializeAsAny[BaseModel]
    model: SerializeAsAny[BaseModel]
    seeds: int = Field(10, ge=1, le=1000)
    secret: str = Field(min_length=1)
    baseline: str
    minimum_isolation: Literal["bubblewrap", "container", "landlock"] = "landlock"
    limits: Limits = Limits()

    @field_validator("track", mode="before")
    @classmethod
    def _track(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return track_class(str(value.get("name"))).settings_class.model_validate(value)

    @field_validator("dataset", mode="before")
    @classmethod
    def _dataset(cls, value: object) -> object:
        from harness.data import dataset_settings

        return dataset_settings(**value) if isinstance(value, dict) else value

    @field_validator("model", mode="before")
    @classmethod
    def _model(cls, value: object) -> object:
        from harness.models import model_settings

        return model_settings(**value) if isinstance(value, dict) else value

    @property
    def track_type(self) -> type[Track[Any, Any]]:
        """The class of this challenge's protocol."""
        return track_class(self.track.name)

    def pinned(self) -> dict[str, Any]:
        """All settings as plain JSON values, as kept beside every run."""
        return self.model_dump(mode="json")

    def fingerprint(self, dataset: Dataset) -> str:
        """SHA-256 over the canonical JSON of everything that can change a score."""
        from harness.models import model_version

        facts = {k: v for k, v in self.pinned().items() if k not in ("title", "description", "baseline", "secret")}
        facts["secret_sha256"] = hashlib.sha256(self.secret.encode()).hexdigest()
        facts["data_digest"] = dataset.digest()
        facts["scorer_version"] = self.track_type.scorer_version
        facts["model_version"] = model_version(self.model.name)  # type: ignore[attr-defined]
        return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def load_dataset(self) -> Dataset:
        """The data of this challenge; ProtocolError if they are not to be had."""
        from harness.data import load_dataset

        return load_dataset(**self.dataset.model_dump())

    def load_track(self, dataset: Dataset, device: str = "auto") -> Track[Any, Any]:
        """The protocol bound to data and fixed model."""
        from harness.models import load_model

        model = load_model(device=device, n_classes=dataset.n_classes, **self.model.model_dump())
        return self.track_type(self.track, dataset, model, self.secret)


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


def challenge_names(config_dir: Path | None = None) -> list[str]:
    """Names of the shipped challenges and of those in the user's own directory."""
    dirs = [CONF_DIR, *([config_dir] if config_dir else [])]
    return sorted({p.stem for d in dirs for p in (d / "challenge").glob("*.yaml")})


def load_challenge(name: str, overrides: Sequence[str] = (), config_dir: Path | str | None = None) -> Challenge:
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
    raw = _hydra(list(overrides), Path(config_dir) if config_dir else None)
    run = {key: raw.pop(key) for key in _RUN_KEYS}
    problems: list[str] = []
    challenge: Challenge | None = None
    try:
        challenge = Challenge.model_validate(raw)
    except ValidationError as error:
        problems += [_problem(e) for e in error.errors()]
    except BenchmarkError as error:
        problems.append(str(error))
    if run["device"] not in ("auto", "cpu", "cuda"):
        problems.append(f"device must be auto, cpu or cuda, got {run['device']!r}")
    workers = run["launcher"].get("workers")
    if workers is not None and (not isinstance(workers, int) or isinstance(workers, bool) or workers < 1):
        problems.append(f"launcher.workers must be a positive whole number or null, got {workers!r}")
    for key in ("submission", "runs_dir"):
        if not isinstance(run[key], str):
            problems.append(f"{key} must be text, got {run[key]!r}")
    if problems or challenge is None:
        listed = "; ".join(f"({i}) {p}" if len(problems) > 1 else p for i, p in enumerate(problems, 1))
        raise ProtocolError(f"The configuration is not valid: {listed}.", "`harness show CHALLENGE` prints a valid one.")
    return RunConfig(
        challenge=challenge,
        submission=run["submission"],
        device=run["device"],
        runs_dir=Path(run["runs_dir"]),
        tier=run["sandbox"]["tier"],
        tracking_uri=run["tracking"]["uri"],
        workers=workers,
    )


def _problem(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"]) or "config"
    if error["type"] == "extra_forbidden":
        return f"{where} is not a known key"
    return f"{where}: {error['msg'].removeprefix('Value error, ')} (got {error['input']!r:.80})"


def _hydra(overrides: list[str], config_dir: Path | None) -> dict[str, Any]:
    """Plain nested values of the composed config; Hydra's own errors become one paragraph."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if config_dir is not None:
        if not config_dir.is_dir():
            raise ProtocolError(f"--config-dir {config_dir} is not a directory.")
        overrides = [*overrides, f"hydra.searchpath=[file://{config_dir.resolve()}]"]
    for override in overrides:
        if override.startswith("challenge="):
            known = challenge_names(config_dir)
            wanted = override.removeprefix("challenge=")
            if wanted not in known:
                near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4)
                raise ProtocolError(
                    f"There is no challenge {wanted!r}.",
                    f"Did you mean {' or '.join(near)}?" if near else "`harness list challenges` lists them.",
                )
    try:
        with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
            config = hydra_compose("config", overrides=overrides)
        plain = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except (HydraException, OmegaConfBaseException) as error:
        text = " ".join(str(error).split())
        unknown = re.search(r"Could not override '([^']+)'", text)
        if unknown:
            raise ProtocolError(
                f"There is no setting {unknown.group(1)!r}.", "`harness show CHALLENGE` prints all settings."
            ) from error
        raise ProtocolError(f"The configuration cannot be composed: {text[:400]}") from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}
