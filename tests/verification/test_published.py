"""A published board: edits of it are named, nothing less replaces it, ``harness verify`` says so on the command line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import HarnessError, ProtocolError
from harness.leaderboard import published, recheck
from harness.leaderboard.board import Board, BoardRefused, build
from harness.protocol.challenge import Challenge
from harness.tracking.ledger import Ledger
from harness.tracking.signature import Key, load_key, new_key
from tests.tracking import made
from tests.tracking.made import DATA, made_run
from tests.verification.conftest import easier
from tests.verification.lies import Change, Plain, edit_json, lie, record_path, rewrite


@pytest.fixture
def key(tmp_path: Path) -> Key:
    return new_key(tmp_path / "keys" / "key.pem")[0]


def publish(challenge: Challenge, runs: Path, out: Path, key: Key | None = None) -> Path:
    """The JSON file of a board."""
    return published.write_board(build(challenge, DATA, runs, key=key), out, key)[-1]


def first(**values: object) -> Change:
    """Values of the row that is ranked first."""
    return lambda plain: plain["ranked"][0].update(values)


def drop_seed(plain: Plain) -> None:
    plain["ranked"][0]["seed_scores"].pop("3")


def swap(plain: Plain) -> None:
    rows = plain["ranked"]
    rows[0], rows[3] = rows[3], rows[0]
    rows[0]["rank"], rows[3]["rank"] = 1, 4


def promote(plain: Plain) -> None:
    row = next(row for row in plain["unranked"] if row["submission"] == "magic")
    row["rank"] = 1


EDITS: dict[str, tuple[Change, str]] = {
    "score": (first(score=0.95), "score is 0.95, its 4 seeds give"),
    "score of a seed": (lambda p: p["ranked"][0]["seed_scores"].update({"1": 0.99}), "its 4 seeds give"),
    "a seed dropped": (drop_seed, "its 3 seeds give"),
    "seeds": (first(seeds=40), "its 4 seeds give"),
    "interval": (first(ci95=[0.7, 0.71]), "ci95 is [0.7, 0.71], its seeds give"),
    "normalised": (first(normalised=2.0), "normalised is 2.0, the seeds give"),
    "rank": (lambda p: p["ranked"][3].update(rank=1), "The ranks are not 1, 2, 3"),
    "rows swapped": (swap, "and has the better score"),
    "set of ranks": (first(rank_ci95=[1, 1]), "the confidence set of its rank is [1, 1], the seeds give"),
    "a rank for a row that is not ranked": (promote, "A row that is not ranked has a rank"),
    "a row's kind": (lambda p: p["ranked"].append(p["unranked"].pop() | {"rank": 5}), "ranked without a score"),
    "files bound by nothing": (lambda p: p.update(files={}), "It binds no files, not made.csv, made.html, made.md."),
    "digest of a file": (lambda p: p["files"].update({"made.md": "0" * 64}), "made.md is not the file that was published"),
}  # fmt: skip
WITH_RUNS: dict[str, tuple[Change, str]] = {
    "name": (first(submission="better"), "submission is 'better', its record says"),
    "authors": (first(authors=["Somebody"]), "authors is ['Somebody'], its record says"),
    "isolation": (first(isolation="container"), "isolation is 'container', its record says"),
    "status": (lambda p: p["unranked"][0].update(status="ok"), "status is 'ok', its record says"),
    "seconds": (first(seconds=0.001), "seconds is 0.001, its record says 0.5"),
    "digest of the archive": (first(submission_digest="0" * 64), "submission_digest is "),
    "digest of the record": (first(record_sha256="0" * 64), "the ledger has another record of it now"),
    "run id": (first(run_id="made-nobody-000000000000"), "the ledger has no line for it"),
    "head of the ledger": (lambda p: p["ledger"].update(lines=3), "does not go on from line 3"),
}
SIGNED: dict[str, Change] = {
    "team": first(team="T17"),
    "name": first(submission="better"),
    "title": lambda p: p.update(title="Another"),
    "notes": lambda p: p.update(notes=[]),
    "settings": lambda p: p["settings"].update(seeds=40),
    "fingerprint": lambda p: p.update(fingerprint="0" * 64),
    "verdict": first(reproduced="reproduced"),
    "release": first(released="a judge"),
    "reason": lambda p: p["unranked"][0].update(reason=""),
    "version": first(versions={}),
    "direction": lambda p: p.update(direction="min"),
    "a row removed": lambda p: p["ranked"].pop(),
}


@pytest.fixture(scope="module")
def _boards(tmp_path_factory: pytest.TempPathFactory, _made_once: Path) -> Path:
    """The same rows published without a key (``plain``) and with one (``signed``), each beside its runs."""
    place = tmp_path_factory.mktemp("boards")
    for name, held in (("plain", None), ("signed", new_key(place / "key.pem")[0])):
        shutil.copytree(_made_once, place / name / "runs")
        publish(made.challenge(), place / name / "runs", place / name / "out", held)
    return place


@pytest.fixture
def boards(_boards: Path, tmp_path: Path) -> Path:
    shutil.copytree(_boards, tmp_path / "boards")
    return tmp_path / "boards"


def test_what_was_published_agrees(boards: Path) -> None:
    problems, notes = recheck.check(boards / "plain/out/made.json", boards / "plain/runs")
    assert problems == []
    assert notes == ["The board is not signed: whoever can write the file can change it."]
    problems, notes = recheck.check(boards / "signed/out/made.json")
    assert problems == []
    assert notes[0].startswith("Signed with ")
    assert notes[1] == "Rows were not computed again from their cells: --runs-dir names the runs."


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_shows_in_the_file_alone(edit: str, boards: Path) -> None:
    change, words = EDITS[edit]
    path = boards / "plain/out/made.json"
    edit_json(path, change)
    assert words in " ".join(recheck.check(path)[0])


@pytest.mark.parametrize("edit", WITH_RUNS)
def test_an_edit_shows_beside_the_runs(edit: str, boards: Path) -> None:
    change, words = WITH_RUNS[edit]
    path = boards / "plain/out/made.json"
    edit_json(path, change)
    assert words in " ".join(recheck.check(path, boards / "plain/runs")[0])


@pytest.mark.parametrize("edit", [*SIGNED, *EDITS, *WITH_RUNS])
def test_any_edit_of_a_signed_board_shows(edit: str, boards: Path) -> None:
    path = boards / "signed/out/made.json"
    edit_json(path, SIGNED.get(edit) or {**EDITS, **WITH_RUNS}[edit][0])
    assert "The signature is not of this board: it was edited after it was published." in recheck.check(path)[0]


@pytest.mark.parametrize("suffix", ["md", "csv", "html"])
def test_an_edited_page_shows(suffix: str, boards: Path) -> None:
    path = boards / "plain/out/made.json"
    page = path.with_suffix(f".{suffix}")
    page.write_text(page.read_text().replace("fair", "best"))
    assert recheck.check(path)[0] == [f"made.{suffix} is not the file that was published with it."]
    page.unlink()
    problems, notes = recheck.check(path)
    built = f"made.{suffix} is not here, so it was not checked."
    assert problems == ([f"made.{suffix} is missing."] if suffix == "md" else [])
    assert (built in notes) == (suffix != "md")


def test_a_signature_of_another_board_shows(boards: Path, tmp_path: Path) -> None:
    """Of a later board of the same challenge, with the same key."""
    path = boards / "signed/out/made.json"
    key = load_key(boards / "key.pem")
    made_run(boards / "signed/runs", "late", 0.7)
    other = publish(made.challenge(), boards / "signed/runs", tmp_path / "later", key)
    assert recheck.check(other)[0] == []
    edit_json(path, lambda plain: plain.update(signature=json.loads(other.read_text())["signature"]))
    assert "The signature is not of this board: it was edited after it was published." in recheck.check(path)[0]


def test_a_board_signed_by_somebody_else_names_their_key(boards: Path, tmp_path: Path) -> None:
    """Whose key it is, only the reader can tell: it is named, to be compared with the organiser's."""
    forger = new_key(tmp_path / "forger.pem")[0]
    board = build(made.challenge(), DATA, boards / "plain/runs")
    forged = replace(board, title="Another", notes=())
    path = published.write_board(forged, tmp_path / "forged", forger)[-1]
    problems, notes = recheck.check(path)
    assert problems == []
    assert notes[0] == f"Signed with {forger.public}: compare with the key that the organiser has published."


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b"null", b'{"ranked": 3}', b"\xff", b"[" * 100_000, b'{"challenge": NaN}']
)
def test_what_is_no_board_is_one_paragraph(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(content)
    with pytest.raises(HarnessError, match=r"b\.json is not a board") as caught:
        recheck.check(tmp_path / "b.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["ranked"][0].pop("score"),
        lambda p: p["ranked"][0].update(seed_scores=[1, 2]),
        lambda p: p["ranked"][0].update(score="high"),
        lambda p: p.update(ranked=[3]),
        lambda p: p.update(ledger=None),
        lambda p: p.update(signature=7),
        lambda p: p.update(files=["made.md"]),
    ],
)
def test_a_board_of_other_types_is_one_paragraph(change: Callable[[Plain], object], boards: Path) -> None:
    path = boards / "plain/out/made.json"
    edit_json(path, change)
    try:
        assert recheck.check(path, boards / "plain/runs")[0]
    except HarnessError as error:
        assert "is not a board" in error.reason  # noqa: PT017 - either is right: named, or refused as a whole


