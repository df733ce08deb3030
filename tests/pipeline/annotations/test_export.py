"""``harness annotations export``: what is asked about, how it looks in Label Studio, and the way back."""

from __future__ import annotations

import base64
import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from harness.cli import main
from harness.protocol.compose import load_challenge
from tests.pipeline.annotations.conftest import annotation
from tests.pipeline.annotations.test_import import here, loaded

__all__ = ["here"]
TOPICS = {"bread & butter": "loaf crust flour", 'the "net"': "modem router cable", "<cats>": "purr whisker paw"}


def export(*words: str) -> int:
    return main(["annotations", "export", *words])


def tasks(folder: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path(folder, "tasks.json").read_text(encoding="utf-8"))
    return found


def challenge(name: str, dataset: str, **protocol: Any) -> None:
    track = protocol.pop("track", "selection_active")
    settings = protocol or {"pool": 60, "initial": 12, "batch": 4, "rounds": 3}
    path = Path("conf/challenge") / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"defaults:\n- override /track: {track}\n- override /dataset: {dataset}\n- override /model: logistic\n"
        f"title: Ours\nsecret: of-these-tests\ntrack: {json.dumps(settings)}\n"
    )


@pytest.fixture
def documents(here: Path) -> Path:
    """Ninety documents of three classes, whose names need escaping."""
    rng = np.random.default_rng(0)
    Path("conf/dataset").mkdir(parents=True)
    with Path("conf/notes.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["key", "body", "topic"])
        for k in range(90):
            name, words = list(TOPICS.items())[k % 3]
            writer.writerow([f"n{k}", " ".join([*rng.choice(words.split(), 3), "the", "a", f"x{k}"]), name])
    Path("conf/dataset/notes.yaml").write_text("name: text\npath: notes.csv\ntext: body\nlabel: topic\nid: key\n")
    return here


def test_the_rows_of_which_the_model_is_least_sure(here: Path) -> None:
    """The same rows and probabilities as scikit-learn's logistic regression gives, for the shipped challenge."""
    found = load_challenge("selection_active_digits")
    data = found.load_dataset()
    view, key = found.load_track(data, device="cpu").prepare(0)
    X, start = view.arrays["X"], view.arrays["labelled"]
    rest = np.setdiff1d(np.arange(len(X)), start)
    model = LogisticRegression(C=found.model.model_dump()["C"], max_iter=5000, tol=1e-8).fit(
        X[start], key.y_pool[start]
    )
    proba = model.predict_proba(X[rest])
    top = np.sort(proba, axis=1)
    orders = {"margin": top[:, -1] - top[:, -2], "entropy": (proba * np.log(proba)).sum(axis=1)}
    for by, doubt in orders.items():
        assert export("selection_active_digits", "--out", by, "--n", "8", "--by", by) == 0
        wanted = rest[np.argsort(doubt)[:8]]
        rows = [int(task["data"]["item"]) for task in tasks(by)]
        np.testing.assert_array_equal(data.X[rows], X[wanted])
        scores = [task["predictions"][0]["score"] for task in tasks(by)]
        assert scores == pytest.approx(np.sort(proba, axis=1)[np.argsort(doubt)[:8], -1], abs=2e-3)
    assert export("selection_active_digits", "--out", "random", "--n", "8", "--by", "random") == 0
    assert {task["data"]["item"] for task in tasks("random")} != {task["data"]["item"] for task in tasks("margin")}
    picture = tasks("margin")[0]["data"]["image"].removeprefix("data:image/png;base64,")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))))
    np.testing.assert_allclose(pixels.ravel() / 255, data.X[int(tasks("margin")[0]["data"]["item"])], atol=0.003)


