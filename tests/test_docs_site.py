"""The documentation as a site: whole, strict, by reader, and loading nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / ".mkdocs" / "mkdocs.yml"
DOCS = ROOT / "docs"
GENERATED = {"index.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md"}  # of the top level
READERS = ("researcher", "organiser", "checker", "contributor")
SCREEN = 48  # lines of an entry page


def pages(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for one in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from pages(one)


NAVIGATION = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["nav"]


def test_no_page_is_left_out_of_the_navigation() -> None:
    """Cards and decisions come in by themselves; a new page of docs/ is named in .mkdocs/mkdocs.yml."""
    named = list(pages(NAVIGATION))
    there = {
        path.relative_to(DOCS).as_posix()
        for path in DOCS.rglob("*.md")
        if path.parent.name not in ("datasets", "decisions")
    }
    assert sorted(set(named) - GENERATED - {"datasets/README.md", "datasets/own.md", "decisions/README.md"}) == sorted(
        there
    )
    assert len(named) == len(set(named))


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_begins_with_a_page_of_one_screen(reader: str) -> None:
    (tab,) = (entry for entry in NAVIGATION if reader.title() in entry)
    assert tab[reader.title()][0] == f"{reader}.md"
    assert len((DOCS / f"{reader}.md").read_text(encoding="utf-8").splitlines()) <= SCREEN


class Loaded(HTMLParser):
    """Addresses that a browser asks for by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "link" and named.get("rel") in ("canonical", "next", "prev"):
            return
        self.found += [
            value for name in ("src", "srcset", "data", *(["href"] * (tag == "link"))) if (value := named.get(name))
        ]


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    if missing := [name for name in ("mkdocs", "material", "mkdocstrings") if importlib.util.find_spec(name) is None]:
        pytest.skip(f"{', '.join(missing)} not installed: pip install -c constraints.txt -e '.[docs]'")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "-f", str(CONFIG), "-d", str(tmp_path / "site")],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    site = sorted((tmp_path / "site").rglob("*.html"))
    assert len(site) > len(list(DOCS.rglob("*.md")))
    for page in site:
        text, loaded = page.read_text(encoding="utf-8"), Loaded()
        assert not re.search(r"^\|[-:| ]+\|$", text, re.MULTILINE), f"a table of {page.name} is no table"
        assert "```" not in text, f"a block of code of {page.name} is none"
        assert not re.search(r":(mod|func|class|meth|data):", text), f"a role that only Sphinx reads in {page.name}"
        loaded.feed(text)
        assert [address for address in loaded.found if re.match(r"(\w+:)?//", address)] == [], page.name
    assert "select" in (tmp_path / "site" / "api" / "what_an_algorithm_is_given.html").read_text(encoding="utf-8")
    said = (tmp_path / "site" / "api" / "run_and_read.html").read_text(encoding="utf-8")
    assert "name of a baseline or path of a folder" in said[said.index("Parameters:") : said.index("Raises:")]
    assert 'id="harness.errors.ProtocolError"' in (tmp_path / "site" / "api" / "errors.html").read_text(
        encoding="utf-8"
    )
