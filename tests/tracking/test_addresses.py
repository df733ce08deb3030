"""URIs as people type them: odd directories, drivers that are not there, passwords that nobody sees."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from harness.cli import main
from harness.tracking import delivery
from harness.tracking.addresses import is_own, shown, sqlite_path, sqlite_uri, tracking_uri
from harness.tracking.failures import StoreError
from harness.tracking.mlflow_store import open_store
from harness.tracking.reader import open_reader
from tests.tracking.made import made_run
from tests.tracking.test_held import compared

ODD = "a %20b?c#d e"
PASSWORD = "hunter2"


@pytest.fixture(autouse=True)
def _own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


SPELLINGS = {
    "as typed": lambda path: f"sqlite:///{path}",
    "encoded": lambda path: f"sqlite:///{quote(str(path))}",
    "ours": sqlite_uri,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_store_in_an_odd_directory_has_several_spellings(
    spelling: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Delivered, compared, synced, rebuilt and imported; nothing is written anywhere else."""
    place, store = tmp_path / ODD / "runs", tmp_path / ODD / "store"
    store.mkdir(parents=True)
    uri = SPELLINGS[spelling](store / "mlflow.db")
    made_run(place, "a", deliver=False)
    assert main(["sync", "--runs-dir", str(place), "--tracking-uri", uri]) == 0
    assert compared(place, uri) == []
    assert compared(place, sqlite_uri(store / "mlflow.db")) == []
    assert main(["sync", "--rebuild", "--runs-dir", str(place), "--tracking-uri", uri]) == 0
    assert main(["import", "--runs-dir", str(tmp_path / ODD / "new"), "--tracking-uri", uri]) == 0
    assert "1 imported" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == [ODD]
    assert sorted(path.name for path in store.iterdir() if path.name[0] != ".") == ["mlartifacts", "mlflow.db"]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_directorys_own_store_in_every_spelling(spelling: str, tmp_path: Path) -> None:
    place = tmp_path / ODD
    made_run(place, "a")
    uri = SPELLINGS[spelling](place / "mlflow.db")
    assert is_own(uri, place)
    assert delivery.sync(place, uri) == ([], {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [ODD, "made"]


def test_which_file_is_meant(tmp_path: Path) -> None:
    assert sqlite_path("sqlite:////nowhere/x.db?timeout=5") == Path("/nowhere/x.db")
    assert sqlite_path("sqlite:////nowhere/a%20b/x.db") == Path("/nowhere/a b/x.db")
    assert sqlite_path(f"sqlite:///{tmp_path}/x.db?timeout=5") == tmp_path / "x.db"
    for name in ("a b", "a%20b"):
        (tmp_path / name).mkdir()
    assert sqlite_path(f"sqlite:///{tmp_path}/a%20b/x.db") == tmp_path / "a b" / "x.db", "as a URI says it"
    (tmp_path / "a%20b" / "x.db").touch()
    assert sqlite_path(f"sqlite:///{tmp_path}/a%20b/x.db") == tmp_path / "a%20b" / "x.db", "the file that is there"
    for odd in ("a b", "a%20b", "x?y", "x#y"):
        assert sqlite_path(sqlite_uri(tmp_path / odd / "x.db")) == tmp_path / odd / "x.db"
    assert sqlite_path("http://host/sqlite:///x") is None


@pytest.mark.parametrize(
    ("uri", "missing", "install"),
    [
        ("postgresql://u:hunter2@h/d", ("psycopg", "psycopg2"), "pip install 'harness[postgres]'"),
        ("postgres://u:hunter2@h/d", ("psycopg", "psycopg2"), "pip install 'harness[postgres]'"),
        ("postgresql+psycopg2://u:hunter2@h/d", ("psycopg2",), "pip install psycopg2-binary"),
        ("mysql://u:hunter2@h/d", ("pymysql", "MySQLdb"), "pip install pymysql"),
        ("mysql+pymysql://u:hunter2@h/d", ("pymysql",), "pip install pymysql"),
        ("mssql+pyodbc://u:hunter2@h/d", ("pyodbc",), "pip install pyodbc"),
        ("mssql://u:hunter2@h/d", ("pyodbc",), "pip install pyodbc"),
    ],
)
def test_a_missing_driver_is_named(
    uri: str, missing: tuple[str, ...], install: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in missing:
        monkeypatch.setitem(sys.modules, module, None)
    for way in (open_store, open_reader):
        with pytest.raises(StoreError, match=f"needs the package {missing[0]}") as caught:
            way(tracking_uri(tmp_path, uri))
        assert caught.value.hint == install
        assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "absent", "chosen"),
    [
        ("postgresql", "psycopg2", "postgresql+psycopg"),
        ("postgres", "psycopg2", "postgresql+psycopg"),
        ("postgresql+psycopg2", "psycopg2", "postgresql+psycopg2"),
    ],
)
def test_a_driver_that_is_there_is_taken(
    scheme: str, absent: str, chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setitem(sys.modules, absent, None)
    assert tracking_uri(tmp_path, f"{scheme}://u:p@h:1/d?sslmode=require") == f"{chosen}://u:p@h:1/d?sslmode=require"


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("postgresql+psycpg://u:hunter2@h/d", 2),
        ("postgersql://u:hunter2@h/d", 2),
        ("postgresql://u:hunter2@h:port/d", 2),
        ("postgresql:/u:hunter2@h/d", 2),
        ("postgresql:u:hunter2@h/d", 2),
        ("postgresql+psycopg://u:@hunter2@127.0.0.1:9/d", 2),  # an @ that should have been %40
        ("postgresql+psycopg://u:hunter2/x@127.0.0.1:9/d", 1),
        ("postgresql+psycopg://u:hunter2@127.0.0.1:9/d", 1),  # nobody listens
        ("postgresql+psycopg://127.0.0.1:9/d?user=u&password=hunter2", 1),
        ("http://u:hunter2@127.0.0.1:9", 1),
        ("ftp://u:hunter2@h/d", 2),
    ],
)
def test_no_uri_shows_its_password(uri: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On no way: neither on the screen, nor in what is kept; each problem is one paragraph."""
    made_run(tmp_path, "a", deliver=False)
    (run_dir,) = (path.parent for path in tmp_path.glob("*/record.json"))
    with pytest.warns(delivery.UndeliveredWarning) as caught:
        assert delivery.deliver(run_dir, uri) is None
    assert main(["sync", "--runs-dir", str(tmp_path), "--tracking-uri", uri]) == 1
    assert main(["import", "--runs-dir", str(tmp_path / "new"), "--tracking-uri", uri]) == status
    said = capsys.readouterr()
    kept = "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
    told = str(caught[0].message) + said.out + said.err + kept
    assert PASSWORD not in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://u:a/b@c@h:1/d?x=1&password=p&sslmode=require", "postgresql://h:1/d?x=1&password=...&sslmode=require"),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BPWD%3Dp", "mssql+pyodbc:///?odbc_connect=..."),
        ("API request to http://u:p@h:1/api failed", "API request to http://h:1/api failed"),
        ("sqlite:////home/me@home/mlflow.db", "sqlite:////home/me@home/mlflow.db"),
        ("https://h/x", "https://h/x"),
    ],
)  # fmt: skip
def test_what_is_shown(text: str, expected: str) -> None:
    assert shown(text) == expected
