"""``harness sync``, ``import``: between records and MLflow stores."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping

from harness.cli.terminal import say
from harness.errors import ProtocolError
from harness.tracking.runs import RunsDir


def sync(args: Namespace) -> int:
    """Exit 0 if nothing is left undelivered, and, with ``--rebuild``, nothing differs."""
    from harness.tracking import delivery

    if not RunsDir(args.runs_dir).path.is_dir():
        raise ProtocolError(f"There is no runs directory {args.runs_dir}.", "--runs-dir names another one.")
    if args.rebuild:
        return _rebuild(args)
    delivered, left = delivery.sync(args.runs_dir, args.tracking_uri)
    print(f"{len(delivered)} delivered, {len(left)} left")
    _list(left)
    return 1 if left else 0


def _rebuild(args: Namespace) -> int:
    from harness.tracking.rebuild import rebuild
    from harness.tracking.signature import load_key

    rebuilt = rebuild(args.runs_dir, args.tracking_uri, who=args.who, key=load_key())
    for path in rebuilt.aside:
        say(path, label="set aside  ")
    print(f"{len(rebuilt.delivered)} delivered, {len(rebuilt.left)} left")
    _list(rebuilt.left)
    return 1 if rebuilt.left else 0


def bring(args: Namespace) -> int:
    """Exit 0 if every run of the store is here now, 1 if one was refused."""
    from harness.tracking.importing import import_runs
    from harness.tracking.signature import load_key

    done = import_runs(args.runs_dir, args.tracking_uri, args.challenges, who=args.who, key=load_key())
    print(f"{len(done.brought)} imported, {len(done.known)} were here, {len(done.refused)} refused")
    _list(done.refused)
    return 1 if done.refused else 0


def _list(why: Mapping[str, str]) -> None:
    """A line for each reason, with the runs that it holds for."""
    for reason in dict.fromkeys(why.values()):
        say(f"{', '.join(run_id for run_id in why if why[run_id] == reason)}: {reason}", label="  ")
