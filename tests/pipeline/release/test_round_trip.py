"""What goes into a release comes out of it, row for row, through the readers of others and through our own."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.data import load_dataset
from harness.data.base import Dataset
from harness.data.bundled import Digits
from harness.pipeline.release.diff import diff
from harness.pipeline.release.validate import validate
from harness.pipeline.release.write import release
from harness.protocol import datasets
from tests.data.own import load
from tests.pipeline.release.data import ALL, PATIENT_COLUMNS, PATIENTS, TEXTS, VOTES, patients, signals, write

frictionless = pytest.importorskip("frictionless", reason="the extra `release` is not installed")
mlcroissant = pytest.importorskip("mlcroissant", reason="the extra `release` is not installed")


def packaged(folder: Path, resource: str = "rows") -> list[dict[str, Any]]:
    package = frictionless.Package(str(folder / "datapackage.json"))
    assert package.validate().valid
    return [row.to_dict() for row in package.get_resource(resource).read_rows()]


def described(folder: Path, records: str = "rows") -> list[dict[str, Any]]:
    """Records with the short names of their fields; text as text."""
    return [
        {key.split("/", 1)[1]: value.decode() if isinstance(value, bytes) else value for key, value in record.items()}
        for record in mlcroissant.Dataset(str(folder / "croissant.json")).records(records)
    ]


def source() -> list[dict[str, str]]:
    lines = [",".join(row) for row in PATIENTS]
    return list(csv.DictReader(lines))


def meant(row: Mapping[str, str]) -> dict[str, object]:
    """A row of the patients as values."""
    weight = None if row["weight"] == "?" else float(row["weight"])
    ward = None if row["ward name"] == "?" else row["ward name"]
    return {**row, "age": int(row["age"]), "weight": weight, "ward name": ward}


def test_a_table_through_frictionless(made: Path) -> None:
    rows = packaged(made / "patients")
    for row, original in zip(rows, source(), strict=True):
        row["visit"] = row["visit"].isoformat()
        assert isinstance(row["weight"], Decimal | None)
        row["weight"] = None if row["weight"] is None else float(row["weight"])
        assert row == meant(original)


def test_a_table_through_mlcroissant(made: Path) -> None:
    rows = described(made / "patients")
    for row, original in zip(rows, source(), strict=True):
        row["visit"] = row["visit"].date().isoformat()
        row["ward name"] = row.pop("ward_name")
        assert row == meant(original)


def test_texts_through_both(made: Path, tmp_path: Path) -> None:
    assert [row["text"] for row in packaged(made / "reviews")] == TEXTS
    read = [row["text"] for row in described(made / "reviews")]
    assert [None if text == "NA" else text for text in TEXTS] == read
    done = validate(str(made / "reviews"))
    assert done.ok
    assert any("'NA' as None" in remark and "--format parquet" in remark for remark in done.remarks)
    release("reviews", tmp_path / "kept", made / "conf", form="parquet")
    assert [row["text"] for row in described(tmp_path / "kept")] == TEXTS
    assert not validate(str(tmp_path / "kept")).remarks


def test_pictures_through_both(made: Path) -> None:
    folder = made / "leaves"
    files = sorted((made / "conf" / "leaves").rglob("*.*"))
    names = [f"images/{path.relative_to(made / 'conf' / 'leaves').with_suffix('.png')}" for path in files]
    rows = described(folder)
    assert [row["file"] for row in rows] == names == [row["file"] for row in packaged(folder)]
    for path, row in zip(files, rows, strict=True):
        assert row["folder"] == path.parent.name
        assert np.asarray(row["image"]).tolist() == np.asarray(Image.open(path).convert("RGB")).tolist()
    assert [row["path"] for row in packaged(folder, "files")] == names


def test_votes_through_both(made: Path) -> None:
    head, *votes = VOTES
    wanted = [dict(zip(head, vote, strict=True)) for vote in votes]
    assert packaged(made / "judged", "annotations") == wanted == described(made / "judged", "annotations")
    assert [row["item"] for row in packaged(made / "panel", "annotations")][:3] == [0, 1, 2]
    assert [row["row_id"] for row in packaged(made / "panel")] == list(range(12))


def test_arrays_through_both(made: Path) -> None:
    X = np.load(made / "conf" / "signals.npz")["X"]
    for rows in (packaged(made / "signals"), described(made / "signals")):
        read = np.array([[float(row[f"X_{j}"]) for j in range(6)] for row in rows], np.float32)
        np.testing.assert_array_equal(read, X)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_every_kind_is_valid_in_both_formats(name: str, form: Any, made: Path, tmp_path: Path) -> None:
    release(name, tmp_path / "out", made / "conf", form=form)
    done = validate(str(tmp_path / "out"))
    assert not done.findings
    assert done.asked["mlcroissant"].startswith("read all rows")
    assert done.asked["frictionless"].startswith("read all rows" if form == "csv" else "not asked")
    assert validate(name, made / "conf").ok


@pytest.mark.parametrize("name", ALL)
def test_an_archive_is_the_folder(name: str, made: Path) -> None:
    assert validate(str(made / f"{name}.zip")).ok


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("patients", {"label": "outcome", "id": "id", "group": "patient", "time": "visit", "part": "part",
                      "settings": {"missing": {"policy": "mean+flag"}, "rare": 1,
                                   "columns": {"age": "number", "ward_name": "category+meta", "weight": "number", "note": "drop"}}}),
        ("leaves", {"label": "folder", "id": "file", "rows": "images"}),
        ("reviews", {"label": "verdict", "rows": "text", "settings": {"dimension": 64}}),
        ("judged", {"label": "outcome", "id": "id", "votes": "annotations.csv",
                    "settings": {"missing": {"policy": "mean+flag"}, "rare": 1}}),
    ],
)  # fmt: skip
def test_a_release_is_a_data_set_again(name: str, keys: dict[str, Any], made: Path, tmp_path: Path) -> None:
    form: Any = "parquet" if name == "reviews" else "csv"
    release(name, tmp_path / "out", made / "conf", form=form)
    again = load(tmp_path / "out", "croissant", path="croissant.json", record_set="rows", **keys)
    first = datasets.settings(name, made / "conf").load()
    assert again.class_names == first.class_names
    assert again.y.tolist() == first.y.tolist()
    if name != "judged":
        np.testing.assert_array_equal(again.X, first.X)
    for key in ("group", "time", "part", "votes", "vote_label"):
        if key in again.extras:
            assert again.extras[key].tolist() == first.extras[key].tolist(), key
    if first.texts is not None:
        assert again.texts is not None
        assert list(again.texts) == list(first.texts)


@pytest.mark.parametrize("name", ALL)
def test_two_releases_are_the_same_bytes(name: str, made: Path, tmp_path: Path) -> None:
    release(name, tmp_path / "again", made / "conf", archive=True)
    files = sorted(path.relative_to(made / name) for path in (made / name).rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(tmp_path / "again") for path in (tmp_path / "again").rglob("*") if path.is_file()
    )
    for file in files:
        assert (made / name / file).read_bytes() == (tmp_path / "again" / file).read_bytes(), file
    assert (made / f"{name}.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()


def test_a_shipped_data_set(tmp_path: Path) -> None:
    done = release("digits", tmp_path / "out")
    assert done.rows == 1797
    rows = described(tmp_path / "out")
    digits = load_dataset("digits")
    np.testing.assert_array_equal(np.array([[row[f"X_{j}"] for j in range(64)] for row in rows], np.float32), digits.X)
    assert [row["y"] for row in rows] == digits.y.tolist()
    assert validate(str(tmp_path / "out")).ok


def test_arrays_of_a_parquet_file_are_one_column(made: Path, tmp_path: Path) -> None:
    signals(tmp_path / "conf", width=300)
    release("signals", tmp_path / "out", tmp_path / "conf")
    (rows,) = [path.name for path in (tmp_path / "out").glob("rows.*")]
    assert rows == "rows.parquet"
    X = np.load(tmp_path / "conf" / "signals.npz")["X"]
    records = described(tmp_path / "out")
    np.testing.assert_array_equal(np.array([row["X"] for row in records], np.float32), X)
    assert validate(str(tmp_path / "out")).ok
    keys = {"record_set": "rows", "label": "y", "group": "person", "settings": {"standardize": False}}
    again = load(tmp_path / "out", "croissant", path="croissant.json", **keys)
    np.testing.assert_array_equal(again.X, X)
    field = json.loads((tmp_path / "out" / "croissant.json").read_text())["recordSet"][0]["field"][0]
    assert (field["isArray"], field["arrayShape"]) == (True, "300")
    spoiled = tmp_path / "out" / "rows.parquet"
    spoiled.write_bytes(spoiled.read_bytes()[:-1])
    assert any("is no parquet file" in finding.what for finding in validate(str(tmp_path / "out")).findings)


def test_pictures_in_an_array(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "conf").mkdir()
    pixels = rng.integers(0, 256, (12, 4, 3)).astype(np.uint8)
    np.savez(tmp_path / "conf" / "tiny.npz", X=pixels, y=np.arange(12) % 2)
    write(tmp_path / "conf", "tiny", {"name": "arrays", "path": "tiny.npz", "scale": 255.0})
    for form in ("csv", "parquet"):
        release("tiny", tmp_path / form, tmp_path / "conf", form=form)
        assert validate(str(tmp_path / form)).ok
    assert list(described(tmp_path / "csv")[0])[:4] == ["X_0_0", "X_0_1", "X_0_2", "X_1_0"]
    assert described(tmp_path / "parquet")[3]["X"] == pixels[3].reshape(-1).tolist()
    assert diff(str(tmp_path / "csv"), str(tmp_path / "parquet")).asks == "patch"


def test_what_others_need_to_know_is_in_the_descriptions(made: Path) -> None:
    croissant = json.loads((made / "judged" / "croissant.json").read_text("utf-8"))
    assert croissant["conformsTo"] == ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
    assert croissant["license"] == ["https://spdx.org/licenses/CC-BY-4.0.html"]
    assert [creator["name"] for creator in croissant["creator"]] == ["Ada Example", "Example Institute"]
    assert croissant["datePublished"] == "2024-04-01"
    assert croissant["rai:dataBiases"] == croissant["rai:dataLimitations"] == ["Some weights were not taken"]
    assert croissant["rai:dataAnnotationProtocol"][0] == "Ask the doctor"
    assert croissant["rai:annotationsPerItem"] == "1.17 on average, 0 to 2, by 3 annotators"
    assert croissant["rai:personalSensitiveInformation"] == "No real people."
    assert all(len(file["sha256"]) == 64 for file in croissant["distribution"])
    package = json.loads((made / "judged" / "datapackage.json").read_text("utf-8"))
    assert package["contributors"] == [
        {"title": creator, "roles": ["creator"]} for creator in ("Ada Example", "Example Institute")
    ]
    votes = package["resources"][1]["schema"]
    assert votes["foreignKeys"] == [{"fields": ["item"], "reference": {"resource": "rows", "fields": ["id"]}}]
    card = (made / "judged" / "README.md").read_text("utf-8")
    assert card.startswith("---\nlicense: cc-by-4.0\npretty_name: Visits to four wards\n")
    assert "config_name: annotations" in card
    assert "https://spdx.org/licenses/CC-BY-4.0.html" in (made / "judged" / "LICENSE").read_text("utf-8")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_parts_that_are_numbers(form: Any, tmp_path: Path) -> None:
    """What says official parts must be of the type of the column that names them."""
    code = {"part": "part", "train": "0", "test": "2"}
    rows = [(*row[:-1], code[row[-1]]) for row in PATIENTS]
    columns = {**PATIENT_COLUMNS, "part": {"role": "part", "type": "integer", "values": ["0", "2"]}}
    release("patients", tmp_path / "out", patients(tmp_path / "conf", rows, columns=columns), form=form)
    assert validate(str(tmp_path / "out")).ok
    splits = described(tmp_path / "out", "splits")
    assert splits == [{"name": 0, "url": "cr:TrainingSplit"}, {"name": 2, "url": "cr:TestSplit"}]


def test_a_shipped_data_set_of_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (12, 5, 4)).astype(np.uint8)
    part = np.array([0, 2] * 6)
    data = Dataset("digits", pixels / np.float32(255), np.arange(12) // 2 % 2, ("a", "b"), {"part": part})
    monkeypatch.setattr(Digits, "load", lambda self: data)
    columns = {
        "X": {"role": "image", "type": "image", "least": 0, "most": 1},
        "y": {"role": "label", "type": "category"},
    }
    conf = write(tmp_path / "conf", "digits", {}, columns=columns)
    (conf / "dataset" / "digits.yaml").unlink()
    release("digits", tmp_path / "out", conf)
    rows = described(tmp_path / "out")
    assert [row["y"] for row in rows] == [data.class_names[y] for y in data.y]
    assert [row["part"] for row in rows] == ["train", "test"] * 6
    for row, picture in zip(rows, pixels, strict=True):
        np.testing.assert_array_equal(np.asarray(row["image"])[..., 0], picture)
    assert validate(str(tmp_path / "out")).ok
