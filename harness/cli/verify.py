"""``harness verify``, ``reproduce``, ``compare``: is what is shown what was run, and what does it say."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

from harness.cli import terminal
from harness.errors import ProtocolError
from harness.tracking.runs import RunsDir


def verify(args: Namespace) -> int:
    """Exit 0 if everything agrees; with --strict, if everything could be checked as well."""
    place = Path(args.place)
    if place.name.endswith(".revealed.json"):
        problems, notes = _revealed(place)
    elif place.is_file() or place.suffix == ".json":
        problems, notes = _board(place, args)
    else:
        problems, notes = _directory(place, args)
    ok = not problems and not (args.strict and notes)
    if args.json:
        facts = [{"run_id": run_id, "what": what} for run_id, what in problems]
        remarks = [{"run_id": run_id, "what": what} for run_id, what in notes]
        print(json.dumps({"ok": ok, "problems": facts, "notes": remarks}, indent=2))
        return 0 if ok else 1
    for mark, found in (("wrong  ", problems), ("note   ", notes)):
        for run_id, what in found:
            terminal.say(f"{run_id}: {what}" if run_id and run_id not in what else what, label=mark)
    things = "1 thing does" if len(problems) == 1 else f"{len(problems)} things do"
    print("Everything agrees." if not problems else f"{things} not agree.")
    return 0 if ok else 1


def _directory(place: Path, args: Namespace) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    from harness.verification.directory import verify as verify_runs

    if not place.is_dir():
        raise ProtocolError(
            f"There is neither a runs directory nor a board at {place}.",
            "`harness verify RUNS` verifies a runs directory, `harness verify BOARD.json` a published board.",
        )
    if not (RunsDir(place).run_ids() or (place / "ledger.jsonl").exists() or (place / "mlflow.db").exists()):
        raise ProtocolError(f"There are no runs in {place}.", "`harness run` makes one.")
    report = verify_runs(place, args.tracking_uri, args.config_dir)
    return [(p.run_id, p.what) for p in report.problems], [(n.run_id, n.what) for n in report.notes]


def _revealed(place: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    from harness.competition.freezing.reveal import check

    return [("", what) for what in check(place)], []


def _board(place: Path, args: Namespace) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    from harness.leaderboard.recheck import check
    from harness.verification.directory import verify as verify_runs

    runs = Path(args.runs_dir) if args.runs_dir else None
    if runs and not runs.is_dir():
        raise ProtocolError(f"There is no runs directory {runs}.", "--runs-dir names another one.")
    problems, notes = check(place, runs, args.config_dir)
    found, remarks = [("", what) for what in problems], [("", what) for what in notes]
    if runs:
        report = verify_runs(runs, args.tracking_uri, args.config_dir)
        found += [(p.run_id, p.what) for p in report.problems]
        remarks += [(n.run_id, n.what) for n in report.notes]
    return found, remarks


def reproduce(args: Namespace) -> int:
    """Exit 0 only if every asked-for row is reproduced."""
    if args.board:
        return _of_a_board(args)
    if args.submission:
        raise ProtocolError("--submission goes with --board: a runs directory keeps its submissions itself.")
    from harness.tracking.ledger import Ledger, standing
    from harness.verification.reproduce import REPRODUCED
    from harness.verification.reproduce import reproduce as run_again

    runs = RunsDir(args.runs_dir)
    if args.all == bool(args.run_id):
        raise ProtocolError("`harness reproduce` takes one RUN_ID or --all.", f"Runs are listed under {runs.path}.")
    run_ids = runs.run_ids() if args.all else [args.run_id]
    if args.run_id and args.run_id not in runs.run_ids():
        raise ProtocolError(f"There is no run {args.run_id!r} in {runs.path}.", "--runs-dir names another directory.")
    if not run_ids:
        raise ProtocolError(f"There are no runs in {runs.path}.", "--runs-dir names another directory.")
    if args.pending:
        if not args.all:
            raise ProtocolError("--pending goes with --all: it leaves out what has a verdict already.")
        known = standing(Ledger(runs.path).read(), "reproduce")
        confirmed = {run_id for run_id, entry in known.items() if entry.note.startswith(REPRODUCED)}
        run_ids = [run_id for run_id in run_ids if run_id not in confirmed]
    verdicts = []
    for run_id in run_ids:
        verdict = run_again(run_id, args.runs_dir, config_dir=args.config_dir)
        verdicts.append(verdict)
        if not args.json:
            terminal.say(f"{verdict.run_id}: {verdict.detail}", label=f"{verdict.verdict:<16} ")
            sys.stdout.flush()
    if args.all and not verdicts and not args.json:
        print("Every run has a standing verdict that confirms it.")
    if args.json:
        contents = [verdict.as_dict() for verdict in verdicts]
        print(json.dumps(contents if args.all else contents[0], indent=2))
    return 0 if all(verdict.verdict in REPRODUCED for verdict in verdicts) else 1


def _of_a_board(args: Namespace) -> int:
    """Rows of a published board, from its JSON file alone; nothing is written."""
    from harness.leaderboard.reproduce import reproduce as run_again
    from harness.leaderboard.reproduce import rows
    from harness.paths import expanded

    if args.pending:
        raise ProtocolError("--pending asks the ledger of a runs directory, and --board reads none.")
    if args.all == bool(args.run_id):
        raise ProtocolError("`harness reproduce --board` takes the name of a row, its run id, or --all.")
    if args.all and args.submission:
        raise ProtocolError("--submission is the folder of one row: name the row instead of --all.")
    board, folder = expanded(args.board), expanded(args.submission) if args.submission else None
    if folder and not folder.is_dir():
        raise ProtocolError(
            f"There is no folder {folder}.", "--submission names the folder that the row's files are in."
        )
    verdicts = []
    for run_id in rows(board, args.run_id):
        if not args.json:
            print(f"running {run_id} again, on all seeds of {board}", file=sys.stderr, flush=True)
        verdicts.append(run_again(board, run_id, folder=folder, config_dir=args.config_dir))
        if not args.json:
            print(f"{verdicts[-1].verdict:<16} {run_id}: {verdicts[-1].detail}", flush=True)
    if args.json:
        contents = [verdict.as_dict() for verdict in verdicts]
        print(json.dumps(contents if args.all else contents[0], indent=2))
    return 0 if all(verdict.verdict == "reproduced" for verdict in verdicts) else 1


def compare(args: Namespace) -> int:
    """The paired difference of two runs of one challenge, seed by seed."""
    from harness.verification.compare import compare as compared

    found = compared(args.first, args.second, args.runs_dir, args.config_dir)
    if args.json:
        print(json.dumps(found.as_dict(), indent=2))
        return 0
    head, *table, verdict = found.lines()
    terminal.say(head)
    for line in table:
        print(terminal.cut(line))
    terminal.say(verdict)
    return 0
