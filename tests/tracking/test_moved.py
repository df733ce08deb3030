"""A runs directory that was copied or moved: the copy never reads or writes the original."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.tracking import delivery, places
from harness.tracking.addresses import sqlite_uri, tracking_uri
from harness.tracking.mlflow_store import create_database, open_store
from harness.tracking.places import local_path, location, resolved
from tests.tracking.made import FINGERPRINT, made_run, run_id
from tests.tracking.test_held import artifact, compared, edit, rows, wanted

ODD = ["a b", "a%20b", "a#b", "größe 中", "mlartifacts"]


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="module")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("moved") / "runs"
    for name, skill in (("good", 0.9), ("fair", 0.6)):
        made_run(place, name, skill)
    return place


@pytest.fixture
def original(_made_once: Path, tmp_path: Path) -> Path:
    """A directory whose store knows it under this very name."""
    place = tmp_path / "original" / "runs"
    shutil.copytree(_made_once, place)
    open_store(tracking_uri(place))
    assert str(place) in addresses(place)[0]
    return place


def addresses(place: Path) -> list[str]:
    """What the database itself says, in experiments and runs."""
    with closing(sqlite3.connect(place / "mlflow.db")) as database:
        experiments = database.execute("SELECT artifact_location FROM experiments WHERE name LIKE 'made@%'")
        found = [row[0] for row in experiments]
        return found + [row[0] for row in database.execute("SELECT artifact_uri FROM runs ORDER BY name")]


def content(place: Path) -> dict[str, str]:
    files = sorted(path for path in place.rglob("*") if path.is_file())
    return {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("fate", ["there", "changed", "gone"])
def test_a_copy_reads_and_writes_itself_alone(fate: str, original: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(original, copy)
    if fate == "changed":
        edit(original / artifact(original).relative_to(original))
    if fate == "gone":
        shutil.rmtree(original)
    before = content(original)
    assert compared(copy) == []
    assert content(copy)["mlflow.db"] == before.get("mlflow.db", content(copy)["mlflow.db"]), "reading changes nothing"
    made_run(copy, "late", 0.5)
    made_run(copy, "fair", 0.4)  # its earlier delivery is replaced
    assert compared(copy) == []
    assert content(original) == before
    assert all(address.startswith(f"file://{copy}/mlartifacts/") for address in addresses(copy))
    kept = {path.parents[1].name for path in copy.glob("mlartifacts/*/*/artifacts/record.json")}
    assert {row.mlflow_id for row in rows(copy).values()} <= kept
    edit(artifact(copy, "good"))
    assert [named for named, _ in compared(copy)] == [run_id("good")]


def test_artifacts_that_a_copy_lost_are_not_those_of_the_original(original: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(original, copy)
    shutil.rmtree(copy / "mlartifacts")
    before = content(original)
    assert {named for named, text in compared(copy) if "missing" in text} == {run_id("good"), run_id("fair")}
    assert set(delivery.sync(copy)[0]) == {run_id("fair"), run_id("good")}
    assert compared(copy) == []
    assert content(original) == before


@pytest.mark.parametrize("name", ODD)
def test_a_directory_may_be_moved_to_any_name_and_back(name: str, original: Path, tmp_path: Path) -> None:
    moved = tmp_path / name
    original.rename(moved)
    assert compared(moved) == []
    made_run(moved, "late", 0.5)
    assert compared(moved) == []
    moved.rename(original)
    assert compared(original) == []
    assert delivery.sync(original) == ([], {})
    made_run(original, "later", 0.5)
    assert compared(original) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "original"]


def test_the_database_names_its_place_whole_or_not_at_all(
    original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended between experiment and runs: nothing is changed, and the next one does both."""
    moved = tmp_path / "elsewhere"
    original.rename(moved)
    before = addresses(moved)
    asked = 0

    def cut_short(address: str, database: Path | None) -> str:
        nonlocal asked
        asked += 1
        if asked == 4:
            raise KeyboardInterrupt
        return resolved(address, database)

    with monkeypatch.context() as patched:
        patched.setattr(places, "resolved", cut_short)
        with pytest.raises(KeyboardInterrupt):
            open_store(tracking_uri(moved))
    assert addresses(moved) == before
    open_store(tracking_uri(moved))
    assert all(str(moved) in address for address in addresses(moved))


def test_a_link_to_the_directory_moves_nothing(original: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(original)
    before = addresses(original)
    open_store(tracking_uri(link))
    assert addresses(original) == before
    assert compared(link) == []


def test_a_database_of_its_own_keeps_its_artifacts_beside_it(original: Path, tmp_path: Path) -> None:
    """A store that several runs directories share can be moved as well."""
    shared = tmp_path / "shared"
    shared.mkdir()
    create_database(shared / "store.db")
    delivery.sync(original, sqlite_uri(shared / "store.db"))
    assert len(list(shared.glob("mlartifacts/*/*/artifacts/record.json"))) == 2
    shared.rename(tmp_path / "moved")
    assert compared(original, sqlite_uri(tmp_path / "moved" / "store.db")) == []


def test_addresses_of_others_stay_as_they_are(original: Path) -> None:
    database = original / "mlflow.db"
    ours = location(Path("/was"), FINGERPRINT)
    assert local_path(resolved(ours, database)) == original / "mlartifacts" / FINGERPRINT[:12]
    remote = f"s3://bucket/mlartifacts/{FINGERPRINT[:12]}"
    for address in (remote, f"{ours}/../../x", "mlflow-artifacts:/1", "file:///was/1", "", "/was"):
        assert resolved(address, database) == address
    assert resolved(ours, None) == ours
    assert resolved(ours, Path("/nobody/keeps/artifacts/here.db")) == ours


def test_a_locked_store_says_so(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.tracking.mlflow_store._BUSY_SECONDS", 0.2)
    expected = wanted(original)
    assert expected
    with closing(sqlite3.connect(original / "mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(HarnessError, match="locked"):
            open_store(tracking_uri(original))
