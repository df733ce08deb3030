"""Tables by YAML: the same features as pandas and scikit-learn make, and everything said that was decided."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from harness.data.own import sheet
from harness.errors import ProtocolError
from tests.data.own import load, write_csv

pytestmark = pytest.mark.usefixtures("own_cache")
N = 60


@pytest.fixture
def frame() -> pd.DataFrame:
    """Sixty patients; ages and colours have gaps, three colours are rare."""
    rng = np.random.default_rng(5)
    age = rng.normal(50, 20, N).round(2)
    colour = rng.choice(["red", "green", "blue"], N)
    colour[[3, 17, 40]] = ["mauve", "ochre", "teal"]
    return pd.DataFrame(
        {
            "key": [f"p{i:03}" for i in range(N)],
            "age": age,
            "zip": rng.choice(["01234", "99999"], N),
            "colour": colour,
            "height": rng.integers(150, 200, N),
            "ward": rng.choice(["north", "south", "east", "west"], N),
            "seen": pd.date_range("2020-01-01", periods=N)[::-1].strftime("%Y-%m-%d"),
            "outcome": rng.choice(["well", "ill"], N),
        }
    )


def gaps(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    frame.loc[[2, 9], "age"] = np.nan
    frame.loc[[5], "colour"] = np.nan
    return frame


ROLES = {"label": "outcome", "id": "key", "group": "ward", "time": "seen"}


def test_features_are_those_of_scikit_learn(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "p.csv", index=False)
    data = load(tmp_path, "table", path="p.csv", **ROLES, rare=3)
    numbers = StandardScaler().fit_transform(frame[["age", "height"]])
    hot = OneHotEncoder(sparse_output=False)
    colours = OneHotEncoder(min_frequency=3, sparse_output=False).fit_transform(frame[["colour"]])
    expected = [numbers[:, :1], hot.fit_transform(frame[["zip"]]), colours, numbers[:, 1:]]
    np.testing.assert_allclose(data.X, np.concatenate(expected, axis=1), atol=1e-6)
    assert data.class_names == ("ill", "well")
    np.testing.assert_array_equal(data.y, (frame.outcome == "well").astype(int))
    assert data.extras["id"].tolist() == frame.key.tolist()
    assert data.extras["group"].tolist() == frame.ward.tolist()
    np.testing.assert_array_equal(data.extras["time"], frame.seen.to_numpy().astype("datetime64[us]"))
    assert any('columns: {"age": "number", "zip": "category"' in note for note in data.notes)
    assert any("3 levels of 'colour' with fewer than 3 rows are one" in n for n in data.notes)


def test_what_was_inferred_can_be_written_out(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "p.csv", index=False)
    inferred = load(tmp_path, "table", path="p.csv", **ROLES)
    columns = {"age": "number", "zip": "category", "colour": "category", "height": "number"}
    pinned = load(tmp_path, "table", path="p.csv", **ROLES, columns=columns)
    assert pinned.digest() == inferred.digest()
    assert not any("inferred" in note for note in pinned.notes)


def test_constants_come_from_the_training_part_alone(frame: pd.DataFrame, tmp_path: Path) -> None:
    part = np.array(["train"] * 40 + ["val"] * 5 + ["test"] * 15)
    frame["part"] = part
    odd: dict[str, Any] = {"age": 900, "colour": "chartreuse", "zip": "55555"}
    frame.loc[50, [*odd]] = [*odd.values()]
    gaps(frame).to_csv(tmp_path / "p.csv", index=False)
    keys: dict[str, Any] = {"path": "p.csv", **ROLES, "group": None, "part": "part", "rare": 3}
    keys |= {"missing": {"policy": "mean+flag"}, "columns": {"ward": "drop"}}
    data = load(tmp_path, "table", **keys)
    train, holed = frame[:40], gaps(frame)
    imputer = SimpleImputer(add_indicator=True).fit(holed[:40][["age"]])
    age = imputer.transform(holed[["age"]])
    scaler = StandardScaler().fit(age[:40, :1])
    levels = [*sorted(str(c) for c, k in holed[:40].colour.value_counts().items() if k >= 3)]
    colour = np.stack([holed.colour == c for c in levels], axis=1)
    other = ~holed.colour.isin(levels) & holed.colour.notna()  # rare or never seen in training
    np.testing.assert_allclose(data.X[:, 0], scaler.transform(age[:, :1])[:, 0], rtol=1e-6)
    np.testing.assert_array_equal(data.X[:, 1], age[:, 1])
    hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train[["zip"]])
    np.testing.assert_array_equal(data.X[:, 2:4], hot.transform(frame[["zip"]]))
    np.testing.assert_array_equal(data.X[:, 4:-1], np.column_stack([colour, other, holed.colour.isna()]))
    assert np.bincount(data.extras["part"]).tolist() == [40, 5, 15]
    assert any("'zip' are in no training row and are all zeros" in note for note in data.notes)
    frame.loc[50, ["age", "height"]] = [-900, 10]  # a test row: no other row's features may change
    gaps(frame).to_csv(tmp_path / "p.csv", index=False)
    again = load(tmp_path, "table", **keys)
    others = np.arange(N) != 50
    np.testing.assert_array_equal(again.X[others], data.X[others])


def test_without_constants_numbers_stay_as_they_are(frame: pd.DataFrame, tmp_path: Path) -> None:
    gaps(frame).to_csv(tmp_path / "p.csv", index=False)
    keys = {"columns": {"colour": "drop", "zip": "drop"}, "missing": {"policy": "mean+flag"}, "standardize": False}
    data = load(tmp_path, "table", path="p.csv", **ROLES, **keys)
    holed = gaps(frame)
    expected = np.column_stack([holed.age.fillna(0), holed.age.isna(), holed.height])
    np.testing.assert_array_equal(data.X, expected.astype(np.float32))


def test_missing_entries_are_refused_unless_a_policy_takes_them(frame: pd.DataFrame, tmp_path: Path) -> None:
    gaps(frame).to_csv(tmp_path / "p.csv", index=False, na_rep="?")
    with pytest.raises(ProtocolError, match=r"2 of 60 entries \(3%\) of column 'age' .*row 3 \(line 4\), row 10"):
        load(tmp_path, "table", path="p.csv", **ROLES)
    with pytest.raises(ProtocolError, match="policy is category, which is for categories only"):
        load(tmp_path, "table", path="p.csv", **ROLES, missing={"policy": "category"})
    no_age = {"columns": {"age": "drop"}, "missing": {"policy": "category"}}
    data = load(tmp_path, "table", path="p.csv", **ROLES, **no_age, rare=1)
    missing = data.X[:, 2 + 6]  # after two codes and six colours
    assert np.flatnonzero(missing).tolist() == [5]


def test_columns_kept_beside_the_features(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "p.csv", index=False)
    columns = {"zip": "meta", "colour": "category+meta", "height": "number+meta", "age": "drop"}
    data = load(tmp_path, "table", path="p.csv", **ROLES, columns=columns, rare=1)
    assert data.X.shape == (N, 6 + 1)
    assert data.extras["zip"].tolist() == frame.zip.astype(float).tolist()  # all of them numbers
    assert data.extras["colour"].tolist() == frame.colour.tolist()
    np.testing.assert_array_equal(data.extras["height"], frame.height)


def test_labels_that_are_whole_numbers_keep_their_order(tmp_path: Path) -> None:
    write_csv(tmp_path / "n.csv", [("x", "y"), *[(i, (2, 10, 1)[i % 3]) for i in range(12)]])
    data = load(tmp_path, "table", path="n.csv", label="y")
    assert data.class_names == ("1", "2", "10")
    assert data.y[:3].tolist() == [1, 2, 0]
    np.testing.assert_array_equal(data.extras["id"], np.arange(12))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_separators_and_odd_names(encoding: str, separator: str, tmp_path: Path) -> None:
    rows = [
        ("Größe (m²)", "ü/label", "naïve"),
        *[(1 + i / 7, "ja" if i % 2 else "né", f'"a{separator}""b"""') for i in range(10)],
    ]
    write_csv(tmp_path / "odd — naïve.csv", rows, separator, encoding)
    keys = {"encoding": "utf-8" if encoding == "utf-8-sig" else encoding, "separator": separator}
    data = load(tmp_path, "table", path="odd — naïve.csv", label="ü/label", columns={"naïve": "meta"}, **keys)
    assert data.class_names == ("ja", "né")
    assert data.extras["naïve"][0] == f'a{separator}"b"'
    assert data.name == "odd — naïve"


