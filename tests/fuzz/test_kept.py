"""Readers of what was kept (records, cells, ledger, arrays): HarnessError or a value, whatever the bytes on disk."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.tracking import files, record
from harness.tracking.ledger import LEDGER, Ledger, latest_records
from harness.tracking.record import CellRecord, Record
from harness.tracking.runs import RunsDir, StoredCell
from tests.fuzz.budget import inputs
from tests.fuzz.test_outputs import JSON, damaged, npy
from tests.tracking.made import made_run, run_id

RUN = run_id("a")

ODD = st.one_of(JSON, st.sampled_from([float("nan"), 1e400, -1, 2**80, "../..", "", "\ud800", [], {}, True]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """One made-up run, and the right content of its files."""
    runs = tmp_path_factory.mktemp("kept") / "runs"
    made_run(runs, "a", deliver=False)
    paths = [f"{RUN}/record.json", f"{RUN}/cells/0/cell.json", LEDGER]
    return runs, {path: (runs / path).read_bytes() for path in paths}


def changed(draw: Callable[..., Any], content: bytes) -> bytes:
    """The same JSON with values replaced or removed somewhere, or its bytes damaged, or something else altogether."""
    how = draw(st.sampled_from(["value", "bytes", "other"]))
    if how == "other":
        bare = st.one_of(st.binary(max_size=80), JSON.map(lambda v: json.dumps(v).encode()), st.just(b"[" * 9000))
        return bytes(draw(bare))
    if how == "bytes":
        raw = bytearray(content)
        for _ in range(draw(st.integers(1, 4))):
            raw[draw(st.integers(0, len(raw) - 1))] = draw(st.integers(0, 255))
        return bytes(raw[: draw(st.sampled_from([len(raw), len(raw) // 2]))])
    value: Any = json.loads(content)
    at = value
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = draw(st.sampled_from(keys))
        if isinstance(at[key], dict | list) and at[key] and draw(st.booleans()):
            at = at[key]
            continue
        if draw(st.integers(0, 3)):
            at[key] = draw(ODD)
        else:
            del at[key]
        return json.dumps(value, default=str).encode("utf-8", errors="surrogatepass")


@given(st.data())
@inputs(0.10)
def test_records(made: tuple[Path, dict[str, bytes]], data: st.DataObject) -> None:
    content = changed(data.draw, made[1][f"{RUN}/record.json"])
    with contextlib.suppress(HarnessError):
        assert isinstance(record.parse_record(content, "here"), Record)
    with contextlib.suppress(HarnessError):
        assert isinstance(record.parse_kept_cell(content, "here")[0], CellRecord)


@given(st.data())
@inputs(0.08)
def test_cells(made: tuple[Path, dict[str, bytes]], data: st.DataObject) -> None:
    """A cell that is not as it was written is to be run again: never an error, never a file from elsewhere."""
    runs, right = made
    path = runs / RUN / "cells" / "0" / "cell.json"
    path.write_bytes(changed(data.draw, right[f"{RUN}/cells/0/cell.json"]))
    try:
        found = RunsDir(runs).load_cell(RUN, 0)
        assert found is None or isinstance(found, StoredCell)
    finally:
        path.write_bytes(right[f"{RUN}/cells/0/cell.json"])


@given(st.data())
@inputs(0.08)
def test_ledgers(made: tuple[Path, dict[str, bytes]], data: st.DataObject) -> None:
    runs, right = made
    lines = [changed(data.draw, right[LEDGER]) for _ in range(data.draw(st.integers(1, 2)))]
    (runs / LEDGER).write_bytes(right[LEDGER] + data.draw(st.sampled_from([b"\n", b"", b"\r", b"\x0c"])).join(lines))
    try:
        ledger = Ledger(runs)
        problems = ledger.verify()
        assert all(isinstance(problem, str) and problem for problem in problems)
        with contextlib.suppress(HarnessError):
            latest_records(ledger.read())
        if not problems:
            before = len(ledger.read())
            ledger.append("reproduce", RUN, note=data.draw(st.text(max_size=20)))
            assert len(ledger.read()) == before + 1
            assert ledger.verify() == []
    finally:
        (runs / LEDGER).write_bytes(right[LEDGER])


@given(st.one_of(npy(), damaged(), st.binary(max_size=100)))
@inputs(0.05)
def test_arrays(content: bytes) -> None:
    with contextlib.suppress(HarnessError):
        assert files.parse_array(content, "here").dtype.hasobject is False


@given(
    st.one_of(
        st.text(max_size=30), st.sampled_from(["..", ".", "a/b", "/etc", "submissions", "mlflow.db", "a\0", "x" * 300])
    )
)
@inputs(0.02)
def test_run_ids_stay_in_their_directory(made: tuple[Path, dict[str, bytes]], run_id: str) -> None:
    with contextlib.suppress(HarnessError):
        assert RunsDir(made[0]).run_dir(run_id).parent == made[0]
