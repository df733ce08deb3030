"""Every row has a page, every link leads somewhere, nothing of a stranger is markup, and what is kept stays kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.errors import HarnessError, ProtocolError, Status
from harness.leaderboard.board import Board
from harness.leaderboard.published import write_board
from harness.leaderboard.recheck import check
from harness.leaderboard.row import Place, Row, thinned
from harness.leaderboard.row import row as row_of
from harness.leaderboard.site import build as building
from harness.leaderboard.site import challenge as challenge_page
from harness.leaderboard.site import row as row_page
from harness.leaderboard.site.kept import kept
from harness.leaderboard.site.published import read, typed
from harness.tracking.files import json_bytes
from harness.tracking.record import record_sha256
from harness.tracking.runs import RunsDir
from tests.tracking.made import made_run


class Links(HTMLParser):
    """What a page refers to."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("href", "src")]
        self.ids |= {value or "" for name, value in attrs if name == "id"}
        assert not [name for name, _ in attrs if name.startswith("on")]


def texts(site: Path) -> dict[str, str]:
    return {str(p.relative_to(site)): p.read_text(encoding="utf-8") for p in sorted(site.rglob("*.html"))}


def test_every_row_has_a_page_and_every_link_leads_somewhere(site: Path, nasty: Board) -> None:
    rows = [*nasty.ranked, *nasty.references, *nasty.unranked]
    assert {path.stem for path in (site / "rows").iterdir()} == {row.run_id for row in rows}
    pages = [path for path in site.rglob("*.html") if "boards" not in path.relative_to(site).parts]
    made = {folder.name for folder in site.iterdir()}
    for page in pages:
        links = Links(page)
        for link in links.found:
            path, _, at = link.partition("#")
            if page.parent.name == "datasets" and link.startswith("https://"):
                continue  # where a card says that the data come from
            assert ":" not in path, f"{page.name} leads elsewhere: {link}"
            if path.startswith(("../tracks", "../datasets")) and path.split("/")[1] not in made:
                continue
            target = (page.parent / path).resolve() if path else page
            assert target.is_file(), f"{page.name} -> {link}"
            assert not at or at in Links(target).ids, f"{page.name} -> {link}"


def test_strangers_text_is_text_and_pages_are_small(site: Path) -> None:
    for name, text in texts(site).items():
        assert "<script>document" not in text, name
        assert not {"\x1b", "\u202e", "\u200b"} & set(text), name
        assert len(text.encode()) < 300_000, name
    row = next(text for name, text in texts(site).items() if "-nasty-" in name)
    assert "&lt;script&gt;document" in row


