"""Margin sampling: label the rows whose two most probable classes are closest.

Scheffer, Decomain, Wrobel: Active hidden Markov models for information extraction, IDA 2001.
"""

from __future__ import annotations

import numpy as np


def select(task):
    model = task.model.fit(task.X[task.labelled], task.y_labelled)
    unlabelled = np.setdiff1d(np.arange(len(task.X)), task.labelled)
    top = np.sort(model.predict_proba(task.X[unlabelled]), axis=1)
    margin = top[:, -1] - top[:, -2]
    return unlabelled[np.argsort(margin, kind="stable")[: task.batch]]
