"""Suite files: shipped ones can be used, an organiser's own are found, whatever is wrong is said in one paragraph."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.errors import ProtocolError
from harness.paths import CONF_DIR
from harness.protocol import catalogue, source, suites

SHIPPED = source.names(None, "suite")


def written(place: Path, text: str | bytes, name: str = "mine.yaml") -> Path:
    """A config directory with one suite in it."""
    (place / "suite").mkdir(exist_ok=True)
    (place / "suite" / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return place


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_suite_can_be_used(name: str) -> None:
    suite = suites.read(name)
    assert len(suite.challenges) >= 3
    kinds = {entry.task for entry in catalogue.challenges() if entry.name in suite.challenges}
    assert kinds == {suite.task}
    assert suite.description


def test_quick_needs_nothing_fetched() -> None:
    assert set(suites.read("quick").challenges) <= set(catalogue.quick_challenges())


def test_what_is_shipped_is_listed_as_json_and_as_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "suites", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == SHIPPED == sorted(path.stem for path in CONF_DIR.glob("suite/*.yaml"))
    assert all({"name", "track", "title"} <= set(row) and not row["problem"] for row in rows)
    assert main(["list", "suites"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SHIPPED)


def test_one_of_your_own(tmp_path: Path) -> None:
    (tmp_path / "challenge").mkdir()
    (tmp_path / "challenge" / "easy.yaml").write_text("defaults: [debugging_digits]\ntitle: Easy\n")
    place = written(tmp_path, "title: Mine\nchallenges: [easy, debugging_wine]\n")
    suite = suites.read("mine", place)
    assert (suite.title, suite.description, suite.challenges) == ("Mine", "", ("easy", "debugging_wine"))
    assert (suite.track, suite.task) == ("debugging", "debugging")
    assert "mine" in [entry.name for entry in catalogue.suites(place)]


GOOD = "title: Mine\nchallenges: [debugging_digits, debugging_wine]\n"
BAD = [
    ("title: Mine\n", "names no challenges"),
    ("title: Mine\nchallenges: []\n", "names no challenges"),
    ("title: Mine\nchallenges: debugging_digits\n", "challenges is no list"),
    ("title: Mine\nchallenges: [3]\n", "3 is not a challenge's name"),
    ("title: Mine\nchallenges: [{a: b}]\n", "is not a challenge's name"),
    ("title: Mine\nchallenges: [debugging_digits, debugging_wine, debugging_digits]\n", "names debugging_digits twice"),
    ("title: Mine\nchallenges: [debugging_digit]\n", "Did you mean debugging_digits"),
    ("title: Mine\nchallenges: ['']\n", "There is no challenge ''"),
    ("title: Mine\nchallenges: [../suite/quick]\n", "There is no challenge"),
    (
        "title: Mine\nchallenges: [debugging_digits, selection_digits]\n",
        "debugging (debugging_digits); selection (selection",
    ),
    ("title: Mine\nchallenges: [debugging_wine]\nweights: [1]\nextra: 2\n", "does not know weights, extra"),
    ("challenges: [debugging_wine]\n", "has no title"),
    ("title: ''\nchallenges: [debugging_wine]\n", "needs a text as title"),
    ("title: [a]\nchallenges: [debugging_wine]\n", "needs a text as title"),
    ("title: Mine\ndescription: 7\nchallenges: [debugging_wine]\n", "needs a text as description"),
    ("title: Mine\ntitle: Again\nchallenges: [debugging_wine]\n", "is there twice"),
    ("title: [Mine\n", "is not readable YAML"),
    ("- a\n", "must hold keys and values"),
    ("", "must hold keys and values"),
    (b"title: \xff\n", "is not UTF-8"),
]


@pytest.mark.parametrize(("text", "says"), BAD, ids=[says for _, says in BAD])
def test_a_bad_file_is_one_paragraph_and_a_line_of_the_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | bytes, says: str
) -> None:
    place = written(tmp_path, text)
    out = tmp_path / "boards"
    words = ["leaderboard", "--suite", "mine", "--config-dir", str(place), "--out", str(out)]
    assert main([*words, "--runs-dir", str(tmp_path / "runs")]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not said.out
    assert "mine" in said.err
    assert not out.exists()
    row = next(entry for entry in catalogue.suites(place) if entry.name == "mine")
    assert says in row.problem


def test_unknown_names(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match=r"no suite 'quik'.*Did you mean quick\?.*--config-dir"):
        suites.read("quik")
    for name in ("", "../challenge/debugging_digits", "/etc/passwd", "**", "suite/quick", "x" * 5000):
        with pytest.raises(ProtocolError, match="There is no suite"):
            suites.read(name)
    with pytest.raises(ProtocolError, match="not a directory"):
        suites.read("quick", tmp_path / "no")


def test_file_names_that_cannot_be(tmp_path: Path) -> None:
    for name, says in (("Big.yaml", "cannot be a suite's file"), ("mine.yml", "Rename it to mine.yaml")):
        place = written(tmp_path, GOOD, name)
        with pytest.raises(ProtocolError, match=says):
            suites.read(Path(name).stem, place)
    place = written(tmp_path, GOOD, "quick.yaml")
    with pytest.raises(ProtocolError, match="has the name of a shipped suite"):
        suites.read("quick", place)
    (tmp_path / "challenge").mkdir()
    (tmp_path / "challenge" / "suite_mine.yaml").write_text("defaults: [debugging_digits]\ntitle: Odd\n")
    place = written(tmp_path, GOOD, "mine.yaml")
    (tmp_path / "suite" / "mine.yml").unlink()
    with pytest.raises(ProtocolError, match="would be one file"):
        suites.read("mine", place)
