"""The loaders of DataPerf's selection data on small folders made in the organisers' layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from harness.data import fetch_dataset, load_dataset
from harness.errors import ProtocolError


def words(folder: Path, rng: np.random.Generator, names: dict[str, int]) -> dict[str, np.ndarray]:
    """One parquet file a word, and what was written: clip id -> embedding."""
    folder.mkdir(parents=True)
    written: dict[str, np.ndarray] = {}
    for word, count in names.items():
        clips = [f"{word}/common_voice_en_{i}.wav" for i in range(count)]
        vectors = rng.normal(size=(count, 1024)).astype(np.float32)
        pd.DataFrame({"clip_id": clips, "mswc_embedding_vector": list(vectors)}).to_parquet(folder / f"{word}.parquet")
        written |= dict(zip(clips, vectors, strict=True))
    return written


@pytest.fixture
def speech(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, dict[str, np.ndarray], dict[str, np.ndarray]]:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path))
    folder = tmp_path / "dataperf_speech" / "dataperf_en_data"
    rng = np.random.default_rng(0)
    train = words(folder / "train_embeddings", rng, {"right": 5, "left": 4, "cat": 3, "tree": 2})
    evaluation = words(folder / "eval_embeddings", rng, {"right": 2, "left": 2, "cow": 3})
    allowed = {
        "targets": {
            "right": [f"right/common_voice_en_{i}.wav" for i in (3, 1)],
            "left": ["left/common_voice_en_2.wav"],
        },
        "nontargets": ["tree/common_voice_en_1.wav", "cat/common_voice_en_0.wav"],
    }
    (folder / "allowed_training_set.yaml").write_text(yaml.safe_dump(allowed))
    held_out = {
        "targets": {"right": ["right/common_voice_en_0.wav"], "left": ["left/common_voice_en_0.wav"]},
        "nontargets": ["cow/common_voice_en_2.wav"],
    }
    (folder / "eval.yaml").write_text(yaml.safe_dump(held_out))
    return folder, train, evaluation


def test_speech(speech: tuple[Path, dict[str, np.ndarray], dict[str, np.ndarray]]) -> None:
    _, train, evaluation = speech
    data = load_dataset("dataperf_speech")
    assert data.class_names == ("nontarget", "left", "right")
    by_part = {part: set(data.extras["id"][data.extras["part"] == part]) for part in (0, 2)}
    assert by_part == {
        0: {
            "right/common_voice_en_1.wav",
            "right/common_voice_en_3.wav",
            "left/common_voice_en_2.wav",
            "tree/common_voice_en_1.wav",
            "cat/common_voice_en_0.wav",
        },
        2: {"right/common_voice_en_0.wav", "left/common_voice_en_0.wav", "cow/common_voice_en_2.wav"},
    }
    for clip, part, label, x in zip(data.extras["id"], data.extras["part"], data.y, data.X, strict=True):
        word = clip.split("/")[0]
        assert data.class_names[label] == (word if word in ("left", "right") else "nontarget")
        np.testing.assert_array_equal(x, (train if part == 0 else evaluation)[clip])
    # Rows of a word in the order of its file, nontargets as listed: the order the original classifier is fitted in.
    rights = [clip for clip in data.extras["id"] if clip.startswith("right")]
    assert rights[:2] == ["right/common_voice_en_1.wav", "right/common_voice_en_3.wav"]
    assert data.extras["id"][3:5].tolist() == ["tree/common_voice_en_1.wav", "cat/common_voice_en_0.wav"]


def test_speech_bad_folders(speech: tuple[Path, dict[str, np.ndarray], dict[str, np.ndarray]]) -> None:
    folder, _, _ = speech
    with pytest.raises(ProtocolError, match=r"dataperf_speech/dataperf_pt_data.*HARNESS_DATA_DIR"):
        load_dataset("dataperf_speech", language="pt")
    (folder / "eval.yaml").write_text("targets: {left: [left/common_voice_en_0.wav]}\nnontargets: [cow/no.wav]\n")
    with pytest.raises(ProtocolError, match=r"names the clip cow/no\.wav"):
        load_dataset("dataperf_speech")
    (folder / "eval.yaml").write_text("[1, 2]\n")
    with pytest.raises(ProtocolError, match=r"eval\.yaml is not"):
        load_dataset("dataperf_speech")
    (folder / "train_embeddings" / "left.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(ProtocolError, match=r"left\.parquet is not a parquet file"):
        load_dataset("dataperf_speech")
    (folder / "train_embeddings" / "left.parquet").unlink()
    with pytest.raises(ProtocolError, match=r"left\.parquet is missing"):
        load_dataset("dataperf_speech")


def test_vision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA_DIR", str(tmp_path))
    with pytest.raises(ProtocolError, match="dataperf_vision/data"):
        fetch_dataset("dataperf_vision")
    data_dir = tmp_path / "dataperf_vision" / "data"
    for name in ("embeddings", "test_sets", "examples"):
        (data_dir / name).mkdir(parents=True)
    rng = np.random.default_rng(1)
    pool, test = rng.normal(size=(2, 6, 256)).astype(np.float32)
    ids = [f"{i:016x}" for i in range(6)]
    pd.DataFrame({"ImageID": ids, "embedding": list(pool)}).to_parquet(
        data_dir / "embeddings" / "train_emb_256_dataperf.parquet"
    )
    confidence = ["1", "0", "0", "1", "1", "0"]  # text, as in the original files
    pd.DataFrame({"ImageID": ids, "Confidence": confidence, "embedding": list(test)}).to_parquet(
        data_dir / "test_sets" / "alpha_test_set_Hawk_256.parquet"
    )
    pd.DataFrame({"LabelName": "/m/0fp7c", "ImageID": [ids[4], ids[1]], "Confidence": 1, "DisplayName": "Hawk"}).to_csv(
        data_dir / "examples" / "alpha_example_set_Hawk.csv", index=False
    )
    data = load_dataset("dataperf_vision", concept="Hawk")
    np.testing.assert_array_equal(data.X, np.concatenate([pool, test]))
    assert data.y[6:].tolist() == [1, 0, 0, 1, 1, 0]
    assert np.flatnonzero(data.extras["labelled"] == 0).tolist() == [0, 2, 3, 5]
    assert data.y[[1, 4]].tolist() == [1, 1]
    assert data.extras["part"].tolist() == [0] * 6 + [2] * 6
    with pytest.raises(ProtocolError, match="alpha_test_set_Sushi_256"):
        load_dataset("dataperf_vision", concept="Sushi")
    assert fetch_dataset("dataperf_vision") == [data_dir]


def test_ragged_embeddings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.data.parquet import read_columns

    path = tmp_path / "x.parquet"
    pd.DataFrame({"v": [[1.0, 2.0], [3.0]]}).to_parquet(path)
    with pytest.raises(ProtocolError, match="from 1 to 2 entries"):
        read_columns(path, ("v",))
    with pytest.raises(ProtocolError, match="complete columns w"):
        read_columns(path, ("w",))
    pd.DataFrame({"v": ["a", None]}).to_parquet(path)
    with pytest.raises(ProtocolError, match="an entry is missing"):
        read_columns(path, ("v",))
