"""The shell of every page: header, navigation, style, and a policy under which nothing comes from elsewhere."""

from __future__ import annotations

from functools import cache

from markupsafe import Markup

from harness.leaderboard.text import clean, environment

ASSETS = ("style.css", "page.js")
"""Files beside the start page that all pages of a site share."""


def page(title: str, body: str, *, depth: int, description: str = "", alone: bool = False) -> str:
    """A whole page around its body.

    Parameters
    ----------
    title: of the page, as plain text.
    body: trusted HTML, made by templates of this room that escape what strangers wrote; it begins with the ``h1``.
    depth: how many folders below the site's root the page lies, for relative links.
    description: a sentence for search engines and previews of links.
    alone: style and script are written into the page, which then is one file by itself.
    """
    return (
        environment()
        .get_template("base.html")
        .render(
            title=clean(title),
            body=Markup(body),
            root="../" * depth,
            description=clean(description)[:200],
            style=Markup(asset("style.css")) if alone else "",
            script=Markup(asset("page.js")) if alone else "",
            alone=alone,
        )
    )


@cache
def asset(name: str) -> str:
    """The text of one of ASSETS."""
    return environment().get_template(name).render()
