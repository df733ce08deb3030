"""The loaders on the real files, against independent readings of them and figures published elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from harness.data.base import Dataset

Load = Callable[..., Dataset]


def test_fashion_mnist(real: Load, data_dir: Path) -> None:
    data = real("fashion_mnist")
    assert data.X.shape == (70000, 28, 28)
    train = data.extras["part"] == 0
    assert (train.sum(), (data.extras["part"] == 2).sum()) == (60000, 10000)
    assert np.bincount(data.y[train]).tolist() == [6000] * 10
    assert np.bincount(data.y[~train]).tolist() == [1000] * 10
    # The readme's MD5s are of the packed files; here the pixels themselves, through the payload behind the header.
    raw = gzip.decompress((data_dir / "fashion_mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    assert (data.X[60000:] * 255).round().astype(np.uint8).tobytes() == raw
    labels = gzip.decompress((data_dir / "fashion_mnist" / "train-labels-idx1-ubyte.gz").read_bytes())[8:]
    assert data.y[:60000].astype(np.uint8).tobytes() == labels
    assert (data.X.min(), data.X.max()) == (0, 1)


def test_mnist_5k_against_pandas(real: Load, data_dir: Path) -> None:
    data = real("mnist_5k")
    table = pd.read_csv(data_dir / "mnist_5k" / "mnist_5k.csv.gz", header=None)
    np.testing.assert_array_equal(np.round(data.X.reshape(5000, -1) * 255), table.iloc[:, :784])
    np.testing.assert_array_equal(data.y, table[784])
    assert np.bincount(data.y).tolist() == [500] * 10
    assert (data.X.shape, data.X.min(), data.X.max()) == ((5000, 28, 28), 0, 1)


def test_adult_against_pandas(real: Load, data_dir: Path) -> None:
    data = real("adult")
    frames = [
        pd.read_csv(data_dir / "adult" / f"adult-{part}.csv.gz", header=None, skipinitialspace=True, na_values="?")
        for part in ("train", "test")
    ]
    assert [len(f) for f in frames] == [32561, 16281]
    assert [int(f.isna().sum().sum()) for f in frames] == [4262, 2203]
    both = pd.concat(frames, ignore_index=True)
    np.testing.assert_array_equal(data.y, both[14].str.rstrip(".") == ">50K")
    np.testing.assert_array_equal(data.extras["sex"], both[9])
    np.testing.assert_array_equal(data.extras["race"], both[8])
    np.testing.assert_array_equal(data.extras["age"], both[0])
    train_sex = data.extras["sex"][data.extras["part"] == 0]
    assert ((train_sex == "Female").sum(), (train_sex == "Male").sum()) == (10771, 21790)
    numeric = [0, 2, 4, 10, 11, 12]
    numbers = both[numeric].to_numpy(float)
    scaled = (numbers - numbers[:32561].mean(0)) / numbers[:32561].std(0)
    np.testing.assert_allclose(data.X[:, :6], scaled, atol=2e-6)
    categories = both.drop(columns=[*numeric, 14])
    one_hot = pd.get_dummies(categories.fillna("?"), dtype=float).to_numpy()
    np.testing.assert_array_equal(data.X[:, 6:], one_hot)


def test_cifar10n_noise_rates(real: Load) -> None:
    data = real("cifar10n")
    wrong = {name: round(100 * float((label != data.y).mean()), 2) for name, label in data.extras.items()}
    assert wrong == {"aggre": 9.01, "worse": 40.21, "random1": 17.23, "random2": 18.12, "random3": 17.64}
    assert np.bincount(data.y).tolist() == [5000] * 10
    three = np.stack([data.extras[f"random{i}"] for i in (1, 2, 3)])
    assert round(100 * float((three == three[0]).all(axis=0).mean()), 1) == 60.4


def test_cifar10h_votes(real: Load) -> None:
    data = real("cifar10h")
    votes = data.extras["votes"]
    assert votes.shape == (10000, 10)
    assert votes.sum() == 511000
    assert (votes.sum(axis=1).min(), votes.sum(axis=1).max()) == (47, 63)
    assert round(100 * float((votes.max(axis=1) == votes.sum(axis=1)).mean()), 1) == 43.9
    assert (votes.argmax(axis=1) == data.y).mean() > 0.98  # would be about a tenth under any other order


def test_cifar_files_are_pinned_by_contents_too(real: Load, data_dir: Path) -> None:
    from harness.data import cifar
    from harness.data.contents import content_digest

    real("cifar10n")
    for file in (cifar.IMAGES, cifar.ORDER, cifar.HUMAN_LABELS):
        path = data_dir / file.folder / file.name
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
        assert content_digest(path) == file.content_sha256


def test_cifar_images_are_the_files_named_by_class_and_rank(real: Load, data_dir: Path) -> None:
    train, test = real("cifar10n"), real("cifar10h")
    rng = np.random.default_rng(0)
    wanted = {}
    for split, data in (("train", train), ("test", test)):
        for i in rng.choice(len(data.y), size=40, replace=False):
            rank = int((data.y[:i] == data.y[i]).sum())
            wanted[f"{split}/{data.class_names[data.y[i]]}/{rank:04d}.jpg"] = data.X[i]
    seen = 0
    with tarfile.open(data_dir / "cifar10_jpeg" / "cifar10_jpeg.tar.xz") as tar:
        for member in tar:
            if member.name in wanted:
                stream = tar.extractfile(member)
                assert stream is not None
                pixels = np.asarray(Image.open(io.BytesIO(stream.read())), dtype=np.float32) / 255
                np.testing.assert_array_equal(wanted[member.name], pixels)
                seen += 1
    assert seen == 80


def test_roman_numerals(real: Load, data_dir: Path) -> None:
    data = real("roman_numerals")
    part = data.extras["part"]
    assert np.bincount(part).tolist() == [2067, 813, 52]
    assert len(data.class_names) == 10
    assert data.X.shape[1:] == (32, 32)
    assert 0 <= data.X.min() <= data.X.max() <= 1
    content: dict[str, str] = {}
    for archive in ("data", "label_book"):
        with tarfile.open(data_dir / "roman_numerals" / f"{archive}.tar.gz") as tar:
            for member in tar:
                if member.name.endswith(".png"):
                    stream = tar.extractfile(member)
                    assert stream is not None
                    content[member.name.removeprefix("./")] = hashlib.md5(stream.read()).hexdigest()
    folders = {name.split("/")[-2] for name in content}
    assert folders == set(data.class_names)
    for name, label in zip(data.extras["file"], data.y, strict=True):
        assert name.split("/")[-2] == data.class_names[label]
    mean = {0: data.X[part == 0].mean(), 2: data.X[part == 2].mean()}
    assert all(m > 0.6 for m in mean.values())  # dark strokes on light paper

    def named(start: str) -> dict[str, str]:
        return {name: digest for name, digest in content.items() if name.startswith(start)}

    def also_in(start: str, other: str) -> set[str]:
        return {name for name, digest in named(start).items() if digest in named(other).values()}

    shared = also_in("data/train", "data/val")
    in_book = also_in("data/val", "label_book")
    assert (len(shared), len(in_book), len(also_in("data/train", "label_book"))) == (49, 3, 0)
    clean = real("roman_numerals", drop_duplicates=True)
    assert np.bincount(clean.extras["part"]).tolist() == [2067 - 49, 813 - 3, 52]
    assert set(data.extras["file"]) - set(clean.extras["file"]) == shared | in_book


@pytest.mark.parametrize(
    "task",
    ["01g317", "01g317_flipped", "04hgtk", "04hgtk_flipped", "04rky", "04rky_flipped", "09j2d", "09j2d_flipped"],
)
def test_dataperf_debugging(real: Load, data_dir: Path, task: str) -> None:
    data = real("dataperf_debugging", task=task)
    part: np.ndarray = data.extras["part"]
    assert np.bincount(part).tolist() == [300, 100, 500]
    assert data.X.shape == (900, 2048)
    wrong = data.y != data.extras["given"]
    assert (wrong[part == 0].sum(), wrong[part > 0].sum()) == (90, 0)
    stem, folder = task.replace("_", "-"), data_dir / "dataperf_debugging"
    frames = [pd.read_parquet(folder / f"{stem}_{which}.parquet") for which in ("train_0.3_300", "val_100", "test_500")]
    for i, frame in enumerate(frames):
        np.testing.assert_array_equal(data.X[part == i], np.stack(frame["encoding"].to_list()).astype(np.float32))
        np.testing.assert_array_equal(data.extras["given"][part == i], frame["label"])
        assert data.extras["id"][part == i].tolist() == frame["filename"].tolist()
    verified = pd.read_csv(folder / f"dataset_{stem}_train.csv").drop_duplicates("ImageID")
    truth = frames[0].merge(verified, left_on="filename", right_on="ImageID", how="left")
    assert (data.y[part == 0] == truth["hv_label"]).sum() >= 299  # one id occurs twice in one task
