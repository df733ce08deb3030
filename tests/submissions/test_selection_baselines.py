"""Selection baselines against plain loops, scipy, scikit-learn, and each against random."""

from __future__ import annotations

import dataclasses
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from harness import api, evaluate
from harness.errors import ProtocolError
from harness.models import load_model
from harness.paths import SUBMISSIONS_DIR
from harness.protocol.catalogue import baseline_names
from harness.protocol.compose import load_challenge
from harness.protocol.manifest import MANIFEST
from harness.randomness import generator
from tests.tracks.helpers import baseline, bind, cell, make_task, run

READERS = ["longest_texts", "tfidf_medoids"]  # of texts
GROUPED = ["group_balanced", "group_class_balanced", "group_medoids"]  # need groups
OTHER_TURNS = {"cluster_balanced", *GROUPED}  # lists take clusters or groups in turn, not classes
NAMES = sorted(
    p.parent.name for p in (SUBMISSIONS_DIR / "selection").glob(f"*/{MANIFEST}") if p.parent.name not in READERS
)
WITHOUT_LABELS = {"random", "kcenter_greedy", "herding", "kmeans_medoids", "facility_location"}


def part(name: str, function: str) -> Any:
    """A helper function inside a baseline's file."""
    return baseline("selection", name).__globals__[function]


