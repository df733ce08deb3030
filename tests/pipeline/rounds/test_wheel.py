"""A full turn of the wheel on bundled data, with real runs in the sandbox; every number of its table computed again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from harness.cli import main
from harness.errors import ProtocolError
from harness.pipeline.rounds import state
from harness.pipeline.rounds.state import Settings
from harness.pipeline.rounds.turn import ask, new, next_round
from harness.protocol import specifications
from harness.protocol.compose import load_challenge
from tests.pipeline.rounds import stream

ROOT = Path(__file__).parents[3]
SETTINGS = Settings(
    label="digit", id="id", slice=("kind", "sideways"), keys={"standardize": False, "columns": {"noted": "drop"}},
    seeds=3, find=60, repair=60, buy=100, secret="a wheel that is turned by a test, 1",
)  # fmt: skip
RUNS = {"find": "dense_margin", "repair": "data_oob", "buy": "margin"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two turns: ``conf``, ``runs`` and the periods' files."""
    here = tmp_path_factory.mktemp("wheel")
    stream.write(here, seed=1)
    votes(here, 1, 2)
    new("stream", here / "conf", here / "period1.csv", here / "period2.csv", SETTINGS,
        votes=here / "votes.csv", given="noted")  # fmt: skip
    for number in (1, 2):
        enter(here, number)
        line = [
            "round",
            "next",
            "stream",
            "--arrivals",
            f"{here}/period{number + 2}.csv",
            "--config-dir",
            f"{here}/conf",
        ]
        line += ["--votes", f"{here}/votes{number + 2}.csv", "--runs-dir", f"{here}/runs"]
        assert main(line) == 0
    return here


def votes(here: Path, *periods: int) -> None:
    pd.concat([pd.read_csv(here / f"votes{n}.csv") for n in periods]).to_csv(here / "votes.csv", index=False)


def enter(here: Path, number: int) -> None:
    """One entry to every challenge of a round; not all of them can be won in every round."""
    for kind, entry in RUNS.items():
        main(["run", f"challenge=stream_r{number}_{kind}", f"submission={entry}", f"runs_dir={here}/runs",
              "--config-dir", f"{here}/conf"])  # fmt: skip


def rows(wheel: Path, number: int) -> pd.DataFrame:
    return pd.read_csv(wheel / f"conf/rounds/stream/{number}/rows.csv", dtype=str, keep_default_na=False).set_index(
        "id", drop=False
    )


def turn(wheel: Path, number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((wheel / f"conf/rounds/stream/{number}/turn.json").read_text())
    return found


def test_the_next_period_and_the_rare_slice_gain(wheel: Path) -> None:
    for number in (2, 3):
        measured = turn(wheel, number)["measured"]
        for name in ("next", "slice"):
            assert measured[name]["gain"][0] > 0, f"round {number}: the 95 % interval of the gain, {name}"
        assert measured["regression"]["after"] > measured["regression"]["before"] - 0.02


@pytest.mark.parametrize("number", [2, 3])
def test_the_table_is_what_scikit_learn_computes(wheel: Path, number: int) -> None:
    before, after = rows(wheel, number - 1), rows(wheel, number)
    came = pd.read_csv(wheel / f"period{number + 1}.csv")
    pixels = [f"p{j}" for j in range(64)]
    first = after[(after["part"] == "test") & (after["how"] == "first")]
    rare = came[came["kind"] == "sideways"]
    measured = turn(wheel, number)["measured"]
    for when, version in (("before", before), ("after", after)):
        trained = version[version["part"] == "train"]
        model = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000)
        model.fit(trained[pixels].astype(float), trained["given"].astype(int))
        for name, target in (("next", came), ("regression", first)):
            said = model.predict(target[pixels].astype(float))
            expected = f1_score(target["digit"].astype(int), said, average="macro")
            assert measured[name][when] == pytest.approx(expected, abs=0.004), (name, when)
        said = model.predict(rare[pixels].astype(float))
        assert measured["slice"][when] == pytest.approx((said == rare["digit"]).mean(), abs=0.02)


