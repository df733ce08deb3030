"""What commands print fits: 80 and 200 columns, no colour, no cursor, no letters beyond ASCII, and pipes that close."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from harness import cli
from harness.cli import boards, overview, place, report, terminal
from harness.cli.progress import Count, Shown
from harness.errors import Status
from harness.evaluation.session import Session
from harness.leaderboard import tables
from harness.leaderboard.board import Board
from harness.leaderboard.row import Place, row
from harness.protocol import submission
from harness.tracking.record import CellRecord, Record, Seconds
from harness.tracking.runs import RunsDir, StoredCell
from tests.cli.terminals import Terminal, read_until, real_terminal
from tests.tracking.made import CLASSES, DATA, FINGERPRINT, challenge, made_run

Write = Callable[..., Path]

TERMINALS = [
    Terminal(),
    Terminal(200, encoding="latin-1"),
    Terminal(encoding="ascii", term="dumb"),
    Terminal(no_color=True),
]
LONG = "ValueError: all 9 rows of the \u00dcbersicht are \u2265 3 \u00b1 1, and the reason goes on for longer than a line has room \u2013 \u4e2d"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Floor, skyline, two baselines, a submission of somebody, and one of which a seed failed."""
    at = tmp_path_factory.mktemp("terminal") / "runs"
    of = {name: _digest(name) for name in ("random", "kmeans_medoids")}
    for name, skill in (("reference-random", 0.2), ("reference-skyline", 0.95)):
        made_run(at, name, skill, deliver=False)
    for name, skill in (("random", 0.3), ("kmeans_medoids", 0.9)):
        made_run(at, name, skill, deliver=False, submission_digest=of[name])
    made_run(at, "mine", 0.6, deliver=False)
    made_run(at, "a_name_that_is_as_long_as_the_names_of_people_who_like_words_are", 0.5, deliver=False)
    made_run(at, "fails", 0.6, deliver=False, failed={2: (Status.CRASHED, LONG)})
    return at


def _digest(name: str) -> str:
    (folder,) = [folder for folder in submission.shipped()[name] if folder.parent.name == "selection"]
    return submission.load(folder).digest


@pytest.fixture(scope="module")
def session(runs: Path) -> Session:
    of = challenge()
    return Session(
        challenge=of, track=of.track_type.without_data(of.track, CLASSES), transfer=None, fingerprint=FINGERPRINT,
        data_digest=DATA, tier="bubblewrap", device="cpu", runs=RunsDir(runs),
    )  # fmt: skip


def record_of(runs: Path, name: str) -> Record:
    (run_id,) = [run_id for run_id in RunsDir(runs).run_ids() if run_id.rpartition("-")[0] == f"made-{name}"]
    return RunsDir(runs).load_record(run_id)


def fits(lines: list[str], columns: int) -> None:
    """No line is wider, but for one word that nothing may break, such as a fingerprint, or a path behind what it is of."""
    for line in lines:
        words = line.split()
        assert cell_len(line) <= columns or len(words) == 1 or (len(words) == 2 and words[1][0] == "/"), line


