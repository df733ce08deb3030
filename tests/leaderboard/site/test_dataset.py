"""A data set's page: the card as its specification has it, and nothing of an organiser's that a browser would run or load."""

from __future__ import annotations

import pytest

from harness.leaderboard.site import dataset
from tests.leaderboard.site.made import NASTY, Published, committed, harmless, nasty, some


def test_the_card_and_the_challenges_stand_on_the_page() -> None:
    html = dataset.body("digits", committed())
    assert "<h1>Handwritten digits of 8 x 8 pixels</h1>" in html
    assert html.count("<h1") == 1
    assert "<strong>Source.</strong> The test part of <em>Optical Recognition of Handwritten Digits</em>" in html
    assert '<a href="https://archive.ics.uci.edu/dataset/80" rel="nofollow noreferrer">' in html
    assert "<h2>Columns</h2>" in html
    assert "harness dataset card" not in html  # a remark for whoever edits the card
    on_it = [b["challenge"] for b in committed().boards if b["dataset"]["name"] == "digits"]
    assert [html.count(f'"../challenges/{name}.html"') for name in on_it] == [1] * len(on_it)
    assert f"<dd>{len(on_it)}</dd>" in html
    assert len(html.encode()) < 200_000


def test_every_data_set_of_a_board_has_a_page() -> None:
    names = dataset.names(committed())
    assert names == sorted({board["dataset"]["name"] for board in committed().boards})
    for name in names:
        assert '<article class="card">' in dataset.body(name, committed())
    with pytest.raises(KeyError):
        dataset.body("nothing", committed())


@pytest.mark.parametrize(
    "text",
    [NASTY, "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", "[a](data:text/html,x)",
     "<javascript:alert(1)>", "[a]: javascript:alert(1)\n\n[a]", "[a](vbscript:x)", "[a](//x.org)", "[a](../../index.html)",
     "a <b onclick=x>b</b>", "<!-- x --><style>*{display:none}</style>", "<!-- <script>alert(1)</script>", "| <i> |\n|---|\n| <u> |"],
)  # fmt: skip
def test_markup_in_a_card_is_text(text: str) -> None:
    html = dataset.markdown(f"# a\n\nbefore {text} after\n\n{text}\n\n- {text}")
    allowed = ("<p>", "</p>", "<ul>", "</ul>", "<li>", "</li>", "<div class", "</div>", "<table>", "</table>",
               "<thead>", "</thead>", "<tbody>", "</tbody>", "<tr>", "</tr>", "<th>", "</th>", "<td>", "</td>")  # fmt: skip
    rest = html
    for tag in allowed:
        rest = rest.replace(tag, "")
    assert "<" not in rest


def test_headings_tables_and_links_of_a_card() -> None:
    html = dataset.markdown(
        "# first\n\n# second\n\n### third\n\n|a|\n|---|\n|1|\n\n<http://x.org/?a=1&b=2>\n\n\u202eevil\u200b"
    )
    assert "first" not in html
    assert "<h2>second</h2>" in html
    assert "<h3>third</h3>" in html
    assert '<div class="scroll" role="region"' in html
    assert html.count("<div") == html.count("</div>") == 1
    assert '<a href="http://x.org/?a=1&amp;b=2" rel="nofollow noreferrer">' in html
    assert "\u202e" not in html
    assert "<img" not in dataset.markdown("a\n\n![b](https://x.org/y.png) <img src=x>")
    assert dataset.markdown("") == ""


def test_the_newest_version_speaks() -> None:
    old, new = some("debugging_digits", "slicing_digits")
    old["dataset"]["version"], new["dataset"]["version"] = "1.9.0", "1.10.0"
    new["card"] = "# x\n\nthe newer card"
    for boards in ((old, new), (new, old)):
        assert "the newer card" in dataset.body("digits", Published(boards))


def test_a_board_that_knows_no_specification_has_no_card() -> None:
    (board,) = some("debugging_wine")
    assert "knew of no specification" in dataset.body("wine", Published(({**board, "card": ""},)))
    assert dataset.names(Published(({**board, "dataset": {}},))) == []


def test_strangers_texts_are_text() -> None:
    assert harmless(dataset.body("digits", nasty()))
