"""Small networks trained for a fixed number of updates: ``logistic_sgd``, ``mlp`` and ``cnn``.

Everything a reviewer has to know about their training is on this page. All members of an ensemble start from the
same weights and see the same stream of uniform numbers; a number u picks the row at which the running share of the
member's weights passes u, so each member draws its own rows in its own order, a row with probability proportional to
its weight. Hence a member's answer depends on its own weights and labels alone, not on who is trained beside it.

Members are stacked along a leading axis and trained together: linear layers as batched products, convolutions as
grouped ones, the sum of their losses by AdamW, which treats every coefficient for itself. On a CPU convolutions gain
nothing from company, so there members of a ``cnn`` are trained one by one, a core each.

On a GPU products and convolutions take bfloat16 inputs (8 bits of mantissa); weights, loss, gradients and optimiser stay
float32, and so do predictions. A member's test accuracy is then within 0.01 of the CPU's, the largest deviation of a
row's probabilities 0.02 in the mean over rows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from harness.api import FloatArray, IntArray
from harness.errors import ProtocolError
from harness.models.backend import Backend, resolve_device, torch_threads
from harness.models.base import Batch, BoolArray, FittedModels, FixedModel, ModelSettings, flat_rows
from harness.models.cache import Cache, digest

if TYPE_CHECKING:
    from torch import Tensor

Layers = list[tuple[int, ...]]
"""Shapes of the weights, each followed by a bias: (inputs, outputs) or (outputs, inputs, height, width)."""


class NetSettings(ModelSettings):
    """Training shared by all networks; AdamW with the learning rate falling linearly to 0."""

    updates: int = Field(500, ge=1, le=1_000_000)
    batch_size: int = Field(64, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    seed: int = Field(0, ge=0)  # of initial weights and of the stream that draws rows

    @abstractmethod
    def layers(self, shape: tuple[int, ...], classes: int) -> Layers:
        """Weights' shapes for rows of this shape."""

    @abstractmethod
    def features(self, x: Tensor, parameters: list[Tensor]) -> Tensor:
        """x [B, m, ...] and stacked parameters [B, ...] -> what the last layer reads, [B, m, h]."""

    def logits(self, x: Tensor, parameters: list[Tensor]) -> Tensor:
        """x [B, m, ...] and stacked parameters [B, ...] -> logits [B, m, C]."""
        return _linear(self.features(x, parameters), parameters[-2], parameters[-1])

    def build(self, *, device: str, n_classes: int | None) -> Network:
        return Network(self, device=device, n_classes=n_classes)


class LogisticSgdSettings(NetSettings):
    """Softmax regression by minibatch updates: the logistic model for challenges that fix the number of updates."""

    name: Literal["logistic_sgd"] = "logistic_sgd"
    learning_rate: float = Field(1e-2, gt=0)

    def layers(self, shape: tuple[int, ...], classes: int) -> Layers:
        return [(int(np.prod(shape)), classes)]

    def features(self, x: Tensor, parameters: list[Tensor]) -> Tensor:
        return x.flatten(2)


class MlpSettings(NetSettings):
    """One hidden layer of ``hidden`` rectified units."""

    name: Literal["mlp"] = "mlp"
    hidden: int = Field(128, ge=1, le=4096)

    def layers(self, shape: tuple[int, ...], classes: int) -> Layers:
        return [(int(np.prod(shape)), self.hidden), (self.hidden, classes)]

    def features(self, x: Tensor, parameters: list[Tensor]) -> Tensor:
        return _linear(x.flatten(2), parameters[0], parameters[1]).relu()


class CnnSettings(NetSettings):
    """Three strided 3x3 convolutions (32, 64, 128 channels), global average, linear: 94k to 95k parameters for 10
    classes, grey or colour, images of any size from 8x8.
    """

    name: Literal["cnn"] = "cnn"

    def layers(self, shape: tuple[int, ...], classes: int) -> Layers:
        if len(shape) not in (2, 3) or min(shape[:2]) < 8:
            raise ProtocolError(
                f"The cnn needs images [n, h, w] or [n, h, w, c] of at least 8 x 8, got rows of shape {list(shape)}.",
                "Use model=mlp or model=logistic for feature vectors.",
            )
        channels = shape[2] if len(shape) == 3 else 1
        return [(32, channels, 3, 3), (64, 32, 3, 3), (128, 64, 3, 3), (128, classes)]

    def features(self, x: Tensor, parameters: list[Tensor]) -> Tensor:
        from torch.nn.functional import conv2d

        members, rows = x.shape[:2]
        x = x if x.ndim == 5 else x.unsqueeze(4)
        x = x.permute(1, 0, 4, 2, 3).flatten(1, 2)  # [m, B * channels, h, w]
        for weight, bias in zip(parameters[:6:2], parameters[1:6:2], strict=True):
            x = conv2d(x, weight.flatten(0, 1), bias.flatten(), stride=2, padding=1, groups=members).relu()
        return x.mean((2, 3)).reshape(rows, members, -1).transpose(0, 1)


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """[B, m, i] x [B, i, o] + [B, o] -> [B, m, o]."""
    return (x @ weight) + bias[:, None]