@pytest.mark.parametrize("screen", TERMINALS[:3], ids=str)
def test_every_command_fits(screen: Terminal, runs: Path, tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_text("item,annotator,label\n" + "".join(f"{i},{who},{i % 2}\n" for i in range(9) for who in "abc"))
    at = ["--runs-dir", runs]
    for status, *words in (
        (0, "list", "challenges"),
        (0, "list", "submissions"),
        (0, "list", "suites"),
        (0, "show", "debugging_wine"),
        (0, "view", "debugging_wine"),
        (0, "dataset", "card", "wine"),
        (0, "annotations", "report", votes),
        (0, "compare", "made-mine", "made-a_name", *at),
        (2, "compare", "made-", "made-mine", *at),
        (1, "compare", "made-mine", "made-fails", *at),
        (2, "run", "challenge=nope"),
        (2, "run", "--nope"),
        (0, "run", "--help"),
        (0, "--help"),
    ):
        found, lines = screen.call(*words)
        assert found == status, (words, lines)
        assert lines
        fits(lines, screen.columns)
        assert not any("Traceback" in line or "internal error" in line for line in lines)


@pytest.mark.parametrize("screen", TERMINALS, ids=str)
def test_a_run_says_where_it_stands_and_what_to_do_next(screen: Terminal, runs: Path, session: Session) -> None:
    with screen.shown() as lines:
        terminal.prepare()
        report.report(record_of(runs, "mine"), session, report.Where("my runs", "conf"))
    fits(lines, screen.columns)
    text = " ".join(" ".join(lines).split())
    assert re.search(
        r"place \d\w\w(?: to \d\w\w)? of 3, with 2 of \d+ baselines; behind kmeans_medoids by 0\.\d{4} (±|\+-) 0", text
    )
    next_steps = text.replace("\\ ", "").partition(" next ")[2]
    assert "harness run challenge=made submission=all runs_dir='my runs' --config-dir conf" in next_steps
    assert "harness leaderboard made --runs-dir 'my runs' --config-dir conf" in next_steps
    assert f"harness compare {record_of(runs, 'mine').run_id} {record_of(runs, 'kmeans_medoids').run_id}" in next_steps


@pytest.mark.parametrize("screen", TERMINALS, ids=str)
def test_one_failed_seed_leaves_the_others_shown(screen: Terminal, runs: Path, session: Session) -> None:
    record = record_of(runs, "fails")
    with screen.shown() as lines:
        terminal.prepare()
        report.report(record, session, report.Where("runs"))
        report.line(record, (20, 30))
    fits(lines, screen.columns)
    text = " ".join(" ".join(lines).split())
    others = [cell.score for cell in record.cells if cell.score is not None]
    assert len(others) == 3
    assert all(f"{score:.4f}" in text for score in others)
    assert "crashed: 1 of 4 seeds failed seed 2: ValueError: all 9 rows" in text
    assert f"score none; macro_f1 {np.mean(others):.4f} on the other 3 seeds" in text
    assert "Its last lines on seed 2: it failed log " in text
    assert "cells/2/log.txt" in text
    reason = [line for line in lines if "ValueError" in line]
    assert all(len(line) > 40 for line in reason), "no column of single words"


@pytest.mark.parametrize("screen", TERMINALS, ids=str)
def test_why_a_row_does_not_rank_is_a_paragraph_below(screen: Terminal, runs: Path) -> None:
    of = challenge()
    ranked = [record_of(runs, name) for name in ("kmeans_medoids", "mine")]
    reference, failed = record_of(runs, "reference-random"), record_of(runs, "fails")
    track = of.track_type
    board = Board(
        challenge="made", title="Made", description="", version=1, track=track.track, metric=track.metric,
        direction=track.direction, fingerprint=FINGERPRINT, seeds=4, draws=1, minimum_isolation="landlock", tie_break="",
        curve_axes=("", ""), settings={}, ledger={}, data_digest=DATA, commitment="",
        ranked=tuple(row(r, "", Place(i, (i, 2)), "", "reproduced: all", "") for i, r in enumerate(ranked, 1)),
        references=(row(reference, "", Place(), "", "", ""),), unranked=(row(failed, "", Place(), "", "", ""),),
        notes=("3 baselines have no run on this board, and the note is longer than eighty columns for certain.",),
    )  # fmt: skip
    with screen.shown() as lines:
        terminal.prepare()
        boards.show(board)
    fits(lines, screen.columns)
    below = lines[lines.index("not ranked") + 1 :]
    assert below[0].startswith("  fails: crashed: 1 of 4 cells failed; seed 2: ")
    assert len(below[0]) > 60
    assert not any("ValueError" in line for line in lines[: lines.index("not ranked")])


def test_wide_terminals_do_not_stretch_prose(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(200).shown() as lines:
        terminal.say("word " * 100, label="note  ")
    assert max(map(len, lines)) <= 100
    assert all(line.startswith("      word") for line in lines[1:])
    terminal.say("word " * 100 + "end")
    assert capsys.readouterr().out.count("\n") == 1, "through a pipe a paragraph is one line"


def test_commands_can_be_copied(tmp_path: Path) -> None:
    words = ["printf", "'%s|'", *(f"word{i}" for i in range(40)), "'two words'"]
    with Terminal(60).shown() as lines:
        terminal.command(" ".join(words))
    fits(lines, 60)
    done = subprocess.run(["sh", "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert done.stdout.split("|")[:-1] == [*words[2:-1], "two words"]


def test_what_a_submission_printed_cannot_move_the_cursor() -> None:
    with Terminal().shown() as lines:
        terminal.quote("a\x1b[2Jb\x07\u202ec\n" + "x" * 200)
    assert lines[0] == "    a[2Jbc"
    fits(lines, 80)
    assert "".join(line.strip() for line in lines[1:]) == "x" * 200


def _cell(seconds: float, seed: int = 0, *, kept: bool = False, scoring: float = 1.0) -> StoredCell:
    cell = CellRecord(seed=seed, status=Status.OK, seconds=Seconds(submission=seconds - scoring, scoring=scoring))
    return StoredCell(cell.model_copy(update={"sha256": f"{seed}{seconds}"}), {}, {}, None, "", kept=kept)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_time_left_is_sensible_from_the_first_cells_on(workers: int) -> None:
    """Ten cells of 40 s (30 of them the submission's own), then twenty of 10 s, on so many workers: from the first
    that can be told, within half and twice of what it takes."""
    count = Count(10, 20, workers, now=0.0)
    free = [0.0] * workers
    events = []
    for i, seconds in enumerate([40.0] * 10 + [10.0] * 20):
        begin = min(free)
        free[free.index(begin)] = begin + seconds
        events.append((begin + seconds, "mine" if i < 10 else "reference-random", _cell(seconds, i, scoring=10.0)))
    ends = max(free)
    told = 0
    for now, name, cell in sorted(events, key=lambda event: event[0])[:-1]:
        count.cell(name, cell, now)
        if words := re.fullmatch(r"about ([\d.]+) (s|min|h) left", count.left(now)):
            number, unit = words.groups()
            seconds = float(number) * {"s": 1, "min": 60, "h": 3600}[unit]
            assert 0.5 * (ends - now) - 20 <= seconds <= 2 * (ends - now) + 20
            told += 1
    assert told == len(events) - workers, "told from as many cells on as there are workers"


def test_cells_of_earlier_runs_say_nothing_about_the_time() -> None:
    count = Count(10, 0, 1, now=0.0)
    for seed in range(8):
        count.cell("mine", _cell(40.0, seed, kept=True), 0.1)
    assert (count.done, count.left(30.0)) == (8, "30 s so far")
    count.cell("mine", _cell(40.0, 8), 40.0)
    assert count.left(40.0) == "about 40 s left"
    count.cell("mine", _cell(40.0, 9), 80.0)
    assert count.left(80.0) == "recording"


def test_cells_that_nobody_told_of_count_when_their_run_is_recorded(runs: Path) -> None:
    count = Count(8, 0, 1, now=0.0)
    mine, other = record_of(runs, "mine"), record_of(runs, "fails")
    for cell in mine.cells:
        count.cell("mine", StoredCell(cell, {}, {}, None, ""), 1.0)
    count.run(mine)
    assert count.done == 4
    count.run(other)
    assert (count.done, count.total) == (8, 8)


def test_without_a_terminal_progress_is_a_few_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("harness.cli.progress.time.monotonic", lambda: now)
    shown = Shown(Count(1000, 0, 1, now), None)
    for seed in range(1000):
        now += 1.0
        shown.on_cell("mine", _cell(1.0, seed))
    said = capsys.readouterr()
    assert not said.out
    lines = said.err.splitlines()
    assert lines[0] == "100 of 1000 cells, about 15 min left"
    assert len(lines) == 9


def test_places_are_those_of_the_board(runs: Path, session: Session) -> None:
    found = place.Baselines.of(session)
    assert sorted(found.runs) == ["kmeans_medoids", "random"]
    alone = place.sentence(record_of(runs, "mine"), session, place.Baselines({}, 12))
    assert re.fullmatch(
        r"\d+% of the way from random to skyline; no other baseline has a run here to compare with", alone
    )
    first = place.sentence(record_of(runs, "kmeans_medoids"), session, found)
    assert "ahead of random by 0." in first
    assert [place.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == (
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]
    )


def test_results_are_tables_for_others(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from harness.cli import main

    assert main(["results", "--runs-dir", str(runs), "--format", "json"]) == 0
    rows = [row for row in json.loads(capsys.readouterr().out) if row["submission"] == "fails"]
    assert [(row["status"], row["score"] is None) for row in rows] == [("ok", False)] * 2 + [
        ("crashed", True),
        ("ok", False),
    ]
    assert main(["results", "--runs-dir", str(runs), "--format", "latex"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [r"\begin{tabular}{llrrl}", r"\toprule"]
    (failed,) = [line for line in lines if "fails" in line]
    assert failed == r"made & fails & -- & -- & crashed, 3 of 4 seeds scored \\"
    assert any(r"made & kmeans\_medoids & 0." in line and r" $\pm$ 0." in line for line in lines)
    scores = [float(line.split(" & ")[2].split()[0]) for line in lines if " & 0." in line]
    assert scores == sorted(scores, reverse=True)


def test_text_of_strangers_is_escaped() -> None:
    assert tables.escaped("a_b & 50 % {x} \\input{/etc/passwd} $1 #2 ~^ <->\n--") == (
        r"a\_b \& 50 \% \{x\} \textbackslash{}input\{/etc/passwd\} \$1 \#2 \textasciitilde{}\textasciicircum{} "
        r"\textless{}-\textgreater{} -{}-"
    )
    (read,) = csv.DictReader(io.StringIO(tables.as_csv([{"a": "=HYPERLINK(1)", "b": "@x", "c": -1.5, "d": "+1\n=2"}])))
    assert read == {"a": "'=HYPERLINK(1)", "b": "'@x", "c": "-1.5", "d": "'+1 =2"}


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "harness", *words]


def test_a_reader_that_has_enough_is_no_mistake() -> None:
    with subprocess.Popen(_command("list", "challenges"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_closed_streams_are_no_mistake(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&-', "sh", *_command("list", "suites")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with Path("/dev/full").open("w") as disk:
        full = subprocess.run(_command("list", "suites"), stdout=disk, stderr=subprocess.PIPE, text=True)
    assert full.returncode == 1
    assert "No space left on device" in full.stderr
    assert "Traceback" not in full.stderr


SLOW = "import time\ndef rank(task):\n    time.sleep(60)\n"


def test_ctrl_c_on_a_real_terminal_is_one_line(tmp_path: Path, write_submission: Write) -> None:
    """While the line of progress is shown, which leaves nothing behind."""
    folder = write_submission("slow", SLOW)
    words = ["run", "challenge=debugging_wine", f"submission={folder}", f"runs_dir={tmp_path / 'runs'}", "seeds=2"]
    with real_terminal(words, 80, OMP_NUM_THREADS="1", HOME=os.environ.get("HOME", "/")) as (process, end):
        before = read_until(end, b"of 6 cells")
        assert b"0 of 6 cells" in before
        os.write(end, b"\x03")
        after = read_until(end)
        assert process.wait(timeout=60) == 130
    said = re.sub(rb"\x1b\[[0-?]*[@-~]", b"", after).decode(errors="replace").splitlines()
    told = [
        line for line in said if line.strip("^C ") and "cells" not in line and "\u2501" not in line
    ]  # the line of progress
    assert len(told) == 1, told
    assert told[0] == "harness run: cancelled." or told[0].endswith("; the same command goes on from there")


@pytest.mark.parametrize("columns", [80, 200])
def test_help_names_every_command_once_under_whom_it_is_for(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    parser = cli._parser()
    text = parser.format_help()
    assert sorted(" ".join(overview.GROUPS.values()).split()) == sorted(overview.commands_of(parser))
    for name, says in overview.commands_of(parser).items():
        assert len(re.findall(rf"^  {name}  ", text, re.MULTILINE)) == 1
        assert says.split()[0] in text
    assert max(map(len, text.splitlines())) < columns
