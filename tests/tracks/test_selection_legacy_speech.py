"""The speech protocol on a small folder made in the organisers' layout, against scikit-learn's own soft vote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.svm import SVC

from harness.data.dataperf_selection import DataperfSpeech
from harness.errors import ProtocolError, SubmissionError
from harness.protocol.compose import load_challenge
from harness.tracks.selection_legacy_speech import RANDOM_STATES, SelectionLegacySpeech, SelectionLegacySpeechSettings
from tests.tracks.helpers import baseline, run

KEYWORDS = ["job", "fifty", "route", "about", "window"]
OTHERS = ["tree", "cat"]
pytestmark = pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")


@pytest.fixture(scope="module")
def track(tmp_path_factory: pytest.TempPathFactory) -> SelectionLegacySpeech:
    root = tmp_path_factory.mktemp("data")
    folder = root / "dataperf_speech" / "dataperf_en_data"
    rng = np.random.default_rng(0)
    centres = {word: rng.normal(size=1024) for word in KEYWORDS + OTHERS}
    listings = {"allowed_training_set": ("train_embeddings", 12), "eval": ("eval_embeddings", 8)}
    for listing, (embeddings, count) in listings.items():
        clips = {word: write(folder / embeddings, word, centres[word], count, rng) for word in KEYWORDS + OTHERS}
        allowed = {"targets": {w: clips[w] for w in KEYWORDS}, "nontargets": clips["tree"] + clips["cat"]}
        (folder / f"{listing}.yaml").write_text(yaml.safe_dump(allowed, sort_keys=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_DATA_DIR", str(root))
        challenge = load_challenge("selection_legacy_speech_en_25")
        track = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(track, SelectionLegacySpeech)
    return track


def write(folder: Path, word: str, centre: np.ndarray, count: int, rng: np.random.Generator) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    clips = [f"{word}/common_voice_{i}.wav" for i in range(count)]
    vectors = (centre + 6 * rng.normal(size=(count, 1024))).astype(np.float32)
    pd.DataFrame({"clip_id": clips, "mswc_embedding_vector": list(vectors)}).to_parquet(folder / f"{word}.parquet")
    return clips


def original(track, rows, key, view):
    """Macro-F1 as in the original: a VotingClassifier per random state, on the rows in the order of the files."""
    X, y = view.arrays["X"][np.sort(rows)], view.arrays["y"][np.sort(rows)].astype(float)
    scores, balanced = [], []
    for state in RANDOM_STATES:
        machine, linear = SVC(probability=True, random_state=state), LogisticRegression(random_state=state)
        vote = VotingClassifier([("svm", machine), ("lr", linear)], voting="soft", weights=None).fit(X, y)
        predicted = vote.predict(key.X_test)
        scores.append(f1_score(key.y_test, predicted, average="macro"))
        balanced.append(balanced_accuracy_score(key.y_test, predicted))
    return np.mean(scores), np.mean(balanced)


def test_the_ten_random_states_are_the_originals(track):
    assert RANDOM_STATES == (5, 69, 98, 70, 95, 64, 37, 11, 4, 32)
    assert track.settings.random_states == RANDOM_STATES


@pytest.mark.parametrize("seed", [0, 1])
def test_score_is_that_of_scikit_learns_soft_vote(track, seed):
    view, key = track.prepare(0)
    assert len(view.arrays["y"]) == 7 * 12
    assert len(key.y_test) == 7 * 8
    rows = np.random.default_rng(seed).permutation(84)[:25]
    score = track.score(track.read_output({"indices": rows}, view), view, key, 0)
    f1, balanced = original(track, rows, key, view)
    assert score.value == pytest.approx(f1, abs=1e-12)
    assert 0 < score.value < 1
    assert score.metrics["balanced_accuracy"] == pytest.approx(balanced, abs=1e-12)


def test_a_selection_without_some_classes_is_scored_as_scikit_learn_does(track):
    view, key = track.prepare(0)
    rows = np.flatnonzero(np.isin(view.arrays["y"], [1, 4]))
    score = track.score(track.read_output({"indices": rows}, view), view, key, 0)
    assert score.value == pytest.approx(original(track, rows, key, view)[0], abs=1e-12)


def test_order_of_the_list_does_not_matter(track):
    view, key = track.prepare(0)
    rows = np.random.default_rng(3).permutation(84)[:20]
    one, two = (track.score({"indices": r}, view, key, 0) for r in (rows, rows[::-1]))
    assert np.array_equal(one.items["y_pred"], two.items["y_pred"])


def test_statistic_of_ones_is_the_value_and_of_counts_is_that_of_repeated_rows(track):
    view, key = track.prepare(0)
    score = track.reference("random", view, key, 0)
    assert track.statistic(score.items, np.ones((1, 56)))[0] == score.value
    counts = np.random.default_rng(0).multinomial(56, np.full(56, 1 / 56), size=2)
    for row, got in zip(counts, track.statistic(score.items, counts), strict=True):
        again = np.repeat(np.arange(56), row)
        y, predicted = score.items["y_true"][again], score.items["y_pred"][again]
        assert got == pytest.approx(np.mean([f1_score(y, p, average="macro") for p in predicted.T]))


def test_skyline_is_all_that_is_allowed(track):
    view, key = track.prepare(0)
    skyline = track.reference("skyline", view, key, 0)
    assert skyline.value == pytest.approx(original(track, np.arange(84), key, view)[0], abs=1e-12)
    assert skyline.value > track.reference("random", view, key, 0).value


def test_bad_selections_are_refused(track):
    view, _ = track.prepare(0)
    one_class = np.flatnonzero(view.arrays["y"] == 2)
    with pytest.raises(SubmissionError, match="class 2 alone"):
        track.read_output({"indices": one_class}, view)
    with pytest.raises(SubmissionError, match="over the budget of 25; position 25"):
        track.read_output({"indices": np.arange(26)}, view)
    with pytest.raises(SubmissionError, match=r"indices\[2\] repeats row 4"):
        track.read_output({"indices": np.array([4, 5, 4])}, view)


def test_other_data_are_refused():
    challenge = load_challenge("selection_legacy_speech_en_25", ["dataset=digits", "~dataset.language"])
    with pytest.raises(ProtocolError, match="dataperf_speech"):
        challenge.load_track(challenge.load_dataset(), "cpu").prepare(0)


@pytest.mark.parametrize("name", ["random", "class_balanced"])
def test_selection_baselines_run(track, name):
    view, key = track.prepare(0)
    assert len(run(track, view, key, baseline("selection", name))["indices"]) == 25


@pytest.mark.parametrize("language", ["en", "id", "pt"])
@pytest.mark.parametrize("cap", [25, 60])
def test_every_challenge_composes(language, cap):
    challenge = load_challenge(f"selection_legacy_speech_{language}_{cap}")
    assert isinstance(challenge.track, SelectionLegacySpeechSettings)
    assert isinstance(challenge.dataset, DataperfSpeech)
    assert challenge.track.budget == cap
    assert challenge.dataset.language == language
