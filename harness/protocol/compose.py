"""From a command line or a challenge's name to the frozen :class:`Challenge`: Hydra and its DictConfig stop here."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness import registry
from harness.errors import ProtocolError
from harness.paths import CONF_DIR, expanded
from harness.protocol import lock, params, secret, source, specifications
from harness.protocol.challenge import Challenge, Homes, invalid, validated
from harness.protocol.launch import Launch
from harness.protocol.params import Params

DEFAULT_CHALLENGE = "debugging_digits"
_FREE_TEXT = ("submission", "runs_dir", "tracking.uri", "team", "secret_file", "teams")
_MAX_SWEEP = 10_000  # combinations of one command line


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Sandbox(_Part):
    tier: str


class _Tracking(_Part):
    uri: str | None


class _RunSettings(_Part):
    """What a command line sets beside the challenge: how it is run, never what it scores."""

    submission: str = Field(min_length=1)
    device: Literal["auto", "cpu", "cuda"]
    runs_dir: str = Field(min_length=1)
    team: str | None
    sandbox: _Sandbox
    tracking: _Tracking
    launcher: Launch


@dataclass(frozen=True)
class RunConfig:
    """A composed command line: the challenge and how to run it."""

    challenge: Challenge
    submission: str
    device: str
    runs_dir: Path
    tier: str
    tracking_uri: str | None
    launch: Launch
    team: str | None = None
    params: Params = field(default_factory=dict)  # of the submission, in the place of those in its manifest


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


def compose(overrides: Sequence[str], config_dir: Path | str | None = None, *, with_params: bool = False) -> RunConfig:
    """Compose a ``harness run`` command line (Hydra overrides) into a validated :class:`RunConfig`.

    ``with_params``: ``submission.params.k=5`` may be among them.
    """
    given, overrides = params.of_overrides(overrides)
    if given and not with_params:
        raise ProtocolError(f"{params.OVERRIDE}{next(iter(given))} is for `harness run` and `harness check` alone.")
    directory = Path(config_dir) if config_dir else None
    raw, homes = _hydra([_quoted(o) for o in overrides], directory)
    run, problems = _run_settings({key: raw.pop(key) for key in _RunSettings.model_fields})
    challenge, pinned_problems = validated(raw, homes)
    if run is None or challenge is None:
        raise invalid([*problems, *pinned_problems])
    pristine_overrides = [o for o in overrides if o.startswith("challenge=")]
    if len(pristine_overrides) < len(overrides):
        pristine, homes = _hydra(pristine_overrides, directory)
        settings = {k: v for k, v in pristine.items() if k not in _RunSettings.model_fields}
        official = Challenge.from_plain(settings, homes)
        if (official.score_settings(), official.secret) != (challenge.score_settings(), challenge.secret):
            challenge = challenge.model_copy(update={"modified": True})
    return RunConfig(
        challenge=challenge,
        submission=run.submission,
        device=run.device,
        runs_dir=expanded(run.runs_dir),
        tier=run.sandbox.tier,
        tracking_uri=run.tracking.uri,
        launch=run.launcher,
        team=run.team,
        params=given,
    )


def homes_of(name: str, config_dir: Path | str) -> Homes:
    """The directories that relative paths and modules in a challenge's track, data set and model start from."""
    directory = Path(config_dir)
    read = source.read(name, directory)
    return {group: source.home(group, choice, read, directory) for group, choice in read.groups.items()}


def combinations(overrides: Sequence[str], config_dir: Path | str | None = None) -> list[list[str]]:
    """All combinations of the values that Hydra's grammar gives: ``a=1,2 b=range(0,3) c=choice(x,y) challenge=glob(*)``.

    ``config_dir``: where configs are looked for beside the shipped ones. Raises ProtocolError where one is no override, a
    pattern matches nothing, or they are too many.
    """
    lists = [list(itertools.islice(_values(override, config_dir), _MAX_SWEEP + 1)) for override in overrides]
    if math.prod(map(len, lists)) > _MAX_SWEEP:
        raise ProtocolError(f"The sweep has more than {_MAX_SWEEP} combinations.", "Give fewer values at once.")
    return [list(combination) for combination in itertools.product(*lists)]


def _values(override: str, config_dir: Path | str | None) -> Iterator[str]:
    """An override once for every value that it sweeps over."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import Glob

    key, _, value = override.partition("=")
    pattern = key == "challenge" and any(c in value for c in "*?[") and not value.startswith("glob(")
    if pattern or (key in _FREE_TEXT and not re.match(r"(choice|range|sort|shuffle)\(", value)):
        # A folder's name is nobody's grammar; glob() of submissions is of those that fit each challenge.
        yield from [override] if value.startswith("glob(") else (f"{key}={part}" for part in value.split(","))
        return
    try:
        parsed = OverridesParser.create().parse_override(override)
        names: Any = parsed.value()
        if not parsed.is_sweep_override():
            yield override
        elif isinstance(names, Glob):
            known = source.names(Path(config_dir) if config_dir else None, key)
            if not (found := names.filter(known)):
                listed = ", ".join(known[:12]) + (" and others" if len(known) > 12 else "")
                raise ProtocolError(f"{override:.200}: no {key} has such a name.", f"There is {listed or 'none'}.")
            yield from (f"{key}={name}" for name in found)
        else:
            yield from (f"{parsed.get_key_element()}={value}" for value in parsed.sweep_string_iterator())
    except ProtocolError:
        raise
    except Exception as error:  # besides its own errors, Hydra lets through whatever its parser runs into
        said = " ".join(str(error).split())[:300]
        raise ProtocolError(f"{override!r:.200} is not a Hydra override: {said}.") from error


def _quoted(override: str) -> str:
    """Paths and addresses need no quoting on the command line: Hydra's grammar never sees them bare."""
    key, separator, value = override.partition("=")
    if separator and key in _FREE_TEXT and value[:1] not in ("'", '"') and value != "null":
        return f"{key}={_literal(value)}"
    return override


