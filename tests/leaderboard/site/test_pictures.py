"""Fronts and profiles against obvious loops, colours against the contrast formula, and pictures in a browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.leaderboard.site import dataset, pictures, start, track
from tests.leaderboard.site.made import HIDDEN, NASTY, committed, nasty

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CSS = (Path(pictures.__file__).parent / "templates" / "pictures.css").read_text(encoding="utf-8")
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


def row(score: float, seconds: float, name: str = "m", rank: int | None = 1) -> dict[str, Any]:
    return {"submission": name, "score": score, "seconds": seconds, "rank": rank}


def elements(svg: str, kind: str) -> list[ElementTree.Element]:
    return [e for e in ElementTree.fromstring(svg).iter() if kind in (e.get("class") or "").split()]


def test_the_front_is_what_no_other_point_beats() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        points = [(float(a), float(b)) for a, b in rng.integers(0, 6, (9, 2))]  # many ties
        beaten = [any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points) for cost, gain in points]
        assert pictures.front(points) == [not b for b in beaten]
    assert pictures.front([]) == []


def test_the_picture_marks_the_front_and_names_it_alone() -> None:
    rng = np.random.default_rng(1)
    rows = [row(float(s), float(t), f"m{i}") for i, (s, t) in enumerate(rng.random((12, 2)) + 0.01)]
    references = [row(0.0, 0.0, "reference-random", None), row(1.2, 0.0, "reference-skyline", None)]
    left_out = [row(0.5, 0.0, "free"), {**row(0.5, 1.0, "failed"), "score": None}]
    svg = pictures.pareto([*rows, *references, *left_out], "macro_f1")
    front = [
        r["submission"]
        for r in rows
        if not any(o["score"] >= r["score"] and o["seconds"] <= r["seconds"] for o in rows if o is not r)
    ]
    titles = [next(iter(e)).text or "" for e in elements(svg, "best")]
    assert sorted(t.split(":")[0] for t in titles) == sorted(front)
    assert sorted(e.text or "" for e in elements(svg, "name")) == sorted(front)
    assert len(elements(svg, "point")) == len(rows) - len(front)
    assert len(elements(svg, "reference")) == 2
    assert "free" not in svg
    assert "failed" not in svg


def test_where_lower_is_better_the_picture_is_the_same_with_other_numbers() -> None:
    rows = [row(0.1 * i, 1.0 + i % 3, f"m{i}") for i in range(7)]
    places = [
        [(e.get("cx"), e.get("cy")) for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("circle")]
        for svg in (
            pictures.pareto(rows, "f1"),
            pictures.pareto([{**r, "score": -r["score"]} for r in rows], "error", "min"),
        )
    ]
    assert places[0] == places[1]


def test_a_row_far_below_the_floor_does_not_press_the_others_together() -> None:
    references = [row(0.5, 0.0, "reference-random", None), row(1.0, 0.0, "reference-skyline", None)]
    svg = pictures.pareto([row(0.9, 1.0, "good"), row(0.8, 2.0, "fair"), row(-50.0, 3.0, "bad"), *references], "f1")
    heights = [float(e.get("cy", "nan")) for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("circle")]
    assert abs(heights[0] - heights[1]) > 20
    assert "bad: -50 in 3 s, lower than shown" in svg


@pytest.mark.parametrize("rows", [[], [row(0.5, 1.0)], [row(0.5, 1.0)] * 3, [row(0.0, 1e-5), row(0.0, 1e5)]])
def test_odd_boards_make_pictures(rows: list[dict[str, Any]]) -> None:
    svg = pictures.pareto(rows, "f1")
    assert svg == "" if not rows else ElementTree.fromstring(svg) is not None
    assert "nan" not in svg
    assert "inf" not in svg


def test_a_profile_is_drawn_as_it_was_given() -> None:
    rng = np.random.default_rng(2)
    taus = np.linspace(-0.2, 1.0, 121)
    curves = [(f"m{i}", (rng.random((15, 1)) > taus).mean(axis=0).tolist()) for i in range(8)]
    svg = pictures.profile(curves, taus.tolist())
    assert len(elements(svg, "curve")) == pictures.HIGHLIGHTED
    assert len(elements(svg, "other")) == 2
    assert [e.text for e in elements(svg, "name")] == [name for name, _ in curves[: pictures.HIGHLIGHTED]]
    for (_, shares), path in zip(curves, elements(svg, "curve"), strict=False):
        moves = [(m[0], float(m[1])) for m in re.findall(r"([HV])([\d.]+)", path.get("d", ""))]
        x, y = map(float, re.findall(r"[\d.]+", path.get("d", ""))[:2])
        drawn, at = [], 0
        for tau in taus:
            pixel = 52 + (tau + 0.2) / 1.2 * (534 - 52)
            while at < len(moves) and (moves[at][0] == "V" or moves[at][1] <= pixel + 0.06):
                x, y = (moves[at][1], y) if moves[at][0] == "H" else (x, moves[at][1])
                at += 1
            drawn.append((300 - y) / 276)
        np.testing.assert_allclose(drawn, shares, atol=2e-4)


def test_names_are_text_in_pictures() -> None:
    rows = [row(0.5, 1.0, f"{NASTY}{HIDDEN}"), row(0.6, 2.0, '"><a href="x">')]
    for svg in (pictures.pareto(rows, NASTY), pictures.profile([(f"{NASTY}{HIDDEN}", [1.0, 0.0])], [0.0, 1.0], NASTY)):
        assert {e.tag.split("}")[1] for e in ElementTree.fromstring(svg).iter()} <= {
            "svg", "title", "desc", "path", "circle", "text",
        }  # fmt: skip
        assert "\u202e" not in svg


def test_the_same_numbers_give_the_same_bytes() -> None:
    for board in committed().boards[:3]:
        rows = [*board["ranked"], *board["references"]]
        again = [dict(reversed(list(r.items()))) for r in rows]
        assert pictures.pareto(rows, board["metric"]) == pictures.pareto(again, board["metric"])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "none"), (-4.0, "below"), (-0.006, "below"), (-0.004, "h0"), (0.0, "h0"), (0.094, "h0"), (0.095001, "h1"),
     (0.29, "h2"), (0.3, "h3"), (0.7, "h7"), (0.99, "h9"), (1.0, "h9"), (1.7, "h9")],
)  # fmt: skip
def test_a_cell_is_shaded_as_its_two_decimals_say(value: float | None, expected: str) -> None:
    assert pictures.shade(value) == expected


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2 of #rgb or #rrggbb."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_shade_can_be_read_in_light_and_dark() -> None:
    found = re.findall(r"^\.(below|h\d), .*light-dark\((.+?), (.+?)\); color: light-dark\((.+?), (.+?)\)", CSS, re.M)
    assert [name for name, *_ in found] == ["below", *(f"h{i}" for i in range(pictures.SHADES))]
    for paper, ink in ((1, 3), (2, 4)):
        shades = [luminance(one[paper]) for one in found[1:]]
        assert shades in (sorted(shades), sorted(shades, reverse=True))  # more is further from the paper
        for one in found:
            low, high = sorted((luminance(one[paper]), luminance(one[ink])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (one[0], one[paper])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


OVERLAPS = """() => [...document.querySelectorAll("svg.picture")].map(svg => {
  const boxes = [...svg.querySelectorAll("text.name")].map(text => text.getBBox());
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const over = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
  return [svg.querySelectorAll(".best, .curve").length, boxes.length,
    boxes.filter(a => a.x < 0 || a.y < 0 || a.x + a.width > width || a.y + a.height > height).length,
    boxes.filter((a, i) => boxes.some((b, j) => j < i && over(a, b))).length];
})"""


@pytest.mark.browser
def test_labels_of_pictures_lie_inside_and_apart(chromium: Browser, tmp_path: Path) -> None:
    """Those of all committed boards and of one on which everything lies close together."""
    drawn = [pictures.pareto([*b["ranked"], *b["references"]], b["metric"], b["direction"]) for b in committed().boards]
    drawn.append(pictures.pareto([row(0.5 + 0.001 * i, 1 + 0.01 * i, f"close_method_{i}") for i in range(8)], "f1"))
    drawn.append(pictures.profile([(f"long_name_of_method_{i}", [1.0, 0.5, 0.0]) for i in range(9)], [0.0, 0.5, 1.0]))
    place = tmp_path / "pictures.html"
    place.write_text(f"<!doctype html><meta charset=utf-8><style>{CSS}</style>{''.join(drawn)}", encoding="utf-8")
    page = chromium.new_page(offline=True)
    page.goto(place.as_uri())
    found = page.evaluate(OVERLAPS)
    assert len(found) == len(drawn)
    for points, names, outside, overlapping in found:
        assert (names, outside, overlapping) == (points, 0, 0)


@pytest.mark.browser
@pytest.mark.parametrize("source", ["committed", "nasty"])
def test_pages_in_a_browser(chromium: Browser, tmp_path: Path, source: str) -> None:
    """No word on the console, nothing a participant wrote ran, nothing scrolls sideways but tables in their frames."""
    published = committed() if source == "committed" else nasty()
    bodies = {"start": start.body(published), "track": track.body("debugging", published)}
    bodies["dataset"] = dataset.body("digits", published)
    page = chromium.new_page(offline=True, viewport={"width": 390, "height": 800})
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for name, body in bodies.items():
        place = tmp_path / f"{name}.html"
        head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{name}</title>'
        style = (
            f"*{{box-sizing:border-box}} body{{margin:1rem;overflow-wrap:break-word}} .scroll{{overflow-x:auto}} {CSS}"
        )
        place.write_text(f"<!doctype html>{head}<style>{style}</style><main>{body}</main>", encoding="utf-8")
        page.goto(place.as_uri())
        assert page.title() == name
        assert page.locator("h1").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
    assert complaints == []