def clouds(sizes: tuple[int, ...] = (30, 20, 6), budget: int = 12, seed: int = 0, **fields: Any) -> Any:
    """Three overlapping clouds of unequal size."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    X = (rng.normal(size=(len(y), 4)) + 1.5 * np.eye(len(sizes), 4)[y]).astype(np.float32)
    given = {"X": X, "y": y.astype(np.int64), "budget": budget, "X_val": None, "y_val": None} | fields
    given.setdefault("group", (X.reshape(len(X), -1)[:, 0] > 1).astype(np.int64))
    model = load_model("logistic", device="cpu", n_classes=len(sizes))
    return api.SelectionTask(len(sizes), generator("test", seed, "algorithm"), model, **given)


def test_the_baselines_that_researchers_expect_are_there() -> None:
    expected = {"random", "class_balanced", "kcenter_greedy", "herding", "margin", "kmeans_medoids"}
    expected |= {"facility_location", "entropy", "el2n", "forgetting", "grand", "craig"}
    assert expected <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_fills_the_budget_with_unique_rows_and_repeats_itself(name: str) -> None:
    track = bind("selection_worst_group_digits", "track.budget=20", "track.budgets=[]")
    view, key = track.prepare(0)
    first = run(track, view, key, baseline("selection", name))["indices"]
    assert len(first) == 20
    assert np.array_equal(first, run(track, view, key, baseline("selection", name))["indices"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("budget", [1, 3, 40, 56])
def test_any_budget_up_to_the_whole_pool(name: str, budget: int) -> None:
    chosen = baseline("selection", name)(clouds(budget=budget))
    assert len(set(chosen.tolist())) == len(chosen) == budget
    assert 0 <= min(chosen) <= max(chosen) < 56


@pytest.mark.parametrize("name", sorted({*NAMES, *READERS} - {"random", "kcenter_greedy", *OTHER_TURNS}))
def test_any_beginning_of_a_list_has_as_many_rows_of_each_class(name: str) -> None:
    """So that the curve over smaller budgets says something."""
    y = np.random.default_rng(1).permutation(np.repeat(np.arange(3), (30, 20, 6)))
    texts = api.Texts.of(f"w{i} of {y[i]}" for i in range(56))
    chosen = baseline("selection", name)(clouds(budget=17, texts=texts, y=y))
    for k in range(1, 18):
        counts = np.bincount(y[chosen[:k]], minlength=3)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("name", NAMES)
def test_images_and_duplicates(name: str) -> None:
    X = np.repeat(np.random.default_rng(0).normal(size=(28, 2, 2)), 2, axis=0).astype(np.float32)
    chosen = baseline("selection", name)(clouds(X=X, budget=40))
    assert len(set(chosen.tolist())) == 40


@pytest.mark.parametrize("name", sorted(WITHOUT_LABELS))
def test_hidden_labels_are_done_without(name: str) -> None:
    assert len(baseline("selection", name)(clouds(y=None))) == 12


def test_baselines_that_need_labels_are_left_out_where_they_are_hidden() -> None:
    unlabelled = load_challenge("selection_digits_unlabelled")
    assert unlabelled.left_out() == {"y", "X_val", "y_val", "texts", "texts_val", "group"}
    assert set(baseline_names("selection", unlabelled.left_out())) == WITHOUT_LABELS
    ungrouped = sorted(set(NAMES) - set(GROUPED))
    assert baseline_names("selection", load_challenge("selection_digits").left_out()) == ungrouped
    assert baseline_names("selection", load_challenge("selection_worst_group_digits").left_out()) == NAMES
    assert baseline_names("selection", load_challenge("selection_worst_group_adult").left_out()) == NAMES
    assert baseline_names("selection", load_challenge("selection_worst_group_adult_hidden").left_out()) == ungrouped


def test_baselines_that_read_texts_are_for_challenges_that_have_some() -> None:
    fitting = sorted({*NAMES, *READERS} - {*GROUPED})
    assert baseline_names("selection", load_challenge("selection_text_subj").left_out()) == fitting
    told = load_challenge("annotation_sentiment", ["dataset.dimension=64"])
    assert "texts" not in told.left_out()


def sentences(budget: int, y: Any = None) -> Any:
    """Eight sentences in two classes, one of them three times but for case and blanks."""
    documents = [
        "a cat",
        "A  cat",
        "a cat ",
        "the old cat sat there",
        "dogs",
        "dogs bark",
        "big dogs bark",
        "",
        "x y z",
    ]
    fields = {"X": np.zeros((9, 3), np.float32), "y": y, "texts": api.Texts.of(documents)}
    return dataclasses.replace(clouds((5, 4), budget=budget), **fields)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("budget", range(1, 10))
def test_a_text_is_chosen_twice_only_when_there_is_no_other(name: str, labelled: bool, budget: int) -> None:
    y = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
    task = sentences(budget, y if labelled else None)
    chosen = baseline("selection", name)(task)
    assert len(set(chosen.tolist())) == len(chosen) == budget
    if budget <= (6 if labelled else 7):  # class 0 has three different texts, both classes together seven
        assert (chosen < 3).sum() <= 1
    if labelled and budget <= 8:
        assert abs(int((y[chosen] == 0).sum()) - int((y[chosen] == 1).sum())) <= 1


def test_the_longest_texts_are_those_with_the_most_different_words() -> None:
    assert baseline("selection", "longest_texts")(sentences(1)).tolist() == [3]
    assert set(baseline("selection", "longest_texts")(sentences(3)).tolist()) == {3, 6, 8}


def test_semantic_vectors_are_the_singular_vectors_of_tf_idf() -> None:
    texts = [" ".join(f"w{v}" for v in row) for row in np.random.default_rng(0).integers(0, 30, (40, 6))]
    found = part("tfidf_medoids", "semantic")(texts, 0)
    vocabulary = sorted({word for text in texts for word in text.split()})
    counts = np.array([[text.split().count(word) for word in vocabulary] for text in texts], float)
    weighted = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0)
    weighted *= np.log((1 + len(texts)) / (1 + (counts > 0).sum(axis=0))) + 1
    weighted /= np.linalg.norm(weighted, axis=1, keepdims=True)
    u, s, _ = np.linalg.svd(weighted, full_matrices=False)
    plain = (u * s)[:, : found.shape[1]]
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    assert found @ found.T == pytest.approx(plain @ plain.T, abs=1e-3)


def test_a_baseline_that_lacks_what_it_needs_does_not_run(tmp_path: Path) -> None:
    challenge = load_challenge("selection_digits_unlabelled")
    with pytest.raises(ProtocolError, match=r"margin needs task\.y, which selection_digits_unlabelled leaves out"):
        evaluate(challenge, "margin", runs_dir=tmp_path)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"random", "kcenter_greedy", *OTHER_TURNS}))
def test_classes_get_equal_shares_as_far_as_they_have_rows(name: str) -> None:
    task = clouds(budget=30)
    counts = np.bincount(task.y[baseline("selection", name)(task)], minlength=3)
    assert counts.tolist() == [12, 12, 6]


def test_kcenter_takes_the_farthest_row_each_time() -> None:
    task = clouds()
    chosen = baseline("selection", "kcenter_greedy")(task).tolist()
    far = cdist(task.X, task.X)
    for k in range(1, len(chosen)):
        reach = far[:, chosen[:k]].min(axis=1)
        assert reach[chosen[k]] == pytest.approx(reach.max(), rel=1e-5)


def test_herding_keeps_the_mean_better_than_chance() -> None:
    X = np.random.default_rng(0).normal(size=(200, 5))
    herd = part("herding", "herd")
    off = np.linalg.norm(X[herd(X, 10)].mean(axis=0) - X.mean(axis=0))
    rng = np.random.default_rng(1)
    by_chance = [np.linalg.norm(X[rng.permutation(200)[:10]].mean(axis=0) - X.mean(axis=0)) for _ in range(500)]
    assert off < np.quantile(by_chance, 0.02)
    chosen = herd(X, 4)
    weight = X.mean(axis=0).copy()  # Welling's rule, word by word
    for t, row in enumerate(chosen):
        assert X[row] @ weight == pytest.approx(max(X[i] @ weight for i in range(200) if i not in chosen[:t]))
        weight += X.mean(axis=0) - X[row]


def test_medoids_cover_as_well_as_scikit_learns_centres() -> None:
    X = bind("selection_digits").dataset.X[:500]
    rows = part("kmeans_medoids", "medoids")(X, 12, np.random.default_rng(0))
    peer = KMeans(12, n_init=10, random_state=0).fit(X)
    nearest = cdist(peer.cluster_centers_, X).argmin(axis=1)
    ours, theirs = (np.mean(cdist(X, X[r], "sqeuclidean").min(axis=1)) for r in (rows, nearest))
    assert ours < 1.1 * theirs


def test_lazy_greedy_is_plain_greedy_and_near_the_best() -> None:
    X = np.random.default_rng(0).normal(size=(14, 3)).astype(np.float32)
    s = part("facility_location", "similarity")(X)
    assert s == pytest.approx(cdist(X, X).max() - cdist(X, X), abs=1e-3)
    chosen = part("facility_location", "lazy_greedy")(s, 4).tolist()
    plain: list[int] = []
    for _ in range(4):
        plain.append(max((j for j in range(14) if j not in plain), key=lambda j: s[:, [*plain, j]].max(axis=1).sum()))
    assert chosen == plain
    best = max(s[:, list(c)].max(axis=1).sum() for c in combinations(range(14), 4))
    assert s[:, chosen].max(axis=1).sum() >= (1 - 1 / np.e) * best


def test_margin_and_entropy_take_the_rows_scikit_learn_hesitates_on() -> None:
    task = clouds(budget=6)
    p = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(task.X, task.y).predict_proba(task.X)
    top = np.sort(p, axis=1)
    for name, hesitation in (("margin", top[:, -2] - top[:, -1]), ("entropy", -(p * np.log(p)).sum(axis=1))):
        chosen = baseline("selection", name)(task)
        for c in range(3):
            mine = np.flatnonzero(task.y == c)
            expected = mine[np.argsort(-hesitation[mine])[:2]]
            assert set(chosen[task.y[chosen] == c]) == set(expected)


@pytest.mark.parametrize("name", ["el2n", "forgetting", "margin", "entropy"])
def test_hard_rows_are_what_hard_row_methods_take(name: str) -> None:
    """Of two tight clouds with a few labels swapped, the swapped or doubtful rows come first."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 50)
    X = (rng.normal(size=(100, 3)) * 0.4 + 2 * y[:, None]).astype(np.float32)
    y[[3, 60]] = 1 - y[[3, 60]]
    task = clouds(sizes=(50, 50), X=X, y=y, budget=20)
    chosen = baseline("selection", name)(task)
    between = np.abs(X.sum(axis=1) - 3)  # distance from the border
    if name in ("el2n", "forgetting"):
        assert {3, 60} <= set(chosen.tolist())
    assert between[chosen].mean() < between.mean()


