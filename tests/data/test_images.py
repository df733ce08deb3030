"""Images by YAML: pixels as written, what a file claims is looked at first, features of any size."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.data import features
from harness.data.own import pictures
from harness.errors import ProtocolError
from tests.data.own import load, write_csv

pytestmark = pytest.mark.usefixtures("own_cache")


def pixels(n: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, height, width, 3)).astype(np.uint8)


def folders(root: Path, images: np.ndarray, suffix: str = ".png") -> list[str]:
    """Two classes in turn; the files' names in sorted order."""
    for i, image in enumerate(images):
        path = root / "im" / "ab"[i % 2] / f"{i:03}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return sorted(str(path.relative_to(root / "im")) for path in (root / "im").rglob("*.*"))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def claiming(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims so many pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    images = pixels(10, 7, 9)
    names = folders(tmp_path, images)
    data = load(tmp_path, "images", path="im")
    assert data.extras["id"].tolist() == names
    order = [int(name[2:5]) for name in names]
    np.testing.assert_array_equal(data.X, images[order].astype(np.float32) / np.float32(255))
    assert data.class_names == ("a", "b")
    np.testing.assert_array_equal(data.y, np.array(order) % 2)
    grey = load(tmp_path, "images", path="im", channels="grey")
    expected = [np.asarray(Image.fromarray(images[i]).convert("L")) for i in order]
    np.testing.assert_array_equal(grey.X, np.stack(expected).astype(np.float32) / np.float32(255))


def test_a_table_that_names_files(tmp_path: Path) -> None:
    images = pixels(8, 6, 6)
    names = folders(tmp_path, images)
    rows = [(f"im/{name}", "xy"[i // 4], f"p{i // 2}", i, "train" if i < 6 else "test") for i, name in enumerate(names)]
    write_csv(
        tmp_path / "list.csv",
        [("file", "kind", "patient", "when", "part"), *[rows[i] for i in (0, 7, 1, 4, 5, 6, 2, 3)]],
    )
    keys = {"path": "list.csv", "label": "kind", "time": "when", "meta": ["patient"]}
    data = load(tmp_path, "images", **keys)
    assert data.y.tolist() == [0, 1, 0, 1, 1, 1, 0, 0]
    assert data.extras["patient"].tolist() == ["p0", "p3", "p0", "p2", "p2", "p3", "p1", "p1"]
    assert any("not read: part" in note for note in data.notes)
    unpinned = next(note for note in data.notes if note.startswith("unpinned"))
    Image.fromarray(images[0][::-1]).save(tmp_path / "im" / names[0])  # the digest covers the images
    assert unpinned not in load(tmp_path, "images", **keys).notes
    (tmp_path / "im" / names[3]).unlink()
    with pytest.raises(ProtocolError, match=r"dataset\.file, in row 8 \(line 9\), names .*b/001|no such file"):
        load(tmp_path, "images", **keys)


def test_images_of_mixed_size_are_refused_or_scaled(tmp_path: Path) -> None:
    names = folders(tmp_path, pixels(6, 8, 8))
    wide = Image.fromarray(pixels(1, 8, 20)[0])
    wide.save(tmp_path / "im" / names[4])
    with pytest.raises(ProtocolError, match=rf"{names[4]} is 8 x 20 .* all must be 8 x 8, as {names[0]}"):
        load(tmp_path, "images", path="im")
    with pytest.raises(ProtocolError, match=r"must be 4 x 4, as dataset\.size says"):
        load(tmp_path, "images", path="im", size=[4, 4])
    data = load(tmp_path, "images", path="im", size=[5, 4], resize=True)
    expected = np.asarray(wide.resize((4, 5), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(data.X[4], expected.astype(np.float32) / np.float32(255))


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders(tmp_path, pixels(6, 8, 8))
    monkeypatch.setattr(pictures, "plain_image", lambda *_: pytest.fail("decoded"))
    for side in (8_000, 60_000):  # under and over Pillow's own limit
        (tmp_path / "im" / "a" / "000.png").write_bytes(claiming(side, side))
        with pytest.raises(ProtocolError, match=r"a/000\.png claims .*50,000,000"):
            load(tmp_path, "images", path="im")


def test_files_that_are_no_images(tmp_path: Path) -> None:
    names = folders(tmp_path, pixels(6, 8, 8))
    first = tmp_path / "im" / names[0]
    whole = first.read_bytes()
    first.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ProtocolError, match=r"a/000\.png is a broken image"):
        load(tmp_path, "images", path="im")
    for content in (b"", b"no image", b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        first.write_bytes(content)
        with pytest.raises(ProtocolError, match=r"a/000\.png is no image of the kinds PNG"):
            load(tmp_path, "images", path="im")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(first)
    with pytest.raises(ProtocolError, match="more than eight bits"):
        load(tmp_path, "images", path="im")
    (tmp_path / "im" / "a" / "x.tiff").write_bytes(b"")
    with pytest.raises(ProtocolError, match=r"a/x\.tiff in im is none of \.png"):
        load(tmp_path, "images", path="im")


def test_transparency_and_turned_cameras_are_said_and_heeded(tmp_path: Path) -> None:
    images = pixels(6, 8, 8)
    names = folders(tmp_path, images)
    Image.fromarray(np.dstack([images[0], np.full((8, 8), 9, np.uint8)])).save(tmp_path / "im" / names[0])
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(images[2]).save(tmp_path / "im" / names[1], exif=exif)
    data = load(tmp_path, "images", path="im")
    assert any("1 images are partly transparent, which is left out, e.g. a/000.png" in note for note in data.notes)
    np.testing.assert_array_equal(data.X[1], images[2][::-1, ::-1].astype(np.float32) / np.float32(255))


@pytest.mark.parametrize(("height", "width", "channels"), [(8, 8, "grey"), (12, 17, "rgb"), (40, 33, "grey")])
def test_patch_features_of_other_sizes(height: int, width: int, channels: str, tmp_path: Path) -> None:
    images = pixels(40, height, width)
    names = folders(tmp_path, images)
    data = load(tmp_path, "images", path="im", channels=channels, features="patches")
    assert data.X.shape[0] == 40
    assert 20 <= data.X.shape[1] <= 39  # forty rows have no more dimensions
    assert np.isfinite(data.X).all()
    np.testing.assert_allclose(data.X.astype(np.float64).mean(axis=0), 0, atol=1e-4)
    order = [int(name[2:5]) for name in names]
    if channels == "rgb":
        np.testing.assert_array_equal(data.X, features.extract(images[order]).astype(np.float32))


def test_patch_features_are_fitted_on_the_training_part() -> None:
    images = pixels(60, 10, 10)
    fitted = features.extract(images, np.arange(40))
    changed = images.copy()
    changed[50:] = 255 - changed[50:]
    np.testing.assert_array_equal(features.extract(changed, np.arange(40))[:50], fitted[:50])


@pytest.mark.parametrize(("side", "said"), [(7, "7 x 7; patch features take sides of 8 to 160"), (170, "170 x 170")])
def test_patch_features_of_sizes_that_do_not_allow_it(side: int, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        features.extract(np.zeros((3, side, side, 3), np.uint8))
    with pytest.raises(ProtocolError, match="flat"):
        features.extract(np.zeros((3, 8, 8, 3), np.uint8))
