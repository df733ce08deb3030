"""Representer points: Yeh et al., Representer point selection for explaining deep neural networks, NeurIPS 2018.

At the optimum of a last layer with an L2 penalty its weights are a sum over rows, minus the gradient of each row's loss with
respect to the logits times what the layer reads of it: a query's logits are sums of kernels, x_i' x_q times those numbers. What
row i gives the logit of the query's label is its score. A network's last layer, which is not at such an optimum, is fitted again
on what it reads, with scikit-learn's logistic regression.
"""

import numpy as np


def attribute(task):
    fitted = task.model.fit(task.X, task.y)
    on_rows, on_queries = (fitted.features(X).astype(np.float64) for X in (task.X, task.X_query))
    C = getattr(task.model.settings, "C", None)
    proba = fitted.predict_proba(task.X) if C is not None else refitted(on_rows, task.y, task.n_classes)
    pull = np.eye(task.n_classes)[task.y] - proba
    return (on_queries @ on_rows.T) * pull[:, task.y_query].T * (C or 1.0)


def refitted(features, y, n_classes):
    """Probabilities [n, C] of a logistic regression on the features; a class that is absent has none."""
    from sklearn.linear_model import LogisticRegression

    proba = np.zeros((len(y), n_classes))
    present = np.unique(y)
    proba[:, present] = 1.0
    if len(present) > 1:
        proba[:, present] = LogisticRegression(C=1.0, max_iter=200).fit(features, y).predict_proba(features)
    return proba