def initial_weights(layers: Layers, seed: int) -> list[FloatArray]:
    """Weights and biases in turn, float32: uniform with variance 2 / inputs (He et al. 2015), biases 0; numpy's stream."""
    rng = np.random.default_rng([seed, 1])
    parameters: list[FloatArray] = []
    for shape in layers:
        inputs, outputs = (shape[0], shape[1]) if len(shape) == 2 else (int(np.prod(shape[1:])), shape[0])
        bound = np.sqrt(6 / inputs)
        parameters += [rng.uniform(-bound, bound, shape).astype(np.float32), np.zeros(outputs, np.float32)]
    return parameters


def draw_rows(weights: FloatArray, uniform: FloatArray) -> IntArray:
    """Rows drawn by numbers in [0, 1): weights [n] >= 0, uniform [...] -> indices [...], probability ~ weight."""
    share = np.cumsum(weights, dtype=np.float64)
    rows: IntArray = np.searchsorted(share, uniform * share[-1], side="right")
    last: IntArray = np.minimum(rows, np.flatnonzero(weights)[-1])  # rounding of the running sum can pass the end
    return last


class FittedNetwork(FittedModels):
    """B trained networks; ``present`` [B, C] as in logistic regression: absent classes have probability 0."""

    def __init__(self, model: Network, parameters: list[FloatArray], scale: FloatArray, present: BoolArray) -> None:
        self.model, self.parameters, self.scale, self.present = model, parameters, scale, present
        self.size, self.classes = present.shape
        self.gradient_norm = np.full(self.size, np.nan)

    def _proba(self, X: FloatArray) -> FloatArray:
        import torch

        out = np.full((self.size, len(X), self.classes), 1 / self.classes, np.float32)
        for part, rows, x, stacked in self._passes(X):
            barred = self.model.backend().put(~self.present[part])[:, None]
            z = self.model.settings.logits(x, stacked).masked_fill(barred, -torch.inf)
            out[part, rows] = self.model.backend().get(z.softmax(-1))
        return out

    def _features(self, X: FloatArray) -> FloatArray:
        out = np.zeros((self.size, len(X), self.parameters[-2].shape[1]), np.float32)
        for part, rows, x, stacked in self._passes(X):
            out[part, rows] = self.model.backend().get(self.model.settings.features(x, stacked))
        return out

    def _passes(self, X: FloatArray) -> Iterator[tuple[IntArray, slice, Tensor, list[Tensor]]]:
        """Members that were trained, a few at a time, with rows as they read them, a block at a time, and their parameters."""
        import torch

        backend = self.model.backend()
        members = np.flatnonzero(self.present.any(axis=1))
        at_once = 1 if backend.device == "cpu" else 4
        for first in range(0, len(members), at_once):
            part = members[first : first + at_once]
            stacked = [backend.put(p[part]) for p in self.parameters]
            mean, spread = stacked_scale(backend, self.scale[part], X.ndim)
            for start in range(0, len(X), 2048):
                rows = slice(start, start + 2048)
                with torch.no_grad():
                    yield part, rows, (backend.put(X[None, rows]) - mean) / spread, stacked


