"""The fixed model ``transformer_lm``: a GPT over bytes, trained on a fixed number of tokens whatever the documents' size.

Everything a reviewer has to know is on this page. The network is GPT-2's (Radford et al. 2019) without biases: pre-norm
blocks of causal attention and a GELU layer of four times the width, output tied to the embedding. Positions are rotations of
queries and keys (Su et al. 2021): with learned ones 1 MB of English cost 2.74 bits a byte, with these 2.34.

Training: documents that are the same are one of added weight; all are laid end to end by weight, then digest, the
boundary symbol between them. ``tokens / context`` windows of context + 1 symbols begin evenly spread in the weighted length,
each at random within its own stretch (systematic sampling, Madow and Madow 1944), and are read in random order. So every byte
is read about tokens x weight / (weighted length) times, the scale of weights counts for nothing, and an answer depends
on documents and weights alone: not on their order, so nobody wins by trying orders. AdamW with gradients clipped to norm
1, the learning rate rising over the first twentieth and falling to 0 by a cosine.

Scoring: windows of ``context`` symbols, the first from the start of a document, each next one three quarters further, of
which only what no window before has said is counted. So a byte is told at least a quarter of the context, and nothing
that comes after it.

On the CPU one thread trains one model in float32: the same bits every time. On CUDA products take bfloat16 inputs.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from harness.api import FloatArray, IntArray, Texts
from harness.models.backend import Backend, resolve_device, torch_threads
from harness.models.cache import Cache
from harness.models.language import (
    BOUNDARY,
    SYMBOLS,
    FittedLanguageModels,
    FixedLanguageModel,
    LanguageSettings,
    TextBatch,
)
from harness.models.nets import mixed_precision

if TYPE_CHECKING:
    from torch import Tensor

Parameters = dict[str, FloatArray]
Symbols = npt.NDArray[np.uint16]


class TransformerLmSettings(LanguageSettings):
    """About 12 x layers x width^2 parameters; the defaults have 0.3 million and suit a CPU."""

    name: Literal["transformer_lm"] = "transformer_lm"
    layers: int = Field(2, ge=1, le=64)
    width: int = Field(112, ge=8, le=4096)
    heads: int = Field(4, ge=1, le=64)
    context: int = Field(128, ge=8, le=8192)  # symbols of a window
    tokens: int = Field(1_048_576, ge=1)  # trained on in all, to the next whole update
    batch_size: int = Field(8, ge=1)  # windows of an update
    learning_rate: float = Field(4e-3, gt=0)
    weight_decay: float = Field(0.1, ge=0)  # of matrices
    seed: int = Field(0, ge=0)  # of initial weights, and of where windows begin and when they are read

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> TransformerLmSettings:
        if self.width % (2 * self.heads):
            raise ValueError(f"width must be a multiple of twice the heads, got {self.width} and {self.heads}")
        return self

    @property
    def updates(self) -> int:
        """Updates of a training."""
        return -(-self.tokens // (self.context * self.batch_size))

    def build(self, *, device: str, n_classes: int | None) -> TransformerLm:
        return TransformerLm(self, device=device)


def initial_parameters(settings: TransformerLmSettings) -> Parameters:
    """Float32, normal with deviation 0.02, of layers that add to the residual stream 0.02 / sqrt(2 layers); norms 1."""
    d, rng, shapes = settings.width, np.random.default_rng([settings.seed, 1]), dict[str, tuple[int, ...]]()
    shapes["embedding"], shapes["norm"] = (SYMBOLS, d), (d,)
    for i in range(settings.layers):
        shapes |= {f"{i}.norm1": (d,), f"{i}.qkv": (d, 3 * d), f"{i}.out": (d, d)}
        shapes |= {f"{i}.norm2": (d,), f"{i}.up": (d, 4 * d), f"{i}.down": (4 * d, d)}
    residual = 1 / math.sqrt(2 * settings.layers)
    return {
        name: np.ones(shape, np.float32)
        if len(shape) == 1
        else (rng.normal(0, 0.02, shape) * (residual if name.endswith(("out", "down")) else 1)).astype(np.float32)
        for name, shape in shapes.items()
    }


def logits(symbols: Tensor, p: dict[str, Tensor], settings: TransformerLmSettings) -> Tensor:
    """symbols [m, t] int64, t <= context -> scores [m, t, 257] of the symbol after each."""
    from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

    (m, t), d = symbols.shape, settings.width
    x, angles = p["embedding"][symbols], turns(t, d // settings.heads).to(symbols.device)
    for i in range(settings.layers):
        q, k, v = (
            part.view(m, t, settings.heads, -1).transpose(1, 2)
            for part in (layer_norm(x, (d,), p[f"{i}.norm1"]) @ p[f"{i}.qkv"]).chunk(3, dim=2)
        )
        q, k = turned(q, angles), turned(k, angles)
        x = x + scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(m, t, d) @ p[f"{i}.out"]
        x = x + gelu(layer_norm(x, (d,), p[f"{i}.norm2"]) @ p[f"{i}.up"]) @ p[f"{i}.down"]
    return layer_norm(x, (d,), p["norm"]) @ p["embedding"].T


def turns(t: int, size: int) -> Tensor:
    """Angles [t, size / 2] by which each pair of a head's coordinates turns at every place."""
    import torch

    angles: Tensor = torch.arange(t)[:, None] * 10_000.0 ** (-torch.arange(size // 2) / (size // 2))
    return angles


def turned(x: Tensor, angles: Tensor) -> Tensor:
    """x [..., t, size], coordinate i paired with i + size / 2, turned by the angles."""
    import torch

    (a, b), cos, sin = x.chunk(2, -1), angles.cos(), angles.sin()
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1).to(x.dtype)


def laid_out(documents: Texts, weights: FloatArray) -> tuple[Symbols, FloatArray, IntArray]:
    """The different documents of positive weight end to end, their weights, and where each begins (and the end).

    Every document is followed by the boundary symbol, so one precedes the first when windows wrap around.
    """
    merged: dict[tuple[bytes, int], list[float]] = {}
    for row in np.flatnonzero(weights).tolist():
        text = documents.encoded(row)
        same = merged.setdefault((hashlib.blake2b(text, digest_size=16).digest(), len(text)), [0.0, row])
        same[0] += float(weights[row])
    order = sorted((weight, key[0], row) for key, (weight, row) in merged.items())
    chosen = documents.take(np.array([row for _, _, row in order], np.int64))
    stream = np.insert(chosen.data.astype(np.uint16), chosen.offsets[1:], BOUNDARY)
    return stream, np.array([weight for weight, _, _ in order]), chosen.offsets + np.arange(len(order) + 1)


def windows(weights: FloatArray, begins: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Where ``count`` windows begin in the stream: evenly spread in the weighted length, in random order."""
    mass = np.concatenate([[0.0], np.cumsum(weights * np.diff(begins))])
    at = (np.arange(count) + rng.random(count)) / count * mass[-1]
    document = np.searchsorted(mass, at, side="right").clip(1, len(weights)) - 1
    inside = ((at - mass[document]) / weights[document]).astype(np.int64)
    found: IntArray = np.minimum(begins[document] + inside, begins[document + 1] - 1)
    return rng.permutation(found)


def rate(update: int, updates: int) -> float:
    """Share of the learning rate: rising over the first twentieth of the updates, then half a cosine to 0."""
    rising = max(1, updates // 20)
    if update < rising:
        return (update + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (update - rising) / max(1, updates - rising)))


def train(settings: TransformerLmSettings, documents: Texts, weights: FloatArray, backend: Backend) -> Parameters:
    """Parameters trained on documents with ``weights`` [n], one of them positive."""
    import torch
    from torch.nn.functional import cross_entropy

    stream, weights, begins = laid_out(documents, weights)
    count = settings.updates * settings.batch_size
    starts = windows(weights, begins, count, np.random.default_rng([settings.seed, 2])).reshape(settings.updates, -1)
    reach = np.arange(settings.context + 1)
    p = {name: backend.put(value).requires_grad_() for name, value in initial_parameters(settings).items()}
    matrices, norms = [v for v in p.values() if v.ndim == 2], [v for v in p.values() if v.ndim == 1]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": norms, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, settings.learning_rate, betas=(0.9, 0.95), fused=True)
    for update in range(settings.updates):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate(update, settings.updates)
        window = backend.put(stream[(starts[update][:, None] + reach) % len(stream)], "int64")
        with torch.autocast(backend.device, torch.bfloat16, enabled=mixed_precision(backend)):
            scores = logits(window[:, :-1], p, settings)
        loss = cross_entropy(scores.float().flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
        optimizer.step()
    return {name: backend.get(value.detach()) for name, value in p.items()}


def cuts(offsets: IntArray, context: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """The windows that documents are scored by: document, first and last + 1 symbol predicted, first one that counts.

    Symbol j of a document of L bytes is byte j, or its end where j = L; window [a, b) has seen what comes before a only
    if a is 0, when that is the boundary symbol.
    """
    lengths, step = np.diff(offsets) + 1, context - context // 4
    number = 1 + np.maximum(0, -(-(lengths - context) // step))
    document = np.repeat(np.arange(len(lengths)), number)
    first = step * (np.arange(len(document)) - np.repeat(np.cumsum(number) - number, number))
    return document, first, np.minimum(first + context, lengths[document]), np.where(first, first + context // 4, 0)


def score(settings: TransformerLmSettings, parameters: Parameters, documents: Texts, backend: Backend) -> FloatArray:
    """Bits [n] float64 of each document."""
    import torch

    p = {name: backend.put(value) for name, value in parameters.items()}
    bits, bounds = np.zeros(len(documents)), documents.offsets + np.arange(len(documents) + 1)
    stream = np.insert(documents.data.astype(np.uint16), documents.offsets, BOUNDARY)  # one before each, one at the end
    document, first, end, counts_from = cuts(documents.offsets, settings.context)
    order = np.argsort(end - first, kind="stable")  # windows of about the same length stand in one batch
    at_once = 64 if backend.device == "cpu" else 512
    for part in (order[i : i + at_once] for i in range(0, len(order), at_once)):
        reach = np.arange((end - first)[part].max() + 1)
        places = bounds[document[part], None] + first[part, None] + reach
        window = backend.put(stream[np.minimum(places, len(stream) - 1)], "int64")
        with torch.no_grad(), torch.autocast(backend.device, torch.bfloat16, enabled=mixed_precision(backend)):
            scores = logits(window[:, :-1], p, settings)
        said = scores.float().log_softmax(-1).gather(2, window[:, 1:, None])[..., 0]
        symbol = first[part, None] + reach[:-1]
        counted = (symbol >= counts_from[part, None]) & (symbol < end[part, None])
        costs = np.where(counted, backend.get(said).astype(np.float64) / -math.log(2), 0.0).sum(axis=1)
        bits += np.bincount(document[part], costs, minlength=len(documents))
    return bits


class TransformerLm(FixedLanguageModel):
    """Models are trained one by one, on the CPU a core each; the same documents and weights are trained on once."""

    settings: TransformerLmSettings

    def __init__(self, settings: TransformerLmSettings, *, device: str = "auto") -> None:
        super().__init__(settings, device=device)
        self._trained: Cache[Parameters] = Cache()

    def reset(self) -> None:
        super().reset()
        self._trained = Cache()

    def backend(self) -> Backend:
        """Torch on the resolved device."""
        return Backend.of(resolve_device(self.requested_device), torch_on_cpu=True)

    def _fit(self, batch: TextBatch) -> FittedTransformers:
        weights = [batch.of_documents(b) for b in range(len(batch.rows))]
        content = hashlib.blake2b(batch.documents.offsets.tobytes(), digest_size=16)
        content.update(np.ascontiguousarray(batch.documents.data).data)
        keys = [hashlib.blake2b(content.digest() + one.tobytes(), digest_size=16).digest() for one in weights]
        found, fresh = self._trained.split(keys, [b for b, one in enumerate(weights) if one.any()])

        def work(key: bytes) -> Parameters:
            return train(self.settings, batch.documents, weights[fresh[key]], self.backend())

        with torch_threads(1):
            for key, parameters in zip(fresh, self.backend().map(work, list(fresh)), strict=True):
                found[key] = parameters
                self._trained.put(key, parameters, sum(value.nbytes for value in parameters.values()))
        return FittedTransformers(self, [found.get(key) for key in keys], len(fresh))


class FittedTransformers(FittedLanguageModels):
    """B trained networks; None stands for one without documents, which knows nothing."""

    def __init__(self, model: TransformerLm, parameters: list[Parameters | None], fits: int) -> None:
        self.model, self.parameters, self.fits = model, parameters, fits
        self.size = len(parameters)

    def _bits(self, documents: Texts) -> FloatArray:
        backend, different = self.model.backend(), {id(p): p for p in self.parameters}

        def work(parameters: Parameters | None) -> Any:
            if parameters is None:
                return (np.diff(documents.offsets) + 1) * math.log2(SYMBOLS)
            return score(self.model.settings, parameters, documents, backend)

        with torch_threads(1):
            bits = dict(zip(different, backend.map(work, list(different.values())), strict=True))
        return np.array([bits[id(p)] for p in self.parameters]).reshape(self.size, len(documents))
