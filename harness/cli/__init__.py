"""The command line: parse, call, print. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress

from harness import __version__
from harness.cli import completion, config, dataset, organiser, rounds, runner, terminal
from harness.cli.annotations import add as add_annotations
from harness.cli.calling import NOT_OK, USAGE, call, warned
from harness.cli.overview import Overview, Parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit status: 0 fine; 1 the run, check or verification is not ok; 2 wrong usage or config; 130 stopped, by Ctrl-C or whoever cancelled a job."""
    terminal.prepare()
    warnings.showwarning = warned
    try:
        try:
            return call(_arguments(argv))
        finally:
            sys.stdout.flush()  # here, where what becomes of it can still be said
    except OSError as error:
        with suppress(OSError, ValueError):  # nothing is left to be written when the process ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # the reader of our output has gone: nobody to tell
            terminal.say(f"harness: the output could not be written: {error.strerror or error}.", stderr=True)
        return NOT_OK


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """What the command line says; ends the process with status 2 where it cannot be understood."""
    parser = _parser()
    completion.complete(parser)
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help(sys.stderr)
        parser.exit(USAGE)
    args, extra = parser.parse_known_args(argv)
    # Hydra overrides are free words; argparse leaves those that stand behind an option in `extra`.
    unknown = [word for word in extra if word.startswith("-") or not hasattr(args, "overrides")]
    if unknown and (instead := config.OPTIONS.get(unknown[0].partition("=")[0])) and args.command == "run":
        parser.error(f"run does not know Hydra's {unknown[0].partition('=')[0]}: {instead}")
    if unknown:
        parser.error(
            f"{args.command} does not know {' '.join(unknown)}; `harness {args.command} --help` lists its options"
        )
    if extra:
        args.overrides = [*args.overrides, *extra]
    return args


