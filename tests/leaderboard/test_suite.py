"""A suite's board from made runs: scores by hand, what is missing or left out, the same bytes, text that stays text, a browser."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest

from harness.cli import main
from harness.errors import ProtocolError, Status
from harness.leaderboard.board import Board, build
from harness.leaderboard.index import write_index
from harness.leaderboard.published import write_board, write_suite
from harness.leaderboard.suite import NOT_RUN, SuiteBoard, build_suite
from harness.leaderboard.suite_page import as_csv, html, legend, markdown, rich_tables
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge
from harness.protocol.suites import Suite
from harness.tracking.files import json_bytes
from tests.leaderboard.browser import BAR, FORMULA, HIDDEN, NASTY
from tests.leaderboard.test_render import Outside
from tests.tracking.made import DATA, SEEDS, items_of, made_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SUITE = Suite("two", "Two of a kind", "Made up.", ("one", "two", "never"), "selection", "selection")
CHALLENGES = ("one", "two")


def entered(runs: Path, challenge: str, name: str, skill: float, **more: Any) -> None:
    """One submission's run on one challenge; its luck differs from challenge to challenge."""
    made_run(runs, name, skill, of=made(challenge), items=items_of(skill, f"{challenge}.{name}"), **more)


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> list[Board]:
    """Two challenges: `good` and `fair` on both, `late` on the second alone, having failed on the first."""
    runs = tmp_path_factory.mktemp("suite") / "runs"
    for challenge in CHALLENGES:
        entered(runs, challenge, "reference-random", 0.2)
        entered(runs, challenge, "reference-skyline", 0.95)
        entered(runs, challenge, "good", 0.85)
        entered(runs, challenge, "fair", 0.45)
    entered(runs, "two", "late", 0.8, authors=(NASTY, BAR, FORMULA))
    failed = {0: (Status.CRASHED, f"it fell {NASTY} {HIDDEN}")}
    entered(runs, "one", "late", 0.5, authors=(NASTY, BAR, FORMULA), failed=failed)
    return [build(made(name), DATA, runs) for name in CHALLENGES]


def made(name: str) -> Challenge:
    one = load_challenge("selection_digits")
    return one.model_copy(update={"name": name, "seeds": SEEDS, "draws": 1, "title": f"Made {name}"})


@pytest.fixture(scope="module")
def suite(boards: list[Board]) -> SuiteBoard:
    return build_suite(SUITE, boards)


def seed_scores(board: Board, name: str) -> list[float]:
    row = next(row for row in [*board.ranked, *board.references] if row.submission == name)
    return list(row.seed_scores.values())


def test_scores_are_means_of_normalised_scores_and_missing_is_the_floor(boards: list[Board], suite: SuiteBoard) -> None:
    expected = {}
    for name in ("good", "fair", "late"):
        parts = []
        for board in boards:
            floor, skyline = (np.mean(seed_scores(board, f"reference-{r}")) for r in ("random", "skyline"))
            there = name in [row.submission for row in board.ranked]
            parts.append(np.mean([(s - floor) / (skyline - floor) for s in seed_scores(board, name)]) if there else 0.0)
        expected[name] = (np.mean(parts), parts)
    assert [row.submission for row in suite.ranked] == sorted(expected, key=lambda name: -expected[name][0])
    assert [row.rank for row in suite.ranked] == [1, 2, 3]
    for row in suite.ranked:
        mean, parts = expected[row.submission]
        assert row.score == pytest.approx(mean)
        assert [place.normalised for place in row.places.values()] == pytest.approx(parts)
        assert row.ci95 is not None
        assert row.ci95[0] < row.score < row.ci95[1]
        assert row.rank_ci95[0] <= row.rank <= row.rank_ci95[1]
    late = next(row for row in suite.ranked if row.submission == "late")
    assert late.places["one"].missing.startswith("1 of 4 cells failed; seed 0: it fell")
    assert (late.places["one"].score, late.places["one"].rank) == (None, None)
    assert not late.places["two"].missing
    assert any("Missing on some challenge" in note and "late" in note for note in suite.notes)