def test_a_board_that_is_not_there_is_a_matter_of_usage(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="There is no board at"):
        recheck.check(tmp_path / "none.json")


# --- nothing is overwritten by nothing ---


def kept(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def refusal(board: Board, out: Path, runs: Path, key: Key | None = None) -> str:
    before = kept(out)
    with pytest.raises(BoardRefused) as caught:
        published.protect(board, out, Ledger(runs), key)
    assert kept(out) == before
    assert "--replace" in caught.value.hint
    return caught.value.reason


def test_a_board_without_rows_replaces_none(boards: Path, tmp_path: Path) -> None:
    empty = build(made.challenge(), DATA, tmp_path / "no runs")
    assert "the new one has no rows" in refusal(empty, boards / "plain/out", tmp_path / "no runs")


def test_a_board_of_another_fingerprint_replaces_none(boards: Path) -> None:
    runs = boards / "plain/runs"
    other = build(easier(), DATA, runs)
    assert [row.submission for row in other.ranked] == ["moved"]
    reason = refusal(other, boards / "plain/out", runs)
    assert f"the new one of {other.fingerprint[:12]}" in reason


def test_a_board_of_a_ledger_that_was_cut_replaces_none(boards: Path) -> None:
    runs = boards / "plain/runs"
    board = build(made.challenge(), DATA, runs)
    rewrite(runs, Ledger(runs).read()[:-1])
    assert "lines were removed, or the ledger was written anew" in refusal(board, boards / "plain/out", runs)


def test_what_only_goes_on_replaces(boards: Path) -> None:
    """More runs, a run done again, another directory's board of the same protocol, where no board is, an old one."""
    runs, out = boards / "plain/runs", boards / "plain/out"
    made_run(runs, "late", 0.7)
    made_run(runs, "fair", 0.55)
    published.protect(build(made.challenge(), DATA, runs), out, Ledger(runs), None)
    published.protect(build(made.challenge(), DATA, runs), boards / "nowhere", Ledger(runs), None)
    elsewhere = boards / "other"
    for name, skill in (("reference-random", 0.3), ("reference-skyline", 0.8), ("good", 0.7)):
        made_run(elsewhere, name, skill)
    published.protect(build(made.challenge(), DATA, elsewhere), out, Ledger(elsewhere), None)
    edit_json(out / "made.json", lambda plain: plain.pop("ledger"))  # as older versions wrote them
    published.protect(build(made.challenge(), DATA, runs), out, Ledger(runs), None)


# --- the command line ---


def called(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = main([str(word) for word in words])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return status, out, err


def test_verify_a_directory(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = called(capsys, "verify", runs)
    assert status == 0
    assert "Everything agrees." in out
    assert "note" in out
    assert "The ledger is not signed" in out
    assert called(capsys, "verify", runs, "--strict")[0] == 1, "what could not be checked counts"
    status, out, _ = called(capsys, "verify", runs, "--json")
    assert (status, json.loads(out)["ok"], json.loads(out)["problems"]) == (0, True, [])

    lie(runs, "good", lambda plain: plain.update(score=0.95))
    status, out, _ = called(capsys, "verify", runs, "--json")
    said = json.loads(out)
    assert (status, said["ok"]) == (1, False)
    assert said["problems"][0]["run_id"] == record_path(runs, "good").parent.name
    assert "score is 0.95, its cells give" in said["problems"][0]["what"]
    status, out, _ = called(capsys, "verify", runs)
    assert status == 1
    assert out.splitlines()[0].startswith(f"wrong  {record_path(runs, 'good').parent.name}: ")


def test_strict_is_content_with_a_signed_directory(runs: Path, key: Key, capsys: pytest.CaptureFixture[str]) -> None:
    build(made.challenge(), DATA, runs, key=key)
    assert called(capsys, "verify", runs, "--strict")[0] == 0


def test_verify_a_board(boards: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, strict in (("plain", 1), ("signed", 1)):  # a signature is worth what the reader knows of its key
        path, runs = boards / kind / "out/made.json", boards / kind / "runs"
        assert called(capsys, "verify", path)[0] == 0
        assert called(capsys, "verify", path, "--runs-dir", runs)[0] == 0
        assert called(capsys, "verify", path, "--runs-dir", runs, "--strict")[0] == strict
    lie(boards / "plain/runs", "fair", lambda plain: plain.update(score=0.95))
    path = boards / "plain/out/made.json"
    assert called(capsys, "verify", path)[0] == 0, "the board itself is as it was"
    status, out, _ = called(capsys, "verify", path, "--runs-dir", boards / "plain/runs", "--json")
    what = " ".join(problem["what"] for problem in json.loads(out)["problems"])
    assert status == 1
    assert "the ledger has another record of it now" in what
    assert "score is 0.95, its cells give" in what
    edit_json(path, first(score=0.95))
    status, out, _ = called(capsys, "verify", path)
    assert (status, "wrong" in out, " not agree." in out) == (1, True, True)


@pytest.mark.parametrize("place", ["none", "none.json", "empty"])
def test_verify_nothing_is_a_matter_of_usage(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    status, out, err = called(capsys, "verify", tmp_path / place)
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert str(tmp_path / place) in err
