"""Slicing: matching by brute force, precision and recall by hand, what is planted and what is shown."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from sklearn.metrics import adjusted_mutual_info_score, average_precision_score

from harness.data.base import Dataset
from harness.errors import NothingToMeasure, ProtocolError, SubmissionError
from harness.models import load_model
from harness.protocol.compose import load_challenge
from harness.tracks import metrics, planting
from harness.tracks.base import View
from harness.tracks.slicing import Slicing, SlicingKey, SlicingSettings, match


def load(*overrides: str, name: str = "slicing_digits") -> Slicing:
    challenge = load_challenge(name, overrides)
    track = challenge.load_track(challenge.load_dataset(), "cpu")
    assert isinstance(track, Slicing)
    return track


@pytest.fixture(scope="module")
def track() -> Slicing:
    return load()


def hand_made(member, wrong=None) -> SlicingKey:
    member = np.asarray(member, bool)
    return SlicingKey(member, np.zeros(len(member), bool) if wrong is None else wrong, ("?",) * member.shape[1])


# ---- the metric


@given(st.integers(1, 4), st.integers(1, 4), st.randoms(use_true_random=False))
def test_matching_is_the_best_of_all_one_to_one_matchings(k, s, random):
    precision = np.array([[random.random() for _ in range(s)] for _ in range(k)])
    partner = match(precision)
    real = partner[partner >= 0]
    assert len(set(real)) == len(real) == min(k, s)
    got = sum(precision[p, j] for j, p in enumerate(partner) if p >= 0)
    if k >= s:
        best = max(sum(precision[p, j] for j, p in enumerate(chosen)) for chosen in permutations(range(k), s))
    else:
        best = max(sum(precision[p, j] for p, j in enumerate(chosen)) for chosen in permutations(range(s), k))
    assert got == pytest.approx(best)


@given(arrays(bool, (9, 2)), st.permutations(range(9)))
def test_average_precision_agrees_with_scikit_learn(member, order):
    order = np.array(order)[:, None]
    ours = metrics.average_precisions(member, order)[0]
    for j in range(2):
        if member[:, j].any():
            assert ours[j] == pytest.approx(average_precision_score(member[:, j], -np.argsort(order[:, 0])))
        else:
            assert ours[j] == 0


@given(st.integers(1, 14), st.data())
def test_adjusted_mutual_information_agrees_with_scikit_learn(n, data):
    """From one part to all rows single, for both partitions."""
    most = st.integers(1, n)
    a, b = (np.array(data.draw(st.lists(st.integers(1, data.draw(most)), min_size=n, max_size=n))) for _ in "ab")
    expected = adjusted_mutual_info_score(a, b)
    assert metrics.adjusted_mutual_information(a, b) == pytest.approx(expected, abs=1e-9)
    assert metrics.adjusted_mutual_information(a, a) == 1


@pytest.mark.parametrize("n", [1, 2, 3, 8, 50])
def test_all_rows_single_on_both_sides_agree_fully(n):
    single = np.arange(n)
    assert metrics.adjusted_mutual_information(single, single[::-1]) == adjusted_mutual_info_score(single, single) == 1


def test_score_by_hand():
    track = load("track.top=2", "track.max_slices=3")
    member = np.zeros((6, 2), bool)
    member[:3, 0] = member[3:5, 1] = True
    wrong = np.array([1, 1, 1, 1, 0, 0], bool)
    first = [9, 3, 8, 2, 1, 0]  # rows 0, 2, then 1, 3, 4, 5: the first slice, both of its best two rows
    second = [6, 5, 4, 9, 3, 2]  # row 3, then 0: half of the second slice's
    scores = np.array([second, first], float).T
    view = View({"X_test": np.zeros((6, 1))}, {"max_slices": 3})
    score = track.score({"membership": scores}, view, hand_made(member, wrong), 0)
    assert score.value == pytest.approx((2 / 2 + 1 / 2) / 2)
    assert score.metrics["recall"] == pytest.approx((3 / 3 + 1 / 2) / 2)
    # rows in order 0 2 1 | and 3 0 1 2 4: precisions at the hits are 1 1 1 and 1, 2/5
    assert score.metrics["average_precision"] == pytest.approx((1 + (1 + 2 / 5) / 2) / 2)
    assert score.metrics["error_gap"] == pytest.approx(1 - 4 / 6)
    assert score.curve is not None
    assert score.curve[:3].tolist() == [[1, 1], [2, 0.75], [3, (1 + 1 / 3) / 2]]


def test_a_slice_without_partner_counts_nothing(track):
    view, key = track.prepare(0)
    hidden = key.member.shape[1]
    assert hidden == 3
    score = track.score({"membership": key.member[:, :1].astype(float)}, view, key, 0)
    assert score.value == pytest.approx(1 / 3)
    complement = track.score({"membership": 1.0 - key.member[:, :1]}, view, key, 0)
    assert complement.value < 1 / 3  # naming everything else earns no credit for the slice


def test_statistic_is_the_metric_and_weights_count_like_repeated_rows(track):
    view, key = track.prepare(0)
    score = track.score({"membership": np.random.default_rng(0).random((997, 4))}, view, key, 0)
    assert all(len(item) == 997 for item in score.items.values())
    assert track.statistic(score.items, np.ones((2, 997))).tolist() == [score.value] * 2
    weights = np.random.default_rng(1).integers(0, 3, (5, 997))
    weights[4, np.argsort(score.items["position"][:, 0])[:900]] = 0  # the 25 are found far down the list
    expected = []
    for w in weights:
        hits = 0
        for j in range(3):
            rows = np.repeat(np.argsort(score.items["position"][:, j]), w[np.argsort(score.items["position"][:, j])])
            hits += score.items["found"][rows[:25], j].sum()
        expected.append(hits / 75)
    assert track.statistic(score.items, weights) == pytest.approx(expected)


def test_equal_scores_fall_by_a_seeded_shuffle_and_not_by_row_order(track):
    view, _ = track.prepare(0)
    first_rows = hand_made(np.arange(997)[:, None] < 50)
    values = [track.score({"membership": np.full((997, 1), 0.7)}, view, first_rows, s).value for s in range(20)]
    assert 0 < np.mean(values) < 0.2  # 50 of 997 rows are 5 %; in row order it would be 1
    assert len(set(values)) > 1


def test_references(track):
    for seed in range(2):
        view, key = track.prepare(seed)
        assert track.reference("skyline", view, key, seed).value == 1.0
        assert track.reference("skyline", view, key, seed).metrics["adjusted_mutual_information"] == pytest.approx(1)
        assert track.reference("random", view, key, seed).value < 0.35


# ---- what is planted


def test_the_view_shows_superclasses_and_no_test_label(track):
    view, key = track.prepare(3)
    assert set(view.arrays) == {"X_val", "y_val", "proba_val", "X_test", "proba_test"}
    assert dict(view.scalars) == {"n_classes": 5, "max_slices": 5}
    assert set(np.unique(view.arrays["y_val"])) == set(range(5))
    assert view.arrays["proba_test"].shape == (997, 5)
    assert view.arrays["proba_test"].sum(axis=1) == pytest.approx(np.ones(997), abs=1e-5)
    assert key.member.shape == (997, 3)
    assert not (key.member.sum(axis=1) > 1).any()
    inside = key.wrong[key.member.any(axis=1)].mean()
    assert inside > key.wrong[~key.member.any(axis=1)].mean() + 0.25


@given(st.integers(2, 12), st.integers(2, 5), st.integers(0, 99))
def test_superclasses_are_as_equal_as_they_can_be(classes, count, seed):
    of_class = planting.superclasses(classes, min(count, classes), np.random.default_rng(seed))
    sizes = np.bincount(of_class, minlength=min(count, classes))
    assert np.ptp(sizes) <= 1
    assert sizes.sum() == classes


def plan_for(seed, kinds=("rare", "noisy", "correlated"), n=400):
    rng = np.random.default_rng(seed)
    y, X = rng.integers(0, 6, n), rng.normal(size=(n, 3))
    y_test, X_test = rng.integers(0, 6, 90), rng.normal(size=(90, 3))
    of_class = planting.superclasses(6, 3, rng)
    return y, of_class, y_test, planting.plant(kinds, X, y, X_test, y_test, of_class, kept=0.1, flipped=0.75, rng=rng)


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_each_kind_does_what_it_says_to_its_own_superclass(seed):
    y, of_class, y_test, plan = plan_for(seed)
    rare, noisy, correlated = plan.member.T
    for inside in (rare, noisy):
        assert len(set(y_test[inside])) == 1  # one class
        assert inside.sum() == (y_test == y_test[inside][0]).sum()  # all of it
    superclasses = [set(of_class[y_test[inside]]) for inside in (rare, noisy, correlated)]
    assert len(set.union(*superclasses)) == 3
    rare_rows, noisy_rows = y == y_test[rare][0], y == y_test[noisy][0]
    assert plan.kept[rare_rows].sum() == max(1, round(0.1 * rare_rows.sum()))
    changed = plan.labels != of_class[y]
    assert changed.sum() == changed[noisy_rows].sum() == round(0.75 * noisy_rows.sum())
    left_out = ~plan.kept & ~rare_rows
    assert left_out.any()
    assert set(of_class[y[left_out]]) == superclasses[2]


def test_no_slice_spreads_the_same_damage_over_all_rows():
    y, of_class, _, plan = plan_for(5)
    even = planting.spread(plan, y, of_class, np.random.default_rng(0))
    assert even.kept.sum() == plan.kept.sum()
    flips = even.kept & (even.labels != of_class[y])
    assert flips.sum() == (plan.labels != of_class[y]).sum()
    assert len(set(y[flips])) == 6  # every class loses some
    assert even.member.shape == (90, 0)


def test_one_seed_in_five_is_empty_and_only_declared_proposals_count():
    track = load(name="slicing_no_slice_digits")
    hidden = {seed: track.prepare(seed) for seed in range(10)}
    empty = [seed for seed, (_, key) in hidden.items() if key.member.shape[1] == 0]
    assert [seed // 5 for seed in empty] == [0, 1]
    view, key = hidden[empty[0]]
    sure, unsure = np.full((997, 2), 0.5), np.full((997, 2), 0.49)
    both = np.concatenate([sure, unsure], axis=1)
    for scores, declared in [(sure, 2), (unsure, 0), (both, 2)]:
        score = track.score({"membership": scores}, view, key, empty[0])
        assert score.metrics["false_discovery_rate"] == declared / scores.shape[1]
        assert score.value == pytest.approx(1 - declared / 5)
        assert track.statistic(score.items, np.arange(997.0)[None]) == pytest.approx([score.value])
    assert track.reference("skyline", view, key, empty[0]).value == 1
    planted = next(seed for seed in hidden if seed not in empty)
    view, key = hidden[planted]
    assert track.score({"membership": key.member * 1.0}, view, key, planted).value == 1
    assert track.score({"membership": key.member * 0.4}, view, key, planted).value == 0


# ---- groups by attributes


def people(n=3000, seed=0) -> Dataset:
    rng = np.random.default_rng(seed)
    sex, age = rng.choice(["F", "M"], n), rng.integers(18, 80, n)
    signal = rng.normal(size=n)
    hard = (sex == "M") & (age >= 50)  # there the label is a coin toss
    y = np.where(hard, rng.integers(0, 2, n), signal > 0).astype(np.int64)
    X = np.column_stack([signal, sex == "M", age / 80])
    return Dataset("people", X, y, ("no", "yes"), {"sex": sex, "age": age, "height": rng.normal(size=n)})


def attribute_track(data, **changes) -> Slicing:
    base = {"name": "slicing", "planted": (), "attributes": ("sex", "age"), "cuts": {"age": (50.0,)}}
    chosen = SlicingSettings.model_validate(base | changes)
    return Slicing(chosen, data, load_model("logistic", device="cpu", n_classes=2), "secret")


def test_the_group_where_the_model_fails_is_found_among_all_intersections():
    data = people()
    view, key = attribute_track(data).prepare(0)
    assert key.names == ("sex=M age=50-",)
    assert np.array_equal(key.member[:, 0], (view.arrays["X_test"][:, 1] == 1) & (view.arrays["X_test"][:, 2] >= 0.625))
    assert key.wrong[key.member[:, 0]].mean() == pytest.approx(0.5, abs=0.1)


def test_groups_name_and_partition_all_rows():
    data = people(200)
    member, names = planting.groups(data, np.arange(100), ["sex", "age"], {"age": [30, 50]})
    assert (member.sum(axis=1) == 1).all()
    assert sorted(names) == sorted(f"sex={s} age={a}" for s in "FM" for a in ("-30", "30-50", "50-"))
    young_women = member[:, names.index("sex=F age=-30")]
    age: np.ndarray = data.extras["age"][:100]
    assert np.array_equal(young_women, (data.extras["sex"][:100] == "F") & (age < 30))


def test_a_model_that_fails_nowhere_leaves_nothing_to_measure():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 1))
    data = Dataset("easy", X, (X[:, 0] > 0).astype(np.int64), ("a", "b"), {"sex": rng.choice(["F", "M"], 2000)})
    with pytest.raises(NothingToMeasure, match="none of 2 groups"):
        attribute_track(data, attributes=("sex",), cuts={}).prepare(0)


def test_unknown_and_uncut_columns_are_refused():
    with pytest.raises(ProtocolError, match="no column 'income'"):
        attribute_track(people(), attributes=("income",), cuts={}).prepare(0)
    with pytest.raises(ProtocolError, match=r"give track\.cuts\.height"):
        attribute_track(people(), attributes=("height",), cuts={}).prepare(0)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["track.planted=[]"], "planted kinds or attributes"),
        (["track.attributes=[sex]"], "planted kinds or attributes"),
        (["track.empty_every=1"], "empty_every 1"),
        (["track.planted=[]", "track.attributes=[sex]", "track.empty_every=5"], "needs planted"),
        (["track.superclasses=2"], "3 planted slices need"),
        (["+track.cuts.age=[30]"], "cuts name age"),
        (["track.support=10"], "support 10"),
        (["track.planted=[rare,magic]"], "magic"),
    ],
)
def test_impossible_settings_are_refused(overrides, reason):
    with pytest.raises(ProtocolError, match=reason):
        load_challenge("slicing_digits", overrides)


def test_slices_too_small_are_refused():
    with pytest.raises(ProtocolError, match="test rows, 50 are needed"):
        load("track.test=100").prepare(0)
    with pytest.raises(ProtocolError, match="11 superclasses cannot be made of 10"):
        load("track.superclasses=11").prepare(0)


# ---- what a submission may return

VIEW = View({"X_test": np.zeros((8, 2), np.float32)}, {"max_slices": 3, "n_classes": 2})


@given(arrays(np.float32, st.tuples(st.just(8), st.integers(1, 3)), elements=st.floats(-9, 9, width=32)))
def test_any_finite_scores_of_at_most_max_slices_columns_are_accepted(track, scores):
    out = track.read_output({"membership": scores}, VIEW)["membership"]
    assert out.dtype == np.float64
    assert np.array_equal(out, scores)


@given(arrays(np.float64, array_shapes(max_dims=3, max_side=9), elements=st.just(0.0)))
def test_other_shapes_are_refused(track, scores):
    if scores.ndim == 2 and scores.shape[0] == 8 and scores.shape[1] <= 3:
        return
    with pytest.raises(SubmissionError, match=r"shape|over the 3 slices"):
        track.read_output({"membership": scores}, VIEW)


@given(st.integers(0, 7), st.integers(0, 2), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_the_first_score_that_is_not_finite_is_named(track, row, column, bad):
    scores = np.zeros((8, 3))
    scores[row, column] = bad
    with pytest.raises(SubmissionError, match=rf"membership\[{row}, {column}\] is"):
        track.read_output({"membership": scores}, VIEW)


def test_too_many_columns_and_other_types_are_named(track):
    with pytest.raises(SubmissionError, match="column 3 is too many"):
        track.read_output({"membership": np.zeros((8, 4))}, VIEW)
    with pytest.raises(SubmissionError, match="dtype bool"):
        track.read_output({"membership": np.zeros((8, 1), bool)}, VIEW)
    with pytest.raises(SubmissionError, match="is empty"):
        track.read_output({"membership": np.zeros((8, 0))}, VIEW)
