"""``harness new``, ``check`` and ``env``: what a participant does before running."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace

from harness.cli.terminal import command, quote, say
from harness.errors import ProtocolError


def new(args: Namespace) -> int:
    """Write a working skeleton; refuses to touch anything that is already there."""
    from pathlib import Path

    from harness.protocol.catalogue import quick_challenge
    from harness.protocol.scaffold import scaffold

    written = scaffold(args.track, Path(args.path))
    say(f"{written} is a working submission. Next:")
    command(f"harness check {shlex.quote(str(written))}")
    command(f"harness run challenge={quick_challenge(args.track)} {shlex.quote(f'submission={written}')}")
    return 0


def check(args: Namespace) -> int:
    """Exit 0 if every check of the conformance suite passes."""
    from harness.evaluation.check import check as run_checks

    strange = [word for word in args.overrides if "=" not in word]
    if strange:
        raise ProtocolError(f"{strange[0]!r} is not of the form KEY=VALUE.", "For example challenge=debugging_digits.")
    findings = run_checks(args.path, args.overrides, args.config_dir)
    passed = all(finding.passed for finding in findings)
    if args.json:
        print(json.dumps({"passed": passed, "checks": [finding.as_dict() for finding in findings]}, indent=2))
        return 0 if passed else 1
    for finding in findings:
        first, _, printed = finding.found.partition("\n")
        say(first, label=f"{'pass' if finding.passed else 'FAIL'}  {finding.name}: ")
        if printed:
            quote(printed, indent="      ")
    print("All checks passed." if passed else "Change what FAIL says and check again.")
    return 0 if passed else 1


def env(args: Namespace) -> int:
    """Ask the index anew, keep the lock for the runs that follow, unpack it."""
    from harness.packages.overlay import overlay
    from harness.packages.resolve import resolve
    from harness.protocol import submission

    entry = submission.load(submission.find(args.submission, ""))
    lock = resolve(entry.requires, fresh=True)
    folder = overlay(lock)
    if args.requirements:
        print(lock.requirements(), end="")
    elif args.json:
        facts = {"requires": list(entry.requires), "digest": lock.digest, "packages": lock.plain()}
        print(json.dumps(facts | {"overlay": str(folder) if folder else None}, indent=2))
    elif folder is None:
        print("Nothing is needed beside the harness's own packages.")
    else:
        for package in lock.packages:
            say(f"{package.name} {package.version} {package.wheel} sha256:{package.sha256}")
        say(lock.digest, label="lock     ")
        say(folder, label="overlay  ")
    return 0
