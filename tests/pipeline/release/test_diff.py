"""What two versions do not share, and whether their numbers say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.pipeline.release.diff import diff, step
from harness.pipeline.release.write import release
from tests.pipeline.release.data import (
    ABOUT,
    PATIENT_COLUMNS,
    PATIENTS,
    VOTES,
    judged,
    leaves,
    panel,
    patients,
    reviews,
)

Rows = list[tuple[str, ...]]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def versions(*numbers: str) -> dict[str, Any]:
    return {"versions": [{"version": number} for number in ("1.0.0", *numbers)]}


def replaced(row: int, column: str, value: str) -> Rows:
    rows = [list(cells) for cells in PATIENTS]
    rows[row][PATIENTS[0].index(column)] = value
    return [tuple(cells) for cells in rows]


CASES: list[tuple[str, Rows, dict[str, Any], dict[str, Any]]] = [
    ("nothing", PATIENTS, {}, {"asks": "none"}),
    ("another order", [PATIENTS[0], *PATIENTS[:0:-1]], {}, {"asks": "patch", "packaged": True}),
    ("other words", PATIENTS, {"purpose": "Who was ill?"}, {"asks": "patch", "described": True}),
    ("written otherwise", replaced(1, "weight", "70.5"), {}, {"asks": "patch", "packaged": True}),
    ("a row more", [*PATIENTS, ("v7", "p5", "2024-04-01", "20", "east", "60", "calm", "well", "train")], {}, {"asks": "minor", "added": ["v7"]}),
    ("a row less", PATIENTS[:-1], {}, {"asks": "major", "removed": ["v6"]}),
    ("relabelled", replaced(1, "outcome", "ill"), {}, {"asks": "major", "relabelled": ["v1"]}),
    ("changed", replaced(2, "weight", "70"), {}, {"asks": "major", "changed": ["v2"]}),
    ("another id", replaced(2, "id", "v9"), {}, {"asks": "major", "added": ["v9"], "removed": ["v2"]}),
    ("a column more", [(*row, "new" if not i else str(i)) for i, row in enumerate(PATIENTS)],
     {"columns": {**PATIENT_COLUMNS, "new": {"type": "integer"}}}, {"asks": "minor", "columns_added": ["new"], "described": True}),
    ("a column less", [(*row[:6], *row[7:]) for row in PATIENTS],
     {"columns": {key: value for key, value in PATIENT_COLUMNS.items() if key != "note"}}, {"asks": "major", "columns_removed": ["note"], "described": True}),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "spec", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_changed_and_what_it_asks_for(
    rows: Rows, spec: dict[str, Any], wanted: dict[str, Any], tmp_path: Path
) -> None:
    release("patients", tmp_path / "a", patients(tmp_path / "conf"), archive=True)
    conf = patients(tmp_path / "conf", rows, **spec)
    if "note" in wanted.get("columns_removed", ()):
        config = conf / "dataset" / "patients.yaml"
        config.write_text(config.read_text().replace("  note: drop\n", ""))
    release("patients", tmp_path / "b", conf)
    plain = diff(str(tmp_path / "a"), str(tmp_path / "b")).as_dict()
    assert plain == diff(str(tmp_path / "a.zip"), str(tmp_path / "b")).as_dict()
    empty: dict[str, Any] = {"columns_added": [], "columns_removed": [], "described": False}
    empty |= {kind: [] for kind in ("added", "removed", "relabelled", "changed")}
    for key, value in {**empty, **wanted}.items():
        assert (plain[key]["first"] if isinstance(plain[key], dict) else plain[key]) == value, key
    assert plain["ok"] == (wanted["asks"] == "none")
    by_name = diff(str(tmp_path / "a"), "patients", conf).as_dict()
    assert by_name | {"asks": "", "packaged": 0, "ok": 0, "problem": 0} == plain | {
        "asks": "",
        "packaged": 0,
        "ok": 0,
        "problem": 0,
    }


@pytest.mark.parametrize(
    ("number", "ok"), [("1.0.0", False), ("1.0.1", False), ("1.1.0", True), ("1.0.9", False), ("2.0.0", True)]
)
def test_a_row_more_needs_a_minor_version(
    number: str, ok: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release("patients", tmp_path / "a", patients(tmp_path / "conf"))
    more = [*PATIENTS, ("v7", "p5", "2024-04-01", "20", "east", "60", "calm", "well", "train")]
    changes = versions(number) if number != "1.0.0" else {}
    release("patients", tmp_path / "b", patients(tmp_path / "conf", more, **changes))
    assert main(["dataset", "diff", str(tmp_path / "a"), str(tmp_path / "b")]) == (0 if ok else 1)
    said = capsys.readouterr().out
    assert "added       1 rows: v7" in said
    assert "asks for    a minor version" in said
    assert ("asks for a minor one." in said) is not ok
    assert main(["dataset", "diff", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == (0 if ok else 1)
    assert json.loads(capsys.readouterr().out)["ok"] is ok


def test_versions_that_go_backwards_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release("patients", tmp_path / "a", patients(tmp_path / "conf", **versions("1.2.0")))
    release("patients", tmp_path / "b", patients(tmp_path / "conf", **versions("1.1.9")))
    assert main(["dataset", "diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    assert "goes backwards, from 1.2.0 to 1.1.9" in capsys.readouterr().out


def test_steps() -> None:
    pairs = {
        "1.2.3": "none",
        "1.2.4": "patch",
        "1.3.0": "minor",
        "2.0.0": "major",
        "1.2.2": "backwards",
        "0.9.9": "backwards",
    }
    for version, wanted in {**pairs, "1.10.0": "minor"}.items():
        assert step("1.2.3", version) == wanted


def test_rows_without_ids_are_a_multiset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = reviews(tmp_path / "conf")
    release("reviews", tmp_path / "a", conf)
    path = conf / "reviews.csv"
    path.write_bytes(path.read_bytes().replace(b"007,dislike", b"007,like") + b"More,like\nMore,like\n")
    release("reviews", tmp_path / "b", conf)
    done = diff(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (done.by_id, done.added.count, done.removed.count) == (False, 3, 1)
    assert done.asks == "major"
    assert main(["dataset", "diff", str(tmp_path / "a"), str(tmp_path / "b")]) == 1
    assert "compared by content, as a multiset" in capsys.readouterr().out


def test_positions_are_no_ids(tmp_path: Path) -> None:
    conf = panel(tmp_path / "conf")
    release("panel", tmp_path / "a", conf)
    head, *rows = (conf / "panel.csv").read_text().splitlines()
    (conf / "panel.csv").write_text("\n".join([head, *rows[::-1]]) + "\n")
    release("panel", tmp_path / "b", conf)
    done = diff(str(tmp_path / "a"), str(tmp_path / "b"))
    assert not done.by_id
    assert (done.added.count, done.removed.count) == (0, 0)


def test_pictures_by_their_content(tmp_path: Path) -> None:
    conf = leaves(tmp_path / "conf")
    release("leaves", tmp_path / "a", conf)
    (conf / "leaves" / "oak" / "leaf 0.png").write_bytes((conf / "leaves" / "oak" / "leaf 2.png").read_bytes())
    (conf / "leaves" / "oak" / "leaf 4.png").rename(conf / "leaves" / "elm tree" / "leaf 4.png")
    done = diff(str(tmp_path / "a"), "leaves", conf)
    assert done.changed.first == ("images/oak/leaf 0.png",)
    assert done.added.first == ("images/elm tree/leaf 4.png",)
    assert done.removed.first == ("images/oak/leaf 4.png",)


def test_votes(tmp_path: Path) -> None:
    release("judged", tmp_path / "a", judged(tmp_path / "conf"))
    done = diff(str(tmp_path / "a"), "judged", judged(tmp_path / "conf", [*VOTES, ("v4", "ann", "ill")]))
    assert (done.votes_added, done.votes_removed, done.asks) == (1, 0, "minor")
    done = diff(str(tmp_path / "a"), "judged", judged(tmp_path / "conf", VOTES[:-1]))
    assert (done.votes_added, done.votes_removed, done.asks) == (0, 1, "major")


def test_two_data_sets_are_no_versions_of_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judged(tmp_path / "conf")
    assert main(["dataset", "diff", "patients", "judged", "--config-dir", str(tmp_path / "conf")]) == 2
    assert "two data sets, not two versions of one" in capsys.readouterr().err


def test_a_release_that_cannot_be_read(tmp_path: Path) -> None:
    release("patients", tmp_path / "a", patients(tmp_path / "conf", **ABOUT))
    (tmp_path / "a" / "spec.yaml").write_text("[")
    assert main(["dataset", "diff", str(tmp_path / "a"), str(tmp_path / "a")]) == 2
