"""``harness dataset``: releases of data, read back and compared, and cards."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from pathlib import Path

from harness.cli.terminal import command, say
from harness.errors import ProtocolError
from harness.paths import expanded

_FINE, _NOT_OK = 0, 1


def release(args: Namespace) -> int:
    """Write a release and say what is in it."""
    from harness.pipeline.release.write import release as released

    out = expanded(args.out)
    done = released(args.name, out, _config_dir(args), archive=args.zip, form=args.format)
    check = f"harness dataset validate {shlex.quote(args.out)}"
    if args.json:
        facts = {"name": done.name, "version": done.version, "rows": done.rows, "folder": str(done.folder)}
        facts |= {"archive": str(done.archive) if done.archive else None, "files": done.files, "bytes": done.size}
        print(json.dumps(facts | {"remarks": list(done.remarks), "next": [check]}, indent=2))
        return _FINE
    say(
        f"released {done.name} {done.version}: {done.rows} rows in {done.folder} ({done.files} files, {done.size:,} bytes)"
    )
    if done.archive:
        say(done.archive, label="archive  ")
    for remark in done.remarks:
        say(remark, label="  note: ")
    print("Next: read back as others will read it:")
    command(check)
    return _FINE


def validate(args: Namespace) -> int:
    """Print what is wrong, a line each."""
    from harness.pipeline.release.validate import validate as validated

    done = validated(_word(args.what), _config_dir(args))
    if args.json:
        print(json.dumps(done.as_dict(), indent=2))
        return _FINE if done.ok else _NOT_OK
    for finding in done.findings:
        say(finding)
    for remark in done.remarks:
        say(remark, label="  note: ")
    for reader, said in done.asked.items():
        say(said, label=f"  {reader}: ")
    count = len(done.findings)
    verdict = "nothing is wrong" if done.ok else f"{count} {'thing is' if count == 1 else 'things are'} wrong"
    say(f"{done.place}: {done.rows} rows, {verdict}")
    return _FINE if done.ok else _NOT_OK


def diff(args: Namespace) -> int:
    """Print what the second has that the first has not, and the other way round."""
    from harness.pipeline.release.diff import diff as compared

    done = compared(_word(args.a), _word(args.b), _config_dir(args))
    if args.json:
        print(json.dumps(done.as_dict(), indent=2))
        return _FINE if done.ok else _NOT_OK
    print(f"versions    {done.versions[0]} -> {done.versions[1]}")
    for kind in done.kinds if done.by_id else ("added", "removed"):
        rows = getattr(done, kind)
        named = f": {', '.join(rows.first)}{' ...' if rows.count > len(rows.first) else ''}" if rows.count else ""
        say(f"{rows.count} rows{named}", label=f"{kind:<11} ")
    for what, names in (("columns +", done.columns_added), ("columns -", done.columns_removed)):
        if names:
            say(", ".join(names), label=f"{what:<11} ")
    if done.votes_added or done.votes_removed:
        print(f"votes       {done.votes_added} added, {done.votes_removed} removed")
    if done.described:
        print("described   the specification says something else")
    if done.packaged and done.asks == "patch":
        print("packaged    the same rows, written in another way")
    if not done.by_id:
        say(
            "Rows have no ids, so they were compared by content, as a multiset: a changed row is one removed and one added."
        )
    print(f"asks for    {'no new version' if done.asks == 'none' else f'a {done.asks} version'}")
    if done.problem:
        say(done.problem)
    return _FINE if done.ok else _NOT_OK


def card(args: Namespace) -> int:
    """Print a card, or write it to its place."""
    from harness.data.card import card as made
    from harness.data.card import counted
    from harness.data.own.settings import OwnSettings
    from harness.protocol import datasets, source, specifications

    config_dir = _config_dir(args)
    spec = specifications.load(args.name, config_dir)
    own = None
    if args.name in source.names(config_dir, "dataset"):
        settings = datasets.settings(args.name, config_dir)
        own = settings if isinstance(settings, OwnSettings) else None
    text = made(spec, counted(own.load()) if own else None)
    if not args.write:
        say(text.rstrip("\n"))
        return _FINE
    if config_dir is None:
        raise ProtocolError("--write needs --config-dir: the card goes into cards/ of that directory.")
    path = config_dir / "cards" / f"{args.name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    say(path, label="written  ")
    return _FINE


def _word(said: str) -> str:
    """A path, or a name, as it was said."""
    return str(expanded(said)) if said.startswith("~") else said


def _config_dir(args: Namespace) -> Path | None:
    return expanded(args.config_dir) if args.config_dir else None
