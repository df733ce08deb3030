"""``harness leaderboard``, ``key``: from records to boards that can be trusted."""

from __future__ import annotations

import json
import warnings
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import boards
from harness.cli.terminal import say
from harness.errors import BenchmarkError, ProtocolError
from harness.tracking.runs import RunsDir

if TYPE_CHECKING:
    from harness.leaderboard.board import Board
    from harness.protocol.challenge import Challenge
    from harness.protocol.suites import Suite
    from harness.tracking.ledger import Ledger
    from harness.tracking.signature import Key


def new_key(args: Namespace) -> int:
    """Make a private key for the ledger and say what to do with it."""
    from harness.tracking import signature

    key, place = signature.new_key(args.path)
    say(
        f"{place} (keep a copy elsewhere: without it a ledger it has signed cannot be continued)", label="private key  "
    )
    say(key.public, label="public key   ")
    if place == signature.default_place():
        print("From now on releases, verdicts and published boards are signed with it.")
    else:
        say(f"With {signature.VARIABLE}={place} set, releases, verdicts and published boards are signed with it.")
    say("Publish the public key where nobody else can write, so that readers of your boards can compare.")
    return 0


def trust_key(args: Namespace) -> int:
    """Let another key sign a ledger from now on; the one in force says so."""
    from harness.tracking.ledger import Ledger
    from harness.tracking.signature import load_key

    key = load_key()
    if key is None:
        raise ProtocolError("There is no key here that could announce another one.", "HARNESS_KEY=PATH names one.")
    if not RunsDir(args.runs_dir).path.is_dir():
        raise ProtocolError(f"There is no runs directory {args.runs_dir}.", "--runs-dir names another one.")
    entry = Ledger(args.runs_dir).trust(args.public_key, key=key, who=args.who, note=args.why)
    say(f"line {entry.seq} of the ledger: from here on {args.public_key} signs, and {key.public} does so no more.")
    return 0


def leaderboard(args: Namespace) -> int:
    """Build the boards of the named challenges, of a suite's and its own, or of every challenge that has runs."""
    from harness.leaderboard import published
    from harness.leaderboard.index import write_index
    from harness.leaderboard.suite import SuiteBoard, build_suite
    from harness.protocol import suites
    from harness.protocol.compose import load_challenge
    from harness.tracking.files import one_writer
    from harness.tracking.ledger import Ledger
    from harness.tracking.signature import load_key

    config_dir = Path(args.config_dir) if args.config_dir else None
    runs, key = RunsDir(args.runs_dir), load_key(args.key)
    if args.suite is not None and args.challenges:
        raise ProtocolError(
            f"--suite {args.suite} and challenges ({', '.join(args.challenges)}) were both given.",
            "A suite names its challenges itself.",
        )
    suite = suites.read(args.suite, config_dir) if args.suite is not None else None
    names = _with_runs(suite, runs) if suite else args.challenges or _all_with_runs(runs, config_dir)
    challenges = [load_challenge(name, config_dir=config_dir) for name in names]
    if args.hidden and suite:
        raise ProtocolError("--hidden shows one phase of a challenge; a suite has none.")
    if not runs.path.is_dir():
        raise ProtocolError(
            f"There is no runs directory {runs.path}.", "`harness run` makes one; --runs-dir names another place."
        )
    built = [board for challenge in challenges for board in _built(challenge, runs, key, args)]
    if args.hidden:
        _show_hidden(built, args.json)
        return 0
    together: SuiteBoard | None = build_suite(suite, [b for b in built if b.stem == b.challenge]) if suite else None
    out, ledger = Path(args.out), Ledger(runs.path)
    with one_writer(out):
        for board in built if not args.replace else ():
            published.protect(board, out, ledger, key)
        for board in built:
            written = published.write_board(board, out, key)
            _announce(board, written[-1], ledger, key)
            if not (args.json or together):
                boards.show(board)
            if not args.json:
                boards.written(written)
        if together:
            written = published.write_suite(together, out, key)
            if not args.json:
                boards.show_suite(together)
                boards.written(written)
        write_index(out)
    if args.json:
        print(json.dumps(together.as_dict() if together else [board.as_dict() for board in built], indent=2))
    return 0


def _built(challenge: Challenge, runs: RunsDir, key: Key | None, args: Namespace) -> list[Board]:
    """The board of a challenge; of a competition that is over the final one and the public one."""
    from harness.leaderboard.board import build

    data_digest = challenge.load_dataset().digest()
    where = (challenge, data_digest, runs.path, args.tracking_uri)
    found = [build(*where, config_dir=args.config_dir, key=key, phase=args.phase, hidden=args.hidden)]
    if not args.hidden and args.phase is None and found[0].phase and found[0].phase["name"] == "final":
        found.append(build(*where, config_dir=args.config_dir, key=key, phase="public"))
    return found


def _show_hidden(built: list[Board], as_json: bool) -> None:
    """Boards for the organiser's eyes: nothing is written, nothing told to the ledger."""
    if as_json:
        print(json.dumps([board.as_dict() for board in built], indent=2))
        return
    for board in built:
        boards.show(board)
        phase = f"{board.phase['name']} phase, " if board.phase else ""
        print(f"{phase}hidden: nothing was written.")


def _announce(board: Board, path: Path, ledger: Ledger, key: Key | None) -> None:
    """The line that says what was published; somebody else's runs may be read only, or signed with their key."""
    from harness.leaderboard import published

    try:
        published.announce(board, path, ledger, key)
    except BenchmarkError as error:
        warnings.warn(f"That {path} was published is not in the ledger: {error.reason}", stacklevel=2)


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
