"""Baselines and parts of the engine that bear a library's method, against that library, computed now."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

from tests.published.baselines import algorithm
from tests.published.table import About, Row

ABOUT = About(
    "What scikit-learn, SciPy and cleanlab say of the same arrays",
    "scikit-learn, SciPy and cleanlab as installed",
    "their output",
    "The baseline or the part named first. Random arrays of fixed seeds; where an output is an array, its root mean square over all cells",
    "1e-4 of a figure; out-of-bag shares of 800 trees, drawn twice, 0.02",
    within=1e-4,
    digits=5,
    data="random arrays of fixed seeds, scikit-learn's wine",
)


def rows() -> list[Row]:
    """Library and version are named with what is compared."""
    named = {"scikit-learn": version("scikit-learn"), "SciPy": version("scipy"), "cleanlab": _cleanlab()}
    found = []
    for what, library, compare, within in _COMPARED:
        theirs, ours = compare()
        found.append(Row(f"{what} ({library} {named[library]})", float(theirs), float(ours), within))
    return found


def _cleanlab() -> str:
    import cleanlab

    return str(cleanlab.__version__)


def _rms(array: Any) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(array, float)))))


def _wine() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.datasets import load_wine

    X, y = load_wine(return_X_y=True)
    X = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
    return X[::2], y[::2], X[1::2], y[1::2]


def _logistic() -> tuple[float, float]:
    from sklearn.linear_model import LogisticRegression

    from harness.models import load_model

    X, y, X_test, _ = _wine()
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(X.astype(float), y).predict_proba(X_test)
    return _rms(theirs), _rms(load_model("logistic", device="cpu", n_classes=3, C=1.0).fit(X, y).predict_proba(X_test))


def _neighbours() -> tuple[float, float]:
    from sklearn.neighbors import KNeighborsClassifier

    from harness.models import load_model

    X, y, X_test, y_test = _wine()
    theirs = KNeighborsClassifier(5).fit(X, y).predict(X_test)
    ours = load_model("knn", device="cpu", n_classes=3, k=5).fit(X, y).predict(X_test)
    return float(np.mean(theirs == y_test)), float(np.mean(np.asarray(ours).ravel() == y_test))


def _gaps() -> np.ndarray:
    rng = np.random.default_rng(3)
    cells = rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5)) + 2
    cells[rng.random(cells.shape) < 0.2] = np.nan
    return cells


def _cleaned(name: str, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from tests.submissions.test_cleaning_baselines import numbers

    filled, kept = algorithm("cleaning", name).clean(numbers(cells))
    return filled, kept


def _mean() -> tuple[float, float]:
    from sklearn.impute import SimpleImputer

    return _rms(SimpleImputer().fit_transform(_gaps())), _rms(_cleaned("mean_mode", _gaps())[0])


def _near() -> tuple[float, float]:
    from sklearn.impute import KNNImputer
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(_gaps())
    theirs = scale.inverse_transform(KNNImputer(n_neighbors=10).fit_transform(scale.transform(_gaps())))
    return _rms(theirs), _rms(_cleaned("knn", _gaps())[0])


def _rounds() -> tuple[float, float]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    spread = np.nanstd(_gaps(), axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = IterativeImputer(max_iter=5, random_state=0).fit_transform(_gaps() / spread) * spread
    return _rms(theirs), _rms(_cleaned("iterative", _gaps())[0])


def _forest() -> tuple[float, float]:
    from sklearn.ensemble import IsolationForest

    full = np.random.default_rng(4).normal(size=(80, 5))
    full[7] = 9
    seed = int(np.random.default_rng(0).integers(2**31))  # the first draw of the baseline's generator
    theirs = IsolationForest(random_state=seed).fit_predict(full) == 1
    return theirs.sum(), _cleaned("isolation_forest", full)[1].sum()


def _out_of_bag() -> tuple[float, float]:
    from sklearn.ensemble import RandomForestClassifier

    from tests.submissions.test_valuation_baselines import small_task

    task = small_task(n=80)
    forest = RandomForestClassifier(800, oob_score=True, random_state=0).fit(task.X, task.y)
    return (
        forest.oob_decision_function_[np.arange(80), task.y].mean(),
        algorithm("valuation", "data_oob_trees").value(task).mean(),
    )


def _probabilities() -> tuple[np.ndarray, np.ndarray]:
    """Of 300 rows, with 60 labels drawn anew."""
    rng = np.random.default_rng(5)
    true = rng.integers(3, size=300)
    probability = rng.dirichlet(np.ones(3), size=300) + np.eye(3)[true]
    y = np.where(np.arange(300) < 60, rng.integers(3, size=300), true)
    return probability / probability.sum(axis=1, keepdims=True), y


class _Told:
    """A fixed model that answers with given probabilities, whatever it was fitted on."""

    def __init__(self, probability: np.ndarray) -> None:
        self.probability = probability

    def fit_many(self, X: Any, y: Any, weights: Any) -> Any:
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        return np.tile(self.probability, (5, 1, 1))


def _ranked(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places [n] that a debugging baseline gives the rows on given probabilities; those, and the labels."""
    from types import SimpleNamespace

    probability, y = _probabilities()
    task = SimpleNamespace(X=np.zeros((300, 1)), y=y, rng=np.random.default_rng(0), model=_Told(probability))
    return np.argsort(algorithm("debugging", name).rank(task)), probability, y


