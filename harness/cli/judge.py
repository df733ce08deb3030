"""``harness release``, ``withdraw``, ``disqualify``, ``reinstate``, ``select``: what people decide about runs."""

from __future__ import annotations

from argparse import Namespace

from harness.cli.terminal import say
from harness.errors import ProtocolError, Status
from harness.tracking.runs import RunsDir


def release(args: Namespace) -> int:
    """A person lets a suspicious run rank as its record is now; the ledger keeps who and why, signed if there is a key."""
    from harness.tracking import ledger
    from harness.tracking.record import record_sha256
    from harness.tracking.signature import load_key

    if not args.who.strip() or not args.why.strip():
        raise ProtocolError("A release says who has looked and what was found: neither --who nor --why may be empty.")
    runs = RunsDir(args.runs_dir)
    if args.run_id not in runs.run_ids():
        raise ProtocolError(f"There is no run {args.run_id!r} in {runs.path}.", "--runs-dir names another directory.")
    digest = record_sha256(runs.run_dir(args.run_id))  # before it is read: nothing newer than this is released
    record = runs.load_record(args.run_id)
    if record.status is not Status.SUSPICIOUS:
        raise ProtocolError(f"{args.run_id} is {record.status}, not suspicious: there is nothing to release.")
    if ledger.Ledger(runs.path).recorded(args.run_id) != digest:
        raise ProtocolError(
            f"The record of {args.run_id} is not the one in the ledger, so it cannot be released.",
            "Restore it, or run the submission again with --force.",
        )
    key = load_key()
    ledger.append(args.runs_dir, "release", args.run_id, record_sha256=digest, who=args.who, note=args.why, key=key)
    say(f"released {args.run_id}; the next `harness leaderboard` ranks it.")
    return 0


def decide(args: Namespace) -> int:
    """``harness withdraw``, ``disqualify``, ``reinstate``, ``select``: a decision about a run, kept in the ledger."""
    from harness.competition.deeds import decide as write
    from harness.tracking.signature import load_key

    done = {"withdraw": "withdrawn", "disqualify": "disqualified", "reinstate": "reinstated", "select": "selected"}
    record = write(args.runs_dir, args.command, args.run_id, who=args.who, why=args.why, key=load_key())
    whose = f", team {record.team}" if record.team else ""
    say(f"{done[args.command]} {args.run_id} ({record.submission}{whose}); the next `harness leaderboard` shows it so.")
    return 0
