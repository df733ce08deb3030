"""``harness intake``, ``rerun``, ``winners``, ``merge``, ``team``, ``challenge finalise``: a competition's life."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from harness.errors import ProtocolError, Status


def intake(args: Namespace) -> int:
    """Exit 0 if every entry was run or refused for a reason of its own; 1 if one is to be tried again."""
    from harness.cli.run import progress
    from harness.competition.intake import Intake
    from harness.evaluation.session import Session
    from harness.evaluation.sweep import Wanted
    from harness.protocol.compose import compose
    from harness.protocol.rules import moment
    from harness.tracking.signature import load_key

    try:
        received = moment(args.received) if args.received else None
    except ValueError as error:
        raise ProtocolError(f"--received {error}.") from error
    config = compose(_one_challenge(args), args.config_dir)
    session = Session.open(
        config.challenge,
        runs_dir=config.runs_dir,
        device=config.device,
        tier=config.tier,
        elsewhere=config.launch.elsewhere,
    )
    taken = Intake(session, Path(args.inbox), received=received, key=load_key())
    told, unsettled = [], 0
    with progress([Wanted(session, Path())] * max(1, len(taken))) as on_cell:
        found = taken.reports(Path(args.reports), config.launch, tracking_uri=config.tracking_uri, on_cell=on_cell)
        for report, new in found:
            told.append({**report.plain(), "new": new})
            unsettled += report.status in (Status.HARNESS_ERROR, Status.CANCELLED)
            if not args.json:
                score = f"  {report.score:.4f}" if report.score is not None else ""
                why = f"  {report.reason}" if report.reason else ""
                print(f"{report.team or '-':<8} {report.entry:<28} {report.status}{score}{why}"[:400], flush=True)
    if args.json:
        print(json.dumps(told, indent=2))
    else:
        news = sum(one["new"] for one in told)
        print(f"{len(told)} entries, {news} with news; reports are in {args.reports}, records in {session.runs.path}")
    return 1 if unsettled or len(told) < len(taken) else 0


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