def test_the_sheet_is_what_pandas_reads(tmp_path: Path) -> None:
    text = 'a,b,c\n1,"x, y","two\nlines"\n\n2,"say ""so""",\r\n3,z,"tail"'
    (tmp_path / "t.csv").write_bytes(text.encode())
    ours = sheet.read(tmp_path / "t.csv")
    theirs = pd.read_csv(tmp_path / "t.csv", dtype=str, keep_default_na=False)
    assert ours.columns == {name: theirs[name].tolist() for name in theirs}
    assert ours.where(range(3)) == "row 1 (line 2), row 2 (line 5), row 3 (line 6)"
    assert ours.notes == ("t.csv has 1 empty lines, which are no rows.",)


def test_json_lines(tmp_path: Path) -> None:
    rows = "".join(f'{{"x": {i}.5, "y": "{"ab"[i % 2]}", "z": null}}\n' for i in range(10))
    (tmp_path / "t.jsonl").write_text(rows)
    data = load(tmp_path, "table", path="t.jsonl", label="y", columns={"z": "drop"})
    np.testing.assert_allclose(data.X[:, 0], StandardScaler().fit_transform(np.arange(10.0)[:, None])[:, 0], rtol=1e-6)


def test_times_with_offsets_are_compared_in_utc(tmp_path: Path) -> None:
    stamps = [f"2024-03-01T12:00:00+0{i % 3}:00" for i in range(8)]
    write_csv(tmp_path / "t.csv", [("x", "when", "y"), *[(i, stamps[i], i % 2) for i in range(8)]])
    data = load(tmp_path, "table", path="t.csv", label="y", time="when")
    utc = [datetime.fromisoformat(stamp).astimezone(UTC).replace(tzinfo=None) for stamp in stamps]
    np.testing.assert_array_equal(data.extras["time"], np.array(utc, "datetime64[us]"))