def test_grand_orders_each_class_by_the_norm_of_the_gradient() -> None:
    import torch

    select = baseline("selection", "grand")
    select.__globals__["STARTS"] = 1
    task = clouds(budget=56)
    W = generator("test", 0, "algorithm").normal(size=(3, 4)) / 2  # the draw that select makes
    norms = []
    for x, y in zip(task.X, task.y, strict=True):
        w = torch.tensor(np.column_stack([W, np.zeros(3)]), requires_grad=True)
        logits = w @ torch.tensor(np.append(x, 1.0).astype(np.float64))
        torch.nn.functional.cross_entropy(logits[None], torch.tensor([y])).backward()
        assert w.grad is not None
        norms.append(float(w.grad.norm()))
    chosen = select(task)
    for c in range(3):
        mine = chosen[task.y[chosen] == c]
        assert np.all(np.diff(np.array(norms)[mine]) <= 1e-9)


def test_craig_covers_the_gradients_better_than_chance() -> None:
    task = clouds(sizes=(40, 40), budget=8)
    gradient = task.model.fit(task.X, task.y).predict_proba(task.X) - np.eye(2)[task.y]
    chosen = baseline("selection", "craig")(task)

    def cover(rows: np.ndarray) -> float:
        return float(
            np.mean([cdist(gradient[task.y == c], gradient[rows[task.y[rows] == c]]).min(1).mean() for c in (0, 1)])
        )

    rng = np.random.default_rng(1)
    draws = [np.concatenate([rng.permutation(np.flatnonzero(task.y == c))[:4] for c in (0, 1)]) for _ in range(200)]
    assert cover(chosen) < np.quantile([cover(d) for d in draws], 0.02)