def test_the_first_is_told_from_the_others_and_gaps_agree(suite: SuiteBoard) -> None:
    first, *others = suite.ranked
    assert first.submission == "good"
    assert first.rank_ci95 == (1, 1)
    assert first.behind_first is None
    for row in others:
        gap = row.behind_first
        assert gap is not None
        assert gap.difference == pytest.approx(first.score - row.score)
        assert gap.ci95 is not None
        assert gap.ci95[0] > 0
        assert gap.p <= gap.adjusted < 0.05
        assert suite.pairs[1, row.rank] == gap
    assert first.beats_average > 0.5
    assert first.ability > max(row.ability for row in others)


def test_what_has_no_runs_or_no_scale_is_left_out_and_named(boards: list[Board], suite: SuiteBoard) -> None:
    assert suite.left_out == {"never": "has no runs"}
    assert [part.challenge for part in suite.challenges] == ["one", "two"]
    assert any("never is left out" in note for note in suite.notes)
    one, two = boards
    floor = next(row for row in two.references if row.submission == "reference-random")
    flat = replace(two, references=(floor, replace(floor, submission="reference-skyline")))
    left = build_suite(SUITE, [one, flat])
    assert left.left_out["two"] == "has a skyline that is no better than the floor"
    assert [row.submission for row in left.ranked] == ["good", "fair"]
    alone = build_suite(SUITE, [one, replace(two, references=(floor,))])
    assert alone.left_out["two"] == "has no score of reference-skyline"
    with pytest.raises(ProtocolError, match=r"nothing to rank: .*two has a skyline.*one has no ranked row"):
        build_suite(SUITE, [replace(one, ranked=()), flat])


def test_lower_is_better_where_the_metric_says_so(boards: list[Board], suite: SuiteBoard) -> None:
    def turned(board: Board) -> Board:
        def row(r: Any) -> Any:
            return replace(r, score=-r.score, seed_scores={seed: -s for seed, s in r.seed_scores.items()})

        ranked, references = (tuple(map(row, rows)) for rows in (board.ranked, board.references))
        return replace(board, direction="min", ranked=ranked, references=references)

    other = build_suite(SUITE, [turned(board) for board in boards])
    assert [row.submission for row in other.ranked] == [row.submission for row in suite.ranked]
    assert [row.score for row in other.ranked] == pytest.approx([row.score for row in suite.ranked])


def test_exact_ties_go_by_ability_and_then_by_name(boards: list[Board]) -> None:
    one, two = boards
    good = next(row for row in one.ranked if row.submission == "good")
    twins = replace(one, ranked=(replace(good, submission="zwei"), replace(good, submission="eins"), *one.ranked))
    found = build_suite(SUITE, [twins, two])
    order = [row.submission for row in found.ranked if row.submission in ("eins", "zwei")]
    assert order == ["eins", "zwei"]
    assert [row.rank for row in found.ranked] == list(range(1, 6))
    assert found.pairs[tuple(r.rank for r in found.ranked if r.submission in ("eins", "zwei"))].adjusted == 1.0  # type: ignore[index]


def test_same_name_of_other_files_is_another_entry(boards: list[Board]) -> None:
    one, two = boards
    other = replace(two, ranked=tuple(replace(row, submission_digest="0" * 64) for row in two.ranked))
    found = build_suite(SUITE, [one, other])
    assert sorted(row.submission for row in found.ranked) == ["fair", "fair", "good", "good", "late"]
    assert {place.missing for row in found.ranked for place in row.places.values()} == {"", NOT_RUN}
    labels = html(found)
    assert "1 good" in labels


def test_same_boards_in_any_order_give_the_same_bytes(boards: list[Board], suite: SuiteBoard, tmp_path: Path) -> None:
    first = write_suite(suite, tmp_path / "a")
    second = write_suite(build_suite(SUITE, boards[::-1]), tmp_path / "b")
    assert [p.name for p in first] == ["suite_two.md", "suite_two.csv", "suite_two.html", "suite_two.json"]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


