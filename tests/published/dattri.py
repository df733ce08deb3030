"""dattri: linear datamodelling scores of logistic regression on MNIST, under the training of their benchmark.

Deng et al., *dattri: a library for efficient data attribution*, NeurIPS Datasets and Benchmarks 2024 (arXiv:2410.04555). The figures are
bars of the chart "LDS of LR on MNIST-10" (assets/images/benchmark-result-mnist.png of github.com/TRAIS-Lab/dattri), read off its pixels
to .005; training and methods are those of that repository's ``dattri/benchmark``, ``dattri_retrain.py`` and ``experiments/benchmark_result.py``:
softmax regression from torch's own initial weights, 20 epochs of SGD (learning rate .01, batches of 32, no decay), pictures less
.1307 over .3081; 100 random half-sets, each trained once from a seed of its own; what is correlated is the loss of each test row.

What is other here: the rows. They take the first 5,000 and 500 of MNIST's parts, which we do not have as files; we take 4,500 and
500 of the 5,000 that ``mnist_5k`` holds, all classes as often. Seed 0: explicit influence, TRAK-1 and Grad-Cos are within .02 of the bars;
TRAK-10 is .035 above and Grad-Dot .048 below, more than queries leave to chance (s.e. .006). Whether that is the rows or their ground
truth, whose files are not at hand, is not known.

A score that adds up over rows predicts by its sums over half-sets, so every method is worked out for 100 sums, not 4,500 rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.api import FloatArray, IntArray
from harness.data import load_dataset
from harness.data.mnist_5k import Mnist5k
from harness.data.splits import stratified
from harness.models.base import BoolArray
from harness.tracks.attribution import halves
from harness.tracks.metrics import rank_correlation
from tests.published.table import About

TABLE = "dattri, LDS of logistic regression on MNIST"
PUBLISHED = {"explicit influence": 0.80, "TRAK-1": 0.415, "TRAK-10": 0.645, "Grad-Dot": 0.33, "Grad-Cos": 0.19}
WITHIN = 0.02
ABOUT = About(
    "dattri, linear datamodelling scores of logistic regression on MNIST",
    "Deng et al., dattri: a library for efficient data attribution, NeurIPS Datasets and Benchmarks 2024 (arXiv:2410.04555)",
    'the chart "LDS of LR on MNIST-10" of the paper, assets/images/benchmark-result-mnist.png of TRAIS-Lab/dattri at commit ef50a35: heights of'
    " its bars, read off the pixels to 0.005",
    "Training and methods of dattri's benchmark, computed anew on other rows: tests/published/dattri.py says which",
    "0.02",
    within=WITHIN,
    digits=3,
    files=tuple(Mnist5k.files()),
    slow=True,
)
OTHER_ROWS = (
    "cause not known; 4,500 and 500 other rows of MNIST for their 5,000 and 500, whose ground truth is not at hand"
)
EPOCHS, RATE, BATCH, HALF_SETS, TEST = 20, 0.01, 32, 100, 500
DIMENSIONS = 512  # of their TRAK
DAMPING = (1.0, 1e-1, 1e-2, 5e-3)  # of their search, the largest ones; the best is printed, as they do
_STEPS = 60  # of conjugate gradients


def rows(seed: int = 0) -> list[dict[str, Any]]:
    """``table, figure, published, ours`` of every bar, and ``reason`` where they are further apart than ``WITHIN``.

    Three quarters of a minute of one core. Raises ProtocolError where the data set mnist_5k cannot be had.
    """
    found = scores(seed)
    return [
        {"table": TABLE, "figure": name, "published": value, "ours": round(found[name], 3)}
        | ({"reason": OTHER_ROWS} if abs(found[name] - value) > WITHIN else {})
        for name, value in PUBLISHED.items()
    ]


def scores(seed: int = 0) -> dict[str, float]:
    """The linear datamodelling score of every method."""
    A, y, Q, y_query = parts(seed)
    rng = np.random.default_rng([seed, 1])
    half = halves(HALF_SETS, len(y), rng)
    weights = trained(A, y, half, rng)  # [s, d, C]
    losses = -np.log(probabilities(Q, weights)[:, np.arange(TEST), y_query])  # [s, q]
    whole = trained(A, y, np.ones((1, len(y)), bool), rng)[0]
    p, p_query = (probabilities(rows, whole[None])[0] for rows in (A, Q))
    pull, push = np.eye(10)[y] - p, np.eye(10)[y_query] - p_query  # minus gradients of the losses, by the logits

    def agreement(predicted: FloatArray) -> float:
        """predicted [s, q], higher where the loss is to be lower."""
        return float(rank_correlation(predicted, -losses, np.ones((1, HALF_SETS)))[0].mean())

    def against(sums: FloatArray) -> FloatArray:
        """Products of gradients of the queries with sums [d, s, C] over half-sets: [s, q]."""
        products: FloatArray = np.einsum("qsc,qc->sq", times(Q, sums), push)
        return products

    plain = summed(A, pull, half)
    length = np.linalg.norm(A, axis=1) * np.linalg.norm(pull, axis=1)
    unit = summed(A, pull / length[:, None], half)
    influence = [agreement(against(solved(A, p, plain, damping))) for damping in DAMPING]
    others = halves(10, len(y), rng)  # models of their own for TRAK
    trak = [trak_kernel(A, y, Q, y_query, one, rng) for one in trained(A, y, others, rng)]
    # their code multiplies averages over models of kernel and 1 - p
    of_trak = {k: np.mean([kernel for kernel, _ in trak[:k]], axis=0) for k in (1, 10)}
    wrong = {k: np.mean([w for _, w in trak[:k]], axis=0) for k in (1, 10)}
    return {
        "explicit influence": max(influence),
        "Grad-Dot": agreement(against(plain)),
        "Grad-Cos": agreement(against(unit)),
        **{f"TRAK-{k}": agreement((half * wrong[k]) @ of_trak[k]) for k in (1, 10)},
    }


def parts(seed: int) -> tuple[FloatArray, IntArray, FloatArray, IntArray]:
    """Training rows [n, d + 1] with a constant, labels; test rows and labels."""
    data = load_dataset("mnist_5k")
    train, test = stratified(data.y, [len(data.y) - TEST, TEST], np.random.default_rng([seed, 0]))
    flat = ((data.X.reshape(len(data.X), -1) - 0.1307) / 0.3081).astype(np.float32)
    A = np.column_stack([flat, np.ones(len(flat), np.float32)])
    return A[train], data.y[train], A[test], data.y[test]


def trained(A: FloatArray, y: IntArray, sets: BoolArray, rng: np.random.Generator) -> FloatArray:
    """Weights [s, d, C] of a model for each set of rows [s, n], equally large ones, trained side by side."""
    s, size = len(sets), int(sets[0].sum())
    bound = 1 / np.sqrt(A.shape[1] - 1)  # of torch.nn.Linear
    W = rng.uniform(-bound, bound, (s, A.shape[1], 10)).astype(np.float32)
    members = np.stack([np.flatnonzero(one) for one in sets])
    Y = np.eye(10, dtype=np.float32)[y]
    for _ in range(EPOCHS):
        order = np.take_along_axis(members, rng.random((s, size)).argsort(axis=1), axis=1)
        for start in range(0, size, BATCH):
            chosen = order[:, start : start + BATCH]
            x = A[chosen]
            off = softmax(x @ W) - Y[chosen]
            W -= RATE / chosen.shape[1] * (x.swapaxes(1, 2) @ off)
    return W


def softmax(z: FloatArray) -> FloatArray:
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    shares: FloatArray = e / e.sum(axis=-1, keepdims=True)
    return shares


def probabilities(rows: FloatArray, W: FloatArray) -> FloatArray:
    """rows [m, d], W [s, d, C] -> [s, m, C] float64."""
    return softmax((rows @ W).astype(np.float64))


def summed(A: FloatArray, pull: FloatArray, half: BoolArray) -> FloatArray:
    """Sums of row gradients, outer products of A's rows and pull's, over half-sets: [d, s, C]."""
    return np.stack([A[one].T @ pull[one].astype(np.float32) for one in half], axis=1)


def times(A: FloatArray, V: FloatArray) -> FloatArray:
    """A [m, d] times V [d, s, C], in one product: [m, s, C]."""
    return (A @ V.reshape(len(V), -1)).reshape(len(A), *V.shape[1:])


def solved(A: FloatArray, p: FloatArray, sums: FloatArray, damping: float) -> FloatArray:
    """(H + damping)^-1 of each sum, H the Hessian of the mean loss, by conjugate gradients."""
    p = p.astype(np.float32)[:, None, :]

    def product(V: FloatArray) -> FloatArray:
        Z = times(A, V)
        bent: FloatArray = times(A.T, p * (Z - (p * Z).sum(axis=2, keepdims=True))) / len(A) + damping * V
        return bent

    def dots(a: FloatArray, b: FloatArray) -> FloatArray:
        products: FloatArray = np.einsum("dsc,dsc->s", a, b)
        return products[:, None]

    X, R = np.zeros_like(sums), sums.copy()
    P = R.copy()
    first = size = dots(R, R)
    for _ in range(_STEPS):
        bent = product(P)
        step = size / dots(P, bent)
        X, R = X + step * P, R - step * bent
        size, before = dots(R, R), size
        if float((size / first).max()) < 1e-4:
            break
        P = R + size / before * P
    return X


def trak_kernel(
    A: FloatArray,
    y: IntArray,
    Q: FloatArray,
    y_query: IntArray,
    W: FloatArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Of one model W [d, C]: the kernel of rows and queries [n, q] on projected margin gradients, and 1 - p [n] of the labels."""
    P = rng.normal(size=(A.shape[1], 10, DIMENSIONS)).astype(np.float32)

    def projected(rows: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
        proba = probabilities(rows, W[None])[0]
        right = proba[np.arange(len(labels)), labels]
        push = (np.eye(10)[labels] - proba) / np.maximum(1 - right, 1e-12)[:, None]  # of log(p / (1 - p))
        phi = sum((rows @ P[:, c]) * push[:, c : c + 1].astype(np.float32) for c in range(10))
        return np.asarray(phi, np.float64), right

    phi, right = projected(A, y)
    of_queries, _ = projected(Q, y_query)
    return phi @ np.linalg.solve(phi.T @ phi, of_queries.T), 1 - right
