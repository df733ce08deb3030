"""Runs brought back from a store alone: whole or not at all, never over what is there, whatever the archives hold."""

from __future__ import annotations

import io
import json
import shutil
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.errors import HarnessError, ProtocolError, Status
from harness.leaderboard.board import build
from harness.protocol import folder as folders
from harness.tracking import archive, delivery, ledger
from harness.tracking.addresses import sqlite_uri, tracking_uri
from harness.tracking.importing import import_runs
from harness.tracking.mlflow_store import create_database
from harness.tracking.record import CellRecord, record_sha256
from harness.tracking.runs import RunsDir
from tests.tracking.made import DATA, FINGERPRINT, SEEDS, challenge, made_run, run_id
from tests.tracking.servers import mlflow_server
from tests.tracking.test_held import ALL, REFERENCES, compared

FAIR = run_id("fair")


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))  # no key of the one who tests


@pytest.fixture(scope="module")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A runs directory, and a store elsewhere that has its runs."""
    place = tmp_path_factory.mktemp("imported")
    (place / "store").mkdir()
    create_database(place / "store" / "store.db")
    for name, skill in (*REFERENCES, ("good", 0.9), ("fair", 0.6)):
        made_run(place / "runs", name, skill, deliver=False)
        delivery.deliver(place / "runs" / run_id(name), sqlite_uri(place / "store" / "store.db"))
    return place


@pytest.fixture
def source(_made_once: Path, tmp_path: Path) -> Path:
    shutil.copytree(_made_once / "runs", tmp_path / "source")
    return tmp_path / "source"


@pytest.fixture
def store(_made_once: Path, tmp_path: Path) -> str:
    shutil.copytree(_made_once / "store", tmp_path / "store")
    return sqlite_uri(tmp_path / "store" / "store.db")


def kept(place: Path) -> dict[str, bytes]:
    """Records, cells and submissions of a runs directory."""
    files = [*place.glob("*/record.json"), *place.glob("*/cells/**/*"), *place.glob("submissions/*/**/*")]
    return {str(path.relative_to(place)): path.read_bytes() for path in files if path.is_file()}


def shown(place: Path, uri: str | None = None) -> str:
    """The board, but for how far the ledger had come."""
    board = build(challenge(), DATA, place, uri).as_dict()
    del board["ledger"]
    return json.dumps(board, indent=1)


def artifacts(tmp_path: Path, name: str) -> Path:
    """Folder of a run's artifacts in the store."""
    (found,) = [
        path.parent
        for path in (tmp_path / "store" / "mlartifacts").glob("*/*/artifacts/record.json")
        if json.loads(path.read_bytes())["submission"] == name
    ]
    return found


def test_a_round_trip_gives_the_same_files_and_the_same_board(source: Path, store: str, tmp_path: Path) -> None:
    before, files = shown(source, store), kept(source)
    shutil.rmtree(source)
    done = import_runs(tmp_path / "new", store, who="an organiser")
    assert (set(done.brought), done.known, dict(done.refused)) == (ALL, (), {})
    assert kept(tmp_path / "new") == files
    assert shown(tmp_path / "new", store) == before
    assert set(delivery.sync(tmp_path / "new")[0]) == ALL
    assert shown(tmp_path / "new") == before, "with a store of its own as well"
    entries = ledger.read(tmp_path / "new")
    assert [entry.kind for entry in entries] == ["import", "run", "run", "run", "run"]
    assert (entries[0].who, entries[0].note) == ("an organiser", f"runs of {store}")
    assert ledger.verify(tmp_path / "new") == []
    assert import_runs(tmp_path / "new", store).known == tuple(sorted(ALL))
    assert len(ledger.read(tmp_path / "new")) == 5, "nothing was imported, so nothing is said"


def test_a_copied_archive_is_read_where_it_lies(source: Path, store: str, tmp_path: Path) -> None:
    """The store was moved with its artifacts; the place they had is gone."""
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    assert set(import_runs(tmp_path / "new", sqlite_uri(tmp_path / "elsewhere" / "store.db")).brought) == ALL


