"""The published tables: what is computed agrees or has a reason, and the page says what the script says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from harness.data import fetch
from harness.data.fetch import DataFile
from harness.errors import ProtocolError
from tests.conftest import BESIDE
from tests.published import __main__ as command
from tests.published.baselines import digest
from tests.published.page import PAGE, head, section, written
from tests.published.table import About, Row, Table, agrees, tables

TABLES = tables()


def _refused(file: DataFile, dataset: str) -> Path:
    """A test downloads nothing."""
    raise ProtocolError(f"{file.folder}/{file.name} is not at hand.")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if table.about.slow else ()) for name, table in TABLES.items()]
)
def test_every_figure_agrees_or_has_its_reason_and_stands_on_the_page(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = TABLES[name]
    monkeypatch.setattr(fetch, "_download", _refused)
    if BESIDE.is_dir():
        monkeypatch.setenv("HARNESS_DATA_DIR", os.environ.get("HARNESS_DATA_DIR", str(BESIDE)))
    if name in ("label_errors", "libraries"):
        pytest.importorskip("cleanlab")
    try:
        rows = table.rows()
    except ProtocolError as error:
        pytest.skip(f"{error}")
    ran = [row for row in rows if row.ours is not None]
    assert [row.figure for row in ran if not agrees(row) and not row.reason] == []
    assert [row.figure for row in ran if agrees(row) and row.reason] == [], "a reason for a difference that is none"
    if len(ran) < len(rows):
        pytest.skip("the page cannot be compared: " + "; ".join(row.reason for row in rows if row.ours is None))
    if name not in ("libraries", "values"):  # those name versions and draws of this machine
        assert section(table, ran) in PAGE.read_text(encoding="utf-8"), f"run scripts/published {name} --write"


@pytest.mark.parametrize("name", TABLES)
def test_source_data_and_command_of_every_table_stand_on_the_page_as_in_its_module(name: str) -> None:
    about = TABLES[name].about
    assert about.paper
    assert about.where
    assert head(TABLES[name]) in PAGE.read_text(encoding="utf-8"), f"run scripts/published {name} --write"


def test_at_least_seven_tables_stand_on_the_page_each_with_its_command() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = [name for name in TABLES if f"<!-- table {name} -->" in page]
    assert len(shown) >= 7
    assert all(f"`scripts/published {name}`" in page for name in shown)


@pytest.mark.parametrize(
    ("row", "fine"),
    [
        (Row("a", 0.2, 0.1 + 0.1, 0.0), True),
        (Row("a", 1.0, 1.5, 0.5), True),
        (Row("a", 1.0, 1.51, 0.5), False),
        (Row("a", 1.0, float("nan"), 0.5), False),
        (Row("a", 1.0, None, 9.0), False),
    ],
)
def test_agreement_is_a_difference_within_what_the_page_allows(row: Row, fine: bool) -> None:
    assert agrees(row) == fine


def made(*rows: Row, name: str = "made", **about: object) -> Table:
    return Table(name, About("Made up", **about), lambda: rows)  # type: ignore[arg-type]


Run = Callable[..., int]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """The command on made-up tables, with a page of its own."""
    page = tmp_path / "published.md"
    page.write_text("head\n\n<!-- tables end -->\n\ntail\n", encoding="utf-8")
    monkeypatch.setattr(command, "PAGE", page)

    def run(*arguments: str, on: tuple[Table, ...]) -> int:
        monkeypatch.setattr(command, "tables", lambda: {table.name: table for table in on})
        return command.main(arguments)

    return run


def test_json_has_the_promised_keys_and_only_what_ran(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    table = made(Row("one", 1.0, 1.0), Row("two", 2.0, None, reason="no data"))
    assert run("--json", on=(table,)) == 0
    told = capsys.readouterr()
    (row,) = json.loads(told.out)
    assert {"table": "made", "figure": "one", "published": 1.0, "ours": 1.0}.items() <= row.items()
    assert "made: two: skipped. no data" in told.err


def test_a_difference_without_a_reason_fails_and_one_with_it_does_not(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(on=(made(Row("one", 1.0, 2.0)),)) == 1
    assert run(on=(made(Row("one", 1.0, 2.0, reason="another year")),)) == 0
    assert "another" in capsys.readouterr().out


def test_a_table_without_its_data_is_skipped_and_named(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    def rows() -> list[Row]:
        raise ProtocolError("votes.csv is nowhere.")

    assert run("--json", on=(Table("gone", About("Gone"), rows),)) == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == []
    assert "gone: skipped. votes.csv is nowhere." in told.err


def test_an_unknown_name_is_one_sentence(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("nothing", on=(made(),)) == 2
    assert "No table is called nothing. There are made." in capsys.readouterr().err


def test_writing_replaces_a_section_and_keeps_the_others(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "published.md"
    one, two = made(Row("x", 1.0, 1.0), name="one"), made(Row("x", 2.0, 5.0, reason="why not"), name="two")
    assert run("--write", on=(two,)) == 0
    assert run("--write", on=(one,)) == 0
    text = page.read_text(encoding="utf-8")
    assert text.index("<!-- table one -->") < text.index("<!-- table two -->") < text.index("tail")
    assert "| x | 2.00 | 5.00 | +3.00 | differs, note 1 |" in text
    assert "1. why not" in text
    assert run("--write", on=(one, two)) == 0
    assert page.read_text(encoding="utf-8") == text


def test_a_module_that_gives_mappings_is_picked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("tests.published.regmix")
    module.__doc__ = "Influence on digits.\n\nMore."
    module.WITHIN = 0.02  # type: ignore[attr-defined]
    module.rows = lambda: [{"table": "any", "figure": "a", "published": 1, "ours": 2, "more": 3}]  # type: ignore[attr-defined]
    monkeypatch.setattr("tests.published.table.importlib.import_module", lambda name: module)
    table = tables()["regmix"]
    assert (table.about.title, table.about.slow) == ("Influence on digits", True)
    assert table.rows() == [Row("a", 1, 2, 0.02)]


def test_a_digest_tells_arrays_apart() -> None:
    a = np.arange(6)
    assert digest(a) == digest(a.copy())
    assert len({digest(a), digest(a.astype(float)), digest(a.reshape(2, 3)), digest(a + 1)}) == 4


def test_the_page_survives_what_the_tables_hold() -> None:
    text = written("<!-- tables end -->", {made(Row(r"\1 \g<0>", 1.0, 1.0)): [Row(r"\1 \g<0>", 1.0, 1.0, 0.0)]})
    assert r"\1 \g<0>" in text
