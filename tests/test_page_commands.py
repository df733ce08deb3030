"""Every command that a page shows is one that exists, with options that exist; what it does is tested elsewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness.cli import _parser
from harness.protocol import source
from tests.test_kit import PAGES, ROOT

_INDENTED = re.compile(r"^    (?:\$ )?((?:harness|\./scripts/\w+|pytest) .*)$|^    (\./scripts/\w+)$", re.MULTILINE)
_QUOTED = re.compile(r"`((?:(?:harness|pytest) [^`]*)|(?:\./)?scripts/[^`]*)`")


def commands(page: Path) -> list[list[str]]:
    """The words of each; comments and what stands for something else (dots, stars, bars) are left out."""
    text = page.read_text(encoding="utf-8")
    found = [one or other for one, other in _INDENTED.findall(text)] + _QUOTED.findall(text)
    lines = [" ".join(line.split()) for line in found]
    return [shlex.split(line, comments=True) for line in lines if not re.search(r"\.\.\.|\*|\|", line)]


STEPS = ("challenge", "team", "key", "dataset", "annotations", "round")  # commands of two words
WRITTEN = [(page, words) for page in PAGES if page.stem != "CHANGELOG" for words in commands(page)]


@pytest.mark.parametrize(
    ("page", "words"), WRITTEN, ids=[f"{p.relative_to(ROOT)}: {' '.join(words)[:60]}" for p, words in WRITTEN]
)
def test_a_command_exists(page: Path, words: list[str]) -> None:
    program, *rest = words
    if program == "pytest":
        assert all((ROOT / word).exists() for word in rest if not word.startswith("-") and "/" in word)
    elif program != "harness":
        assert (ROOT / program).is_file()
    elif rest[1:] and not (len(rest) == 2 and rest[0] in STEPS):
        args, extra = _parser().parse_known_args(rest)
        assert not [word for word in extra if word.startswith("-") or not hasattr(args, "overrides")]
        named = [word.removeprefix("challenge=") for word in rest if word.startswith("challenge=")]
        if "--config-dir" not in rest:  # else it is the reader's own
            assert set(named) <= {*source.names(None), "NAME", "all"}
    else:  # the name alone, in a sentence about it
        with pytest.raises(SystemExit) as said:
            _parser().parse_args([*rest, "--help"])
        assert said.value.code == 0
