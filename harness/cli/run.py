"""``harness run``: one run, or a sweep of them."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from harness.cli.calling import CANCELLED
from harness.cli.progress import Shown, progress
from harness.cli.report import Where, end, line, report, stopped
from harness.cli.terminal import say
from harness.competition.deeds import replaceable
from harness.competition.intake.entering import Desk, check_team
from harness.errors import ProtocolError, Status, SubmissionError
from harness.evaluation.admission import find_entry, load_entry
from harness.evaluation.run import sweep
from harness.evaluation.session import Session
from harness.evaluation.sweep import Wanted
from harness.protocol.catalogue import baseline_names
from harness.protocol.compose import RunConfig, combinations, compose
from harness.protocol.folder import keep_apart
from harness.protocol.launch import Launch
from harness.tracking.ledger import Ledger
from harness.tracking.record import Record
from harness.tracking.runs import RunsDir
from harness.tracking.signature import load_key


def run(args: Namespace) -> int:
    """Exit 0 only if every cell of every run is ``ok``. Everything asked for is looked at before the first cell runs."""
    asked = combinations(args.overrides) if args.multirun else [args.overrides]
    configs = [config for overrides in asked for config in _each(compose(overrides, args.config_dir), args)]
    found = [find_entry(config.challenge, config.submission) for config in configs]
    for config, folder in zip(configs, found, strict=True):
        keep_apart(folder, RunsDir(config.runs_dir).path)
        with suppress(SubmissionError):  # a broken folder is a row; one that is not there, or does not fit, a mistake
            load_entry(config.challenge, folder)
    wanted = _wanted(configs, found)
    desks = _entered(wanted, args.replaces)
    records: dict[Wanted, Record] = {}
    for (launch, tracking_uri), runs in _together(configs, wanted):
        with progress(runs, launch) as shown:
            for one, record in sweep(runs, launch, tracking_uri=tracking_uri, force=args.force, on_cell=shown.on_cell):
                records[one] = record
                shown.recorded(record)
                if args.replaces:
                    Ledger(one.session.runs.path).append("replace", record.run_id, note=args.replaces, key=load_key())
                if not args.json:
                    news: Iterable[str] = () if args.replaces else desks[id(one.session)].announced(record)
                    _print(record, one.session, configs, args.config_dir, news, shown)
        if len(records) < len(runs) or any(record.status is Status.CANCELLED for record in records.values()):
            break
    if not records:
        raise KeyboardInterrupt
    if args.json:
        contents = [records[one].model_dump(mode="json") for one in wanted if one in records]
        print(json.dumps(contents if args.multirun else contents[0], indent=2))
    elif len(configs) > 1:
        end(list(records.values()), wanted[0].session.runs.path, Where(str(configs[0].runs_dir), args.config_dir))
    if len(records) < len(wanted) or any(map(stopped, records.values())):
        return CANCELLED
    return 0 if all(record.status is Status.OK for record in records.values()) else 1


def _print(
    record: Record,
    session: Session,
    configs: Sequence[RunConfig],
    config_dir: str | None,
    news: Iterable[str],
    shown: Shown,
) -> None:
    """All of a single run; of a sweep a line, its columns as wide as the longest name."""
    if len(configs) == 1:
        shown.stop()
        report(record, session, Where(str(configs[0].runs_dir), config_dir))
    else:
        names = zip(*((config.challenge.name, Path(config.submission).name) for config in configs), strict=True)
        line(record, [max(map(len, column)) for column in names])
    for what in news:
        say(what)


def _entered(wanted: Sequence[Wanted], replaces: str | None) -> dict[int, Desk]:
    """Write entries of teams into the ledger before anything of them runs; a desk for each session, by its id.

    Raises ProtocolError where a team is not in the roster or has no entries left, or a run cannot be replaced.
    """
    for one in wanted:
        if one.team:
            check_team(one.session.challenge, one.team)
    if replaces and (len(wanted) > 1 or wanted[0].team):
        raise ProtocolError("--replaces gives one run's row to one other run, on a board without teams.")
    desks = {id(session): Desk(session) for session in {id(one.session): one.session for one in wanted}.values()}
    if replaces:
        session = wanted[0].session
        replaceable(session.runs, session.challenge.name, session.fingerprint, replaces)
    for one in wanted:
        if one.team:
            desks[id(one.session)].enter(one, load_key())
    return desks


def _each(config: RunConfig, args: Namespace) -> list[RunConfig]:
    """``submission=all`` stands for every baseline that fits the challenge; it makes a run a sweep."""
    if config.submission != "all":
        return [config]
    if config.team:
        raise ProtocolError("submission=all runs the baselines, which are no team's: leave team= out.")
    args.multirun = True
    challenge = config.challenge
    names = baseline_names(challenge.track_type.task.kind, challenge.left_out())
    return [replace(config, submission=name) for name in names]


def _wanted(configs: Sequence[RunConfig], folders: Sequence[Path]) -> list[Wanted]:
    """The runs asked for; a sweep over submissions loads data and model of a challenge once."""
    sessions: dict[str, Session] = {}
    wanted = []
    for config, folder in zip(configs, folders, strict=True):
        key = f"{config.challenge.model_dump_json()}|{config.device}|{config.tier}|{config.runs_dir}|{config.launch.elsewhere}"
        if key not in sessions:
            sessions[key] = Session.open(
                config.challenge,
                runs_dir=config.runs_dir,
                device=config.device,
                tier=config.tier,
                elsewhere=config.launch.elsewhere,
            )
        wanted.append(Wanted(sessions[key], folder, config.team or ""))
    return wanted


def _together(
    configs: Sequence[RunConfig], wanted: Sequence[Wanted]
) -> Iterator[tuple[tuple[Launch, str | None], list[Wanted]]]:
    """Runs by launcher and MLflow store: all of a command, unless it sweeps over these."""
    groups: dict[tuple[Launch, str | None], list[Wanted]] = {}
    for config, one in zip(configs, wanted, strict=True):
        groups.setdefault((config.launch, config.tracking_uri), []).append(one)
    yield from groups.items()
