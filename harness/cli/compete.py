"""``harness intake``, ``rerun``, ``winners``, ``merge``, ``team``, ``challenge finalise``: a competition's life."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.terminal import say
from harness.errors import ProtocolError, Status

if TYPE_CHECKING:
    from harness.evaluation.session import Session
    from harness.protocol.compose import RunConfig


def intake(args: Namespace) -> int:
    """Exit 0 if every entry was run or refused for a reason of its own; 1 if one is to be tried again."""
    from harness.cli.progress import progress
    from harness.competition.intake.intake import Intake
    from harness.evaluation.sweep import Wanted
    from harness.protocol.compose import compose
    from harness.protocol.rules import moment
    from harness.tracking.signature import load_key

    try:
        received = moment(args.received) if args.received else None
    except ValueError as error:
        raise ProtocolError(f"--received {error}.") from error
    config = compose(_one_challenge(args), args.config_dir)
    session = _opened(config)
    where = Path(args.config_dir) if args.config_dir else None
    taken = Intake(session, Path(args.inbox), received=received, key=load_key(), config_dir=where)
    told, unsettled = [], 0
    with progress([Wanted(session, Path())] * max(1, len(taken)), config.launch) as shown:
        found = taken.reports(
            Path(args.reports), config.launch, tracking_uri=config.tracking_uri, on_cell=shown.on_cell
        )
        for report, new in found:
            told.append({**report.plain(), "new": new})
            unsettled += report.status in (Status.HARNESS_ERROR, Status.CANCELLED)
            if not args.json:
                score = f"  {report.score:.4f}" if report.score is not None else ""
                why = f"  {report.reason}" if report.reason else ""
                say(f"{report.status}{score}{why}"[:360], label=f"{report.team or '-':<8} {report.entry:<28} ")
    if args.json:
        print(json.dumps(told, indent=2))
    else:
        news = sum(one["new"] for one in told)
        say(f"{len(told)} entries, {news} with news; reports are in {args.reports}, records in {session.runs.path}")
    return 1 if unsettled or len(told) < len(taken) else 0


def _opened(config: RunConfig) -> Session:
    """The session that a command line asks for."""
    from harness.evaluation.session import Session

    return Session.open(
        config.challenge,
        runs_dir=config.runs_dir,
        device=config.device,
        tier=config.tier,
        elsewhere=config.launch.elsewhere,
    )


def _one_challenge(args: Namespace) -> list[str]:
    """The overrides, with the config directory's only challenge that has a roster where none is named."""
    from harness.protocol import source

    overrides = [*args.overrides, *([f"runs_dir={args.runs_dir}"] if args.runs_dir else [])]
    if any(word.startswith("challenge=") for word in overrides):
        return overrides
    folder = Path(args.config_dir) / "challenge" if args.config_dir else None
    names = sorted(path.stem for path in folder.glob("[!_.]*.yaml")) if folder else []
    with_roster = [name for name in names if source.read(name, Path(args.config_dir)) and _has_roster(folder, name)]
    if len(with_roster) != 1:
        raise ProtocolError(
            f"Which challenge are the entries for? {len(with_roster)} of --config-dir have a roster.",
            "Say challenge=NAME.",
        )
    return [f"challenge={with_roster[0]}", *overrides]


def _has_roster(folder: Path | None, name: str) -> bool:
    from harness.protocol import source

    return folder is not None and source.load(folder / f"{name}.yaml").get("teams") is not None


