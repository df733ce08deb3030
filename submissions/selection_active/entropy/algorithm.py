"""Uncertainty sampling by entropy: label the rows whose predicted class distribution is flattest.

Settles: Active learning literature survey, University of Wisconsin-Madison, 2009.
"""

from __future__ import annotations

import numpy as np


def select(task):
    model = task.model.fit(task.X[task.labelled], task.y_labelled)
    unlabelled = np.setdiff1d(np.arange(len(task.X)), task.labelled)
    proba = model.predict_proba(task.X[unlabelled])
    entropy = -(proba * np.log(np.maximum(proba, 1e-12))).sum(axis=1)
    return unlabelled[np.argsort(-entropy, kind="stable")[: task.batch]]
