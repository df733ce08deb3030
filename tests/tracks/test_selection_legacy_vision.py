"""The vision protocol on a small folder made in the organisers' layout, against scikit-learn as the original calls it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_score, recall_score

from harness.errors import ProtocolError, SubmissionError
from harness.protocol.compose import load_challenge
from harness.tracks.base import View
from harness.tracks.selection_legacy_vision import SelectionLegacyVision
from tests.tracks.helpers import baseline, run

CONCEPTS = ["Cupcake", "Hawk", "Sushi"]
POOL = 300


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> SelectionLegacyVision:
    root = tmp_path_factory.mktemp("data")
    folder = root / "dataperf_vision" / "data"
    for name in ("embeddings", "test_sets", "examples"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 256))
    shown = rng.integers(-1, 3, size=POOL)  # which concept a picture of the pool shows, -1: none
    ids = [f"{i:016x}" for i in range(POOL)]
    embedding = 5 * rng.normal(size=(POOL, 256)) + np.where(shown[:, None] >= 0, centres[shown], 0)
    pool = pd.DataFrame({"ImageID": ids, "embedding": list(embedding.astype(np.float32))})
    pool.to_parquet(folder / "embeddings" / "train_emb_256_dataperf.parquet")
    for k, concept in enumerate(CONCEPTS):
        present = np.arange(40 + k) % 2
        vectors = (5 * rng.normal(size=(len(present), 256)) + present[:, None] * centres[k]).astype(np.float32)
        table = {"ImageID": [f"t{k}{i}" for i in range(len(present))], "Confidence": [str(c) for c in present]}
        pd.DataFrame(table | {"embedding": list(vectors)}).to_parquet(
            folder / "test_sets" / f"alpha_test_set_{concept}_256.parquet"
        )
        examples = [ids[i] for i in np.flatnonzero(shown == k)[:6]]
        pd.DataFrame({"ImageID": examples, "Confidence": 1}).to_csv(
            folder / "examples" / f"alpha_example_set_{concept}.csv", index=False
        )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_DATA_DIR", str(root))
        challenge = load_challenge("selection_legacy_vision", ["track.budget=60"])
        track = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(track, SelectionLegacyVision)
    return track


def pairs(seed: int, per_concept: int = 30) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "concepts": np.repeat(np.arange(3), per_concept),
        "indices": np.concatenate([rng.permutation(POOL)[:per_concept] for _ in range(3)]),
        "labels": np.tile(np.arange(per_concept) % 2, 3),
    }


def test_the_view_holds_the_pool_and_the_examples_alone(track):
    view, key = track.prepare(0)
    assert set(view.arrays) == {"X", "examples", "concept_of"}
    assert view.arrays["X"].shape == (POOL, 256)
    assert np.bincount(view.arrays["concept_of"]).tolist() == [6, 6, 6]
    assert np.bincount(key.concept).tolist() == [40, 41, 42]


@pytest.mark.parametrize("seed", [0, 1])
def test_score_is_that_of_the_originals_classifier(track, seed):
    view, key = track.prepare(0)
    chosen = pairs(seed)
    score = track.score(track.read_output(chosen, view), view, key, 0)
    scores = []
    for k in range(3):
        own, tested = chosen["concepts"] == k, key.concept == k
        X = view.arrays["X"][chosen["indices"][own]].tolist()  # Python floats and text labels, as there
        model = LogisticRegression(random_state=0).fit(X, [str(label) for label in chosen["labels"][own]])
        y, predicted = [str(label) for label in key.y_test[tested]], model.predict(key.X_test[tested].tolist())
        scores.append(f1_score(y, predicted, pos_label="1"))
        assert score.metrics[f"f1_{k}"] == pytest.approx(scores[-1])
        assert score.metrics[f"precision_{k}"] == pytest.approx(precision_score(y, predicted, pos_label="1"))
        assert score.metrics[f"recall_{k}"] == pytest.approx(recall_score(y, predicted, pos_label="1"))
    assert score.value == pytest.approx(np.mean(scores))


def test_statistic_of_ones_is_the_value_and_of_counts_is_that_of_repeated_rows(track):
    view, key = track.prepare(0)
    score = track.score(pairs(0), view, key, 0)
    m = len(key.y_test)
    assert track.statistic(score.items, np.ones((1, m)))[0] == score.value
    counts = np.random.default_rng(0).multinomial(m, np.full(m, 1 / m), size=2)
    for row, got in zip(counts, track.statistic(score.items, counts), strict=True):
        items = {name: array[np.repeat(np.arange(m), row)] for name, array in score.items.items()}
        each = [
            f1_score(items["y_true"][items["concept"] == k], items["y_pred"][items["concept"] == k]) for k in range(3)
        ]
        assert got == pytest.approx(np.mean(each))


def test_references_bracket(track):
    view, key = track.prepare(0)
    assert track.reference("random", view, key, 0).value < track.reference("skyline", view, key, 0).value <= 1


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-1, 2), st.integers(-1, 6), st.integers(-1, 2)), max_size=9),
    st.permutations([(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 1, 1)]),
)
def test_pairs_are_accepted_just_when_every_rule_is_kept(track, extra, valid):
    view = View({"X": np.zeros((6, 2), np.float32)}, {"n_concepts": 2, "budget": 4, "n_classes": 2})
    rows = valid + extra
    concepts, indices, labels = (np.array(column) for column in zip(*rows, strict=True))
    keys = list(zip(concepts, indices, strict=True))
    fine = (
        all(0 <= c < 2 and 0 <= i < 6 and 0 <= label < 2 for c, i, label in rows)
        and len(set(keys)) == len(keys)
        and max(np.bincount(concepts[concepts >= 0])) <= 4
    )
    given_ = {"concepts": concepts, "indices": indices, "labels": labels}
    if fine:
        got = track.read_output(given_, view)
        assert all(np.array_equal(got[name], given_[name]) for name in given_)
    else:
        with pytest.raises(SubmissionError, match=r"concepts|indices|labels"):
            track.read_output(given_, view)


def test_bad_pairs_are_refused_by_concept_and_position(track):
    view, _ = track.prepare(0)
    repeated = pairs(0)
    repeated["indices"][31] = repeated["indices"][30]
    with pytest.raises(SubmissionError, match=r"concept 1\[1\] repeats row"):
        track.read_output(repeated, view)
    one_label = pairs(0)
    one_label["labels"][60:] = 1
    with pytest.raises(SubmissionError, match="concept 2 are all 1"):
        track.read_output(one_label, view)
    with pytest.raises(SubmissionError, match="concept 2 is empty"):
        track.read_output({name: array[:60] for name, array in pairs(0).items()}, view)
    with pytest.raises(SubmissionError, match="one length"):
        track.read_output(pairs(0) | {"labels": np.zeros(7, int)}, view)
    with pytest.raises(SubmissionError, match="dtype"):
        track.read_output(pairs(0) | {"labels": np.zeros(90)}, view)


def test_other_data_are_refused():
    challenge = load_challenge("selection_legacy_vision", ["dataset=digits", "~dataset.concept"])
    with pytest.raises(ProtocolError, match="dataperf_vision"):
        challenge.load_track(challenge.load_dataset(), "cpu").prepare(0)


@pytest.mark.parametrize("name", ["random", "nearest_examples"])
def test_baselines_run(track, name):
    view, key = track.prepare(0)
    output = run(track, view, key, baseline("selection_pairs", name))
    assert np.bincount(output["concepts"]).tolist() == [60, 60, 60]
    assert 0 <= track.score(output, view, key, 0).value <= 1
