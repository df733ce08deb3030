"""``harness run --cfg`` and ``--info``: what would be run and where it comes from; and Hydra's words that are not ours."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ProtocolError

_INFO = ("config", "defaults-tree", "searchpath", "all")
# Options of a Hydra application that this command has not: what to use instead.
OPTIONS = {
    "--hydra-help": "`harness run --help` lists the options, `harness show CHALLENGE` what can be overridden.",
    "--resolve": "`harness run --cfg job` prints values, with everything resolved.",
    "--package": "`harness run --cfg job` prints the whole config; cut out of its YAML what you need.",
    "--experimental-rerun": "`harness reproduce RUN_ID` runs a recorded run again from its record.",
    "--run": "`harness run` runs.",
    "--config-path": "--config-dir DIR adds a directory of your own configs.",
    "--config-name": "challenge=NAME chooses the challenge; --config-dir DIR adds files of your own.",
    "--shell-completion": "`harness --completion bash` (or zsh, fish) prints what your shell has to read.",
}
OPTIONS |= {
    short: OPTIONS[long]
    for short, long in (
        ("-p", "--package"), ("-r", "--run"), ("-cp", "--config-path"), ("-cn", "--config-name"), ("-sc", "--shell-completion"),
    )
}  # fmt: skip
_WORDS = {
    "hydra/sweeper": "-m runs all combinations of the values given, there is no other sweeper.",
    "hydra.sweeper": "-m runs all combinations of the values given, there is no other sweeper.",
    "hydra/launcher": "launcher=local, serial, ray or slurm says where cells are computed (docs/scale.md).",
    "hydra.launcher": "launcher.workers=N and what else a launcher takes stand under launcher (docs/scale.md).",
    "hydra.sweep": "runs_dir=DIR says where records are; a run has its own directory there, by its id.",
    "hydra.run": "runs_dir=DIR says where records are; a run has its own directory there, by its id.",
    "hydra.searchpath": "--config-dir DIR adds a directory of your own configs.",
    "hydra.job": "A run is known by its id, which follows from what is run; environment variables stay as they are.",
}
_OTHERWISE = "Challenge and run are configured by the keys that `harness run --cfg job` prints."


def refuse_words(overrides: Sequence[str]) -> None:
    """Raise ProtocolError where an override is meant for Hydra itself: it would change nothing."""
    for word in overrides:
        key = word.lstrip("+~").partition("=")[0].partition("@")[0]
        if key == "hydra" or key.startswith(("hydra.", "hydra/")):
            near = (hint for start, hint in _WORDS.items() if key == start or key.startswith(f"{start}."))
            raise ProtocolError(
                f"{key:.100}: Hydra composes the config here and does nothing else.", next(near, _OTHERWISE)
            )


def show(args: Namespace) -> int:
    """Print what was asked for; nothing runs."""
    if "=" in (args.info or ""):  # --info before the overrides
        args.overrides, args.info = [args.info, *args.overrides], "all"
    if args.multirun:
        raise ProtocolError("--cfg and --info show the config of one run.", "Leave -m out.")
    if args.cfg not in (None, "job"):
        raise ProtocolError(
            f"--cfg {args.cfg:.100}: there is no such config.", "`harness run --cfg job` prints the only one."
        )
    if args.info not in (None, *_INFO):
        raise ProtocolError(
            f"--info {args.info:.100}: there is no such thing here.",
            f"--info takes {', '.join(_INFO)}; `harness doctor` says what is installed, plug-ins included.",
        )
    refuse_words(args.overrides)
    directory = Path(args.config_dir) if args.config_dir else None
    wanted = ("config",) if args.cfg else _INFO[:3] if args.info == "all" else (args.info,)
    for number, what in enumerate(wanted):
        if args.info == "all":
            print(f"{chr(10) if number else ''}# {what}")
        lines = {"config": _config, "defaults-tree": _tree, "searchpath": _places}[what](args.overrides, directory)
        sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def _config(overrides: Sequence[str], directory: Path | None) -> Iterator[str]:
    """The composed config as YAML; a secret that a competition keeps is not shown, nor is a password in an address."""
    from harness.protocol.compose import composed
    from harness.protocol.staging import yaml_text
    from harness.randomness import OPEN_SECRET
    from harness.tracking.addresses import shown

    values: dict[str, Any] = composed(overrides, directory)
    if values.get("secret") not in (OPEN_SECRET, None):
        values["secret"] = "(kept)"
    tracking = values.get("tracking")
    if isinstance(tracking, dict) and isinstance(tracking.get("uri"), str):
        values["tracking"] = {**tracking, "uri": shown(tracking["uri"])}
    yield from yaml_text(values).splitlines()


def _tree(overrides: Sequence[str], directory: Path | None) -> Iterator[str]:
    """Which file stands for each group, and what a challenge's file builds on."""
    from harness.paths import CONF_DIR
    from harness.protocol import source
    from harness.protocol.compose import choices

    yield f"config  {CONF_DIR / 'config.yaml'}"
    for group, choice in choices(overrides, directory).items():
        for depth, path in source.family(group, choice, directory):
            yield f"  {'  ' * depth}{group}: {path.stem}  {path}"


def _places(overrides: Sequence[str], directory: Path | None) -> Iterator[str]:
    """Where configs are looked for, in this order."""
    from harness.protocol import source

    return map(str, source.roots(directory))