@pytest.mark.parametrize(
    ("name", "crossed"), [("group_balanced", False), ("group_class_balanced", True), ("group_medoids", True)]
)
def test_groups_get_equal_shares_as_far_as_they_have_rows(name: str, crossed: bool) -> None:
    group = np.repeat([0, 1, 2], [26, 20, 10])
    task = clouds(budget=30, y=np.arange(56) % 2, group=group)
    chosen = baseline("selection", name)(task)
    assert np.bincount(group[chosen]).tolist() == [10, 10, 10]
    if crossed:
        assert np.bincount((group * 2 + task.y)[chosen]).tolist() == [5] * 6
        early = (group * 2 + task.y)[chosen[:6]]
        assert sorted(early) == list(range(6))  # the first rows of the list are balanced as well


def test_medoids_of_groups_lie_nearest_their_centres() -> None:
    task = clouds(sizes=(30, 30), budget=4)
    chosen = baseline("selection", "group_medoids")(task)
    cell = task.group * 2 + task.y
    for row in chosen:
        mine = np.flatnonzero(cell == cell[row])
        assert row == mine[cdist(task.X[mine], task.X[mine].mean(axis=0)[None]).argmin()]  # one centre a cell: its mean


def test_jtt_takes_what_the_first_fit_gets_wrong_more_often() -> None:
    select = baseline("selection", "jtt")
    taken, others = [], []
    for seed in range(40):
        task = clouds(sizes=(60, 60), budget=12, seed=seed)
        first = generator("test", seed, "algorithm").permutation(120)[:12]  # the rows that select fits first
        wrong = LogisticRegression(C=1.0, tol=1e-8).fit(task.X[first], task.y[first]).predict(task.X) != task.y
        chosen = select(dataclasses.replace(task, rng=generator("test", seed, "algorithm")))
        picked = np.isin(np.arange(120), chosen)
        taken.append(picked[wrong].mean())
        others.append(picked[~wrong].mean())
    assert np.mean(taken) > 4 * np.mean(others)  # ten times the chance at every draw, less what is taken already


def test_clusters_of_a_class_part_what_a_model_finds_easy_from_what_it_finds_hard() -> None:
    """One class has a few rows amid the other: they are a cluster, and get their share."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 60)
    X = (rng.normal(size=(120, 2)) * 0.3 + 3 * y[:, None]).astype(np.float32)
    X[60:66] -= 3
    task = clouds(sizes=(60, 60), X=X, y=y, budget=18)
    chosen = baseline("selection", "cluster_balanced")(task)
    assert np.isin(np.arange(60, 66), chosen).sum() >= 4  # of nine rows of the class in two clusters
    balanced = baseline("selection", "class_balanced")(task)
    assert np.isin(np.arange(60, 66), balanced).sum() <= 2


def test_the_worst_group_is_served_better_by_whoever_knows_it() -> None:
    track = bind("selection_worst_group_digits")
    by_class, by_cell = (
        np.array([cell(track, name, seed).value for seed in range(4)])
        for name in ("class_balanced", "group_class_balanced")
    )
    assert (by_cell > by_class + 0.2).all()


@pytest.mark.parametrize(
    ("challenge", "best"),
    [
        ("selection_digits", "kmeans_medoids"),
        ("selection_digits_100", "facility_location"),
        ("selection_digits_unlabelled", "facility_location"),
        ("selection_breast_cancer", "kmeans_medoids"),
    ],
)
def test_quick_challenges_tell_the_best_from_random(challenge: str, best: str) -> None:
    track = bind(challenge)
    gap = np.array([cell(track, best, seed).value - cell(track, "random", seed).value for seed in range(10)])
    assert gap.mean() >= 3 * gap.std(ddof=1) / np.sqrt(10)


def test_task_arrays_cannot_be_written() -> None:
    track = bind("selection_digits")
    task = make_task(track, track.prepare(0)[0])
    with pytest.raises(ValueError, match="read-only"):
        task.X[0, 0] = 1