def _literal(text: str) -> str:
    """A text as Hydra's grammar takes it, whatever is in it."""
    doubled = re.sub(r"(\\+)(?='|\Z)", r"\1\1", text)  # a backslash is one unless a quote follows
    escaped = doubled.replace("'", "\\'")
    return f"'{escaped}'"


def _run_settings(raw: Mapping[str, Any]) -> tuple[_RunSettings | None, list[str]]:
    """How to run, or all problems of that at once."""
    try:
        return _RunSettings.model_validate(raw), []
    except ValidationError as error:
        return None, registry.problems(error)


def _hydra(overrides: list[str], config_dir: Path | None) -> tuple[dict[str, Any], Homes]:
    """Plain nested values of the composed config, and where relative paths and modules of its groups start from.

    Hydra's own errors become one paragraph.
    """
    values, groups, read = _composed(overrides, config_dir)
    homes = {group: source.home(group, choice, read, config_dir) for group, choice in groups.items()}
    place = specifications.find(groups["dataset"], config_dir)
    told = {"specification": specifications.read(place)} if place else {}
    return values | _beside(values, read.root) | told, homes


def _composed(overrides: list[str], config_dir: Path | None) -> tuple[dict[str, Any], dict[str, str], source.Source]:
    """What Hydra makes of the files and a command line: values, the config of track, dataset and model, the challenge's file."""
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from omegaconf import OmegaConf

    wanted = [o.partition("=")[2] for o in overrides if o.startswith("challenge=")]
    name = wanted[-1] if wanted else DEFAULT_CHALLENGE
    read = source.read(name, config_dir)
    groups = dict(read.groups) | dict(
        o.split("=", 1) for o in overrides if "=" in o and o.partition("=")[0] in source.GROUPS
    )
    for group, choice in groups.items():
        source.find(group, choice, config_dir)
    # The group is mounted at the top, so that a challenge's file needs no package line; whoever writes one may.
    overrides = [f"challenge@_global_={name}", *(o for o in overrides if not o.startswith("challenge="))]
    paths = [_literal(f"file://{root}") for root in source.roots(config_dir)[1:]]
    searched = [f"hydra.searchpath=[{','.join(paths)}]"] if paths else []
    while True:
        try:
            with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
                config = hydra_compose("config", overrides=[*overrides, *searched])
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
    values = {str(key): value for key, value in plain.items()}
    if not any(o.lstrip("+").startswith("name=") for o in overrides):
        values["name"] = name  # a challenge has the name of its file
    return values, groups, read


def composed(overrides: Sequence[str], config_dir: Path | str | None = None) -> dict[str, Any]:
    """The config of a ``harness run`` command line as plain nested values, before anything of it is validated.

    ``secret`` is what stands in the files: one that is kept elsewhere is not read. Raises ProtocolError.
    """
    given, others = params.of_overrides(overrides)
    values, _, _ = _composed([_quoted(o) for o in others], Path(config_dir) if config_dir else None)
    return values | ({"submission.params": given} if given else {})


def choices(overrides: Sequence[str], config_dir: Path | str | None = None) -> dict[str, str]:
    """The config that a command line chooses in every group, the challenge first."""
    directory = Path(config_dir) if config_dir else None
    _, groups, read = _composed([_quoted(o) for o in params.of_overrides(overrides)[1]], directory)
    usual = {
        k: v
        for entry in source.load(CONF_DIR / "config.yaml")["defaults"]
        if isinstance(entry, dict)
        for k, v in entry.items()
    }
    said = dict(o.split("=", 1) for o in overrides if o.partition("=")[0] in usual)
    beside = {
        group: said.get(group, choice) for group, choice in usual.items() if "@" not in group and group not in groups
    }
    return {"challenge": read.name, **groups, **beside}


def _beside(values: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """What a challenge's own files say: where its roster is, the secret that is kept elsewhere, what was frozen of it."""
    found: dict[str, Any] = {"lock": lock.read(lock.place(root, str(values["name"])))}
    for key in ("teams", "secret_file"):
        if isinstance(said := values.get(key), str):
            found[key] = root / expanded(said)
    if "secret_file" in found:
        found["secret"] = secret.read(found["secret_file"])
    return found


def _hydra_problem(text: str) -> ProtocolError:
    """Hydra's error text in our words, where it is one of the usual mistakes."""
    said = text.split(" See https://hydra")[0][:400] or "Hydra does not understand these overrides"
    return ProtocolError(f"The configuration cannot be composed: {said}.", "Overrides look like KEY=VALUE, as seeds=3.")
