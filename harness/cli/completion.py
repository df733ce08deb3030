"""Completion in bash, zsh and fish: argcomplete knows the shells, this module what may stand in an override.

Nothing heavy is imported: names are those of files and folders, as a shell asks at every TAB.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ProtocolError

SHELLS = ("bash", "zsh", "fish")
_LINE = {
    "bash": 'eval "$(harness --completion bash)"   in ~/.bashrc',
    "zsh": 'eval "$(harness --completion zsh)"   in ~/.zshrc, behind compinit',
    "fish": "harness --completion fish | source   in ~/.config/fish/config.fish",
}
_GROUPS = ("challenge", "track", "dataset", "model", "sandbox", "tracking", "launcher")
_KEYS = (
    "challenge=",
    "submission=",
    "device=",
    "runs_dir=",
    "team=",
    "launcher=",
    "launcher.workers=",
    "seeds=",
    "sandbox=",
    "track=",
)
_DEVICES = ("auto", "cpu", "cuda")


class Print(argparse.Action):
    """``--completion SHELL``: what the shell has to read, as ``--version`` prints and leaves."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        from argcomplete.shell_integration import shellcode

        print(f"# {_LINE[values]}")
        print(shellcode(["harness"], shell=values))
        parser.exit()


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions, and end; do nothing where none asks."""
    if "_ARGCOMPLETE" not in os.environ:
        return
    import argcomplete

    for command, sub in _commands(parser):
        for action in sub._actions:
            if action.dest in ("overrides", "challenge", "challenges", "path", "submission", "track"):
                action.completer = _completer(command, action.dest)  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options=False)


def candidates(prefix: str, config_dir: str | None = None) -> list[str]:
    """Overrides that begin with a prefix: keys, and behind ``=`` the names of files of a group or of baselines.

    Behind a comma the next of several; a folder's path is for the shell to complete.
    """
    key, equals, value = prefix.partition("=")
    if not equals:
        return [word for word in _KEYS if word.startswith(prefix)]
    before, comma, last = value.rpartition(",")
    found = [f"{key}={before}{comma}{name}" for name in _names(key, config_dir) if name.startswith(last)]
    return found or (
        [f"{key}={before}{comma}{path}" for path in _paths(last)] if key in ("submission", "runs_dir") else []
    )


def _names(key: str, config_dir: str | None) -> Iterable[str]:
    if key == "device":
        return _DEVICES
    if key == "submission":
        return sorted({"all", "default", *_baselines()})
    return [*_of_group(key, config_dir), *(["all"] if key == "challenge" else [])] if key in _GROUPS else ()


def _of_group(group: str, config_dir: str | None) -> list[str]:
    """Names of the configs of a group."""
    from harness import plugins
    from harness.paths import CONF_DIR

    roots = [CONF_DIR, *plugins.folders("conf"), *([Path(config_dir)] if config_dir else [])]
    return sorted({path.stem for root in roots for path in (root / group).glob("[!._]*.yaml")})


def _baselines(track: str = "*") -> list[str]:
    """Names of the shipped submissions, and of those of plug-ins."""
    from harness import plugins
    from harness.paths import SUBMISSIONS_DIR

    roots = [SUBMISSIONS_DIR, *plugins.folders("submissions")]
    return sorted({path.parent.name for root in roots for path in root.glob(f"{track}/*/submission.yaml")})


def _paths(start: str) -> list[str]:
    """Folders whose path begins with ``start``, with a slash behind each."""
    folder, slash, name = start.rpartition("/")
    place = Path(os.path.expanduser(folder + slash) or ".")  # noqa: PTH111 - Path's own raises where a user is unknown
    try:
        return sorted(f"{folder}{slash}{p.name}/" for p in place.iterdir() if p.name.startswith(name) and p.is_dir())
    except OSError:
        return []


def _commands(parser: argparse.ArgumentParser, above: str = "") -> Iterable[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in action.choices.items():
                yield f"{above}{name}", sub
                yield from _commands(sub, f"{above}{name} ")


def _completer(command: str, dest: str) -> Any:
    """What argcomplete asks for one argument of one command."""

    def of(prefix: str, parsed_args: argparse.Namespace, **_: Any) -> Sequence[str]:
        config_dir = getattr(parsed_args, "config_dir", None)
        try:
            if dest == "overrides":
                return candidates(prefix, config_dir)
            if dest in ("challenge", "challenges"):
                return _of_group("challenge", config_dir)
            if dest == "track":
                return sorted({path.name for path in _kinds()})
            return [*_baselines(), *_paths(prefix)] if command in ("check", "env") else _paths(prefix)
        except ProtocolError:  # a broken plug-in: no reason to write into somebody's command line
            return []

    return of


def _kinds() -> Iterable[Path]:
    from harness.paths import SUBMISSIONS_DIR

    return (path for path in SUBMISSIONS_DIR.iterdir() if path.is_dir())
