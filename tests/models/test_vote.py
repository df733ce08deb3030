"""The soft vote equals scikit-learn's, which it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.models import load_model
from tests.models.conftest import Split


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_mean_of_the_two_members_probabilities(digits: Split) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import SVC

    X, y, X_test, _ = digits
    rows = np.flatnonzero(y < 3)[:60]
    subsets: Any = [rows, [0], [], rows]
    f = load_model("svc_logistic_vote", device="cpu", random_state=5, n_classes=10).fit_many(X, y, subsets=subsets)
    members = [SVC(probability=True, random_state=5), LogisticRegression(random_state=5)]
    expected = np.mean([m.fit(X[rows], y[rows]).predict_proba(X_test) for m in members], axis=0)
    P = f.predict_proba(X_test)
    np.testing.assert_allclose(P[0, :, :3], expected, atol=1e-6)
    assert (P[0, :, 3:] == 0).all()
    assert (P[1, :, y[0]] == 1).all()
    np.testing.assert_allclose(P[2], 0.1)
    np.testing.assert_array_equal(P[3], P[0])
    assert f.fits == 1
    assert f.predict(X_test[:0]).shape == (4, 0)