def _parser() -> argparse.ArgumentParser:
    parser = Overview(
        prog="harness",
        description="Benchmark harness for data-centric AI: the model is pinned, algorithms compete on data.",
        epilog="Start with `harness run`: the default challenge with its default baseline. `harness COMMAND --help` says "
        "all of one command.",
    )
    parser.add_argument("--version", action="version", version=f"harness {__version__}")
    parser.add_argument(
        "--completion",
        action=completion.Print,
        choices=completion.SHELLS,
        help="print what lets a shell complete words",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def command(name: str, handler: str, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help[0].upper() + help[1:] + ".")
        sub.set_defaults(handler=handler)
        return sub

    def json(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--json", action="store_true", help="print JSON for scripts")

    def config_dir(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--config-dir", metavar="DIR", help="your own config directory, added to the shipped one")

    def runs_dir(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--runs-dir", metavar="DIR", default="runs", help="where records are (default: runs)")

    run = command("run", "run:run", "run a submission on all seeds of a challenge, score it, record it")
    runner.add(run)
    config_dir(run)
    json(run)

    listing = command("list", "explore:listing", "list challenges, submissions, data sets or suites, a line each")
    listing.add_argument("what", choices=["challenges", "submissions", "datasets", "suites"])
    config_dir(listing)
    json(listing)

    show = command("show", "explore:show", "show a challenge: pinned protocol, fingerprint, what a participant sees")
    show.add_argument("challenge")
    show.add_argument("overrides", nargs="*", default=[], metavar="KEY=VALUE", help="Hydra overrides")
    show.add_argument(
        "--power",
        action="store_true",
        help="run references and baselines: what differences can this board resolve?",
    )
    show.add_argument(
        "--teams", metavar="N", help="with --power: rows of the board (default: one for every baseline, +1)"
    )
    show.add_argument(
        "--seeds", metavar="S", help="with --power: seeds of the board, calculated (default: the challenge's)"
    )
    config_dir(show)
    runs_dir(show)
    json(show)

    view = command("view", "explore:view", "what your function is given on one seed; --out writes it for a notebook")
    view.add_argument("challenge")
    view.add_argument("overrides", nargs="*", default=[], metavar="KEY=VALUE", help="Hydra overrides")
    view.add_argument("--seed", type=int, default=0, metavar="N", help="which seed (default: 0)")
    view.add_argument("--out", metavar="FILE.npz", help="write the arrays")
    config_dir(view)
    json(view)

    new = command("new", "author:new", "write a working submission skeleton")
    new.add_argument("track")
    new.add_argument("path")

    organiser.add(commands)
    dataset.add(commands)
    add_annotations(commands)
    rounds.add(commands)

    check = command("check", "author:check", "check a submission in the real sandbox, in seconds")
    check.add_argument("path")
    check.add_argument("overrides", nargs="*", default=[], metavar="challenge=NAME", help="challenge to check against")
    config_dir(check)
    json(check)

    env = command("env", "author:env", "get the packages a submission requires, and show the lock")
    env.add_argument("submission", help="a folder, or a baseline's name")
    env.add_argument("--requirements", action="store_true", help="print the lock as a file for pip --require-hashes")
    json(env)

    board = command("leaderboard", "publish:leaderboard", "build the boards")
    board.add_argument(
        "challenges", nargs="*", default=[], metavar="CHALLENGE", help="default: every challenge with runs"
    )
    board.add_argument("--suite", metavar="NAME", help="build the boards of a suite's challenges and the suite's own")
    board.add_argument("--out", metavar="DIR", default="leaderboards", help="where to write (default: leaderboards)")
    board.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: the one under the runs directory)")
    board.add_argument(
        "--key", metavar="FILE", help="private key that signs (default: HARNESS_KEY, else the user's own)"
    )
    board.add_argument(
        "--replace", action="store_true", help="replace a published board of another protocol or history"
    )
    board.add_argument("--phase", choices=["public", "final"], help="of a competition (default: the one shown now)")
    board.add_argument(
        "--hidden",
        action="store_true",
        help="show on this terminal alone what is not to be published yet; writes nothing",
    )
    config_dir(board)
    runs_dir(board)
    json(board)

    site = command("site", "site:site", "write the site over published boards: static pages, no server")
    site.add_argument("--out", metavar="DIR", required=True, help="where to write; an earlier site there is replaced")
    site.add_argument(
        "--boards", metavar="DIR", default="leaderboards", help="published boards (default: leaderboards)"
    )
    site.add_argument(
        "--runs-dir", metavar="DIR", help="adds curves and costs by seed (default: runs, where it is there)"
    )
    json(site)

    results = command(
        "results", "explore:results", "one row for every cell of the recorded runs, for scripts and tables"
    )
    results.add_argument("challenges", nargs="*", default=[], metavar="CHALLENGE", help="default: every challenge")
    results.add_argument("--format", choices=["csv", "json", "latex"], default="csv",
        help="csv, json: a row for every cell; latex: a table of runs for booktabs (default: csv)",
    )  # fmt: skip
    runs_dir(results)

    verify = command(
        "verify",
        "verify:verify",
        "compute a runs directory, a published board or a revealed secret again: does all agree?",
    )
    verify.add_argument("place", metavar="RUNS|BOARD.json|NAME.revealed.json")
    verify.add_argument("--runs-dir", metavar="DIR", help="with BOARD.json: the runs that it was published from")
    verify.add_argument("--strict", action="store_true", help="fail as well where something could not be checked")
    verify.add_argument(
        "--tracking-uri", metavar="URI", help="MLflow store (default: the one under the runs directory)"
    )
    config_dir(verify)
    json(verify)

    compare = command("compare", "verify:compare", "the paired difference of two runs, seed by seed")
    compare.add_argument("first", metavar="RUN")
    compare.add_argument("second", metavar="RUN")
    config_dir(compare)
    runs_dir(compare)
    json(compare)

    reproduce = command("reproduce", "verify:reproduce", "run a published row again from its record and compare")
    reproduce.add_argument("run_id", nargs="?", help="a run; with --board also the name of a row's submission")
    reproduce.add_argument("--all", action="store_true", help="every run in the runs directory, every row of the board")
    reproduce.add_argument("--board", metavar="BOARD.json", help="a published board: no runs directory is needed")
    reproduce.add_argument(
        "--submission", metavar="FOLDER", help="with --board: the row's files, where it is no shipped baseline"
    )
    reproduce.add_argument("--pending", action="store_true", help="with --all: those that no verdict confirms yet")
    config_dir(reproduce)
    runs_dir(reproduce)
    json(reproduce)

    release = command("release", "judge:release", "let a suspicious run rank, after a person has looked at it")
    release.add_argument("run_id")
    release.add_argument("--who", required=True, help="who has looked")
    release.add_argument("--why", required=True, help="what was found")
    runs_dir(release)

    take = command("intake", "compete:intake", "take in what teams handed in: check, run, report")
    take.add_argument(
        "inbox", metavar="INBOX", help="a folder of folders and archives (zip, tar.gz), or of a folder a team"
    )
    take.add_argument(
        "overrides", nargs="*", default=[], metavar="KEY=VALUE", help="challenge=NAME and what `run` takes"
    )
    take.add_argument("--reports", metavar="DIR", default="reports", help="where teams' reports go (default: reports)")
    take.add_argument(
        "--received", metavar="TIME", help="when all of it was handed in (default: when it came to lie there)"
    )
    take.add_argument("--runs-dir", metavar="DIR", help="where records are (default: runs)")
    config_dir(take)
    json(take)

    again = command(
        "rerun", "compete:rerun", "run the entries that counted before a correction again, from their archives"
    )
    again.add_argument("challenge")
    again.add_argument(
        "overrides", nargs="*", default=[], metavar="KEY=VALUE", help="what `run` takes: launcher=, device="
    )
    config_dir(again)
    runs_dir(again)
    json(again)

    won = command("winners", "compete:winners", "the announcement: who won, and who cannot be told from the winner")
    won.add_argument("challenge")
    won.add_argument("--hidden", action="store_true", help="before the end, for the organiser's eyes")
    won.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: the one under the runs directory)")
    config_dir(won)
    runs_dir(won)
    json(won)

    joined = command("merge", "compete:merge", "join the runs of another machine: one ledger that names both heads")
    joined.add_argument("other", metavar="OTHER_RUNS")
    joined.add_argument("--who", help="who merges, for the ledger (default: your login name)")
    runs_dir(joined)
    json(joined)

    teams = commands.add_parser("team", help="the roster of a competition: new", description="The roster.")
    adding = teams.add_subparsers(dest="step", required=True, metavar="STEP")
    team = adding.add_parser(
        "new", help="add a team, and print its token", description="Add a team, and print its token."
    )
    team.set_defaults(handler="compete:new_team")
    team.add_argument("id", help="letters, digits, '_' and '-', as T17")
    team.add_argument("--name", required=True, help="as the board shows it")
    team.add_argument("--contact", default="", help="stays in the roster")
    team.add_argument("--roster", metavar="FILE", default="conf/teams.yaml", help="default: conf/teams.yaml")

    for name, what in (
        ("withdraw", "take a run back: it counts no longer, and the board says why"),
        ("disqualify", "rank a run's team no longer, and say why on the board"),
        ("reinstate", "end a withdrawal or disqualification"),
        ("select", "let a run be the one of its team that counts (counts: selected)"),
    ):
        deed = command(name, "judge:decide", what)
        deed.add_argument("run_id")
        deed.add_argument("--who", required=True, help="who decides so")
        deed.add_argument("--why", required=True, help="for what reason")
        runs_dir(deed)

    keys = commands.add_parser("key", help="keys that sign the ledger: new, trust", description="Keys of the ledger.")
    deeds = keys.add_subparsers(dest="step", required=True, metavar="STEP")
    made = deeds.add_parser("new", help="make a private key", description="Make a private key (Ed25519).")
    made.add_argument("path", nargs="?", metavar="PATH", help="default: harness/key.pem in your config directory")
    made.set_defaults(handler="publish:new_key")
    trusted = deeds.add_parser(
        "trust", help="let another key sign from now on", description="Let another key sign from now on."
    )
    trusted.add_argument("public_key", metavar="PUBLIC_KEY", help="as `harness key new` printed it")
    trusted.add_argument("--who", required=True, help="who decides so")
    trusted.add_argument("--why", required=True, help="for what reason")
    runs_dir(trusted)
    trusted.set_defaults(handler="publish:trust_key")

    sync = command("sync", "store:sync", "deliver records to MLflow that could not be delivered when they were made")
    sync.add_argument("--tracking-uri", metavar="URI", help="MLflow store (default: the one under the runs directory)")
    sync.add_argument(
        "--rebuild",
        action="store_true",
        help="set the runs directory's store aside and make it again from the records; of a shared store, deliver anew "
        "what differs",
    )
    sync.add_argument("--who", help="who rebuilds, for the ledger (default: your login name)")
    runs_dir(sync)

    bring = command("import", "store:bring", "bring records, cells and submissions back from an MLflow store alone")
    bring.add_argument("challenges", nargs="*", default=[], metavar="CHALLENGE", help="default: every challenge there")
    bring.add_argument("--tracking-uri", metavar="URI", help="the store (default: MLFLOW_TRACKING_URI)")
    bring.add_argument("--who", help="who imports, for the ledger (default: your login name)")
    runs_dir(bring)

    fetch = command("fetch", "explore:fetch", "download a data set by checksum into the cache")
    fetch.add_argument("dataset")

    doctor = command("doctor", "explore:doctor", "what works here: isolation tiers, devices, data, versions")
    json(doctor)
    return parser
