"""A data set's page: its card, from the data set's specification, and the challenges on it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.leaderboard.site.heat import Boards, by_track, template
from harness.leaderboard.site.track import title
from harness.leaderboard.text import clean

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token

_REMARK = re.compile(r"<!--.*?-->", re.DOTALL)


def names(published: Boards) -> list[str]:
    """Data sets that boards say they rest on, sorted."""
    return sorted({str(board["dataset"]["name"]) for board in published.boards if board["dataset"].get("name")})


def body(name: str, published: Boards) -> str:
    """The page's HTML from the boards' JSON. KeyError for a data set that no board rests on."""
    found = [(t, b) for t, boards in by_track(published).items() for b in boards if b["dataset"].get("name") == name]
    if not found:
        raise KeyError(name)
    newest = max((board for _, board in found), key=lambda board: _version(board["dataset"]["version"]))
    return template("dataset.html").render(
        name=name,
        dataset=newest["dataset"],
        card=markdown(str(newest["card"])),
        challenges=[{"track": track, "track_title": title(track), "board": board} for track, board in found],
    )


def markdown(card: str) -> str:
    """A card as HTML: no raw HTML of its writer, no pictures, no links but to web pages; its first heading is left out.

    Headings begin below that of the page; tables scroll in frames of their own.
    """
    lines = _REMARK.sub("", card).splitlines()
    tokens = _parser().parse("\n".join(clean(line) for line in lines))
    if [token.type for token in tokens[:1]] == ["heading_open"]:
        tokens = tokens[3:]
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, max(2, int(token.tag[1])))}"
        for link in (child for child in token.children or () if child.type == "link_open"):
            link.attrSet("rel", "nofollow noreferrer")  # where it leads is the word of whoever wrote the card
    html: str = _parser().renderer.render(tokens, _parser().options, {})
    return html


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["image", "html_block", "html_inline"])
    parser.validateLink = lambda url: bool(re.match(r"https?://", url, re.IGNORECASE))  # type: ignore[method-assign]
    parser.add_render_rule("table_open", _table_open)
    parser.add_render_rule("table_close", _table_close)
    return parser


def _table_open(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Mapping[str, Any]) -> str:
    return f'<div class="scroll" role="region" aria-label="Table {at} of the card" tabindex="0"><table>\n'


def _table_close(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Mapping[str, Any]) -> str:
    return "</table></div>\n"


def _version(text: str) -> tuple[tuple[int, str], ...]:
    """Versions in the order of their numbers."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in str(text).split("."))
