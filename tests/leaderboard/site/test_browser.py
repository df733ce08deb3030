"""Every kind of page in a real browser: no errors, nothing asked of anybody, axe content, a phone, no JavaScript."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.leaderboard.browser import violations, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}


def kinds(site: Path) -> list[Path]:
    """A page of every kind; of rows one that is ranked, one that failed, one that is ours."""
    rows = [next((site / "rows").glob(f"*-{name}-*.html")) for name in ("nasty", "worse", "reference-skyline")]
    others = [next(iter(sorted((site / kind).glob("*.html"))), None) for kind in ("tracks", "datasets")]
    return [site / "index.html", site / "challenges" / "made.html", *rows, *(page for page in others if page)]


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def test_every_page_is_sound_in_light_and_dark_and_on_a_phone(chromium: Browser, site: Path, axe: str) -> None:
    for path in kinds(site):
        with visit(chromium, path) as (page, complaints):
            assert violations(page, axe) == [], path.name
            page.emulate_media(color_scheme="dark")
            assert violations(page, axe, "color-contrast") == [], f"{path.name} in the dark"
            assert page.locator("main h1").count() == 1
            page.set_viewport_size(PHONE)  # type: ignore[arg-type]
            assert overflow(page) <= 0, path.name
            assert complaints == [], path.name


def test_axe_would_say_so(chromium: Browser, site: Path, axe: str) -> None:
    with visit(chromium, site / "index.html") as (page, _):
        page.evaluate("() => document.querySelector('main').append(document.createElement('input'))")
        page.evaluate("() => { document.querySelector('h1').style.color = '#eee'; }")
        assert [line for line in violations(page, axe) if line.startswith("label")]
        assert [line for line in violations(page, axe, "color-contrast") if "h1" in line]


@pytest.mark.parametrize("script", [True, False])
def test_on_a_phone_scores_and_reasons_are_in_sight(chromium: Browser, site: Path, script: bool) -> None:
    with visit(chromium, site / "challenges" / "made.html", viewport=PHONE, java_script_enabled=script) as (page, said):
        first = page.locator("#board tbody tr").first
        score = first.locator("td b").bounding_box()
        assert score is not None
        assert score["x"] + score["width"] <= PHONE["width"]
        assert score["y"] + score["height"] <= PHONE["height"], "without scrolling at all"
        reason = page.locator("table.reasons td").first.bounding_box()
        assert reason is not None
        assert reason["x"] + reason["width"] <= PHONE["width"]
        more = page.locator("#board .more").first
        assert not more.is_visible()
        page.locator("#all").check()
        assert more.is_visible(), "columns unfold without JavaScript, too"
        assert page.get_by_label("Filter").is_visible() is script
        assert said == []


def test_a_link_shares_what_is_filtered_and_sorted(chromium: Browser, site: Path) -> None:
    path = site / "challenges" / "made.html"
    with visit(chromium, path) as (page, complaints):
        page.get_by_label("Filter").fill("A. Author")
        page.get_by_role("button", name="normalised").press("Enter")
        page.get_by_role("button", name="normalised").press("Enter")
        page.get_by_label("All columns").check()
        shared = page.url
        names = page.locator("#board tbody tr:visible th a").all_inner_texts()
        assert sorted(names) == ["equal", "fair", "good"]
        assert names[-1] == "fair"
        assert page.locator("#count").inner_text().startswith("3 of ")
        assert complaints == []
    with visit(chromium, path) as (page, _):
        page.goto(shared)
        assert page.locator("#board tbody tr:visible th a").all_inner_texts() == names
        assert page.locator("th[aria-sort=descending]").inner_text().startswith("normalised")
        assert page.locator("#board .more").first.is_visible()
        page.get_by_label("Filter").fill("nobody has this name")
        assert page.locator("#board tbody tr:visible").count() == 0
        page.get_by_label("Filter").fill("")
        page.goto(f"{path.as_uri()}#rules")
        assert page.locator("#board tbody tr:visible").count() > 3


def test_from_the_board_to_a_row_and_back_by_keyboard_alone(chromium: Browser, site: Path) -> None:
    with visit(chromium, site / "challenges" / "made.html", java_script_enabled=False) as (page, complaints):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.get_by_role("link", name="good", exact=True).press("Enter")
        page.wait_for_url("**/rows/*good*")
        assert page.locator("h1").inner_text() == "good"
        page.get_by_role("link", name="Back to the board").press("Enter")
        page.wait_for_url("**/challenges/made.html")
        assert complaints == []
