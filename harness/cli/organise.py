"""``harness challenge new``, ``freeze``, ``reveal`` and ``harness bundle``: an organiser's steps."""

from __future__ import annotations

import json
import shlex
import sys
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from harness.cli.terminal import command, say
from harness.errors import ProtocolError
from harness.paths import expanded

_ROLES = ("label", "text", "id", "group", "time", "part")


def new(args: Namespace) -> int:
    """Ask on a terminal for what no flag says, then write the challenge and print what was found in the data."""
    from harness.data.own.sheet import SUFFIXES
    from harness.protocol.founding import Wish, found
    from harness.protocol.sizes import TITLES

    track = args.track or _asked("--track", f"Track ({', '.join(TITLES)})", lambda said: said in TITLES)
    data = Path(args.data or _asked("--data", "Data (a file, or a folder)", lambda said: expanded(said).exists()))
    if args.label is None and data.suffix.lower() in SUFFIXES:
        args.label = _asked("--label", "Column of classes", bool)
    keys = {role: value for role in _ROLES if (value := getattr(args, role)) is not None}
    wish = Wish(args.name, track, expanded(data), keys | further(args.set), args.title)
    made = found(wish, Path(args.config_dir))
    counts = np.bincount(made.dataset.y, minlength=made.dataset.n_classes)
    classes = {name: int(count) for name, count in zip(made.dataset.class_names, counts, strict=True)}
    commands = [
        f"harness show {args.name} --config-dir {shlex.quote(args.config_dir)} --power",
        f"harness run challenge={args.name} --config-dir {shlex.quote(args.config_dir)}",
    ]
    if args.json:
        facts = {"challenge": args.name, "rows": len(made.dataset.y), "classes": classes, "next": commands}
        facts |= {"files": [str(path) for path in made.files], "findings": list(made.findings)}
        print(json.dumps(facts, indent=2))
        return 0
    shape = ", ".join(map(str, made.dataset.X.shape))
    say(f"{len(made.dataset.y)} rows, X [{shape}], {len(classes)} classes: {_listed(classes)}")
    for finding in made.findings:
        say(finding, label="  note: ")
    for path in made.files:
        say(path, label="written  ")
    print("Next: can this board tell methods apart? and the first run:")
    for line in commands:
        command(line)
    return 0


def freeze(args: Namespace) -> int:
    """Freeze a challenge and say what comes next."""
    from harness.competition.freezing.freeze import freeze as frozen
    from harness.tracking.signature import load_key

    done = frozen(
        args.challenge, Path(args.config_dir), args.runs_dir, who=args.who, key=load_key(),
        secret_file=args.secret_file, new_secret=args.new_secret,
    )  # fmt: skip
    where = f"--config-dir {shlex.quote(args.config_dir)}"
    commands = [
        f"harness bundle {done.challenge} {where} --out {done.challenge}_bundle",
        f"harness run challenge={done.challenge} submission=all {where} runs_dir={shlex.quote(args.runs_dir)}",
    ]
    if args.json:
        print(json.dumps({**asdict(done), "next": commands}, indent=2, default=str))
        return 0
    if done.new:
        print(f"frozen       {done.challenge} version {done.version}")
    else:
        say(f"{done.challenge} version {done.version} is what was frozen; nothing was written", label="unchanged    ")
    for change in done.changes:
        say(change, label="changed      ")
    say(done.fingerprint, label="fingerprint  ")
    say(f"{done.secret_place or 'environment'} ({done.secret})", label="secret       ")
    if done.secret_place:
        print("             keep a copy elsewhere: without it no entry can be scored")
    say(f"{done.lock} ({done.lock_sha256})", label="lock         ")
    print("Next: what participants get, and the baselines:")
    for line in commands:
        command(line)
    return 0


def reveal(args: Namespace) -> int:
    """Publish a secret and say how anybody checks it."""
    from harness.competition.freezing.reveal import reveal as revealed
    from harness.tracking.signature import load_key

    done = revealed(
        args.challenge, Path(args.config_dir), args.runs_dir, Path(args.out), who=args.who, why=args.why, key=load_key()
    )
    if args.json:
        print(json.dumps(asdict(done), indent=2, default=str))
        return 0
    say(done.path, label=f"{'revealed' if done.new else 'was revealed before'}  ")
    say(done.fingerprint, label="fingerprint  ")
    say("The challenge's own file holds the secret again: whoever has the config directory can run every entry.")
    print("Anybody can check it:")
    command(f"harness verify {shlex.quote(str(done.path))}")
    return 0


def bundle(args: Namespace) -> int:
    """Write what participants get."""
    from harness.competition.bundling.bundle import bundle as bundled

    done = bundled(args.challenge, Path(args.config_dir), expanded(args.out), practice=args.practice)
    if args.json:
        print(json.dumps(asdict(done), indent=2, default=str))
        return 0
    say(f"{done.path} ({len(done.files)} files)", label="written  ")
    say(done.data, label="data     ")
    print("Read its README.md before you send it: it is what participants are told.")
    return 0


def _listed(classes: dict[str, int]) -> str:
    shown = [f"{name} {count}" for name, count in list(classes.items())[:12]]
    return ", ".join(shown) + (" ..." if len(classes) > 12 else "")


def _asked(flag: str, question: str, fits: Callable[[str], object]) -> str:
    """An answer typed on a terminal; ProtocolError where there is none."""
    if not sys.stdin.isatty():
        raise ProtocolError(
            f"{flag} is missing.", "On a terminal it would be asked for; `harness challenge new --help`."
        )
    while True:
        try:
            said = input(f"{question}: ").strip()
        except EOFError:
            raise ProtocolError(f"{flag} is missing.") from None
        if fits(said):
            return said
        print(f"{said!r} does not fit.")


def further(words: list[str]) -> dict[str, Any]:
    """Keys and values of ``--set``: a dot before what lies inside another key, values read as YAML."""
    keys: dict[str, Any] = {}
    for word in words:
        key, separator, value = word.partition("=")
        *above, last = key.split(".", 1)
        if not separator or not last or not key[:1].isalpha():
            raise ProtocolError(
                f"--set {word!r:.100} is not of the form KEY=VALUE.", "For example --set missing.policy=category."
            )
        try:
            inner = keys.setdefault(above[0], {}) if above else keys
            inner[last] = yaml.safe_load(value)
        except (yaml.YAMLError, TypeError):
            raise ProtocolError(f"--set {word!r:.100} has no readable YAML value, or contradicts another.") from None
    return keys
