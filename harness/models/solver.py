"""From B requests to B certified optima: who starts where, in which chunk, in which precision.

Requests are grouped by total weight. Each group starts at its own pooled optimum (mean weights, mean labels), shares
a preconditioner made there, and is cut into chunks that fit the cache (CPU) or the free memory (GPU). What float32
does not bring below tolerance is solved again in float64, what that does not is solved one by one by damped Newton (larger
models by many more steps), and what is left raises HarnessError: there is no silent non-convergence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from harness.api import FloatArray, IntArray
from harness.errors import HarnessError
from harness.models.backend import Backend, one_blas_thread
from harness.models.base import BoolArray
from harness.models.design import ROTATE_UP_TO
from harness.models.engine import Chunk, Precondition, minimise
from harness.models.newton import damped_newton
from harness.models.preconditioners import BLOCK_ROWS, blocks, kronecker, probabilities

ACCURACY = 8e-4
"""Newton decrement asked for before the last step, over max(1, sqrt(C) * typical row norm): probabilities are then
within about 1e-4."""
FLOAT32_LIMIT = 1.5e-5  # decrements below this are rounding in float32
GATHER_BELOW = 0.66  # share of live rows under which each model gets its own rows
GATHER_BELOW_FOR_TWO = 0.25  # the same for two classes, whose products are of matrix and vector and gain less
CHUNK_FLOATS = 1_000_000  # working memory of a chunk on the CPU: 4 MB, so that it stays in the caches
NEWTON_UP_TO = 4096  # coefficients up to which a model is solved by Newton's method as a last resort


@dataclass(frozen=True)
class Requests:
    """B problems over the rows of one design, each with at least two classes present."""

    Z: FloatArray  # [n, r + 1] float64 or float32
    weights: FloatArray  # [B, n] float32
    labels: IntArray  # [1 or B, n]
    present: BoolArray  # [B, C]
    C: float

    @property
    def reference(self) -> bool:
        """Two classes share one coefficient vector."""
        return bool(self.present.shape[1] == 2)

    @property
    def K(self) -> int:  # noqa: N802 - the field's name
        """Coefficient vectors of a model."""
        return 1 if self.reference else int(self.present.shape[1])

    @property
    def penalty(self) -> FloatArray:
        """[r + 1]: 1/C, and 0 for the intercept."""
        penalty: FloatArray = np.append(np.full(self.Z.shape[1] - 1, 1 / self.C), 0.0)
        return penalty

    def rows_labels(self, b: int) -> IntArray:
        """Labels [n] of model b."""
        labels: IntArray = self.labels[b if len(self.labels) > 1 else 0]
        return labels


def solve(requests: Requests, backend: Backend, polish: bool = False) -> tuple[FloatArray, FloatArray]:
    """Optima theta [B, K, r + 1] float64 and Euclidean gradient norms [B].

    ``polish`` asks for a decrement of 1e-8 in float64. Raises HarnessError if any model resists every method.
    """
    B, (n, d) = len(requests.weights), requests.Z.shape
    radius = np.sqrt(requests.C * (np.einsum("ij,ij->", requests.Z, requests.Z) - n) / max(n, 1))
    tolerance = max(ACCURACY / max(1.0, radius), 1e-7)
    theta = np.zeros((B, requests.K, d))
    norms, decrements = np.full(B, np.inf), np.full(B, np.inf)
    for group in _groups(requests.weights.sum(axis=1, dtype=np.float64)):
        pool = _Pool(requests, group, backend)
        theta[group] = pool.theta
        if tolerance > FLOAT32_LIMIT:
            pool.run(group, tolerance, "float32", theta, norms, decrements, 150)
        target = 1e-8 if polish else tolerance
        left = group[~(decrements[group] <= target)]
        if len(left):
            pool.run(left, target, "float64", theta, norms, decrements, 400)
        left = left[~(decrements[left] <= max(target, 1e-7))]
        if len(left) and theta[0].size > NEWTON_UP_TO:
            pool.run(left, target, "float64", theta, norms, decrements, 5000)
            continue
        for b in left:
            live = requests.weights[b] > 0
            theta[b], norms[b], decrements[b] = damped_newton(
                requests.Z[live].astype(np.float64),
                requests.rows_labels(b)[live],
                requests.weights[b][live].astype(np.float64),
                requests.present[b],
                requests.penalty,
                theta[b],
                target,
            )
    resisting = np.flatnonzero(~(decrements <= max(tolerance, 1e-6)))
    if len(resisting):
        raise HarnessError(
            f"{len(resisting)} of {B} logistic regressions did not converge, the first is model {resisting[0]} "
            f"(gradient norm {norms[resisting[0]]:.3g}, C = {requests.C:g}).",
            "A smaller C or features of similar scale make the problem well posed.",
        )
    return theta, norms


def _groups(totals: FloatArray, ratio: float = 3.0) -> list[IntArray]:
    """Indices of models whose total weights differ by at most ``ratio``, lightest group first."""
    order = np.argsort(totals, kind="stable")
    groups, start = [], 0
    for i in range(1, len(order) + 1):
        if i == len(order) or totals[order[i]] > ratio * totals[order[start]]:
            groups.append(np.sort(order[start:i]))
            start = i
    return groups


def _projections(present: BoolArray) -> FloatArray:
    """[B, K, K] on to coefficients that are 0 for absent classes and sum to zero over the present ones [B, K]."""
    mask = present.astype(np.float64)
    own: FloatArray = mask[:, :, None] * np.eye(present.shape[1])
    own -= mask[:, :, None] * mask[:, None, :] / mask.sum(axis=1)[:, None, None]
    return own


class _Pool:
    """A group's pooled problem: where its models start, what preconditions them."""

    def __init__(self, requests: Requests, group: IntArray, backend: Backend) -> None:
        self.requests, self.backend, self.group = requests, backend, group
        K, penalty = requests.K, requests.penalty
        self.Z32 = Z = np.asarray(requests.Z, np.float32)  # a start needs no more
        self.onehot = np.arange(2 if requests.reference else K)[:, None]
        self.weights = requests.weights[group].mean(axis=0, dtype=np.float64)
        target = np.zeros((K, Z.shape[1]), Z.dtype)
        for k in range(K):
            c = k + 1 if requests.reference else k
            if len(requests.labels) > 1:
                share = np.where(requests.labels[group] == c, requests.weights[group], 0).mean(axis=0, dtype=float)
            else:
                share = self.weights * (requests.labels[0] == c)
            target[k] = share.astype(Z.dtype) @ Z
        self.spread = np.einsum("i,ij,ij->j", self.weights, Z, Z, dtype=np.float64)
        dtype = "float32"
        self.p = np.full((K, len(Z)), 1 / (K + requests.reference))
        theta = np.zeros((1, K, Z.shape[1]), dtype)
        host = Backend.of("cpu")
        present: BoolArray = np.logical_or.reduce(requests.present[group], axis=0)[-K:]
        put = partial(host.put, dtype=dtype)
        scale = put(np.ones(1))
        weights = put(self.weights[None])
        projection = None if requests.reference else put(_projections(present[None]))
        chunk = Chunk(
            Z.T, weights, target[None], put(penalty), put(present[None]), projection, scale, requests.reference
        )
        # twice: the preconditioner made at zero serves until a better one can be made near the optimum
        for limit in (0.03, 0.01):
            with one_blas_thread():
                rough = kronecker(host, self.p, self.weights, self.spread, penalty, dtype)
                enough = scale * limit * float(np.sqrt(self.weights.sum()))
                theta = minimise(host, chunk, theta, rough, put(enough), 200).theta
                if not np.isfinite(theta).all():
                    theta = np.zeros_like(theta)
                self.p = probabilities(Z, theta[0], requests.reference) * present[:, None]
        self.theta = theta[0].astype(np.float64)

    def _preconditioner(self, dtype: str) -> Precondition:
        """Class blocks where the evaluations they save (hundreds) outweigh making them, else the Kronecker form."""
        n, d = self.requests.Z.shape
        pays = 50 * n * len(self.group) >= d * (2 * min(n, BLOCK_ROWS) + 2 * d)
        if pays and d <= ROTATE_UP_TO:
            return blocks(self.backend, self.Z32, self.p, self.weights, self.requests.penalty, dtype)
        return kronecker(self.backend, self.p, self.weights, self.spread, self.requests.penalty, dtype)

    def run(
        self,
        models: IntArray,
        tolerance: float,
        dtype: str,
        theta: FloatArray,
        norms: FloatArray,
        decrements: FloatArray,
        evaluations: int,
    ) -> None:
        """Minimise ``models`` from theta; writes theta, norms and decrements in place."""
        with one_blas_thread():
            precondition = self._preconditioner(dtype)
        live = np.count_nonzero(self.requests.weights[models], axis=1)
        order = models[np.argsort(live, kind="stable")]
        rows = int(live.max())
        below = GATHER_BELOW_FOR_TWO if self.requests.reference else GATHER_BELOW
        gather = rows < below * len(self.requests.Z)
        shared = None if gather else self._shared(dtype)

        patience = 20 if dtype == "float32" else evaluations

        def work(part: IntArray) -> None:
            chunk = self._chunk(part, dtype, shared)
            start = self.backend.put(theta[part], dtype)
            limit = self.backend.zeros((len(part),), dtype) + tolerance
            found = minimise(self.backend, chunk, start, precondition, limit, evaluations, patience=patience)
            good = np.isfinite(self.backend.get(found.theta)).all(axis=(1, 2))
            theta[part[good]] = self.backend.get(found.theta)[good]
            norms[part[good]] = self.backend.get(found.gradient_norm)[good]
            decrements[part[good]] = self.backend.get(found.decrement)[good]

        size = self._chunk_size(rows if gather else len(self.requests.Z), gather, dtype)
        pending = [order[i : i + size] for i in range(0, len(order), size)]
        self.backend.map_halving(work, pending)

    def _chunk_size(self, rows: int, gather: bool, dtype: str) -> int:
        K, d = self.requests.K, self.requests.Z.shape[1]
        if not self.backend.is_torch:
            floats = rows * K + 24 * K * d + (rows * d if gather else 0)  # logits, history, rows of its own
            return int(np.clip(CHUNK_FLOATS // floats, 4, 128))
        per_model = (8 if dtype == "float64" else 4) * (4 * rows * K + 40 * K * d + (2 * rows * d if gather else 0))
        return int(np.clip(self.backend.free_memory() // (2 * per_model), 1, 65536))

    def _shared(self, dtype: str) -> tuple[object, object]:
        design = self.backend.put(self.Z32 if dtype == "float32" else self.requests.Z, dtype)
        return design, design.T

    def _chunk(self, part: IntArray, dtype: str, shared: tuple[object, object] | None) -> Chunk:
        """The problems ``part`` on the device; with their own rows gathered where nothing is shared."""
        requests, put, xp = self.requests, self.backend.put, self.backend.xp
        weights = requests.weights[part]
        labels = requests.labels[part] if len(requests.labels) > 1 else np.broadcast_to(requests.labels, weights.shape)
        if shared is None:
            rows = max(int(np.count_nonzero(weights, axis=1).max()), 1)
            index = np.argsort(weights == 0, axis=1, kind="stable")[:, :rows]
            weights, labels = np.take_along_axis(weights, index, 1), np.take_along_axis(labels, index, 1)
            design = self.backend.rows(put(self.Z32 if dtype == "float32" else requests.Z, dtype), put(index))
            design_t = self.backend.contiguous(design.swapaxes(1, 2))  # products with a view are up to 4 times slower
        else:
            design, design_t = shared
        present = requests.present[part][:, -requests.K :]
        w, classes = put(weights, dtype), put(self.onehot[-requests.K :])
        mass = xp.where(put(labels)[:, None, :] == classes, w[:, None, :], 0 * w[:, None, :])
        if shared is None:
            target = xp.matmul(mass, design)
        else:
            target = (mass.reshape(-1, mass.shape[2]) @ design).reshape(len(part), requests.K, -1)
        return Chunk(
            design_t=design_t,
            weights=w,
            target=target,
            penalty=put(requests.penalty, dtype),
            present=put(present, dtype),
            projection=None if requests.reference else put(_projections(present), dtype),
            scale=put(requests.weights[part].sum(axis=1, dtype=np.float64) / self.weights.sum(), dtype),
            reference=requests.reference,
        )
