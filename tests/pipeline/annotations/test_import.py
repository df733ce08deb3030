"""``harness annotations import``: the data set that comes out, and nothing where something is wrong."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from harness.cli import main
from harness.data import settings_class
from harness.data.base import Dataset
from harness.pipeline.annotations.reading import pseudonym
from harness.protocol import specifications
from tests.pipeline.annotations.conftest import annotation, task

ROOT = Path(__file__).resolve().parents[3]
WORDS = ("gut", "schlecht", "可")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def table(here: Path) -> Path:
    """A data set of eight rows with an id and a first guess at the label."""
    rows = "\n".join(f"r{k},{k * 1.5},{'ab'[k % 2]}" for k in range(8))
    (here / "conf" / "dataset").mkdir(parents=True)
    (here / "conf" / "wards.csv").write_text(f"name,age,kind\n{rows}\n")
    (here / "conf" / "dataset" / "wards.yaml").write_text(
        "name: table\npath: wards.csv\nid: name\nlabel: kind\ncolumns: {age: number}\n"
    )
    return here


def loaded(name: str, conf: Path = Path("conf")) -> Dataset:
    plain = yaml.safe_load((conf / "dataset" / f"{name}.yaml").read_text(encoding="utf-8"))
    data = settings_class(plain["name"]).model_validate(plain, context={"root": conf.resolve()}).load()
    assert not any("unpinned" in note for note in data.notes)
    return data


def column(name: str, which: str) -> list[str]:
    with (Path("conf") / "data" / name / "rows.csv").open(encoding="utf-8", newline="") as stream:
        return [row[which] for row in csv.DictReader(stream)]


def take(*words: str) -> int:
    return main(["annotations", "import", *words])


def documents() -> list[dict[str, Any]]:
    """Thirty tasks of three people: one by gold, one tied, one skipped by all, the rest by majority."""
    jo = {"id": 3, "email": "jo@example.org"}
    tasks = []
    for k in range(30):
        label, other = WORDS[k % 3], WORDS[(k + 1) % 3]
        votes = [annotation(1, label), annotation(2, label), annotation(jo, other if k % 4 == 0 else label)]
        tasks.append(task(100 + k, votes, text=f'Text "{k}",\nzweite Zeile', source=k))
    tasks[0]["annotations"].append(annotation(9, "可", ground_truth=True))
    tasks[1]["annotations"] = [annotation(1, "gut"), annotation(2, "schlecht")]
    tasks[2]["annotations"] = [annotation(1, "gut", was_cancelled=True), annotation(2)]
    return tasks


def put(content: Any, name: str = "project.json") -> str:
    Path(name).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return name


def test_a_data_set_of_tasks(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert take(put(documents()), "--to", "reviews", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["sources"] == {"gold": 1, "tie drawn": 1, "majority": 27}
    data = loaded("reviews")
    assert data.class_names == WORDS
    assert data.texts is not None
    assert data.texts[0] == 'Text "0",\nzweite Zeile'
    assert data.extras["id"].tolist() == [str(100 + k) for k in range(30) if k != 2]
    assert data.extras["votes"].shape == (29, 3)
    assert data.extras["votes"].sum() == facts["labels"] == 28 * 3 + 2
    assert data.extras["vote_label"].shape == data.extras["vote_annotator"].shape == (29, 3)
    assert data.extras["label_source"].tolist()[:3] == ["gold", "tie drawn", "majority"]
    assert data.class_names[data.y[0]] == "可"
    assert [data.class_names[y] for y in data.y[2:]] == [WORDS[k % 3] for k in range(3, 30)]
    assert "1 tasks without a label are left out." in facts["notes"]
    written = b"".join(path.read_bytes() for path in Path("conf").rglob("*") if path.is_file())
    assert b"@" not in written
    assert pseudonym("reviews", "3").encode() in written
    assert main(["dataset", "validate", "reviews", "--config-dir", "conf"]) == 0  # its specification fits it


def test_ties_are_drawn_for_every_item_by_itself(here: Path) -> None:
    tied = [task(k, [annotation(1, "a"), annotation(2, "b")], text=f"t {k}") for k in range(200)]
    assert take(put(tied), "--to", "first") == 0
    labels = dict(zip(column("first", "item"), column("first", "label"), strict=True))
    assert 60 < list(labels.values()).count("a") < 140  # neither the first class nor the first vote
    turned = [{**each, "annotations": each["annotations"][::-1]} for each in tied[50:][::-1]]
    Path("conf2").mkdir()
    assert take(put(turned), "--to", "first", "--config-dir", "conf2") == 0
    with Path("conf2/data/first/rows.csv").open() as stream:
        assert all(labels[row["item"]] == row["label"] for row in csv.DictReader(stream))


def test_dawid_skene_decides_where_it_is_asked_to(here: Path) -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 200)
    good = [0.95, 0.95, 0.5, 0.5, 0.5]
    tasks = [
        task(k, [annotation(w, "ab"[y if rng.random() < p else 1 - y]) for w, p in enumerate(good)], text=f"t {k}")
        for k, y in enumerate(truth)
    ]
    right = {}
    for way in ("majority", "dawid_skene"):
        assert take(put(tasks), "--to", way, "--truth", way) == 0
        right[way] = np.mean([label == "ab"[y] for label, y in zip(column(way, "label"), truth, strict=True)])
        assert set(column(way, "label_source")) == {way}
    assert right["dawid_skene"] > right["majority"] + 0.05


def test_votes_on_the_rows_of_a_data_set(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["item,annotator,label", "r0,w1,b", "r0,w2,b", "r1,w1,b", "r1,w2,a", "r1,w3,a", "r3,jo@example.org,b"]
    Path("votes.csv").write_text("\n".join(lines) + "\n")
    before = {path: path.read_bytes() for path in Path("conf").rglob("*") if path.is_file()}
    assert take("votes.csv", "--to", "wards_2", "--rows", "wards") == 0
    assert "label from kept: 5 rows" in capsys.readouterr().out
    assert all(path.read_bytes() == content for path, content in before.items())
    data = loaded("wards_2")
    assert "".join("ab"[y] for y in data.y) == "baabab" + "ab"
    assert data.extras["label_source"].tolist() == ["majority", "majority", "kept", "majority"] + ["kept"] * 4
    assert data.extras["votes"].tolist()[:4] == [[0, 2], [2, 1], [0, 0], [0, 1]]
    assert data.X.shape == (8, 1)
    assert take("votes.csv", "--to", "wards_3", "--rows", "wards_2", "--drop", "a") == 0
    assert loaded("wards_3").extras["label_source"].tolist()[1:3] == ["majority", "kept"]
    specs = [specifications.load(name, Path("conf")) for name in ("wards_2", "wards_3")]
    assert [[change.version for change in spec.versions] for spec in specs] == [["1.0.0"], ["1.0.0", "2.0.0"]]
    assert "label_source" in specs[1].columns
    assert main(["dataset", "diff", "wards_2", "wards_3", "--config-dir", "conf"]) == 0


def test_counts_on_the_rows_of_a_data_set(table: Path) -> None:
    Path("counts.csv").write_text("item,b,a\nr0,5,0\nr5,1,9\n")
    assert take("counts.csv", "--to", "counted", "--rows", "wards") == 0
    data = loaded("counted")
    assert data.extras["votes"].tolist() == [[0, 5]] + [[0, 0]] * 4 + [[9, 1]] + [[0, 0]] * 2
    assert "vote_annotator" not in data.extras
    assert [data.class_names[data.y[k]] for k in (0, 5)] == ["b", "a"]


def test_columns_and_pictures_of_tasks(here: Path) -> None:
    rows = [
        task(k, [annotation(1, "ab"[k % 2])], item=f"r{k}", row={"age": k * 0.5, "ward": "xy"[k // 2 % 2]})
        for k in range(12)
    ]
    assert take(put(rows), "--to", "columns", "--set", "rare=1") == 0
    assert loaded("columns").X.shape == (12, 3)
    pictures = []
    for k in range(8):
        stream = io.BytesIO()
        Image.fromarray(np.full((6, 6, 3), 20 * k, np.uint8)).save(stream, "PNG")
        address = f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
        pictures.append(task(k, [annotation(1, "ab"[k % 2])] if k else [], item=f"r{k}", image=address))
    assert take(put(pictures), "--to", "pictures") == 0
    data = loaded("pictures")
    assert data.X.shape == (7, 6, 6, 3)
    assert data.X[3, 0, 0, 0] == pytest.approx(80 / 255)
    assert len(list(Path("conf/data/pictures").glob("*.png"))) == 7


MISTAKES: list[tuple[list[str], Callable[[], object], str]] = [
    (["--to", "Upper"], lambda: None, "lower-case"),
    (["--to", "digits"], lambda: None, "already"),
    (["--to", "wards", "--rows", "wards"], lambda: None, "already"),
    (["--to", "new", "--rows", "absent"], lambda: None, "There are: wards"),
    (["--to", "new"], lambda: None, "--rows NAME"),
    (["--to", "new", "--rows", "wards"], lambda: votes("r9,w1,a"), "have votes and no row: 'r9'"),
    (["--to", "new", "--rows", "wards"], lambda: votes("r1,w1,c"), "has no such class"),
    (["--to", "new", "--rows", "wards"], lambda: votes("r1,w1,a", "r1,w1,a"), "more than once"),
    (["--to", "new", "--rows", "wards"], lambda: votes("r1,w1,"), "not a single vote"),
    (["--to", "new", "--rows", "wards", "--set", "colour=red"], lambda: None, "colour"),
    (["--to", "new", "--rows", "texts"], lambda: other("name: text\npath: wards.csv\nlabel: kind\ntext: age\n"), "no id"),
    (["--to", "new", "--rows", "texts"], lambda: other("name: arrays\npath: wards.csv\n"), "no table and no text"),
    (["--to", "new", "--rows", "texts"], lambda: other("name: table\npath: wards.csv\nlabel: kind\nx: 1\n"), "dataset.x"),
    (["--to", "new", "--rows", "wards", "--truth", "dawid_skene"], lambda: plain("item,a,b\nr0,1,0\n"), "do not say"),
]  # fmt: skip


def votes(*lines: str) -> None:
    plain("\n".join(["item,annotator,label", *lines]) + "\n")


def plain(text: str) -> None:
    Path("votes.csv").write_text(text)


def other(text: str) -> None:
    Path("conf/dataset/texts.yaml").write_text(text)


@pytest.mark.parametrize(("words", "prepare", "why"), MISTAKES)
def test_a_mistake_is_one_paragraph_and_nothing_is_written(
    table: Path, capsys: pytest.CaptureFixture[str], words: list[str], prepare: Callable[[], object], why: str
) -> None:
    votes("r0,w1,a", "r1,w1,b")
    prepare()
    before = sorted(Path("conf").rglob("*"))
    assert take("votes.csv", *words) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1
    assert sorted(Path("conf").rglob("*")) == before


def test_a_class_that_no_row_gets_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = [task(k, [annotation(w, "ab"[k % 2]) for w in range(3)], text=f"t {k}") for k in range(10)]
    tasks[0]["annotations"][0] = annotation(0, "unsure")
    assert take(put(tasks), "--to", "new") == 2
    assert "--drop 'unsure'" in capsys.readouterr().err
    assert not Path("conf/dataset/new.yaml").exists()
    assert take("project.json", "--to", "new", "--drop", "unsure") == 0
    assert loaded("new").extras["votes"].sum() == 29


def test_a_field_with_the_name_of_the_label_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = [task(k, [annotation(1, "ab"[k % 2])], text=f"t {k}", label="old") for k in range(10)]
    assert take(put(tasks), "--to", "new") == 2
    assert "See --label" in capsys.readouterr().err
    assert take("project.json", "--to", "new", "--label", "verdict") == 0
    assert column("new", "verdict")[:2] == ["a", "b"]


def test_a_folder_that_is_somebody_elses_is_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = Path("conf/data/reviews")
    place.mkdir(parents=True)
    (place / "mine.csv").write_text("x")
    assert take(put(documents()), "--to", "reviews") == 2
    assert "holds something else" in capsys.readouterr().err
    assert [path.name for path in place.iterdir()] == ["mine.csv"]
    shutil.rmtree(place)
    assert take("project.json", "--to", "reviews") == 0
    Path("conf/dataset/reviews.yaml").unlink()  # as if it had been killed between the two steps
    assert take("project.json", "--to", "reviews") == 0
    assert len(loaded("reviews").y) == 29


def test_killed_at_any_moment_it_leaves_all_or_nothing(here: Path) -> None:
    tasks = [task(k, [annotation(w, WORDS[(k + (w == 2)) % 3]) for w in range(3)], text=f"t {k}") for k in range(3000)]
    put(tasks)
    line = [sys.executable, "-m", "harness", "annotations", "import", "project.json", "--to", "big"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.monotonic()
    assert subprocess.run(line, env=environment, capture_output=True, check=False).returncode == 0
    took = time.monotonic() - start
    whole = (Path("conf/data/big/rows.csv").read_bytes(), Path("conf/dataset/big.yaml").read_bytes())
    Path("conf/dataset/big.yaml").unlink()
    killed = 0
    for part in np.linspace(0.5, 0.98, 4):
        process = subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(took * part)
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        place = Path("conf/dataset/big.yaml")
        if place.exists():
            assert (Path("conf/data/big/rows.csv").read_bytes(), place.read_bytes()) == whole
            place.unlink()
    assert killed
    assert subprocess.run(line, env=environment, capture_output=True, check=False).returncode == 0
    assert (Path("conf/data/big/rows.csv").read_bytes(), place.read_bytes()) == whole
    assert sorted(path.name for path in Path("conf").iterdir()) == ["data", "dataset", "spec"]


@pytest.mark.parametrize("after", range(5))
def test_killed_between_two_moves(here: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Every rename in turn is the last thing that happens."""
    put(documents())
    stop = f"""
import os, pathlib, signal, sys
plain, left = pathlib.Path.rename, [{after}]
def rename(self, target):
    if left[0] == 0: os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return plain(self, target)
pathlib.Path.rename = rename
from harness.cli import main
sys.exit(main(["annotations", "import", "project.json", "--to", "reviews"]))
"""
    done = subprocess.run([sys.executable, "-c", stop], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == (-signal.SIGKILL if after < 3 else 0)
    assert Path("conf/dataset/reviews.yaml").exists() == (after >= 3)
    if after < 3:
        assert take("project.json", "--to", "reviews") == 0
    assert len(loaded("reviews").y) == 29
    assert sorted(path.name for path in Path("conf").iterdir()) == ["data", "dataset", "spec"]
