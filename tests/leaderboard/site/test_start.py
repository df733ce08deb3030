"""The start page says of the boards what an obvious count says, in a table that needs no picture."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from statistics import median
from typing import Any

from harness.leaderboard.site import start
from harness.leaderboard.site.heat import by_track, heat, side_by_side
from tests.leaderboard.site.made import Published, committed, harmless, nasty, some


class Tables(HTMLParser):
    """The text of every table's cells, a list a row, and all links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.links: list[str] = []
        self._in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._in_cell = True
        elif tag == "a":
            self.links.append(dict(attrs)["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.tables[-1][-1][-1] += data


def written(row: dict[str, Any]) -> str:
    """A row's normalised score as a cell has it."""
    return f"{round(row['normalised'], 2) + 0.0:.2f}".replace("-", "−")


def test_every_ranked_row_is_in_the_map_once() -> None:
    published = committed()
    html = start.body(published)
    maps = Tables(html).tables[:-1]
    rows = [row for board in published.boards for row in board["ranked"]]
    cells = [cell for table in maps for line in table[1:] for cell in line[1:] if cell]
    assert len(cells) == len(rows)
    assert sorted(cell.split("•")[0] for cell in cells) == sorted(map(written, rows))
    tied = [row for row in rows if row["rank_ci95"][0] == 1]
    assert sum("• may be first" in cell for cell in cells) == len(tied)


def test_a_cell_is_that_of_its_method_and_challenge() -> None:
    boards = {board["challenge"]: board for board in committed().boards}
    seen = []
    for table in Tables(start.body(committed())).tables[:-1]:
        names = table[0][1:]
        seen += names
        for line in table[1:]:
            for challenge, cell in zip(names, line[1:], strict=True):
                rows = [r for r in boards[challenge]["ranked"] if line[0].split(" ")[0] == r["submission"]]
                assert not cell or cell.split("•")[0] in [written(row) for row in rows]
    assert sorted(seen) == sorted(boards)


def test_what_cannot_be_normalised_is_a_dash() -> None:
    (board,) = some("debugging_wine")
    for row in board["ranked"]:
        row["normalised"] = None
    html = start.body(Published((board,)))
    assert html.count(">–") >= len(board["ranked"])
    assert "of the way from random" not in html


def test_figures_are_counts() -> None:
    published = committed()
    html = start.body(published)
    ranked = [board for board in published.boards if board["ranked"]]
    figures = re.findall(r"<li><b>(.+?)</b>", html)
    best = [max(row["normalised"] for row in board["ranked"]) for board in ranked]
    several = sum(sum(row["rank_ci95"][0] == 1 for row in board["ranked"]) > 1 for board in ranked)
    assert figures[0] == str(len(published.boards))
    assert figures[2] == str(sum(len(board["ranked"]) for board in ranked))
    assert figures[3] == f"{median(best):.2f}"
    assert figures[4] == f"{several} of {len(ranked)}"
    for track, boards in by_track(published).items():
        assert f'href="tracks/{track}.html"' in html
        assert len(heat(track, boards).lines) == len(
            {(r["submission"], *r["authors"]) for board in boards for r in board["ranked"]}
        )


def test_methods_of_several_challenges_come_first_then_the_better() -> None:
    boards = some("debugging_digits", "debugging_wine", "debugging_digits_novalid")
    lines = heat("debugging", boards).lines
    alone = [sum(cell is not None for cell in line.cells) == 1 for line in lines]
    assert alone == sorted(alone)
    means = [
        sum(c.value or 0.0 for c in line.cells if c) / sum(c is not None for c in line.cells)
        for line, one in zip(lines, alone, strict=True)
        if not one
    ]
    assert means == sorted(means, reverse=True)


def test_namesakes_of_different_authors_are_two_methods() -> None:
    boards = some("debugging_digits", "debugging_wine")
    boards[1]["ranked"][0] |= {"submission": boards[0]["ranked"][0]["submission"], "authors": ["somebody else"]}
    lines = [line for line in heat("debugging", boards).lines if line.shared]
    assert {line.name for line in lines} == {boards[0]["ranked"][0]["submission"]}
    assert {"somebody else"} < {line.authors for line in lines}


def test_a_team_is_one_method_whatever_it_hands_in() -> None:
    boards = some("debugging_digits", "debugging_wine")
    for board, name in zip(boards, ("first idea", "second idea"), strict=True):
        board["ranked"][0] |= {"team": "t1", "team_name": "The Team", "submission": name}
    (line,) = [line for line in heat("debugging", boards).lines if line.name == "The Team"]
    assert None not in line.cells


def test_a_public_phase_gives_way_to_the_final_one() -> None:
    board, public = some("debugging_digits")[0], some("debugging_digits")[0]
    boards = ({**board, "page": "debugging_digits"}, {**public, "page": "debugging_digits.public"})
    assert [len(found) for found in by_track(Published(boards)).values()] == [1]


def test_the_page_is_small_and_leads_where_it_says() -> None:
    html = start.body(committed())
    assert len(html.encode()) < 200_000  # of 300 kB, the shell's style and script among them
    links = Tables(html).links
    assert {f"challenges/{board['challenge']}.html" for board in committed().boards} <= set(links)
    assert sum(link.startswith("rows/") for link in links) == start.NEWEST
    assert not [link for link in links if "//" in link]


def test_newest_rows_are_newest_and_each_method_once_a_track() -> None:
    published = Published(tuple(some("debugging_digits", "debugging_wine")))
    published.boards[0]["ranked"][-1]["date"] = "2099-01-01"
    newest = Tables(start.body(published)).tables[-1][1:]
    assert (newest[0][4], newest[0][0]) == ("2099-01-01", published.boards[0]["ranked"][-1]["submission"])
    names = [line[0] for line in newest]
    assert len(set(names)) == len(names)


def test_nothing_ranked_yet_says_how_to_start() -> None:
    (board,) = some("debugging_digits")
    for published in (Published(), Published(({**board, "ranked": []},))):
        assert "Nothing is ranked yet" in start.body(published)


def test_strangers_texts_are_text() -> None:
    assert harmless(start.body(nasty()))


def test_the_map_stands_in_two_columns_that_hold_every_track_once() -> None:
    maps = [heat(track, boards) for track, boards in by_track(committed()).items()]
    columns = side_by_side(maps)
    assert sorted(one.track for _, column in columns for one in column) == sorted(one.track for one in maps)
    assert [column[0].track for _, column in columns] == [one.track for one in maps[:2]]
    assert all(len(column) > 1 for _, column in columns)
    wide = replace(maps[0], boards=maps[0].boards * 3)
    assert [[one.track for one in column] for _, column in side_by_side([wide, *maps[1:]])] == [[m.track for m in maps]]
    assert side_by_side([]) == []
    assert [len(column) for _, column in side_by_side(maps[:1])] == [1]
