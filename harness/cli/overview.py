"""What `harness` alone and `harness --help` print: every command under whom it is for."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from typing import NoReturn

from harness.cli import terminal
from harness.cli.calling import USAGE

GROUPS = {
    "For everybody": "list show leaderboard site doctor fetch",
    "For a researcher": "new check run results compare view env",
    "For an organiser": "challenge dataset annotations round bundle team intake select withdraw disqualify reinstate "
    "release rerun winners key merge sync import",
    "For a checker": "verify reproduce",
}
_NAME = 13  # columns of a command's name


class Parser(argparse.ArgumentParser):
    """Its mistakes are paragraphs, as all others."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        terminal.say(f"{self.prog}: error: {message}", stderr=True)
        sys.exit(USAGE)


class Overview(Parser):
    """The parser of the whole: its help has commands in groups, which argparse's own would print as one long list."""

    def format_help(self) -> str:
        width = shutil.get_terminal_size().columns - 2
        lines = [self.format_usage(), *textwrap.wrap(self.description or "", width)]
        helps = commands_of(self)
        for title, names in GROUPS.items():
            lines += ["", f"{title}:"]
            for name in names.split():
                lines += textwrap.wrap(
                    f"{name:<{_NAME}}{helps[name]}", width, initial_indent="  ", subsequent_indent=" " * (_NAME + 2)
                )
        return "\n".join([*lines, "", *textwrap.wrap(self.epilog or "", width), ""])


def commands_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Every command, and what its help says."""
    found = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return {action.dest: action.help or "" for action in found._choices_actions}