def test_from_another_runs_directorys_own_store(source: Path, tmp_path: Path) -> None:
    """Cells and submissions lie beside such a store and are not copied into it."""
    delivery.sync(source)
    assert not list(source.rglob("*.zip"))
    assert set(import_runs(tmp_path / "new", tracking_uri(source)).brought) == ALL
    assert kept(tmp_path / "new") == kept(source)


def test_archives_have_the_same_bytes_each_time(source: Path) -> None:
    runs = RunsDir(source)
    record = runs.load_record(FAIR)
    packed = []
    for _ in range(2):
        into = io.BytesIO()
        assert archive.pack_cells(runs, record, into)
        packed.append(into.getvalue())
        for path in (source / FAIR / "cells").rglob("*"):
            path.touch()
    assert packed[0] == packed[1]
    with zipfile.ZipFile(io.BytesIO(packed[0])) as read:
        names = read.namelist()
    assert names == sorted(names)
    assert f"cells/{SEEDS - 1}/items/y_pred.npy" in names


def test_logs_of_a_kept_secret_stay_here(tmp_path: Path) -> None:
    create_database(tmp_path / "store.db")
    settings = {**challenge().published(), "secret": None}
    made_run(tmp_path / "runs", "fair", deliver=False, settings=settings)
    delivery.deliver(tmp_path / "runs" / FAIR, sqlite_uri(tmp_path / "store.db"))
    (packed,) = tmp_path.rglob("cells.zip")
    assert not [name for name in zipfile.ZipFile(packed).namelist() if "log" in name]
    assert import_runs(tmp_path / "new", sqlite_uri(tmp_path / "store.db")).brought == (FAIR,)
    assert RunsDir(tmp_path / "new").load_cell(FAIR, 0) is not None


def test_a_submission_of_which_nothing_could_be_run(tmp_path: Path) -> None:
    """Its cells were never kept, and itself neither: the record alone comes back."""
    create_database(tmp_path / "store.db")
    cells = (CellRecord(seed=0, status=Status.INVALID_SUBMISSION, reason="no manifest"),)
    changes: dict[str, Any] = {
        "status": Status.INVALID_SUBMISSION,
        "score": None,
        "ci95": None,
        "normalised": None,
        "cells": cells,
    }
    made_run(tmp_path / "runs", "fair", deliver=False, reason="no manifest", **changes)
    shutil.rmtree(tmp_path / "runs" / "submissions")
    shutil.rmtree(tmp_path / "runs" / FAIR / "cells")
    delivery.deliver(tmp_path / "runs" / FAIR, sqlite_uri(tmp_path / "store.db"))
    assert not list(tmp_path.rglob("*.zip"))
    assert import_runs(tmp_path / "new", sqlite_uri(tmp_path / "store.db")).brought == (FAIR,)
    assert kept(tmp_path / "new") == kept(tmp_path / "runs")


# --- what is there ---


