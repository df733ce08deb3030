"""What the site has beyond docs/: pages of the top level, the Python API from docstrings, links that lead out of docs/.

Pages stay as GitHub shows them; here they are turned, as they are read, into what Python-Markdown understands.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from pymdownx.slugs import slugify

ROOT = Path(__file__).resolve().parent.parent
TOP = {"README.md": "index.md"} | {
    f"{name}.md": f"{name}.md" for name in ("CONTRIBUTING", "SECURITY", "CODE_OF_CONDUCT", "CHANGELOG")
}
API = {
    "Run and read": ("harness.evaluation.run", "harness.protocol.compose", "harness.protocol.view"),
    "What an algorithm is given": ("harness.api", "harness.api.tasks", "harness.api.models", "harness.api.texts"),
    "Fixed models": ("harness.models", "harness.models.base"),
    "Data sets": ("harness.data", "harness.data.base"),
    "Tracks": ("harness.tracks.base",),
    "Challenges": ("harness.protocol.challenge",),
    "Records and runs": ("harness.tracking.record", "harness.tracking.runs"),
    "Verification": (
        "harness.verification.directory",
        "harness.verification.reproduce",
        "harness.verification.compare",
    ),
    "Boards": ("harness.leaderboard.board", "harness.leaderboard.reproduce"),
    "Statistics": ("harness.statistics.intervals", "harness.statistics.differences", "harness.statistics.rank_sets"),
    "Errors": ("harness.errors",),
}
_LINK = re.compile(r"\[([^\]]*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"\A```(\w+) (\S+)$", re.MULTILINE)  # a block of code with the name of its file
_TABLE = re.compile(r"^(?![|\n])(.+)\n(?=\|.*\n\|[-:| ]+\|$)", re.MULTILINE)
_INNER = re.compile(r"^  (?=[-*] )", re.MULTILINE)


def on_config(config: Any) -> Any:
    """Headings get the anchors that GitHub gives them; pages of cards, decisions and the API join the navigation."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    docs = Path(config.docs_dir)
    nav = {title: pages for entry in config.nav for title, pages in entry.items()}
    inner = {
        title: pages for part in nav.values() for one in part if isinstance(one, dict) for title, pages in one.items()
    }
    for title, folder in (("Data sets", "datasets"), ("Decisions", "decisions")):
        named = {"README.md", "own.md"}
        inner[title] += [
            f"{folder}/{page.name}" for page in sorted((docs / folder).glob("*.md")) if page.name not in named
        ]
    nav["Python API"] += [{title: _api_page(title)} for title in API]
    return config


def on_files(files: Files, config: Any) -> Files:
    """Pages of the top level and of the API, made of what is there."""
    for source, page in TOP.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    for title, modules in API.items():
        text = f"# {title}\n\n" + "\n\n".join(f"::: {module}" for module in modules) + "\n"
        files.append(File.generated(config, _api_page(title), content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links as the site needs them; tables and lists within lists as Python-Markdown reads them; of a block of code the file's name."""
    path = page.file.src_uri
    source = next((source for source, site in TOP.items() if site == path), f"docs/{path}")
    parts, codes = _FENCED.split(markdown), _FENCED.findall(markdown)
    parts = [_LINK.sub(lambda link: _link(link, source, path), part) for part in parts]
    parts = [_INNER.sub("    ", _TABLE.sub(r"\1\n\n", part)) for part in parts]
    codes = [_NAMED.sub(r'```\1 title="\2"', code) for code in codes]
    return "".join(part + code for part, code in zip(parts, [*codes, ""], strict=True))


def _link(link: re.Match[str], source: str, path: str) -> str:
    """A link of the repository as one of the site; what is no page of it (sources, tests) keeps its words alone."""
    text, name, anchor = link[1], link[2], link[3] or ""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
    if (ROOT / target).is_dir():
        target += "/README.md"
    if target in TOP:
        there = TOP[target]
    elif target.startswith("docs/"):
        there = target.removeprefix("docs/")
    elif (ROOT / target).exists():
        return text
    else:
        return link[0]  # which a strict build refuses
    return f"[{text}]({posixpath.relpath(there, posixpath.dirname(path) or '.')}{anchor})"


def _api_page(title: str) -> str:
    return f"api/{title.lower().replace(' ', '_')}.md"
