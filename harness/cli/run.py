"""``harness run``: one run, or a sweep of them."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.cli.calling import CANCELLED
from harness.cli.config import refuse_words, show
from harness.cli.look import facts, remark
from harness.cli.plan import outcome, planned
from harness.cli.progress import Shown, progress
from harness.cli.report import Where, end, line, report, stopped
from harness.cli.terminal import say
from harness.competition.deeds import replaceable
from harness.competition.intake.entering import Desk, check_team
from harness.errors import ProtocolError, Status
from harness.evaluation.admission import Refusal
from harness.evaluation.run import sweep
from harness.evaluation.sweep import Wanted
from harness.protocol.compose import RunConfig
from harness.protocol.launch import Launch
from harness.protocol.params import called
from harness.tracking.ledger import Ledger
from harness.tracking.record import Record
from harness.tracking.signature import load_key


def run(args: Namespace) -> int:
    """Exit 0 only if every cell of every run is ``ok``. Everything asked for is looked at before the first cell runs."""
    if args.cfg or args.info:
        return show(args)
    refuse_words(args.overrides)
    plan = planned(args)
    configs, wanted = plan.configs, plan.wanted
    desks = _entered(wanted, args.replaces)
    before = len(_kept(wanted[0], args)) if len(wanted) == 1 else 0
    records: dict[Wanted, Record] = {}
    for (launch, tracking_uri), runs in _together(configs, wanted):
        with progress(runs, launch) as shown:
            for one, record in sweep(runs, launch, tracking_uri=tracking_uri, force=args.force, on_cell=shown.on_cell):
                records[one] = record
                shown.recorded(record)
                if args.replaces:
                    Ledger(one.session.runs.path).append("replace", record.run_id, note=args.replaces, key=load_key())
                if not args.json:
                    _print(record, one, configs, args.config_dir, before, shown)
                    _announce(record, one, desks, args)
        if len(records) < len(runs) or any(record.status is Status.CANCELLED for record in records.values()):
            break
    if not records:
        raise KeyboardInterrupt
    if args.json:
        contents = [_plain(one, records[one]) for one in wanted if one in records]
        print(json.dumps(contents if args.multirun else contents[0], indent=2))
    elif len(configs) > 1:
        _last(records, Where(str(configs[0].runs_dir), args.config_dir))
    if len(records) < len(wanted) or any(map(stopped, records.values())):
        return CANCELLED
    return outcome(plan, [record.status is Status.OK for record in records.values()])


def _plain(one: Wanted, record: Record) -> dict[str, Any]:
    return record.model_dump(mode="json") if one.only is None else facts(record, one.session.challenge.seeds)


def _last(records: Mapping[Wanted, Record], where: Where) -> None:
    """The last lines of a sweep."""
    one, record = next(iter(records.items()))
    if one.only is None:
        end(list(records.values()), one.session.runs.path, where)
    else:
        say(remark(record, one.session.challenge.seeds))


def _kept(one: Wanted, args: Namespace) -> set[int]:
    """The seeds of a run whose cells are there already."""
    entrant, whose = one.admitted
    if args.force or isinstance(whose, Refusal):
        return set()
    return set(one.session.known(entrant)) & set(one.seeds)


def _print(
    record: Record, one: Wanted, configs: Sequence[RunConfig], config_dir: str | None, before: int, shown: Shown
) -> None:
    """All of a single run, ``before`` of whose cells were there already; of a sweep a line, as wide as the longest name."""
    if len(configs) > 1:
        names = [(config.challenge.name, called(Path(config.submission).name, config.params)) for config in configs]
        line(record, [max(map(len, column)) for column in zip(*names, strict=True)])
        return
    shown.stop()
    look = "" if one.only is None else remark(record, one.session.challenge.seeds)
    report(record, one.session, Where(str(configs[0].runs_dir), config_dir), kept=before, look=look)


def _announce(record: Record, one: Wanted, desks: Mapping[int, Desk], args: Namespace) -> None:
    """What a team's entry means; of a look and of a replacement there is nothing to say."""
    if not args.replaces and one.only is None:
        for what in desks[id(one.session)].announced(record):
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


def _together(
    configs: Sequence[RunConfig], wanted: Sequence[Wanted]
) -> Iterator[tuple[tuple[Launch, str | None], list[Wanted]]]:
    """Runs by launcher and MLflow store: all of a command, unless it sweeps over these."""
    groups: dict[tuple[Launch, str | None], list[Wanted]] = {}
    for config, one in zip(configs, wanted, strict=True):
        groups.setdefault((config.launch, config.tracking_uri), []).append(one)
    yield from groups.items()