def test_nothing_is_overwritten(source: Path, store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new"
    made_run(new, "fair", 0.2, deliver=False)  # another record under the same id
    made_run(new, "good", 0.3, deliver=False)  # only another cell: the run was not recorded yet
    (new / run_id("good") / "record.json").unlink()
    (new / "ledger.jsonl").unlink()
    ledger.append(new, "run", FAIR)
    before = kept(new)
    assert main(["import", "--runs-dir", str(new), "--tracking-uri", store]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "2 imported, 0 were here, 2 refused"
    assert f"{FAIR}: Another record is here" in out
    assert f"{run_id('good')}: Another cell of seed 0 is here" in out
    after = kept(new)
    assert {name: content for name, content in after.items() if name in before} == before
    assert not (new / run_id("good") / "record.json").exists()


def test_a_ledger_of_another_record_is_a_conflict(store: str, tmp_path: Path) -> None:
    ledger.append(tmp_path / "new", "run", FAIR, record_sha256="0" * 64)
    assert "The ledger here has another record" in import_runs(tmp_path / "new", store).refused[FAIR]


def test_a_damaged_copy_of_the_submission_is_left_alone(source: Path, store: str, tmp_path: Path) -> None:
    digest = RunsDir(source).load_record(FAIR).submission_digest
    assert digest is not None
    place = tmp_path / "new" / "submissions" / digest
    place.mkdir(parents=True)
    (place / "algorithm.py").write_text("other")
    assert "is not what its name says" in import_runs(tmp_path / "new", store).refused[FAIR]
    assert (place / "algorithm.py").read_text() == "other"


def test_what_is_asked_for(store: str, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match=r"no runs of nonsense\. It has runs of made"):
        import_runs(tmp_path / "new", store, ["nonsense"])
    with pytest.raises(ProtocolError, match="own store"):
        import_runs(tmp_path / "new", None)
    with pytest.raises(ProtocolError, match="does not exist"):
        import_runs(tmp_path / "new", sqlite_uri(tmp_path / "no.db"))
    with pytest.raises(HarnessError, match="not an MLflow store"):
        import_runs(tmp_path / "new", "ftp://somewhere")
    assert not (tmp_path / "new").exists()
    assert set(import_runs(tmp_path / "new", store, ["made"]).brought) == ALL


KILLED = """
import os, signal, sys
from harness.tracking import bringing, ledger
from harness.tracking.importing import import_runs
left = int(sys.argv[4])
def dying(real):
    def act(*args, **kwargs):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return act
point = sys.argv[3]
if point == "append":
    ledger.Ledger.append = dying(ledger.Ledger.append)
else:
    setattr(bringing, point, dying(getattr(bringing, point)))
import_runs(sys.argv[1], sys.argv[2])
"""


@pytest.mark.parametrize(
    ("point", "times"),
    [("_rename", 1), ("_rename", 3), ("write_new", 7), ("write_text_atomic", 2), ("append", 1), ("append", 2)],
)
def test_a_kill_in_the_middle_and_a_second_import(
    point: str, times: int, source: Path, store: str, tmp_path: Path
) -> None:
    line = [sys.executable, "-c", KILLED, str(tmp_path / "new"), store, point, str(times)]
    assert subprocess.run(line, check=False).returncode == -signal.SIGKILL
    for record in (tmp_path / "new").glob("*/record.json"):  # no run without all of its cells
        assert all(RunsDir(tmp_path / "new").load_cell(record.parent.name, seed) for seed in range(SEEDS))
    done = import_runs(tmp_path / "new", store)
    assert set(done.brought) | set(done.known) == ALL
    assert done.refused == {}
    assert kept(tmp_path / "new") == kept(source)
    assert ledger.verify(tmp_path / "new") == []
    assert shown(tmp_path / "new", store) == shown(source, store)


# --- archives of others ---


def packed(entries: dict[str, bytes], kind: int = stat.S_IFREG) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (kind | 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, content)
    return into.getvalue()


def unpacked(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name) for name in file.namelist()}


def with_entry(name: str, data: bytes = b"x", kind: int = stat.S_IFREG) -> Callable[[bytes], bytes]:
    return lambda content: packed({**unpacked(content), name: data}, kind)


def twice(content: bytes) -> bytes:
    into = io.BytesIO(content)
    with zipfile.ZipFile(into, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr(file.namelist()[0], b"other")
    return into.getvalue()


def link(content: bytes) -> bytes:
    entries = unpacked(content)
    return packed(dict.fromkeys(entries, b"/etc/passwd"), stat.S_IFLNK)


def bomb(content: bytes) -> bytes:
    """A little archive of a lot: 70 MB of zeros among a submission's files."""
    return packed({**unpacked(content), "zeros.bin": bytes(70 * 2**20)})


def liar(content: bytes) -> bytes:
    """An entry that says it is shorter than what it unpacks to."""
    entries = unpacked(content)
    name = next(iter(entries))
    data = packed({**entries, name: bytes(10**6)})
    return data.replace((10**6).to_bytes(4, "little"), (10).to_bytes(4, "little"))


def edited(content: bytes) -> bytes:
    return packed({name: data.replace(b"range", b"sorted") for name, data in unpacked(content).items()})


def score(content: bytes) -> bytes:
    """A better score in a cell.json that is as good as any."""
    entries = unpacked(content)
    cell = json.loads(entries["cells/0/cell.json"])
    entries["cells/0/cell.json"] = json.dumps({**cell, "score": 1.0}).encode()
    return packed(entries)


def items(content: bytes) -> bytes:
    entries = unpacked(content)
    entries["cells/0/items/y_pred.npy"] = entries["cells/0/items/y_true.npy"]
    return packed(entries)


def without(name: str) -> Callable[[bytes], bytes]:
    return lambda content: packed({key: data for key, data in unpacked(content).items() if not key.startswith(name)})


def encrypted(content: bytes) -> bytes:
    """The flag of an encrypted entry in every header."""
    data = bytearray(content)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + at] |= 1
            place = data.find(mark, place + 4)
    return bytes(data)


HOSTILE: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "climbs out": ("submission.zip", with_entry("../../escaped.py"), "does not belong there"),
    "absolute": ("submission.zip", with_entry("/tmp/escaped.py"), "does not belong there"),
    "climbs out of a cell": ("cells.zip", with_entry("cells/0/../../../escaped"), "does not belong there"),
    "NUL": ("submission.zip", lambda c: with_entry("aQb")(c).replace(b"aQb", b"a\0b"), "does not belong there"),
    "foreign name": ("cells.zip", with_entry("cells/0/output/x.pkl"), "does not belong there"),
    "another seed": ("cells.zip", with_entry("cells/99/cell.json"), "has a cell of seed 99"),
    "too deep": ("submission.zip", with_entry("/".join("d" * 40)), "does not belong there"),
    "file and folder": ("submission.zip", with_entry("algorithm.py/x"), "a file and a folder of one name"),
    "links": ("submission.zip", link, "not a regular file"),
    "links for cells": ("cells.zip", link, "not a regular file"),
    "twice": ("cells.zip", twice, "two entries of the name"),
    "bomb": ("submission.zip", bomb, "holds more than 64 MB"),
    "too many": ("submission.zip", lambda c: packed({f"f{i}": b"" for i in range(1001)}), "more than 1000 files"),
    "lies about its size": ("submission.zip", liar, "its submission.zip"),
    "no zip": ("cells.zip", lambda c: b"PK\x03\x04 nonsense" * 100, "no zip file that can be read"),
    "cut short": ("cells.zip", lambda c: c[: len(c) // 2], "no zip file that can be read"),
    "empty": ("cells.zip", lambda c: packed({}), "lacks the cell of seed 0"),
    "encrypted": ("cells.zip", encrypted, "packed in a way that is not used here"),
    "edited source": ("submission.zip", edited, "its digest is another one"),
    "edited score": ("cells.zip", score, "not the one in the record"),
    "edited items": ("cells.zip", items, "is not the file that was kept"),
    "a cell is missing": ("cells.zip", without("cells/2/"), "lacks the cell of seed 2"),
    "a file is missing": ("cells.zip", without("cells/1/curve"), "other files than it lists"),
    "another file": ("cells.zip", with_entry("cells/1/items/more.npy"), "other files than it lists"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_named_and_the_others_come(kind: str, store: str, tmp_path: Path) -> None:
    name, act, what = HOSTILE[kind]
    path = artifacts(tmp_path, "fair") / name
    path.write_bytes(act(path.read_bytes()))
    done = import_runs(tmp_path / "new", store)
    assert set(done.brought) == ALL - {FAIR}
    assert list(done.refused) == [FAIR]
    assert what in done.refused[FAIR]
    assert not (tmp_path / "new" / FAIR / "record.json").exists()
    assert not [path for path in tmp_path.rglob("*escaped*") if "store" not in path.parts]
    assert not Path("/tmp/escaped.py").exists()
    assert not list((tmp_path / "new").rglob(".tmp-*"))
    assert ledger.verify(tmp_path / "new") == []


@pytest.mark.parametrize("name", ["cells.zip", "submission.zip", "record.json"])
def test_a_missing_archive_is_named_and_the_others_come(name: str, store: str, tmp_path: Path) -> None:
    (artifacts(tmp_path, "fair") / name).unlink()
    done = import_runs(tmp_path / "new", store)
    assert f"its artifact {name} is missing" in done.refused[FAIR]
    assert len(done.brought) == 3


def test_a_link_in_place_of_an_archive_is_not_followed(store: str, tmp_path: Path) -> None:
    path = artifacts(tmp_path, "fair") / "cells.zip"
    path.rename(tmp_path / "cells.zip")
    path.symlink_to(tmp_path / "cells.zip")
    assert "missing or unreadable" in import_runs(tmp_path / "new", store).refused[FAIR]


def test_an_edited_record_is_not_imported(store: str, tmp_path: Path) -> None:
    path = artifacts(tmp_path, "fair") / "record.json"
    path.write_bytes(path.read_bytes().replace(b'"score": 0.', b'"score": 0.9', 1))
    assert "not the record that was delivered" in import_runs(tmp_path / "new", store).refused[FAIR]


def test_an_archive_of_another_run_is_not_imported(store: str, tmp_path: Path) -> None:
    for name in ("cells.zip", "submission.zip"):
        shutil.copyfile(artifacts(tmp_path, "good") / name, artifacts(tmp_path, "fair") / name)
        assert FAIR in import_runs(tmp_path / f"new-{name}", store).refused


def test_names_that_a_submission_may_have(tmp_path: Path) -> None:
    """Every folder that can be kept comes back, odd names and all."""
    folder = tmp_path / "odd"
    for name in ("a b.py", "größe/中.txt", "a\\b", "x/y/z.bin", "-", "~", "'\"", "a:b"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    files = folders.read(folder)
    runs = RunsDir(tmp_path / "runs")
    runs.submission_dir(files.digest).mkdir(parents=True)
    folders.write(files.contents, runs.submission_dir(files.digest))
    into = io.BytesIO()
    assert archive.pack_submission(runs, files.digest, into)
    assert archive.unpack_submission(into.getvalue()) == files.contents


# --- a server ---


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A real MLflow server that keeps the artifacts itself."""
    place = tmp_path / "server"
    create_database(place / "mlflow.db")
    with mlflow_server(sqlite_uri(place / "mlflow.db"), place) as running:
        yield running.url


@pytest.mark.slow
def test_through_a_server_and_back(server: str, source: Path, tmp_path: Path) -> None:
    """Delivered to a real server, compared, edited there, rebuilt, and imported from it alone."""
    assert set(delivery.sync(source, server)[0]) == ALL
    assert delivery.sync(source, server) == ([], {})
    assert compared(source, server) == []
    before, files = shown(source, server), kept(source)
    (cells,) = [p for p in (tmp_path / "server" / "artifacts").rglob("cells.zip") if _of(p) == "fair"]
    good = cells.read_bytes()
    cells.write_bytes(score(good))
    assert "not the one in the record" in import_runs(tmp_path / "bad", server).refused[FAIR]
    cells.unlink()
    assert main(["sync", "--rebuild", "--runs-dir", str(source), "--tracking-uri", server]) == 0
    shutil.rmtree(source)
    assert set(import_runs(tmp_path / "new", server).brought) == ALL
    assert kept(tmp_path / "new") == files
    assert shown(tmp_path / "new", server) == before
    assert record_sha256(tmp_path / "new" / FAIR)
    assert FINGERPRINT in (tmp_path / "new" / FAIR / "record.json").read_text()


def _of(path: Path) -> str:
    return str(json.loads((path.parent / "record.json").read_bytes())["submission"])