def test_votes_in_columns_and_in_a_file_are_the_same(tmp_path: Path) -> None:
    ann = [("a", "b", ""), ("a", "a", "b"), ("", "", ""), ("b", "", "b"), ("b", "b", "b"), ("a", "", "")]
    truth = ["a", "a", "b", "b", "b", "a"]
    rows = [(f"i{k}", k, t, *votes) for k, (t, votes) in enumerate(zip(truth, ann, strict=True))]
    write_csv(tmp_path / "wide.csv", [("key", "x", "y", "p", "q", "r"), *rows])
    wide = load(tmp_path, "table", path="wide.csv", label="y", id="key", votes=["p", "q", "r"])
    long = [(f"i{k}", "pqr"[j], v) for k, votes in enumerate(ann) for j, v in enumerate(votes) if v]
    write_csv(tmp_path / "votes.csv", [("item", "worker", "label"), *long[::-1]])
    columns = dict.fromkeys("pqr", "drop")
    data = load(tmp_path, "table", path="wide.csv", label="y", id="key", votes="votes.csv", columns=columns)
    expected = [[sum(v == c for v in votes) for c in "ab"] for votes in ann]
    for found in (wide, data):
        assert found.extras["votes"].tolist() == expected
        assert found.extras["vote_annotator"][1].tolist() == [0, 1, 2]
        assert found.extras["vote_label"][1].tolist() == [0, 0, 1]
        assert found.extras["vote_annotator"][2].tolist() == [-1, -1, -1]
    assert wide.extras["q"].tolist() == [1, 0, -1, -1, 1, -1]  # a noise kind of the debugging track
    assert wide.X.shape == (6, 1)


def test_findings_are_said_and_nothing_is_dropped(tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [(1.0, "c", i % 4, "ab"[i % 2]) for i in range(8)]
    rows += [(2.0, "c", i, "ab"[i // 2 % 2]) for i in (50, 50, 51, 52, 53)]
    rows += [("?", "c", i, "b") for i in range(60, 80)]
    parts = ["train"] * 6 + ["test"] * 20 + ["train"] * 7
    write_csv(
        tmp_path / "f.csv", [("u", "k", "v", "y", "p"), *[(*row, part) for row, part in zip(rows, parts, strict=True)]]
    )
    keys = {"missing": {"policy": "mean+flag"}, "part": "p"}
    data = load(tmp_path, "table", path="f.csv", label="y", **keys)
    assert len(data.y) == 33
    said = " ".join(data.notes)
    assert "20 of 33 entries (61%) of column 'u' are missing." in said
    assert "features are the same in every row: k=c." in said
    assert "rows are equal to another in all features, e.g. row 1 (line 2), row 5 (line 6)" in said
    assert "in more than one official part" in said
    assert "Class 'a' has" in said
    assert "unpinned: " in said
    torn = [("x", "y"), (1, "a"), (1, "b"), (2, "a"), (3, "b"), (3, "b")]
    write_csv(tmp_path / "g.csv", torn)
    said = " ".join(load(tmp_path, "table", path="g.csv", label="y").notes)
    assert "2 of them have different labels, e.g. row 1 (line 2), row 2 (line 3)" in said


def test_a_column_that_counts_is_suspected_to_be_an_id(tmp_path: Path) -> None:
    write_csv(tmp_path / "n.csv", [("number", "x", "y"), *[(i + 100, i % 5, i % 2) for i in range(30)]])
    assert "'number' is different in every row: an id?" in " ".join(
        load(tmp_path, "table", path="n.csv", label="y").notes
    )
