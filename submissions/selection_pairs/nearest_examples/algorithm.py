"""Rocchio: rows most like the examples show the concept, and of the others, those least like them do not.

Li, Liu: Learning to classify texts using positive and unlabeled data, IJCAI 2003. Likeness is the cosine to the mean
example, after the pool's mean is taken away.
"""

from __future__ import annotations

import numpy as np

POSITIVES = 0.2  # share of the budget that goes to rows taken to show the concept


def select(task):
    X = task.X - task.X.mean(axis=0)
    X = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12)
    positives = max(1, int(POSITIVES * task.budget))
    negatives = min(task.budget, len(X)) - positives
    concepts, indices, labels = [], [], []
    for concept in range(task.n_concepts):
        examples = task.examples[task.concept_of == concept]
        likeness = X @ X[examples].mean(axis=0)
        likeness[examples] = np.inf  # known, whatever they look like
        order = np.argsort(-likeness, kind="stable")
        unlike = order[len(order) // 2 :] if negatives <= len(order) // 2 else order[positives:]
        chosen = task.rng.permutation(unlike)[:negatives]
        concepts.append(np.full(positives + len(chosen), concept))
        indices += [order[:positives], chosen]
        labels += [np.ones(positives, int), np.zeros(len(chosen), int)]
    return np.concatenate(concepts), np.concatenate(indices), np.concatenate(labels)