def rerun(args: Namespace) -> int:
    """Exit 0 if every entry that counted before came to a score under the new version."""
    from harness.cli.progress import progress
    from harness.competition.rerun import counted_before
    from harness.evaluation.run import sweep
    from harness.protocol.compose import compose

    words = [f"challenge={args.challenge}", f"runs_dir={args.runs_dir}", *args.overrides]
    config = compose(words, args.config_dir)
    session = _opened(config)
    wanted = counted_before(session)
    records = []
    with progress(wanted, config.launch) as shown:
        for one, record in sweep(wanted, config.launch, tracking_uri=config.tracking_uri, on_cell=shown.on_cell):
            shown.recorded(record)
            records.append(record)
            if not args.json:
                said = record.reason or f"{record.metric} {record.score:.4f}"
                say(f"{record.status}  {said}"[:360], label=f"{one.team or '-':<8} {record.submission:<28} ")
    if args.json:
        print(json.dumps([record.model_dump(mode="json") for record in records], indent=2))
    return 0 if len(records) == len(wanted) and all(record.status is Status.OK for record in records) else 1


def finalise(args: Namespace) -> int:
    """End a competition and publish its final board."""
    from harness.cli.publish import leaderboard
    from harness.competition.finalise import finalise as end
    from harness.protocol.compose import load_challenge
    from harness.tracking.signature import load_key

    challenge = load_challenge(args.challenge, config_dir=args.config_dir)
    data_digest = challenge.load_dataset().digest()
    end(
        challenge,
        data_digest,
        args.runs_dir,
        who=args.who,
        why=args.why,
        key=load_key(),
        config_dir=args.config_dir,
        uri=args.tracking_uri,
    )
    return leaderboard(
        Namespace(**vars(args), challenges=[challenge.name], suite=None, key=None, phase=None, hidden=False)
    )


def winners(args: Namespace) -> int:
    """The announcement of a competition that is over; with --hidden of one that is not."""
    from harness.competition.winners import announce
    from harness.leaderboard.board import BoardRefused, build
    from harness.leaderboard.phase import now
    from harness.protocol.compose import load_challenge
    from harness.protocol.rules import written
    from harness.tracking.ledger import Ledger
    from harness.tracking.runs import RunsDir
    from harness.tracking.signature import load_key

    challenge = load_challenge(args.challenge, config_dir=args.config_dir)
    runs = RunsDir(args.runs_dir)
    if not runs.path.is_dir():
        raise ProtocolError(f"There is no runs directory {runs.path}.", "--runs-dir names another place.")
    data_digest = challenge.load_dataset().digest()
    phases = challenge.phases
    closes = phases.public.closes if phases else None
    if closes and not args.hidden and now(Ledger(runs.path).read()) < closes:
        raise BoardRefused(f"{challenge.name} goes on until {written(closes)}.", "--hidden shows how things stand.")
    board = build(
        challenge,
        data_digest,
        runs.path,
        args.tracking_uri,
        config_dir=args.config_dir,
        key=None if args.hidden else load_key(),
        phase="final" if phases and phases.final else None,
        hidden=args.hidden,
    )
    announcement = announce(board)
    if args.json:
        print(json.dumps(announcement.plain(), indent=2))
    else:
        say("\n\n".join(announcement.lines))
    return 0


def merge(args: Namespace) -> int:
    """Exit 0 if every run of the other directory is here now, 1 if one was refused."""
    from harness.tracking.merging import merge as bring
    from harness.tracking.signature import load_key

    done = bring(args.runs_dir, args.other, who=args.who, key=load_key())
    if args.json:
        facts = {"brought": done.brought, "known": done.known, "refused": dict(done.refused), "said": done.said}
        print(json.dumps(facts, indent=2))
    else:
        say(
            f"{len(done.brought)} brought, {len(done.known)} were here, {len(done.refused)} refused; {done.said} lines of people"
        )
        for run_id, why in done.refused.items():
            say(why, label=f"  {run_id}: ")
        if done.brought:
            print("The next board, or `harness sync`, delivers them to MLflow.")
    return 1 if done.refused else 0


def new_team(args: Namespace) -> int:
    """Add a team to a roster and print its token, once."""
    from harness.protocol.roster import added

    token = added(Path(args.roster), args.id, args.name, args.contact)
    say(f"{args.id}, {args.name}, in {args.roster}", label="team   ")
    say(f"{token} (kept nowhere: give it to the team now; its digest is in the roster)", label="token  ")
    return 0