def test_json_and_csv_hold_every_number(suite: SuiteBoard) -> None:
    plain = json.loads(json_bytes(suite.as_dict()))
    assert plain["suite"] == "two"
    assert [row["submission"] for row in plain["ranked"]] == [row.submission for row in suite.ranked]
    assert plain["ranked"][0]["places"]["one"]["normalised"] == suite.ranked[0].places["one"].normalised
    assert [pair["ranks"] for pair in plain["pairs"]] == [[1, 2], [1, 3], [2, 3]]
    assert plain["left_out"] == {"never": "has no runs"}
    profile = np.array(plain["ranked"][0]["profile"])
    assert len(profile) == len(plain["taus"])
    assert (np.diff(profile) <= 0).all()
    rows = list(csv.DictReader(io.StringIO(as_csv(suite))))
    assert [float(row["score"]) for row in rows] == [row.score for row in suite.ranked]
    assert float(rows[1]["two normalised"]) == suite.ranked[1].places["two"].normalised
    assert next(row for row in rows if row["submission"] == "late")["one rank"] == ""


def test_participants_text_is_text_everywhere(suite: SuiteBoard) -> None:
    page, table, sheet = html(suite), markdown(suite), as_csv(suite)
    assert "<script>document" not in page + table
    assert "&lt;script&gt;document" in page
    for hidden in ("\x1b", "\u202e"):
        assert hidden not in page + table + sheet
    (row,) = [line for line in table.splitlines() if "| late |" in line]
    (head,) = [line for line in table.splitlines() if line.startswith("| rank | submission |")]
    assert row.replace("\\|", "").count("|") == head.count("|")
    assert "missing: counted as the floor" in row
    assert "counted as the floor" in page
    for svg in page.split("<svg")[1:]:
        ElementTree.fromstring("<svg" + svg.split("</svg>")[0] + "</svg>")
    from rich.console import Console

    for width, parts in ((200, 1), (40, 2)):
        console = Console(width=200, record=True, file=io.StringIO())
        tables = rich_tables(suite, width)
        assert len(tables) == parts
        console.print(*tables)
        text = " ".join(console.export_text().split())
        assert "late" in text
        assert "rank submission score, 95 % wins" in text
        assert ("wins 1 2" in text, "submission 1 2" in text) == (parts == 1, parts == 2)
    assert "1 one, 2 two" in legend(suite)


def test_pages_load_nothing_from_elsewhere_and_the_index_lists_both(
    boards: list[Board], suite: SuiteBoard, tmp_path: Path
) -> None:
    for board in boards:
        write_board(board, tmp_path)
    write_suite(suite, tmp_path)
    before = {p.name: p.read_bytes() for p in write_index(tmp_path)}
    assert {p.name: p.read_bytes() for p in write_index(tmp_path)} == before
    outside = Outside()
    outside.feed((tmp_path / "suite_two.html").read_text())
    assert outside.scripts == 1
    links = {link.split("=")[1] for link in outside.found if "=#" not in link}
    assert links >= {"one.html", "two.html", "suite_two.csv"}
    assert all((tmp_path / link).is_file() for link in links)
    assert "suite_two.html" in (tmp_path / "index.html").read_text()
    assert "[two](suite_two.md) | 2 | 3 | good |" in (tmp_path / "README.md").read_text()