def test_the_same_boards_give_the_same_bytes(boards: Path, runs_dir: Path, site: Path, tmp_path: Path) -> None:
    building.build(tmp_path / "again", boards, runs_dir)
    names = sorted(path.relative_to(site) for path in site.rglob("*") if path.is_file())
    assert names == sorted(p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file())
    assert all((site / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)


def test_published_files_can_be_verified_where_the_site_has_them(site: Path, runs_dir: Path) -> None:
    problems, _ = check(site / "boards" / "made.json", runs_dir)
    assert problems == []


def test_an_edited_curve_is_found(boards: Path, runs_dir: Path) -> None:
    path = boards / "made.json"
    plain = json.loads(path.read_text())
    assert len(plain["ranked"][0]["curve"]) == 5
    plain["ranked"][0]["curve"][1][1] += 0.1
    path.write_bytes(json_bytes(plain))
    assert any("curve is" in problem for problem in check(path, runs_dir)[0])
    for kind in ("ranked", "references", "unranked"):
        for row in plain[kind]:
            row.pop("curve")  # as boards of older versions
    path.write_bytes(json_bytes(plain))
    assert not any("curve" in problem for problem in check(path, runs_dir)[0])


def test_a_published_curve_keeps_its_ends() -> None:
    curve = tuple((float(i), i / 3) for i in range(1000))
    found = thinned(curve)
    assert found is not None
    assert (len(found), found[0], found[-1]) == (61, (0.0, 0.0), (999.0, 333.0))
    assert thinned(curve[:7]) == tuple((x, float(f"{y:.6g}")) for x, y in curve[:7])
    assert thinned(None) is None
    assert thinned(()) == ()


def page_of(site: Path, name: str) -> str:
    (found,) = (site / "rows").glob(f"*-{name}-*.html")
    return found.read_text(encoding="utf-8")


def test_with_the_runs_a_row_shows_cells_curves_and_what_a_failed_one_printed(site: Path, nasty: Board) -> None:
    good = page_of(site, "good")
    assert "Faint lines are single seeds." in good
    assert good.count('stroke-opacity=".25"') == nasty.seeds
    assert '<td class="n">0.50</td>' in good  # seconds of a seed
    assert "it failed" not in good
    worse = page_of(site, "worse")
    assert "What it printed last on seed 0" in worse
    assert "it failed" in worse
    row = next(row for row in nasty.ranked if row.submission == "good")
    for text in (f"{row.score:.4f}", row.run_id, row.record_sha256, f"harness reproduce {row.run_id}"):
        assert text in good


def test_without_the_runs_the_board_alone_makes_the_page(boards: Path, tmp_path: Path) -> None:
    built = building.build(tmp_path / "alone", boards)
    assert built.rows_with_runs == 0
    good = page_of(tmp_path / "alone", "good")
    assert "was not at hand when this page was made" in good
    assert 'class="plot"' in good, "the mean curve is in the board"
    assert "it failed" not in page_of(tmp_path / "alone", "worse")


def test_another_record_by_the_same_id_is_not_used(boards: Path, nasty: Board, runs_dir: Path) -> None:
    row = nasty.ranked[0]
    assert kept(runs_dir, nasty, row)
    path = RunsDir(runs_dir).run_dir(row.run_id) / "record.json"
    path.write_text(path.read_text() + " ")
    assert kept(runs_dir, nasty, row) is None


def test_a_changed_log_or_curve_is_not_shown(nasty: Board, runs_dir: Path) -> None:
    worse, good = (next(r for r in (*nasty.unranked, *nasty.ranked) if r.submission == n) for n in ("worse", "good"))
    runs = RunsDir(runs_dir)
    (runs.cell_dir(worse.run_id, 0) / "log.txt").write_text("other words")
    (runs.cell_dir(good.run_id, 1) / "curve.npy").unlink()
    found, fewer = kept(runs_dir, nasty, worse), kept(runs_dir, nasty, good)
    assert found is not None
    assert fewer is not None
    assert found.log == ""
    assert len(fewer.curves) == nasty.seeds - 1


@pytest.mark.parametrize(("settings", "shown"), [({}, False), ({"logs": "shown"}, True)])
def test_a_kept_secret_keeps_logs_and_reasons(
    nasty: Board, runs_dir: Path, settings: dict[str, Any], shown: bool
) -> None:
    secret = replace(nasty, settings={**nasty.settings, "secret": None, **settings})
    worse = next(row for row in nasty.unranked if row.submission == "worse")
    found = kept(runs_dir, secret, worse)
    assert found is not None
    assert bool(found.log) is shown
    assert not any(cell.reason for cell in found.cells)


def test_a_competition_in_phases_shows_nothing_but_its_board(nasty: Board, runs_dir: Path) -> None:
    phased = replace(nasty, phase={"name": "public"})
    assert kept(runs_dir, phased, nasty.ranked[0]) is None


def test_a_fault_of_the_harness_tells_no_log(nasty: Board, runs_dir: Path) -> None:
    record = made_run(runs_dir, "ours", 0.8, failed={0: (Status.HARNESS_ERROR, "/root/place")}, deliver=False)
    found = kept(runs_dir, nasty, row_of(record, record_sha256(runs_dir / record.run_id), Place(), "", "", ""))
    assert found is not None
    assert found.log == ""


def test_metrics_of_classes_stand_together(nasty: Board) -> None:
    values = {"f1_0": 0.1, "f1_1": 0.2, "macro_f1_at_5": 0.3, "macro_f1_at_10": 0.4, "rows_7": 7.0, "accuracy": 0.5}
    text = row_page.body(nasty, replace(nasty.ranked[0], metrics=values), None, page="made", shipped=False)
    assert "f1 by class" in text
    assert "rows by class" not in text
    assert "at by class" not in text
    assert ">macro_f1_at_5</th>" in text


def test_what_is_shipped_says_how_to_run_it(nasty: Board) -> None:
    row = replace(nasty.ranked[0], commit="ab" * 20, dirty=False, device="cuda")
    ours = row_page.body(nasty, row, None, page="made", shipped=True)
    assert f"git checkout {'ab' * 20}\nharness reproduce --board made.json {row.run_id}" in ours
    theirs = row_page.body(nasty, row, None, page="made", shipped=False)
    assert f"harness reproduce --board made.json {row.run_id} --submission FOLDER<" in theirs
    own = row_page.body(nasty, row, None, page="made", shipped=False, config=" --config-dir DIR")
    assert "--submission FOLDER --config-dir DIR" in own
    assert "git checkout" not in theirs


def test_rows_without_numbers_and_boards_without_rows_have_pages(nasty: Board) -> None:
    def emptied(row: Row) -> Row:
        nothing = ("rank", "rank_ci95", "score", "ci95", "normalised", "normalised_ci95", "seconds", "scoring_seconds")
        more = ("peak_memory_mb", "submission_fits", "submission_digest", "source", "commit", "curve")
        values: dict[str, Any] = {**dict.fromkeys((*nothing, *more)), "seed_scores": {}, "metrics": {}, "seeds": 0}
        return replace(row, **values)

    rows = tuple(map(emptied, nasty.ranked))
    empty = replace(nasty, ranked=(), references=tuple(map(emptied, nasty.references)), unranked=rows)
    assert "Nothing is ranked yet" in challenge_page.body(replace(empty, card="", dataset={}), [])
    for row in (*empty.references, *rows):
        assert "no score" in row_page.body(empty, row, None, page="made", shipped=False)
    alone = replace(nasty, ranked=(replace(nasty.ranked[0], ci95=None),), references=())
    assert "1 of 1" in row_page.body(alone, alone.ranked[0], None, page="made", shipped=True)


def test_a_team_stands_beside_its_entry(nasty: Board) -> None:
    ranked = tuple(replace(row, team="T1", team_name="The <b>Team") for row in nasty.ranked)
    board = replace(nasty, teams=1, ranked=ranked)
    assert "The &lt;b&gt;Team (T1)</b>, entry 1;" in challenge_page.body(board, [])
    assert "team The &lt;b&gt;Team (T1), entry 1" in row_page.body(board, ranked[0], None, page="made", shipped=False)


def test_an_older_board_takes_its_curves_from_the_runs(boards: Path, runs_dir: Path, tmp_path: Path) -> None:
    plain = json.loads((boards / "made.json").read_text())
    for kind in ("ranked", "references", "unranked"):
        for row in plain[kind]:
            row.pop("curve")
    (boards / "made.json").write_bytes(json_bytes(plain))
    building.build(tmp_path / "with", boards, runs_dir)
    building.build(tmp_path / "without", boards)
    pages = [(tmp_path / which / "challenges" / "made.html").read_text() for which in ("with", "without")]
    assert ["Mean curves" in page for page in pages] == [True, False]


def test_the_public_phase_has_its_own_page(nasty: Board, tmp_path: Path) -> None:
    """And the page of a row is the final board's."""
    phase = {
        "share": 0.5,
        "finalised": True,
        "seeds_withheld": False,
        "ladder": None,
        "closes": None,
        "final_opens": None,
    }
    for name in ("public", "final"):
        shown = tuple(replace(row, reproduced=name) for row in nasty.ranked)
        write_board(replace(nasty, phase={"name": name, **phase}, ranked=shown), tmp_path / "boards")
    building.build(tmp_path / "site", tmp_path / "boards")
    assert {p.name for p in (tmp_path / "site" / "challenges").iterdir()} == {"made.html", "made.public.html"}
    assert 'href="made.public.html"' in (tmp_path / "site" / "challenges" / "made.html").read_text()
    assert "<b>final</b>" in page_of(tmp_path / "site", "good")


def test_boards_come_back_as_they_were_published(nasty: Board, boards: Path) -> None:
    (plain,) = read(boards).boards
    assert json_bytes(typed(plain).as_dict()) == json_bytes(nasty.as_dict())
    assert plain["page"] == "made"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"title": 7}, "title: Input should be a valid string"),
        ({"ranked": None}, "is not a board"),
        ({"challenge": "../up"}, "no name of a page"),
        ({"seeds": None}, "seeds: "),
    ],
)
def test_what_is_no_board_is_one_paragraph(boards: Path, tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = boards / "made.json"
    path.write_bytes(json_bytes({**json.loads(path.read_text()), **change}))
    with pytest.raises(HarnessError, match=says):
        building.build(tmp_path / "site", boards)
    assert not (tmp_path / "site").exists()


def test_a_run_id_is_no_path(boards: Path, tmp_path: Path) -> None:
    path = boards / "made.json"
    plain = json.loads(path.read_text())
    plain["ranked"][0]["run_id"] = "../../escaped"
    path.write_bytes(json_bytes(plain))
    with pytest.raises(HarnessError, match="no name of a page"):
        building.build(tmp_path / "site", boards)


def test_no_boards_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="There is no directory of boards"):
        building.build(tmp_path / "site", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProtocolError, match="There are no boards in"):
        building.build(tmp_path / "site", tmp_path / "empty")
    assert not (tmp_path / "site").exists()


def test_the_command(boards: Path, runs_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["site", "--out", str(tmp_path / "out"), "--boards", str(boards), "--runs-dir", str(runs_dir)]
    assert main(words) == 0
    said = capsys.readouterr()
    assert f"written  {tmp_path / 'out' / 'index.html'}: 1 challenge, 1 track, 7 rows, 1 data set" in said.out
    assert "are shown from their boards alone" not in said.out
    shutil.rmtree(runs_dir / next(p.name for p in (tmp_path / "out" / "rows").iterdir()).removesuffix(".html"))
    assert main([*words, "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert (plain["challenges"], plain["rows"], plain["rows_with_runs"]) == (1, 7, 6)
    assert main([*words[:-1], str(tmp_path / "nowhere")]) == 2
    assert "There is no runs directory" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    assert main(["site", "--out", str(tmp_path / "mine"), "--boards", str(boards)]) == 2
    assert "thesis.tex" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