def test_where_every_row_comes_from(wheel: Path) -> None:
    first, second, third = (rows(wheel, number) for number in (1, 2, 3))
    runs = {path.name for path in (wheel / "runs").iterdir()}
    assert list(third.index[: len(second)]) == list(second.index)
    for before, after, number in ((first, second, "2"), (second, third, "3")):
        facts = turn(wheel, int(number))
        both = after.loc[before.index]
        entered = both[(before["part"] == "validation") & (both["part"] != "validation")]
        assert set(entered["since"]) == {number}
        assert set(entered["by"]) <= runs
        how = Counter(entered["how"])
        assert (how["failure"], how["checked"], how["bought"]) == (
            facts["failures"], facts["checked"], facts["bought"],
        )  # fmt: skip
        relabelled = both[(before["part"] == "train") & (both["given"] != before["given"])]
        assert len(relabelled) == facts["repaired"]
        assert relabelled["repaired"].str.contains(f"r{number}: ").all()
        left = both.drop(entered.index).drop(relabelled.index)
        assert left.equals(before.loc[left.index]), "nothing else was changed"


def test_people_decided_and_not_the_key(wheel: Path) -> None:
    """Every label that is new in round 2 is what more than half of its votes say."""
    cast = pd.concat([pd.read_csv(wheel / f"votes{n}.csv", dtype=str) for n in (1, 2)]).groupby("item")["label"]
    before, after = rows(wheel, 1), rows(wheel, 2)
    both = after.loc[before.index]
    changed = both[
        (both["given"] != before["given"]) | ((before["part"] == "validation") & (both["part"] != "validation"))
    ]
    changed = changed[changed["how"] != "sampled"]
    assert len(changed) > 60
    for item, label in zip(changed.index, changed["given"], strict=True):
        assert (cast.get_group(item) == label).mean() > 0.5
    assert (changed["given"] != changed["digit"]).any(), (
        "a crowd is wrong now and then, and the book keeps what it said"
    )


def test_a_confirmed_failure_is_one(wheel: Path) -> None:
    before, after = rows(wheel, 1), rows(wheel, 2)
    pixels = [f"p{j}" for j in range(64)]
    trained, failures = before[before["part"] == "train"], after[after["how"] == "failure"]
    model = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000)
    model.fit(trained[pixels].astype(float), trained["given"].astype(int))
    assert len(failures) > 0
    assert (model.predict(failures[pixels].astype(float)) != failures["given"].astype(int)).all()


def test_nothing_is_tested_on_that_an_earlier_version_was_trained_on(wheel: Path) -> None:
    parts = [rows(wheel, number)["part"] for number in (1, 2, 3)]
    for later in (1, 2):
        tested = set(parts[later].index[parts[later] == "test"])
        for earlier in range(later + 1):
            assert not tested & set(parts[earlier].index[parts[earlier] == "train"])
        assert set(parts[0].index[parts[0] == "test"]) <= tested, "round 1's test stays"