def test_one_entry_and_one_seed_are_boards_too(boards: list[Board]) -> None:
    one, two = boards
    single = build_suite(SUITE, [replace(one, ranked=one.ranked[:1])])
    assert single.ranked[0].rank_ci95 == (1, 1)
    assert "nan" not in json_bytes(single.as_dict()).decode().lower()

    def first_seed(board: Board) -> Board:
        def cut(rows: tuple[Any, ...]) -> tuple[Any, ...]:
            kept = [{seed: s for seed, s in row.seed_scores.items() if seed == 0} for row in rows]
            return tuple(replace(row, seed_scores=scores) for row, scores in zip(rows, kept, strict=True))

        return replace(board, ranked=cut(board.ranked), references=cut(board.references))

    found = build_suite(SUITE, [first_seed(one), two])
    assert [row.ci95 is None for row in found.ranked] == [row.places["one"].missing == "" for row in found.ranked]
    assert {row.rank_ci95 for row in found.ranked} == {(1, 3)}
    assert any("fewer than 3 seeds" in note for note in found.notes)
    assert "NaN" not in json_bytes(found.as_dict()).decode()
    html(found)
    markdown(found)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made runs of two shipped challenges, a suite over them and over one that nobody ran."""
    place = tmp_path_factory.mktemp("organised")
    runs = place / "runs"
    (place / "conf" / "challenge").mkdir(parents=True)
    for name in ("selection_digits", "selection_breast_cancer"):
        text = f"defaults: [{name}]\ntitle: Small\nseeds: {SEEDS}\ndraws: 1\n"
        (place / "conf" / "challenge" / f"small_{name}.yaml").write_text(text)
        challenge = load_challenge(f"small_{name}", config_dir=place / "conf")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("tests.tracking.made.DATA", challenge.load_dataset().digest())
            for who, skill in (("reference-random", 0.2), ("reference-skyline", 0.95), ("good", 0.8), ("fair", 0.4)):
                made_run(runs, who, skill, of=challenge, items=items_of(skill, f"{name}.{who}"))
    (place / "conf" / "suite").mkdir(parents=True)
    names = "small_selection_digits, small_selection_breast_cancer, selection_fashion_mnist_50"
    (place / "conf" / "suite" / "both.yaml").write_text(f"title: Both\nchallenges: [{names}]\n")
    (place / "conf" / "suite" / "other.yaml").write_text("title: Other\nchallenges: [debugging_digits]\n")
    return place


@pytest.fixture
def organised(prepared: Path, tmp_path: Path) -> list[str]:
    """Options of the command."""
    places = ["--runs-dir", str(prepared / "runs"), "--config-dir", str(prepared / "conf")]
    return [*places, "--out", str(tmp_path / "boards")]


def test_the_command_builds_all_boards_of_a_suite(
    organised: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["leaderboard", "--suite", "both", *organised]) == 0
    out = capsys.readouterr().out
    assert "good" in out
    assert "suite_both.html" in out
    names = {"small_selection_digits", "small_selection_breast_cancer", "suite_both"}
    assert {p.stem for p in (tmp_path / "boards").glob("*.json")} == names
    assert (tmp_path / "boards" / "index.html").is_file()
    assert main(["leaderboard", "--suite", "both", *organised, "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    written = json.loads((tmp_path / "boards" / "suite_both.json").read_text())
    assert {key: value for key, value in written.items() if key in plain} == plain
    assert set(written["boards"]) == names - {"suite_both"}
    assert plain["left_out"] == {"selection_fashion_mnist_50": "has no runs"}
    assert main(["leaderboard", *organised]) == 0, "boards without the suite leave its page listed"
    assert "suite_both.md" in (tmp_path / "boards" / "README.md").read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--suite", "bth"], "Did you mean both"),
        (["--suite", ""], "There is no suite ''"),
        (["--suite", "other"], "No challenge of suite other has runs"),
        (["selection_digits", "--suite", "both"], "were both given"),
    ],
)
def test_bad_use_writes_nothing(
    organised: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert main(["leaderboard", *words, *organised]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "boards").exists()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(
    chromium: Browser, boards: list[Board], suite: SuiteBoard, tmp_path: Path, scheme: str
) -> None:
    """From the index to the suite, sorted, on to a challenge's board, offline; nothing a participant wrote ran."""
    for board in boards:
        write_board(board, tmp_path)
    write_suite(suite, tmp_path)
    write_index(tmp_path)
    context = chromium.new_context(offline=True, color_scheme=scheme, viewport={"width": 1280, "height": 900})  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((tmp_path / "index.html").as_uri())
    page.get_by_role("link", name=suite.title).click()
    assert page.title() == f"{suite.title} - suite"

    def column(at: int) -> list[str]:
        return page.locator(f"#board tbody tr > :nth-child({at})").all_inner_texts()

    assert column(2) == [row.submission for row in suite.ranked]
    page.get_by_role("button", name="submission").click()
    assert column(2) == sorted(column(2))
    page.get_by_role("button", name="score").click()
    scores = [float(text) for text in column(4)]
    assert scores == sorted(scores)
    page.get_by_role("button", name="two").press("Enter")
    assert [text.split(",")[0] for text in column(9)] == sorted(
        (f"{row.places['two'].normalised:.3f}" for row in suite.ranked), key=float
    )
    assert page.locator("svg.plot").count() == 2
    assert page.locator("script").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.screenshot(path=str(tmp_path / f"suite-{scheme}.png"), full_page=True)
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("link", name="Board of one").click()
    assert page.locator("h1").inner_text() == "Made one"
    assert complaints == []
    context.close()
