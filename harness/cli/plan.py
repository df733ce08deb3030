"""What a ``harness run`` command line comes to: every run, looked at before the first cell of any."""

from __future__ import annotations

import fnmatch
import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.cli.look import only
from harness.data.fetch import find
from harness.errors import ProtocolError, SubmissionError
from harness.evaluation.admission import find_entry, load_entry
from harness.evaluation.session import Session
from harness.evaluation.sweep import Wanted
from harness.protocol.catalogue import baseline_names
from harness.protocol.challenge import Challenge
from harness.protocol.compose import RunConfig, combinations, compose
from harness.protocol.folder import keep_apart
from harness.protocol.several import several
from harness.tracking.runs import RunsDir

_NOTHING = "None of these challenges can be run here."


@dataclass
class Plan:
    """The runs asked for, in order, and which of several challenges cannot be run here."""

    configs: list[RunConfig] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    not_here: list[str] = field(default_factory=list)  # challenges without their data, or that are broken


def planned(args: Namespace) -> Plan:
    """Everything that a command line asks for.

    Of several challenges (``challenge=all``, a pattern, ``track=``) those that a submission does not fit are left out with a
    line, and so are those whose data are not on this machine.

    Raises ProtocolError where anything else is wrong, or nothing is left.
    """
    asked = combinations(args.overrides, args.config_dir) if args.multirun else [args.overrides]
    jobs: list[tuple[RunConfig, bool]] = []
    plan = Plan()
    for overrides in asked:
        found, broken, many = several(overrides, args.config_dir)
        plan.not_here += [_left_out(name, why) for name, why in broken.items()]
        args.multirun = args.multirun or many
        jobs += [
            (config, many)
            for words in found
            for config in _each(compose(words, args.config_dir, with_params=True), args)
        ]
    found_at = [(config, many, _folder(config, many)) for config, many in jobs]
    fitting = [(config, many, folder) for config, many, folder in found_at if isinstance(folder, Path)]
    if not fitting:
        raise next((error for _, _, error in found_at if isinstance(error, ProtocolError)), ProtocolError(_NOTHING))
    sessions: dict[str, Session | ProtocolError] = {}
    for (config, many, folder), seeds in zip(fitting, only(args, [job[0] for job in fitting]), strict=True):
        session = _session(config, sessions, many=many, plan=plan)
        if isinstance(session, Session):
            plan.configs.append(config)
            plan.wanted.append(Wanted(session, folder, config.team or "", config.params, seeds))
    if not plan.wanted:
        raise next(found for found in sessions.values() if isinstance(found, ProtocolError))
    return plan


def _each(config: RunConfig, args: Namespace) -> Iterator[RunConfig]:
    """``submission=all`` stands for every baseline that fits the challenge, ``glob(k*)`` for some; each makes a run a sweep."""
    pattern = re.fullmatch(r"glob\((.*)\)", "glob(*)" if config.submission == "all" else config.submission)
    if pattern is None:
        yield config
        return
    if config.team:
        raise ProtocolError(f"submission={config.submission} runs baselines, which are no team's: leave team= out.")
    args.multirun = True
    challenge = config.challenge
    names = baseline_names(challenge.track_type.task.kind, challenge.left_out())
    wanted = [part.strip(" '\"[]") for part in pattern[1].split(",")]
    found = [name for name in names if any(fnmatch.fnmatchcase(name, part) for part in wanted)]
    if not found:
        raise ProtocolError(
            f"submission={config.submission}: no baseline of {challenge.name} has such a name.",
            f"It has {', '.join(names)}.",
        )
    yield from (replace(config, submission=name) for name in found)


def _folder(config: RunConfig, many: bool) -> Path | ProtocolError:
    """The submission's folder; of several challenges, why it is none for this one."""
    try:
        folder = find_entry(config.challenge, config.submission)
        keep_apart(folder, RunsDir(config.runs_dir).path)
        with suppress(SubmissionError):  # a broken folder is a row; one that is not there, or does not fit, a mistake
            load_entry(config.challenge, folder, config.params)
    except ProtocolError as error:
        if not many:
            raise
        _left_out(config.challenge.name, error)
        return error
    return folder


def _session(
    config: RunConfig, sessions: dict[str, Session | ProtocolError], *, many: bool, plan: Plan
) -> Session | ProtocolError:
    """The challenge made ready; a sweep over submissions loads its data and model once."""
    key = f"{config.challenge.model_dump_json()}|{config.device}|{config.tier}|{config.runs_dir}|{config.launch.elsewhere}"
    if key not in sessions:
        try:
            if many:
                _refuse_download(config.challenge)
            sessions[key] = Session.open(
                config.challenge,
                runs_dir=config.runs_dir,
                device=config.device,
                tier=config.tier,
                elsewhere=config.launch.elsewhere,
            )
        except ProtocolError as error:
            if not many:
                raise
            plan.not_here.append(_left_out(config.challenge.name, error))
            sessions[key] = error
    return sessions[key]


def _refuse_download(challenge: Challenge) -> None:
    """Nobody who asks for all challenges asks for gigabytes: what is to be fetched is fetched by name."""
    files = type(challenge.dataset).files()
    if files and all(find(file) is None for file in files):
        name = challenge.dataset.name
        raise ProtocolError(f"Data set {name} is not on this machine.", f"`harness fetch {name}` brings it.")


def _left_out(name: str, why: object) -> str:
    """Said at once, before anything runs."""
    print(f"left out: {name}: {why}", file=sys.stderr)
    return name


def outcome(plan: Plan, ended: Sequence[bool]) -> int:
    """The exit status: 0 where every run that was asked for is there, and each is ok."""
    return 0 if len(ended) == len(plan.wanted) and all(ended) and not plan.not_here else 1
