"""``harness leaderboard``, ``reproduce``, ``release``, ``sync``: from records to boards that can be trusted."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from harness.errors import ProtocolError, Status
from harness.tracking.runs import RunsDir

if TYPE_CHECKING:
    from harness.protocol.suites import Suite


def reproduce(args: Namespace) -> int:
    """Exit 0 only if every asked-for row is reproduced."""
    from harness.evaluation.reproduce import reproduce as run_again

    runs = RunsDir(args.runs_dir)
    if args.all == bool(args.run_id):
        raise ProtocolError("`harness reproduce` takes one RUN_ID or --all.", f"Runs are listed under {runs.path}.")
    run_ids = runs.run_ids() if args.all else [args.run_id]
    if args.run_id and args.run_id not in runs.run_ids():
        raise ProtocolError(f"There is no run {args.run_id!r} in {runs.path}.", "--runs-dir names another directory.")
    if not run_ids:
        raise ProtocolError(f"There are no runs in {runs.path}.", "--runs-dir names another directory.")
    verdicts = []
    for run_id in run_ids:
        verdict = run_again(run_id, args.runs_dir, config_dir=args.config_dir)
        verdicts.append(verdict)
        if not args.json:
            print(f"{verdict.verdict:<11} {verdict.run_id}: {verdict.detail}")
    if args.json:
        contents = [verdict.as_dict() for verdict in verdicts]
        print(json.dumps(contents if args.all else contents[0], indent=2))
    return 0 if all(verdict.verdict == "reproduced" for verdict in verdicts) else 1


def release(args: Namespace) -> int:
    """A person lets a suspicious run rank; the ledger keeps who and why."""
    from harness.tracking import ledger

    runs = RunsDir(args.runs_dir)
    if args.run_id not in runs.run_ids():
        raise ProtocolError(f"There is no run {args.run_id!r} in {runs.path}.", "--runs-dir names another directory.")
    record = runs.load_record(args.run_id)
    if record.status is not Status.SUSPICIOUS:
        raise ProtocolError(f"{args.run_id} is {record.status}, not suspicious: there is nothing to release.")
    ledger.append(args.runs_dir, "release", args.run_id, who=args.who, note=args.why)
    print(f"released {args.run_id}; the next `harness leaderboard` ranks it.")
    return 0


def sync(args: Namespace) -> int:
    """Exit 0 if nothing is left undelivered."""
    from harness.tracking import delivery

    if not RunsDir(args.runs_dir).path.is_dir():
        raise ProtocolError(f"There is no runs directory {args.runs_dir}.", "--runs-dir names another one.")
    delivered, left = delivery.sync(args.runs_dir, args.tracking_uri)
    print(f"{len(delivered)} delivered, {len(left)} left")
    for why in dict.fromkeys(left.values()):
        print(f"  {', '.join(run_id for run_id in left if left[run_id] == why)}: {why}")
    return 1 if left else 0


def leaderboard(args: Namespace) -> int:
    """Build the boards of the named challenges, of a suite's and its own, or of every challenge that has runs."""
    from harness.leaderboard.board import build
    from harness.leaderboard.render import rich_table, write_board, write_index
    from harness.leaderboard.suite import SuiteBoard, build_suite
    from harness.leaderboard.suite_page import rich_table as suite_table
    from harness.leaderboard.suite_page import write_suite
    from harness.protocol import suites
    from harness.protocol.compose import load_challenge
    from harness.tracking.files import one_writer

    config_dir = Path(args.config_dir) if args.config_dir else None
    runs = RunsDir(args.runs_dir)
    if args.suite is not None and args.challenges:
        raise ProtocolError(
            f"--suite {args.suite} and challenges ({', '.join(args.challenges)}) were both given.",
            "A suite names its challenges itself.",
        )
    suite = suites.read(args.suite, config_dir) if args.suite is not None else None
    names = _with_runs(suite, runs) if suite else args.challenges or _all_with_runs(runs, config_dir)
    challenges = [load_challenge(name, config_dir=config_dir) for name in names]
    if not runs.path.is_dir():
        raise ProtocolError(
            f"There is no runs directory {runs.path}.", "`harness run` makes one; --runs-dir names another place."
        )
    boards = [
        build(challenge, challenge.fingerprint(challenge.load_dataset()), runs.path, args.tracking_uri)
        for challenge in challenges
    ]
    together: SuiteBoard | None = build_suite(suite, boards) if suite else None
    out = Path(args.out)
    console = Console(highlight=False)
    with one_writer(out):
        for board in boards:
            written = write_board(board, out)
            if not (args.json or together):
                console.print(rich_table(board))
            if not args.json:
                console.print(f"written  {', '.join(str(path) for path in written)}\n", soft_wrap=True, markup=False)
        if together:
            written = write_suite(together, out)
            if not args.json:
                console.print(suite_table(together))
                console.print(f"written  {', '.join(str(path) for path in written)}\n", soft_wrap=True, markup=False)
        write_index(out)
    if args.json:
        print(json.dumps(together.as_dict() if together else [board.as_dict() for board in boards], indent=2))
    return 0


def _recorded(runs: RunsDir) -> set[str]:
    """Challenges of which there are runs."""
    return {runs.load_record(run_id).challenge for run_id in runs.run_ids()}


def _all_with_runs(runs: RunsDir, config_dir: Path | None) -> list[str]:
    """Names of all challenges that have runs. ProtocolError where there are none."""
    from harness.protocol import source

    recorded = _recorded(runs)
    names = [name for name in source.names(config_dir) if name in recorded]
    if recorded and not names:
        raise ProtocolError(
            f"The runs in {runs.path} are of challenges that are not known: {', '.join(sorted(recorded))}.",
            "Name the directory that holds them with --config-dir DIR.",
        )
    if not names:
        raise ProtocolError(
            f"There are no runs in {runs.path}.", "`harness run` makes one; --runs-dir names another place."
        )
    return names


def _with_runs(suite: Suite, runs: RunsDir) -> list[str]:
    """Challenges of a suite that have runs: the data of the others are not asked for. ProtocolError where there are none."""
    recorded = _recorded(runs)
    names = [name for name in suite.challenges if name in recorded]
    if not names:
        raise ProtocolError(
            f"No challenge of suite {suite.name} has runs in {runs.path}.",
            f"`harness run challenge={suite.challenges[0]} submission=PATH` makes one; --runs-dir names another place.",
        )
    return names
