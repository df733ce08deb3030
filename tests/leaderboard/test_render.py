"""The same bytes every time, nothing of a participant's text taken for markup, and a page that works in a browser."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.evaluation.plots import Bar, interval_svg, mean_curve, score_curve_svg
from harness.leaderboard.board import Board, build
from harness.leaderboard.index import write_index
from harness.leaderboard.published import write_board
from harness.leaderboard.render import as_csv, html, markdown
from harness.protocol.challenge import Challenge
from tests.leaderboard.browser import NASTY, visit
from tests.tracking.made import DATA, made_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_same_runs_give_the_same_bytes(challenge: Challenge, runs_dir: Path, tmp_path: Path) -> None:
    first = write_board(build(challenge, DATA, runs_dir), tmp_path / "a")
    second = write_board(build(challenge, DATA, runs_dir), tmp_path / "b")
    assert [p.name for p in first] == ["made.md", "made.csv", "made.html", "made.json"]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    before = {p.name: p.read_bytes() for p in write_index(tmp_path / "a")}
    assert {p.name: p.read_bytes() for p in write_index(tmp_path / "b")} == before
    assert set(before) == {"index.html", "README.md"}


def test_delivery_order_changes_nothing(challenge: Challenge, board: Board, tmp_path: Path) -> None:
    other = tmp_path / "other"
    rows = [("reference-skyline", 0.97), ("reference-random", 0.3), ("equal", 0.9), ("fair", 0.6), ("good", 0.9)]
    for name, skill in rows:
        made_run(other, name, skill)
    again = build(challenge, DATA, other)
    assert again.ledger != board.ledger, "its lines have another order"
    again = replace(again, ledger=board.ledger)
    assert again.as_dict() == board.as_dict()
    assert (as_csv(again), markdown(again), html(again)) == (as_csv(board), markdown(board), html(board))


def test_json_and_csv_hold_every_row_and_number(board: Board, tmp_path: Path) -> None:
    plain = json.loads(write_board(board, tmp_path)[-1].read_text())
    assert [row["submission"] for row in plain["ranked"]] == [row.submission for row in board.ranked]
    assert plain["ranked"][0]["score"] == board.ranked[0].score
    contract = {"rank", "rank_ci95", "team", "score", "ci95", "seeds", "status", "reason"}
    assert all(contract <= set(row) for kind in ("ranked", "references", "unranked") for row in plain[kind])
    for row in plain["ranked"]:
        assert list(row["seed_scores"]) == [str(seed) for seed in range(row["seeds"])]
        assert np.mean(list(row["seed_scores"].values())) == pytest.approx(row["score"])
    rows = list(csv.DictReader(io.StringIO(as_csv(board))))
    assert [row["kind"] for row in rows] == ["ranked"] * 3 + ["reference"] * 2
    assert float(rows[2]["score"]) == board.ranked[2].score
    assert float(rows[2]["accuracy"]) == board.ranked[2].metrics["accuracy"]
    assert [[row["rank_low"], row["rank_high"]] for row in rows][:3] == [
        list(map(str, r.rank_ci95 or ())) for r in board.ranked
    ]
    assert [row["rank"] for row in rows] == ["1", "2", "3", "", ""]


def test_markdown_lists_references_at_their_place(board: Board) -> None:
    lines = [line.split(" | ")[:2] for line in markdown(board).splitlines() if line.startswith("| ")]
    assert [name for _, name in lines[1:]] == [
        "reference-skyline",
        *[r.submission for r in board.ranked],
        "reference-random",
    ]
    sets = [row.rank_ci95 for row in board.ranked]
    assert sets == [(1, 2), (1, 2), (3, 3)]
    assert [rank for rank, _ in lines[1:]] == ["| -", "| 1 (1 to 2)", "| 2 (1 to 2)", "| 3", "| -"]


def test_participants_text_is_text_everywhere(nasty: Board) -> None:
    page, table, sheet = html(nasty), markdown(nasty), as_csv(nasty)
    assert "<script>document" not in page + table
    assert "&lt;script&gt;document" in page
    assert "\x1b" not in page + table + sheet
    assert "\u202e" not in page + table + sheet
    (row,) = [line for line in table.splitlines() if "| nasty |" in line]
    (head,) = [line for line in table.splitlines() if line.startswith("| rank | submission |")]
    assert row.replace("\\|", "").count("|") == head.count("|")
    assert "\\[l\\](javascript" in row
    cells = next(row for row in csv.DictReader(io.StringIO(sheet)) if row["submission"] == "worse")
    assert cells["authors"].startswith("'=HYPERLINK")


class Outside(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.found += [
            f"{tag} {k}={v}" for k, v in attrs if k in ("src", "href", "action", "data") or k.startswith("on")
        ]


def test_pages_load_nothing_from_elsewhere(nasty: Board, tmp_path: Path) -> None:
    write_board(nasty, tmp_path)
    write_index(tmp_path)
    for name in ("made.html", "index.html"):
        outside = Outside()
        outside.feed((tmp_path / name).read_text())
        assert outside.scripts == 1
        assert {link.split("=")[1] for link in outside.found if "=#" not in link} <= {
            "index.html",
            "made.html",
            "made.csv",
            "made.json",
            "made.md",
        }


def test_the_data_and_their_licence_stand_on_the_board(board: Board) -> None:
    assert board.dataset["license"] == "CC-BY-4.0"
    assert "- Data digits 1.0.0 (Handwritten digits of 8 x 8 pixels); licence: CC-BY-4.0\n" in markdown(board)
    page = html(board)
    assert "<dd>digits 1.0.0 (Handwritten digits of 8 x 8 pixels); licence: CC-BY-4.0</dd>" in page
    assert "<summary>The data: digits, licence CC-BY-4.0</summary>" in page
    assert "Optical Recognition of Handwritten Digits" in page
    hostile = replace(board, card="<script>alert(1)</script>", dataset={**board.dataset, "title": "<u>|x"})
    assert "<script>alert" not in html(hostile)
    assert "<u>" not in html(hostile) + markdown(hostile)
    unsaid = replace(board, card="", dataset={})
    assert "<details>" not in html(unsaid)
    assert "- Data " not in markdown(unsaid)


def test_index_names_a_broken_board(board: Board, tmp_path: Path) -> None:
    write_board(board, tmp_path)
    (tmp_path / "broken.json").write_text("[" * 100_000)
    with pytest.raises(HarnessError, match=r"broken\.json is not a board"):
        write_index(tmp_path)


def test_a_single_point_is_no_curve(board: Board) -> None:
    ranked = [replace(row, curve=((20.0, row.score or 0.0),)) for row in board.ranked]
    references = [replace(row, curve=None) for row in board.references]
    assert "Mean curves" in html(board)
    assert "Mean curves" not in html(replace(board, ranked=tuple(ranked), references=tuple(references)))


def test_empty_board_says_how_to_start(board: Board, tmp_path: Path) -> None:
    empty = replace(board, ranked=(), references=(), unranked=())
    assert "Nothing is ranked yet" in html(empty)
    assert "Nothing is ranked yet" in markdown(empty)
    assert len(as_csv(empty).splitlines()) == 1
    assert json.loads(write_board(empty, tmp_path)[-1].read_text())["ranked"] == []


def test_plots_are_well_formed_and_escaped() -> None:
    rng = np.random.default_rng(0)
    curves = {NASTY: [np.column_stack([np.arange(9.0), rng.random(9)]) for _ in range(3)], "none": []}
    curves |= {f"m{i}": [np.array([[0.0, np.nan], [1.0, 5e-7], [2.0, 1e6]])] for i in range(7)}
    bars = [Bar(NASTY, 0.5, 0.4, 0.6), Bar("flat", 0.5, 0.5, 0.5, True)]
    for svg in (
        score_curve_svg(curves, (NASTY, "y"), NASTY),
        score_curve_svg({}, ("x", "y"), "nothing"),
        score_curve_svg({"point": [np.array([[1.0, 2.0]])]}, ("x", "y"), "one point"),
        interval_svg(bars, "score", NASTY),
        interval_svg(bars[1:], "score", "one value"),
        interval_svg([], "score", "no rows"),
    ):
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg")
        assert not [element for element in root.iter() if element.tag.endswith("script")]
        assert "nan" not in svg


def test_mean_curve_is_the_mean_where_all_are_defined() -> None:
    a, b = np.array([[0.0, 0.0], [2.0, 2.0], [3.0, 9.0]]), np.array([[1.0, 3.0], [2.0, 4.0]])
    np.testing.assert_allclose(mean_curve([a, b]), [[1.0, 2.0], [2.0, 3.0]])


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(chromium: Browser, nasty: Board, tmp_path: Path, scheme: str) -> None:
    """Read, sort by mouse and by keyboard, offline; nothing a participant wrote ran; no errors on the console."""
    write_board(nasty, tmp_path)
    write_index(tmp_path)
    with visit(chromium, tmp_path / "index.html", color_scheme=scheme) as (page, complaints):
        page.get_by_role("link", name=nasty.title).click()
        assert page.title() == f"{nasty.title} - leaderboard"
        assert page.locator("h1").inner_text() == nasty.title

        def column(at: int) -> list[str]:
            found = page.locator(f"#board tbody tr > :nth-child({at})").all_inner_texts()
            return [text.split()[0] for text in found]

        order = column(2)
        assert order[0] == "reference-skyline"
        assert NASTY in page.locator("#board tbody tr").nth(order.index("nasty")).inner_text()
        assert page.locator("script").count() == 1
        page.get_by_role("button", name=nasty.metric).click()
        scores = [float(text) for text in column(3)]
        assert scores == sorted(scores)
        page.get_by_role("button", name=nasty.metric).press("Enter")
        scores = [float(text) for text in column(3)]
        assert scores == sorted(scores, reverse=True)
        assert page.locator("th[aria-sort=descending]").inner_text().startswith(nasty.metric)
        for _ in range(2):  # rows without a rank stay last, whichever way
            page.get_by_role("button", name="rank").click()
            assert column(1)[-2:] == ["-", "-"]
        page.get_by_role("button", name="submission").click()
        assert column(2) == sorted(column(2))
        page.screenshot(path=str(tmp_path / f"board-{scheme}.png"), full_page=True)
        assert (tmp_path / f"board-{scheme}.png").stat().st_size > 20_000
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert complaints == []