def test_a_project_as_label_studio_takes_it(documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    challenge("ask", "notes")
    Path("conf/spec").mkdir()
    Path("conf/spec/notes.yaml").write_text(
        "name: notes\nlabel:\n  guide: Choose what the note is about.\n  classes:\n    <cats>: A pet.\n"
        "    bread & butter: {means: Food., edge_cases: [Butter alone is food.], examples: [a loaf]}\n"
        "versions: [{version: 1.0.0}]\n"
    )
    assert export("ask", "--out", "project", "--n", "20", "--config-dir", "conf", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["tasks"], facts["labelled"]) == (20, 12)
    view = ET.parse("project/label_config.xml").getroot()
    (choices,) = view.findall("Choices")
    (text,) = view.findall("Text")
    assert (text.get("value"), choices.get("toName"), choices.get("choice")) == ("$text", text.get("name"), "single")
    assert {choice.get("value") for choice in choices} == set(TOPICS)
    texts = {
        row["key"]: row["body"]
        for row in csv.DictReader(Path("conf/notes.csv").read_text(encoding="utf-8").splitlines())
    }
    for task in tasks("project"):
        assert task["data"] == {"item": task["data"]["item"], "text": texts[task["data"]["item"]]}
        (guess,) = task["predictions"]
        (region,) = guess["result"]
        assert guess["model_version"] == "ask/logistic"
        assert 1 / 3 < guess["score"] < 1
        assert (region["from_name"], region["to_name"], region["type"]) == (choices.get("name"), "text", "choices")
        assert region["value"]["choices"][0] in TOPICS
    guide = Path("project/guide.md").read_text()
    for said in (
        "Choose what the note is about.",
        "- **<cats>**: A pet.",
        "edge case: Butter alone",
        "example: a loaf",
    ):
        assert said in guide


@pytest.mark.parametrize("small", [False, True])
def test_what_comes_back_is_taken_in(documents: Path, small: bool) -> None:
    """Two people answer, a third skips; both exports of Label Studio; into the old rows and as rows of their own."""
    challenge("ask", "notes")
    assert export("ask", "--out", "project", "--n", "30", "--config-dir", "conf") == 0
    truth = {
        row["key"]: row["topic"]
        for row in csv.DictReader(Path("conf/notes.csv").read_text(encoding="utf-8").splitlines())
    }
    back: list[dict[str, Any]] = []
    for k, task in enumerate(tasks("project"), 1):
        label = truth[task["data"]["item"]]
        if small:
            back += [{**task["data"], "id": k, "label": label, "annotator": who, "annotation_id": k, "lead_time": 1.0,
                      "created_at": "2024-05-01T10:00:00Z", "updated_at": "2024-05-01T10:00:00Z"} for who in (1, 2)]  # fmt: skip
        else:
            answers = [annotation(1, label), annotation({"id": 2, "email": "b@c.d"}, label)]
            back.append({**task, "id": k, "annotations": [*answers, annotation(3, was_cancelled=True)]})
    Path("back.json").write_text(json.dumps(back))
    assert main(["annotations", "import", "back.json", "--to", "notes_2", "--rows", "notes"]) == 0
    data = loaded("notes_2")
    assert [data.class_names[y] for y in data.y] == [truth[key] for key in data.extras["id"].tolist()]
    assert (data.extras["votes"].sum(axis=1) == 2).sum() == 30
    assert main(["annotations", "import", "back.json", "--to", "answered"]) == 0
    assert set(loaded("answered").extras["id"].tolist()) == {task["data"]["item"] for task in tasks("project")}
    challenge("ask_2", "notes_2")
    assert export("ask_2", "--out", "next", "--n", "1000", "--config-dir", "conf") == 0
    asked = {task["data"]["item"] for task in tasks("next")}
    assert asked == set(truth) - {task["data"]["item"] for task in tasks("project")}


def test_tables_show_their_columns_and_no_label(here: Path) -> None:
    rows = "\n".join(f"r{k},{k % 7},{'xyz'[k % 3]},{'ab'[k % 2]},{'train' if k < 30 else 'test'}" for k in range(60))
    Path("conf/dataset").mkdir(parents=True)
    Path("conf/wards.csv").write_text(f"key,age,ward,kind,part\n{rows}\n")
    Path("conf/dataset/wards.yaml").write_text("name: table\npath: wards.csv\nid: key\nlabel: kind\npart: part\n")
    challenge("ask", "wards", track="debugging", train=20, validation=5, test=10, parts="official")
    assert export("ask", "--out", "project", "--config-dir", "conf") == 0
    found = tasks("project")
    assert {task["data"]["item"] for task in found} == {f"r{k}" for k in range(30, 60)}
    assert all(set(task["data"]["row"]) == {"age", "ward"} for task in found)
    assert ET.parse("project/label_config.xml").find("Table") is not None


def test_where_every_row_has_a_label_all_are_asked_about_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export("debugging_wine", "--out", "project", "--n", "500") == 0
    assert "asked again" in capsys.readouterr().out
    assert len(tasks("project")) == 178
    assert tasks("project")[0]["data"]["row"].keys() == {f"feature {j}" for j in range(1, 14)}


def test_pictures_are_the_files(here: Path) -> None:
    rng = np.random.default_rng(0)
    for k in range(40):
        path = Path("conf/leaves") / ("oak" if k % 2 else "elm") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (6, 6, 3)).astype(np.uint8)).save(path)
    Path("conf/dataset").mkdir()
    Path("conf/dataset/leaves.yaml").write_text("name: images\npath: leaves\n")
    challenge("ask", "leaves", pool=30, initial=10, batch=2, rounds=2)
    assert export("ask", "--out", "project", "--n", "4", "--config-dir", "conf") == 0
    pictures = {path.read_bytes() for path in Path("conf/leaves").rglob("*.png")}
    for task in tasks("project"):
        content = base64.b64decode(task["data"]["image"].removeprefix("data:image/png;base64,"))
        assert content in pictures
        assert task["data"]["item"].isdecimal()  # the name of the file would tell the class


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["absent", "--out", "project"], "no challenge 'absent'"),
        (["debugging_wine", "--out", "taken"], "exists already"),
        (["debugging_wine", "--out", "project", "--n", "0"], "1 or more"),
        (["debugging_wine", "--out", "project", "--config-dir", "nowhere"], "is not a directory"),
    ],
)
def test_a_mistake_is_one_paragraph(here: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str) -> None:
    Path("taken").mkdir()
    assert export(*words) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1
    assert not Path("project").exists()
