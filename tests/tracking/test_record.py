"""The record: exact keys, no NaN, and one paragraph for whatever is broken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError, Status
from harness.tracking.files import plain, read_array, write_array_atomic, write_json_atomic
from harness.tracking.record import CellRecord, Record, read_record
from harness.tracking.runs import RunsDir

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
    RunsDir(tmp_path).save_record(RECORD, None)
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
    ]
    assert set(written["cells"][0]["seconds"]) == {"submission", "scoring"}
    assert written["ci95"] == [0.4, 0.6]
    assert written["cells"][0]["metrics"] == {"a": None, "b": 1.0}


def test_read_gives_back_what_was_saved(tmp_path: Path) -> None:
    saved = RunsDir(tmp_path).save_record(RECORD, np.arange(5.0))
    assert read_record(tmp_path / "r-1") == saved
    assert saved.replicates_sha256 is not None
    np.testing.assert_array_equal(np.load(tmp_path / "r-1" / "replicates.npy"), np.arange(5.0))


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


def test_arrays_are_never_pickled(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="Python objects"):
        write_array_atomic(tmp_path / "a.npy", np.array([{}], dtype=object))
    np.save(tmp_path / "b.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(HarnessError, match="not a readable array"):
        read_array(tmp_path / "b.npy")
    np.save(tmp_path / "c.npy", np.arange(100))
    whole = (tmp_path / "c.npy").read_bytes()
    (tmp_path / "c.npy").write_bytes(whole[:-8])
    with pytest.raises(HarnessError, match="not a readable array"):
        read_array(tmp_path / "c.npy")
    for lie in (b"(101,)", b"(1e9 )", b"((((((", b"(-1,) ", b"100   "):
        (tmp_path / "c.npy").write_bytes(whole.replace(b"(100,)", lie))
        with pytest.raises(HarnessError, match="not a readable array"):
            read_array(tmp_path / "c.npy")
