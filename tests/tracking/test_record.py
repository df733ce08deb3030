"""The record: exact keys, no NaN, and one paragraph for whatever is broken."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError, Status
from harness.tracking.files import array_bytes, parse_array, plain, write_json_atomic
from harness.tracking.record import CellRecord, Record, parse_record, read_record
from harness.tracking.runs import RunsDir
from harness.tracks.base import Array

RECORD = Record(
    run_id="r-1",
    status=Status.OK,
    challenge="c",
    fingerprint="f",
    track="debugging",
    submission="s",
    submission_digest="d",
    metric="recovery",
    direction="max",
    score=0.5,
    ci95=(0.4, 0.6),
    cells=(CellRecord(seed=0, status=Status.OK, score=0.5, metrics={"a": float("nan"), "b": 1.0}),),
    created="2026-01-02T03:04:05+00:00",
)


def test_keys_are_those_of_the_contract(tmp_path: Path) -> None:
    RunsDir(tmp_path).save_record(RECORD)
    written = json.loads((tmp_path / "r-1" / "record.json").read_text())
    contract = [
        "schema_version",
        "run_id",
        "status",
        "reason",
        "challenge",
        "fingerprint",
        "track",
        "submission",
        "submission_digest",
        "metric",
        "direction",
        "score",
        "ci95",
        "cells",
        "isolation",
        "device",
        "versions",
        "data_digests",
        "created",
    ]
    assert list(written)[: len(contract)] == contract
    assert list(written["cells"][0]) == [
        "seed",
        "status",
        "reason",
        "score",
        "metrics",
        "output_digest",
        "seconds",
        "peak_memory_mb",
        "fits",
        "submission_fits",
        "draws",
        "source",
        "sha256",
    ]
    assert set(written["cells"][0]["seconds"]) == {"submission", "scoring"}
    assert written["ci95"] == [0.4, 0.6]
    assert written["cells"][0]["metrics"] == {"a": None, "b": 1.0}


def test_read_gives_back_what_was_saved(tmp_path: Path) -> None:
    RunsDir(tmp_path).save_record(RECORD, {"curve.svg": "<svg/>"})
    assert read_record(tmp_path / "r-1") == RECORD
    assert (tmp_path / "r-1" / "record.json").read_bytes() == RECORD.json_bytes()
    assert (tmp_path / "r-1" / "plots" / "curve.svg").read_text() == "<svg/>"


def test_older_records_are_read_as_what_they_are() -> None:
    """A record of schema 1 has none of the keys that bind its cells."""
    new = {"commitment", "n_classes", "normalised_ci95", "source", "commit", "dirty"}
    old = {k: v for k, v in json.loads(RECORD.json_bytes()).items() if k not in new} | {"schema_version": 1}
    old["cells"] = [{k: v for k, v in cell.items() if k not in ("source", "sha256")} for cell in old["cells"]]
    record = parse_record(json.dumps(old | {"replicates_sha256": "00"}).encode(), "here")
    assert (record.schema_version, record.score, record.source, record.cells[0].sha256) == (1, 0.5, None, None)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the document"),
        (b"{", "the document"),
        (b"[" * 100_000, "the document"),
        (b'{"a":' * 100_000, "the document"),
        (b"null", "the document"),
        (b"\xff\xfe\x00", "the document"),
        (b'{"run_id": "\\ud800"}', "the document"),
        (RECORD.json_bytes().replace(b'"ok"', b'"fine"', 1), "status"),
        (RECORD.json_bytes().replace(b'"score": 0.5', b'"score": "0.5"', 1), "score"),
        (RECORD.json_bytes().replace(b'"score": 0.5', b'"score": true', 1), "score"),
        (RECORD.json_bytes().replace(b'"cells": [', b'"cells": [7, ', 1), "cells.0"),
        (RECORD.json_bytes().replace(b'"direction": "max"', b'"direction": "up"'), "direction"),
    ],
)
def test_broken_records_are_one_paragraph(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(HarnessError) as caught:
        read_record(path)
    assert str(path) in caught.value.reason
    assert says in caught.value.reason
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_missing_huge_and_special_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    with pytest.raises(HarnessError, match="no readable record"):
        read_record(tmp_path / "none.json")
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(HarnessError, match="no readable record"):
        read_record(tmp_path / "pipe.json")
    monkeypatch.setattr("harness.tracking.record.MAX_RECORD_BYTES", 10)
    (tmp_path / "record.json").write_bytes(RECORD.json_bytes())
    with pytest.raises(HarnessError, match="larger than"):
        read_record(tmp_path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=300), st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(Record.model_fields)), inner, max_size=4),
).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_no_input_gives_a_traceback(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(HarnessError):
        read_record(path)


def test_plain_has_no_nan_and_no_numpy() -> None:
    value = {"a": np.float32(1.5), 2: [np.nan, np.inf, np.int64(3)], "b": np.array([[1.0, np.nan]]), "c": (True, None)}
    assert plain(value) == {"a": 1.5, "2": [None, None, 3], "b": [[1.0, None]], "c": [True, None]}


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json_atomic(path, {"old": 1})
    with pytest.raises(HarnessError, match="Cannot write /dev/full/x"):
        write_json_atomic(Path("/dev/full/x"), {})  # not a directory: the nearest thing to a disk that refuses
    with pytest.raises(TypeError):
        write_json_atomic(path, {"new": object()})
    assert json.loads(path.read_text()) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def npy(array: Array) -> bytes:
    """As numpy itself writes it."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def test_arrays_are_never_pickled() -> None:
    with pytest.raises(HarnessError, match="Python objects"):
        array_bytes(np.array([{}], dtype=object))
    with pytest.raises(HarnessError, match="not a readable array"):
        parse_array(npy(np.array([{}], dtype=object)), "here")
    whole = npy(np.arange(100))
    assert array_bytes(np.arange(100)) == whole
    np.testing.assert_array_equal(parse_array(whole, "here"), np.arange(100))
    with pytest.raises(HarnessError, match="here is not a readable array"):
        parse_array(whole[:-8], "here")
    for lie in (b"(101,)", b"(1e9 )", b"((((((", b"(-1,) ", b"100   "):
        with pytest.raises(HarnessError, match="not a readable array"):
            parse_array(whole.replace(b"(100,)", lie), "here")
