"""The rows from which softmax regression learns what fits all rows best, by implicit differentiation.

Dataset distillation (Wang et al., 2018) asks for the made rows Z with the least loss on all rows of the model trained on Z. Where that
model goes to its optimum W(Z), the gradient is exact without unrolling its training: the implicit function theorem gives it from a
solution of one linear system with the Hessian (Lorraine, Vicol and Duvenaud, AISTATS 2020), here by conjugate gradients. The loss is
taken of logits times ``SHARPNESS``: a model of few rows is unsure, and only which class comes first counts. Begins with the means of
random halves of each class's rows; by L-BFGS-B, within the range of values.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg

C, SHARPNESS, ITERATIONS = 1.0, 5.0, 60


def distil(task):
    X = task.X.reshape(len(task.X), -1).astype(np.float64)
    scale = max(abs(task.low), abs(task.high), 1e-12)
    X, penalty = X / scale, 1 / (getattr(task.model.settings, "C", C) * scale**2)
    y = np.resize(np.unique(task.y), task.budget)
    Z = np.stack([half_mean(X[task.y == c], task.rng) for c in y])
    W = np.zeros((task.n_classes, X.shape[1] + 1))

    def objective(z):
        nonlocal W  # the last optimum is near the next
        rows = z.reshape(len(y), -1)
        W = optimum(rows, y, penalty, W)
        value, slope = loss(W, X, task.y)
        return value, through_optimum(rows, y, penalty, W, slope).ravel()

    limits = [(task.low / scale, task.high / scale)] * Z.size
    found = minimize(objective, Z.ravel(), jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": ITERATIONS})
    made = found.x if np.isfinite(found.x).all() else Z
    made = np.clip(made * scale, task.low, task.high).astype(np.float32)
    return made.reshape(-1, *task.X.shape[1:]), y


def half_mean(X, rng):
    return X[rng.permutation(len(X))[: (len(X) + 1) // 2]].mean(axis=0)


def softmax(W, X):
    """Probabilities [n, C], and the rows with a constant [n, d + 1]."""
    X = np.column_stack([X, np.ones(len(X))])
    logits = X @ W.T
    P = np.exp(logits - logits.max(axis=1, keepdims=True))
    return P / P.sum(axis=1, keepdims=True), X


def loss(W, X, y):
    """Mean cross-entropy of the sharpened logits on X, and its gradient in W."""
    P, X = softmax(SHARPNESS * W, X)
    value = -np.log(np.maximum(P[np.arange(len(y)), y], 1e-300)).mean()
    P[np.arange(len(y)), y] -= 1
    return value, SHARPNESS * (P.T @ X) / len(y)


def optimum(Z, y, penalty, start):
    """Weights [C, d + 1] of softmax regression on Z with an L2 penalty, the constant not penalised."""

    def objective(w):
        W = w.reshape(start.shape)
        P, X = softmax(W, Z)
        value = -np.log(np.maximum(P[np.arange(len(y)), y], 1e-300)).sum() + penalty / 2 * (W[:, :-1] ** 2).sum()
        P[np.arange(len(y)), y] -= 1
        slope = P.T @ X
        slope[:, :-1] += penalty * W[:, :-1]
        return value, slope.ravel()

    tight = {"maxiter": 500, "gtol": 1e-6, "ftol": 1e-12}
    return minimize(objective, start.ravel(), jac=True, method="L-BFGS-B", options=tight).x.reshape(start.shape)


def through_optimum(Z, y, penalty, W, slope):
    """Gradient in Z [m, d] of a loss whose gradient at the optimum W is ``slope`` [C, d + 1]."""
    P, X = softmax(W, Z)
    ridge = np.full(W.shape, penalty)
    ridge[:, -1] = 1e-6  # the constants are determined but for a common shift

    def curvature(v):
        V = v.reshape(W.shape)
        change = X @ V.T
        change = P * (change - (P * change).sum(axis=1, keepdims=True))
        return (change.T @ X + ridge * V).ravel()

    size = W.size
    V = cg(LinearOperator((size, size), matvec=curvature), slope.ravel(), rtol=1e-4, maxiter=200)[0].reshape(W.shape)
    moved = X @ V.T
    moved = P * (moved - (P * moved).sum(axis=1, keepdims=True))
    P[np.arange(len(y)), y] -= 1
    return -(P @ V + moved @ W)[:, :-1]
