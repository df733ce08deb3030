"""Rows of the organiser's data inside a submission are found: lines, files, arrays, nearly equal ones; honest files are not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from harness.cli import main
from harness.competition.intake.leaks import Leaks
from harness.protocol.compose import load_challenge
from tests.competition.conftest import Place, files, folder


def leaks(place: Place) -> Leaks:
    challenge = load_challenge("flips", config_dir=place.conf)
    return Leaks(challenge, challenge.load_dataset(), Path(place.conf))


def stored(array: npt.NDArray[np.generic], *, packed: bool = False) -> bytes:
    buffer = io.BytesIO()
    if packed:
        np.savez_compressed(buffer, other=np.arange(3), rows=array)
    else:
        np.save(buffer, array)
    return buffer.getvalue()


def test_rows_of_the_data_are_found(place: Place) -> None:
    table = Path(place.conf, "data/patients.csv").read_text(encoding="utf-8").splitlines()
    X = load_challenge("flips", config_dir=place.conf).load_dataset().X
    near = X[20:30] + 1e-5 * np.random.default_rng(0).normal(size=(10, 4))
    contents = {
        "algorithm.py": f"# a canary\nTABLE = [\n  '{table[3]}',\n  '{table[9]}'\n]\n".encode(),
        "table.csv": Path(place.conf, "data/patients.csv").read_bytes(),
        "lines.txt": "\n".join(table[1:6]).encode(),
        "w.npy": stored(X[5:8]),
        "w64.npz": stored(near, packed=True),
    }
    said = leaks(place).found(contents)
    assert said == [
        "algorithm.py holds 2 rows of the data",
        "table.csv is a file of the data",
        "lines.txt holds 5 rows of the data",
        "w.npy holds 3 rows of the data",
        "w64.npz holds 10 rows of the data",
    ]


def test_honest_files_hold_none(place: Place) -> None:
    rng = np.random.default_rng(1)
    contents = {name: text.encode() for name, text in files("honest").items()}
    contents |= {
        "head.csv": b"a,b,c,d,outcome\n",
        "weights.npy": stored(rng.normal(size=(50, 4)).astype(np.float32)),
        "other.npy": stored(rng.normal(size=(4, 9))),
        "scalar.npy": stored(np.array(3, np.float32)),
        "broken.npy": b"\x93NUMPY nothing",
        "broken.npz": b"PK\x03\x04 nothing",
        "pickled.npy": stored(np.array([{}], object)),
        "nan.npy": stored(np.full((3, 4), np.nan)),
        "picture.bin": bytes(range(256)),
    }
    assert leaks(place).found(contents) == []


def test_public_data_are_anybodys(place: Place) -> None:
    challenge = load_challenge("selection_breast_cancer")
    dataset = challenge.load_dataset()
    assert Leaks(challenge, dataset, Path(place.conf)).found({"w.npy": stored(dataset.X[:5])}) == []


def test_the_organiser_is_told_and_nobody_else(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    row = Path(place.conf, "data/patients.csv").read_text(encoding="utf-8").splitlines()[7]
    folder(place.inbox / "T2" / "insider", files("insider", **{"notes.txt": f"{row}\n"}))
    assert main(place.words("intake", str(place.inbox), "--reports", str(place.reports))) == 0
    assert "T2/insider, team T2: notes.txt holds 1 rows of the data" in capsys.readouterr().err
    assert not any("notes.txt" in path.read_text() for path in place.reports.rglob("*.*"))
