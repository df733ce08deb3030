"""A classifier of wanted against other text, as of Brown et al., Language models are few-shot learners, NeurIPS 2020, appendix A.

Logistic regression on hashed words learns to tell the samples from the pool; what looks most like a sample comes first.
"""

import numpy as np

DIMENSION = 2**16


def select(task):
    from sklearn.linear_model import LogisticRegression

    pool, samples = hashed(list(task.texts)), hashed(list(task.samples))
    X, y = stacked(pool, samples), np.repeat([0, 1], [pool.shape[0], samples.shape[0]])
    model = LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000, tol=1e-6).fit(X, y)
    return np.argsort(-model.decision_function(pool), kind="stable")


def hashed(documents):
    """Words of documents, sparse [n, DIMENSION], of unit length."""
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=DIMENSION, alternate_sign=False, token_pattern=r"\w+|[^\w\s]").transform(
        documents
    )


def stacked(*parts):
    """Sparse matrices one below the other."""
    from scipy.sparse import vstack

    return vstack(parts).tocsr()
