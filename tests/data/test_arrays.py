"""Arrays by YAML: what numpy wrote comes back, and no header is believed."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import ProtocolError
from tests.data.own import load

pytestmark = pytest.mark.usefixtures("own_cache")
RNG = np.random.default_rng(2)
X = RNG.normal(size=(12, 3))
Y = np.arange(12) % 3


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def claiming(shape: tuple[int, ...], content: bytes = b"", descr: str = "<f8") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue() + content


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed, None])
def test_what_was_saved_comes_back(save: Any, tmp_path: Path) -> None:
    arrays: dict[str, np.ndarray] = {
        "X": np.asfortranarray(X), "y": np.array(["b", "c", "a"])[Y], "who": np.arange(12) // 4, "t": np.arange(12.0),
        "part": np.repeat(["train", "test"], 6), "counts": RNG.integers(0, 5, (12, 3)), "extra": RNG.random((12, 2)),
    }  # fmt: skip
    if save:
        path = "a.npz"
        save(tmp_path / path, **arrays)
    else:
        path = "a"
        (tmp_path / path).mkdir()
        for name, array in arrays.items():
            np.save(tmp_path / path / f"{name}.npy", array)
    keys = {"time": "t", "part": "part", "votes": "counts", "meta": ["extra"]}
    data = load(tmp_path, "arrays", path=path, **keys)
    np.testing.assert_array_equal(data.X, X.astype(np.float32))
    assert data.class_names == ("a", "b", "c")
    assert data.y.tolist() == ((Y + 1) % 3).tolist()
    np.testing.assert_array_equal(data.extras["votes"], arrays["counts"])
    np.testing.assert_array_equal(data.extras["extra"], arrays["extra"])
    np.testing.assert_array_equal(data.extras["time"], arrays["t"])
    assert data.extras["part"].tolist() == [0] * 6 + [2] * 6
    assert load(tmp_path, "arrays", path=path, group="who").extras["group"].tolist() == [str(i // 4) for i in range(12)]


def test_bytes_of_images_are_scaled(tmp_path: Path) -> None:
    images = RNG.integers(0, 256, (12, 5, 4, 3)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", images=images, label=Y)
    data = load(tmp_path, "arrays", path="a.npz", inputs="images", label="label", scale=255)
    np.testing.assert_allclose(data.X, images / 255, rtol=1e-6)


BAD: list[tuple[dict[str, bytes], dict[str, Any], str]] = [
    ({"X.npy": claiming((10**9,)), "y.npy": npy(Y)}, {}, r"claims 8,000,000,000 bytes .*at most 4,294,967,296"),
    ({"X.npy": claiming((10**8, 4), descr="<f4", content=b"\0" * 64)}, {}, "claims 1,600,000,000 bytes .* and has"),
    ({"X.npy": claiming((2**62, 2**62))}, {}, "claims"),
    ({"X.npy": claiming((12, 3), X.tobytes()[:-8])}, {}, "claims 288 bytes"),
    ({"X.npy": npy(np.array([{"a": 1}] * 12))}, {}, "Python objects"),
    ({"X.npy": pickle.dumps(X)}, {}, "not in numpy's"),
    ({"X.npy": b"\x93NUMPY\x01\x00\xff\xff{'descr':"}, {}, "not in numpy's"),
    ({"X.npy": b""}, {}, "not in numpy's"),
    ({"X.npy": npy(X)}, {}, "has no array 'y'.*Its arrays: X"),
    ({"X.npy": npy(X[:5]), "y.npy": npy(Y)}, {}, r"Array 'y' of .* has shape \[12\]; 'X' has 5 rows"),
    ({"X.npy": npy(np.where(X[3, 1] == X, np.nan, X)), "y.npy": npy(Y)}, {}, r"X\[3, 1\] is nan"),
    ({"X.npy": npy(X * 1e300), "y.npy": npy(Y)}, {}, r"X\[0, 0\] is .*finite number of 32 bits"),
    ({"X.npy": npy(X[:, 0]), "y.npy": npy(Y)}, {}, r"Array 'X' is float64 of shape \[12\]"),
    ({"X.npy": npy(X.astype(str)), "y.npy": npy(Y)}, {}, "It must hold numbers"),
    ({"X.npy": npy(X), "y.npy": npy(X)}, {}, "Array 'y' has shape"),
    ({"X.npy": npy(X), "y.npy": npy(X[:, 0])}, {}, "numbers that are no classes"),
    ({"X.npy": npy(X), "y.npy": npy(Y), "v.npy": npy(-np.ones((12, 3), int))}, {"votes": "v"}, "none below 0"),
]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(("files", "keys", "said"), BAD)
def test_bad_arrays(files: dict[str, bytes], keys: dict[str, Any], said: str, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / ("a.npz" if zipped else "a")
    if zipped:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        path.mkdir()
        for name, content in files.items():
            (path / name).write_bytes(content)
    with pytest.raises(ProtocolError, match=said):
        load(tmp_path, "arrays", path=path.name, **keys)


def test_files_that_are_neither(tmp_path: Path) -> None:
    np.save(tmp_path / "X.npy", X)
    with pytest.raises(ProtocolError, match=r"X\.npy is neither a \.npz file nor a folder"):
        load(tmp_path, "arrays", path="X.npy")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ProtocolError, match=r"a\.npz is a broken \.npz file"):
        load(tmp_path, "arrays", path="a.npz")


def test_a_member_that_is_longer_than_it_says(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", npy(X) + b"\0" * (1 << 20))
        archive.writestr("y.npy", npy(Y))
    with pytest.raises(ProtocolError, match="claims 288 bytes"):
        load(tmp_path, "arrays", path="a.npz")