def _quality(name: str, method: str) -> tuple[float, float]:
    """Rank correlation between cleanlab's quality scores and the baseline's order; 1 where the order is the same."""
    from cleanlab.rank import get_label_quality_scores

    from harness.tracks.metrics import spearman

    places, probability, y = _ranked(name)
    theirs = get_label_quality_scores(y, probability, method=method, adjust_pred_probs=False)
    return 1.0, spearman(theirs, places.astype(float))


def _issues() -> tuple[float, float]:
    """Issues that cleanlab finds, and how many of them stand first in the baseline's order."""
    from cleanlab.filter import find_label_issues

    places, probability, y = _ranked("confident_learning")
    issues = find_label_issues(y, probability, n_jobs=1)
    return issues.sum(), (places[issues] < issues.sum()).sum()


def _joint() -> tuple[float, float]:
    from cleanlab.count import compute_confident_joint

    probability, y = _probabilities()
    joint = compute_confident_joint(y, probability, calibrate=False)
    suggested = algorithm("debugging_correct", "confident_learning").suggested(probability, y)
    return joint.sum() - np.trace(joint), (suggested != y).sum()


def _mixtures() -> Any:
    from tests.submissions.test_mixture_baselines import law_data

    return law_data()[0]


def _ridge() -> tuple[float, float]:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GridSearchCV, LeaveOneOut

    module, task = algorithm("mixture", "ridge"), _mixtures()
    known, asked = module.features(task.mixtures), module.features(task.candidates)
    search = {"alpha": module.PENALTIES}
    theirs = [
        GridSearchCV(Ridge(), search, cv=LeaveOneOut(), scoring="neg_mean_squared_error")
        .fit(known, losses)
        .predict(asked)
        for losses in task.losses.T
    ]
    return _rms(theirs), _rms(module.predict(task))


def _boosting() -> tuple[float, float]:
    from sklearn.ensemble import GradientBoostingRegressor

    module, task, seeds = algorithm("mixture", "gradient_boosting"), _mixtures(), np.random.default_rng(1)
    theirs = []
    for losses in task.losses.T:
        trees = GradientBoostingRegressor(
            n_estimators=400, learning_rate=0.05, max_depth=None, max_leaf_nodes=31, min_samples_leaf=3, subsample=0.5,
            max_features=0.5, random_state=int(seeds.integers(2**31)),
        )  # fmt: skip
        theirs.append(trees.fit(task.mixtures, losses).predict(task.candidates))
    return _rms(theirs), _rms(module.predict(task))


def _kappa() -> tuple[float, float]:
    from sklearn.metrics import cohen_kappa_score

    from harness.pipeline.annotations.agreement import fleiss

    rng = np.random.default_rng(6)
    first = rng.integers(3, size=500)
    second = np.where(rng.random(500) < 0.6, first, rng.integers(3, size=500))
    both = np.r_[first, second], np.r_[second, first]  # Fleiss with two annotators is Cohen on both orders
    return cohen_kappa_score(*both), fleiss(np.eye(3, dtype=int)[first] + np.eye(3, dtype=int)[second])


def _precision() -> tuple[float, float]:
    from sklearn.metrics import average_precision_score

    from harness.tracks.metrics import ranking_average_precision

    rng = np.random.default_rng(7)
    wrong = rng.random(200) < 0.2
    return average_precision_score(wrong, -np.arange(200)), ranking_average_precision(wrong, 200)


def _rank_correlation() -> tuple[float, float]:
    from scipy.stats import spearmanr

    from harness.tracks.metrics import spearman

    rng = np.random.default_rng(8)
    a = rng.integers(20, size=200).astype(float)
    b = a + rng.normal(scale=8, size=200)
    return spearmanr(a, b).statistic, spearman(a, b)


_Compare = Callable[[], tuple[float, float]]
_COMPARED: tuple[tuple[str, str, _Compare, float | None], ...] = (
    ("fixed model logistic: LogisticRegression, probabilities", "scikit-learn", _logistic, None),
    ("fixed model knn: KNeighborsClassifier, accuracy", "scikit-learn", _neighbours, None),
    ("cleaning/mean_mode: SimpleImputer", "scikit-learn", _mean, None),
    ("cleaning/knn: KNNImputer", "scikit-learn", _near, None),
    ("cleaning/iterative: IterativeImputer", "scikit-learn", _rounds, None),
    ("cleaning/isolation_forest: IsolationForest, rows kept", "scikit-learn", _forest, None),
    (
        "valuation/data_oob_trees: RandomForestClassifier, mean share right out of bag",
        "scikit-learn",
        _out_of_bag,
        0.02,
    ),
    ("mixture/ridge: Ridge and leave-one-out search", "scikit-learn", _ridge, None),
    ("mixture/gradient_boosting: GradientBoostingRegressor", "scikit-learn", _boosting, None),
    ("debugging/confident_learning: issues found, and found first", "cleanlab", _issues, None),
    (
        "debugging/self_confidence: rank correlation",
        "cleanlab",
        lambda: _quality("self_confidence", "self_confidence"),
        None,
    ),
    (
        "debugging/confidence_weighted_entropy: rank correlation",
        "cleanlab",
        lambda: _quality("confidence_weighted_entropy", "confidence_weighted_entropy"),
        None,
    ),
    ("debugging_correct/confident_learning: off the confident joint's diagonal", "cleanlab", _joint, None),
    ("annotations: Fleiss' kappa of two people, cohen_kappa_score", "scikit-learn", _kappa, None),
    ("metrics: average precision, average_precision_score", "scikit-learn", _precision, None),
    ("metrics: rank correlation with ties, spearmanr", "SciPy", _rank_correlation, None),
)
