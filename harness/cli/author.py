"""``harness new``, ``check`` and ``env``: what a participant does before running."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace

from rich.console import Console

from harness.errors import ProtocolError


def new(args: Namespace) -> int:
    """Write a working skeleton; refuses to touch anything that is already there."""
    from pathlib import Path

    from harness.protocol.catalogue import quick_challenge
    from harness.protocol.scaffold import scaffold

    written = scaffold(args.track, Path(args.path))
    print(f"{written} is a working submission. Next:")
    print(f"  harness check {shlex.quote(str(written))}")
    print(f"  harness run challenge={quick_challenge(args.track)} {shlex.quote(f'submission={written}')}")
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
    console = Console(highlight=False)
    for finding in findings:
        mark = "[green]pass[/green]" if finding.passed else "[red]FAIL[/red]"
        console.print(f"{mark}  {finding.name}: ", end="")
        console.print(finding.found, markup=False, soft_wrap=True)
    console.print("All checks passed." if passed else "Change what FAIL says and check again.")
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
            print(f"{package.name} {package.version}  {package.wheel}  sha256:{package.sha256}")
        print(f"lock     {lock.digest}")
        print(f"overlay  {folder}")
    return 0