def test_every_version_is_described(wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = specifications.load("stream_r3", wheel / "conf")
    assert [change.version for change in spec.versions] == ["1.0.0", "2.0.0", "3.0.0"]
    assert "labels repaired" in spec.versions[1].changes
    assert main(["show", "stream_r3_find", "--config-dir", str(wheel / "conf")]) == 0
    assert main(["dataset", "diff", "stream_r1", "stream_r2", "--config-dir", str(wheel / "conf")]) == 0
    assert "asks for    a major version" in capsys.readouterr().out
    table = (wheel / "conf/rounds/stream/table.md").read_text()
    assert table.count("\n| 3 |") == 3
    assert len(pd.read_csv(wheel / "conf/rounds/stream/table.csv")) == 6


def test_the_rows_people_look_at(wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    enter(wheel, 3)
    capsys.readouterr()
    where = ["--config-dir", str(wheel / "conf"), "--runs-dir", str(wheel / "runs")]
    assert main(["round", "ask", "stream", *where, "--json"]) == 0
    wanted = json.loads(capsys.readouterr().out)
    part = rows(wheel, 3)["part"]
    assert {part[row["item"]] for row in wanted if row["why"] in ("find", "buy")} == {"validation"}
    assert {part[row["item"]] for row in wanted if row["why"] == "repair"} <= {"train"}
    assert len({row["item"] for row in wanted}) == len(wanted)
    assert main(["round", "ask", "stream", *where, "--take", "find=nobody"]) == 2
    assert "is no ranked run of stream_r3_find" in capsys.readouterr().err
    assert main(["round", "ask", "stream", *where, "--take", "sell=nobody"]) == 2
    assert main(["round", "table", "stream_r2_buy", *where[:2], "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


@pytest.mark.parametrize("file", ["rows.csv", "votes.csv"])
def test_rows_and_votes_that_were_edited_turn_no_wheel(wheel: Path, file: str) -> None:
    path = wheel / "conf/rounds/stream/3" / file
    before = path.read_bytes()
    path.write_bytes(before.replace(b",7,", b",1,", 1) if file == "rows.csv" else before.replace(b",7\n", b",1\n", 1))
    try:
        with pytest.raises(ProtocolError, match="is not the pinned data"):
            ask("stream", wheel / "conf", wheel / "runs", {})
    finally:
        path.write_bytes(before)


def test_killed_in_the_middle_and_done_again(wheel: Path) -> None:
    """Whatever file comes next when the process dies, the round is not there, and the next attempt writes it."""
    more = pd.read_csv(wheel / "period4.csv").assign(id=lambda frame: "again-" + frame["id"])
    more.to_csv(wheel / "period5.csv", index=False)
    program = (
        "import os, signal, sys; from pathlib import Path; from harness.pipeline.rounds import written, turn\n"
        "left = int(sys.argv[2]); plain = Path.replace\n"
        "def replace(self, target):\n"
        "    global left\n"
        "    left -= 1\n"
        "    if left < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return plain(self, target)\n"
        "Path.replace = replace\n"
        "here = Path(sys.argv[1])\n"
        "turn.next_round('stream', here / 'conf', here / 'runs', here / 'period5.csv')\n"
    )
    enter(wheel, 3)
    for files in (0, 3, 9):
        line = [sys.executable, "-c", program, str(wheel), str(files)]
        ended = subprocess.run(line, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert state.numbers(wheel / "conf", "stream") == [1, 2, 3]
    made = next_round("stream", wheel / "conf", wheel / "runs", wheel / "period5.csv")
    assert (made.round.number, state.numbers(wheel / "conf", "stream")) == (4, [1, 2, 3, 4])
    assert not [path for path in (wheel / "conf").iterdir() if path.name.startswith(".")]


# --- bad input ---


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two small periods."""
    stream.write(tmp_path, sizes=(120, 80, 60, 60))
    votes(tmp_path, 1, 2)
    return tmp_path


def begun(here: Path, settings: Settings = SETTINGS, name: str = "small", **more: Any) -> None:
    new(name, here / "conf", here / "period1.csv", here / "period2.csv", settings, **more)


def edited(path: Path, change: Any) -> None:
    change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("period1.csv", lambda f: f.drop(columns="digit"), "has no column 'digit'"),
        ("period2.csv", lambda f: f.drop(columns="p5"), "has not the column 'p5'"),
        ("period2.csv", lambda f: f.assign(more="1"), "has the column 'more'"),
        ("period1.csv", lambda f: f.assign(part="x"), "has a column 'part'"),
        ("period1.csv", lambda f: f.assign(id="same"), "has the id 'same' twice"),
        ("period2.csv", lambda f: f.assign(digit=""), "rows of period2.csv have no label"),
        ("period2.csv", lambda f: f.assign(p3="dark"), "number"),
        ("votes.csv", lambda f: f.drop(columns="label"), "has no column 'label'"),
        ("votes.csv", lambda f: f.assign(item="t9-1"), "votes on 1 rows that are not there, e.g. 't9-1'"),
        (
            "votes.csv",
            lambda f: f.assign(annotator="w0", item="t1-1", label=np.arange(len(f)) % 10),
            "votes differently",
        ),
        ("votes.csv", lambda f: f.assign(label="eleven"), "is no class"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(two: Path, file: str, change: Any, says: str) -> None:
    edited(two / file, change)
    with pytest.raises(ProtocolError) as error:
        begun(two, votes=two / "votes.csv", given="noted")
    assert says in str(error.value)
    assert [path for path in (two / "conf").rglob("*") if path.is_file()] == []


def test_a_wheel_is_set_up_once(two: Path) -> None:
    begun(two)
    with pytest.raises(ProtocolError, match="is a wheel already"):
        begun(two)
    with pytest.raises(ProtocolError, match="looks like a round"):
        begun(two, name="small_r2")
    with pytest.raises(ProtocolError, match="cannot be a challenge's file"):
        begun(two, name="Small Wheel")
    with pytest.raises(ProtocolError, match="There is no wheel 'big'"):
        state.read(two / "conf", "big")
    with pytest.raises(ProtocolError, match=r"There is no round 7 of small.* Its rounds: 1\."):
        state.read(two / "conf", "small", 7)


def test_a_turn_needs_runs_and_new_rows(two: Path) -> None:
    begun(two)
    with pytest.raises(ProtocolError, match="There is no runs directory"):
        next_round("small", two / "conf", two / "runs", two / "period3.csv")
    (two / "runs").mkdir()
    with pytest.raises(ProtocolError, match="nothing was found yet"):
        next_round("small", two / "conf", two / "runs", two / "period3.csv")
    with pytest.raises(ProtocolError, match=r"80 rows of period2\.csv are there already"):
        next_round("small", two / "conf", two / "runs", two / "period2.csv")
    assert state.numbers(two / "conf", "small") == [1]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--slice", "kind"], "is not of the form COLUMN=VALUE"),
        (["--test", "1.5"], "must be a share"),
        (["--find", "0"], "find"),
        (["--model", "oracle"], "There is no model 'oracle'"),
        (["--set", "colour=red"], "colour"),
        (["--data", "nowhere.csv"], "There is no file"),
    ],
)
def test_a_wrong_word_on_the_command_line(
    two: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [
        "round",
        "new",
        "small",
        "--data",
        f"{two}/period1.csv",
        "--waiting",
        f"{two}/period2.csv",
        "--label",
        "digit",
    ]
    assert main([*line, "--id", "id", "--config-dir", f"{two}/conf", *words]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert not (two / "conf" / "rounds").exists()


def test_a_wheel_of_texts_with_groups(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    words = {"up": ["win", "rise", "gain", "more"], "down": ["loss", "fall", "less", "low"]}
    for name, size in (("a", 160), ("b", 120)):
        kinds = rng.choice(["up", "down"], size)
        frame = pd.DataFrame(
            {"id": [f"{name}{i}" for i in range(size)], "kind": kinds, "author": rng.integers(0, 30, size)}
        )
        frame["body"] = [f"{' '.join(rng.choice(words[kind], 3))}, said {i}" for i, kind in enumerate(kinds)]
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    settings = Settings(
        label="kind", id="id", text="body", group="author", keys={"dimension": 64}, sample=30, secret="of a test"
    )
    made = new("said", tmp_path / "conf", tmp_path / "a.csv", tmp_path / "b.csv", settings).round
    parts = made.rows.groupby("author")["part"].agg(set)
    first = made.rows[made.rows["how"] == "first"].groupby("author")["part"].agg(set)
    assert all(len(of_group) == 1 for of_group in first), "a group is trained on or tested on, not both"
    assert any("test" in of_group for of_group in parts)
    texts = load_challenge("said_r1_find", config_dir=tmp_path / "conf").load_dataset().texts
    assert texts is not None
    assert "said" in texts[0]


def test_a_file_of_somebody_else_is_left_alone(two: Path) -> None:
    (two / "conf" / "dataset").mkdir(parents=True)
    (two / "conf" / "dataset" / "small_r1_buy.yaml").write_text("name: digits\n")
    with pytest.raises(ProtocolError, match="exists already"):
        begun(two)
    assert (two / "conf" / "dataset" / "small_r1_buy.yaml").read_text() == "name: digits\n"
    assert not (two / "conf" / "rounds").exists()