class Network(FixedModel):
    """A network of this page as a fixed model. Equal requests are trained once, and remembered."""

    settings: NetSettings

    def __init__(self, settings: ModelSettings, *, device: str = "auto", n_classes: int | None = None) -> None:
        super().__init__(settings, device=device, n_classes=n_classes)
        self._trained: Cache[list[FloatArray]] = Cache()

    def reset(self) -> None:
        super().reset()
        self._trained = Cache()

    def backend(self) -> Backend:
        """Torch on the resolved device."""
        return Backend.of(resolve_device(self.requested_device), torch_on_cpu=True)

    def _fit(self, batch: Batch) -> FittedModels:
        settings, backend = self.settings, self.backend()
        start = initial_weights(settings.layers(batch.X.shape[1:], batch.classes), settings.seed)
        present, data, requests = batch.present(), digest(batch.X), batch.keys()
        keys = [data + request for request in requests]
        wanted = np.flatnonzero(present.any(axis=1))
        found, fresh = self._trained.split(keys, wanted)
        scale = member_scales(batch, np.fromiter(fresh.values(), np.int64))

        def work(part: IntArray) -> None:
            answers = train(settings, batch, part, start, scale, present, backend)
            for i, b in enumerate(part):
                found[keys[b]] = [scale[b], *(p[i].copy() for p in answers)]

        members, at_once = np.fromiter(fresh.values(), np.int64), members_at_once(settings, backend, start, batch)
        with torch_threads(1):
            backend.map_halving(work, [members[i : i + at_once] for i in range(0, len(members), at_once)])
        for key in fresh:
            self._trained.put(key, found[key], sum(p.nbytes for p in found[key]))
        stacked = [np.ones((batch.size, 2), np.float32), *(np.zeros((batch.size, *p.shape), np.float32) for p in start)]
        for b in wanted:
            for array, one in zip(stacked, found[keys[b]], strict=True):
                array[b] = one
        fitted = FittedNetwork(self, stacked[1:], stacked[0], present)
        fitted.fits = len(fresh)
        return fitted


def member_scales(batch: Batch, members: IntArray) -> FloatArray:
    """Weighted mean and standard deviation of all features of each member's rows, [B, 2] float32; (1, 1) for others."""
    flat = flat_rows(batch.X)
    moments = np.stack([flat.mean(axis=1, dtype=np.float64), np.square(flat, dtype=np.float64).mean(axis=1)])
    scale = np.ones((batch.size, 2), np.float32)
    for b in members:
        weights = batch.row(b)[0].astype(np.float64)
        mean, square = moments @ weights / weights.sum()
        scale[b] = mean, np.sqrt(max(square - mean**2, 0.0)) or 1.0
    return scale


def members_at_once(settings: NetSettings, backend: Backend, start: list[FloatArray], batch: Batch) -> int:
    """How many members are trained together: what the free memory of a GPU holds, 16 or 1 on the CPU."""
    if backend.device == "cpu":
        return 1 if isinstance(settings, CnnSettings) else 16
    floats = 8 * sum(p.size for p in start) + 40 * settings.batch_size * (int(np.prod(batch.X.shape[1:])) + 20_000)
    return int(np.clip(backend.free_memory() // (8 * floats), 1, 512))


def mixed_precision(backend: Backend) -> bool:
    """Whether forward and backward passes take bfloat16 inputs."""
    return backend.device != "cpu"


def stacked_scale(backend: Backend, scale: FloatArray, axes: int) -> tuple[Tensor, Tensor]:
    """Means and spreads [B, 2] as two tensors [B, 1, ...] that fit stacked rows [B, m, ...] of 1 + ``axes`` axes."""
    mean, spread = (backend.put(scale[:, i]).reshape(-1, *[1] * axes) for i in range(2))
    return mean, spread


def train(
    settings: NetSettings,
    batch: Batch,
    members: IntArray,
    start: list[FloatArray],
    scale: FloatArray,
    present: BoolArray,
    backend: Backend,
) -> list[FloatArray]:
    """Train ``members`` of a batch together for ``settings.updates`` updates; their stacked weights and biases."""
    import torch

    uniform = np.random.default_rng([settings.seed, 2]).random((settings.updates, settings.batch_size))
    rows = backend.put(np.stack([draw_rows(batch.row(b)[0], uniform) for b in members], axis=1))  # [updates, B, m]
    X = backend.put(batch.X)
    y = backend.put(np.stack([batch.row(b)[1] for b in members]))
    own = torch.arange(len(members), device=X.device)[:, None]
    mean, spread = stacked_scale(backend, scale[members], X.ndim)
    barred = backend.put(~present[members])[:, None]
    mixed = mixed_precision(backend)
    parameters = [backend.put(np.repeat(p[None], len(members), axis=0)).requires_grad_() for p in start]
    optimizer = torch.optim.AdamW(parameters, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    with torch.backends.cudnn.flags(deterministic=True, benchmark=False, allow_tf32=False):
        for update in range(settings.updates):
            optimizer.param_groups[0]["lr"] = settings.learning_rate * (1 - update / settings.updates)
            chosen = rows[update]
            x = (X[chosen] - mean) / spread
            with torch.autocast(X.device.type, torch.bfloat16, enabled=mixed):
                z = settings.logits(x, parameters).float()
            z = z.masked_fill(barred, -torch.inf)
            loss = -z.log_softmax(-1).gather(2, y[own, chosen][..., None]).mean((1, 2)).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return [backend.get(p.detach()) for p in parameters]
