"""The language models written the obvious way: what ours are compared with, and what they are timed against."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from harness.models.transformer_lm import TransformerLmSettings, initial_parameters, laid_out, rate, windows

END = 256


class PlainNgrams:
    """Interpolated Witten-Bell with a dictionary of contexts, a symbol at a time."""

    def __init__(self, documents: Sequence[bytes], weights: Iterable[float] | None = None, order: int = 6) -> None:
        self.order = order
        self.after: dict[tuple[int, ...], dict[int, float]] = defaultdict(lambda: defaultdict(float))
        for document, weight in zip(documents, weights or [1.0] * len(documents), strict=True):
            for context, symbol in self._walk(document):
                for k in range(order if weight else 0):
                    self.after[context[len(context) - k :]][symbol] += weight

    def _walk(self, document: bytes) -> Iterable[tuple[tuple[int, ...], int]]:
        symbols = (END,) * (self.order - 1) + tuple(document) + (END,)
        for i in range(self.order - 1, len(symbols)):
            yield symbols[i - self.order + 1 : i], symbols[i]

    def probability(self, symbol: int, context: tuple[int, ...]) -> float:
        p = 1 / 257
        for k in range(len(context) + 1):
            seen = self.after.get(context[len(context) - k :])
            if seen:
                p = (seen.get(symbol, 0) + len(seen) * p) / (sum(seen.values()) + len(seen))
        return p

    def bits(self, document: bytes) -> float:
        return -sum(math.log2(self.probability(symbol, context)) for context, symbol in self._walk(document))


def plain_gpt(settings: TransformerLmSettings) -> Any:
    """The network as torch.nn modules, with our initial weights."""
    import torch
    from torch import nn

    d, heads = settings.width, settings.heads

    def by_place(x: torch.Tensor) -> torch.Tensor:
        """Pairs of coordinates as complex numbers, turned by their place."""
        half = x.shape[-1] // 2
        pairs = torch.complex(x[..., :half], x[..., half:])
        angle = torch.outer(torch.arange(x.shape[-2]), 1 / 10_000 ** (torch.arange(half) / half))
        turned = pairs * torch.polar(torch.ones(angle.shape), angle)
        return torch.cat([turned.real, turned.imag], -1)

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(d, bias=False), nn.LayerNorm(d, bias=False)
            self.qkv, self.out = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
            self.up, self.down = nn.Linear(d, 4 * d, bias=False), nn.Linear(4 * d, d, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            m, t, _ = x.shape
            q, k, v = self.qkv(self.norm1(x)).view(m, t, 3, heads, d // heads).permute(2, 0, 3, 1, 4)
            q, k = by_place(q), by_place(k)
            future = torch.ones(t, t, dtype=torch.bool).triu(1)
            share = (q @ k.transpose(2, 3) / math.sqrt(d // heads)).masked_fill(future, -torch.inf).softmax(-1)
            x = x + self.out((share @ v).transpose(1, 2).reshape(m, t, d))
            mixed: torch.Tensor = x + self.down(nn.functional.gelu(self.up(self.norm2(x))))
            return mixed

    class Gpt(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(257, d)
            self.blocks = nn.ModuleList(Block() for _ in range(settings.layers))
            self.norm = nn.LayerNorm(d, bias=False)

        def forward(self, symbols: torch.Tensor) -> torch.Tensor:
            x = self.embedding(symbols)
            for block in self.blocks:
                x = block(x)
            scores: torch.Tensor = nn.functional.linear(self.norm(x), self.embedding.weight)
            return scores

    net = Gpt()
    with torch.no_grad():
        for name, value in initial_parameters(settings).items():
            module = net.get_submodule(f"blocks.{name}" if name[0].isdigit() else name)
            weight = module.weight
            assert isinstance(weight, nn.Parameter)
            weight.copy_(torch.from_numpy(value.T if isinstance(module, nn.Linear) else value))
    return net


def train_plain_gpt(settings: TransformerLmSettings, documents: Any, weights: np.ndarray) -> Any:
    """The network trained by a loop over batches of our windows."""
    import torch

    net = plain_gpt(settings)
    decayed = [p for p in net.parameters() if p.ndim == 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": settings.weight_decay},
            {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0.0},
        ],
        settings.learning_rate,
        betas=(0.9, 0.95),
    )
    stream, weights, begins = laid_out(documents, weights)
    count = settings.updates * settings.batch_size
    starts = windows(weights, begins, count, np.random.default_rng([settings.seed, 2]))
    endless = torch.from_numpy(np.tile(stream, 2 + settings.context // len(stream)).astype(np.int64))
    for update in range(settings.updates):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate(update, settings.updates)
        chosen = starts[update * settings.batch_size : (update + 1) * settings.batch_size]
        window = torch.stack([endless[s : s + settings.context + 1] for s in chosen])
        optimizer.zero_grad()
        scores = net(window[:, :-1]).reshape(-1, 257)
        torch.nn.functional.cross_entropy(scores, window[:, 1:].reshape(-1)).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return net


def plain_bits(net: Any, settings: TransformerLmSettings, document: bytes) -> float:
    """A document's cost, a window at a time."""
    import torch

    symbols, told, bits, first = [END, *document, END], 0, 0.0, 0
    while told < len(document) + 1:
        last = min(first + settings.context, len(document) + 1)
        with torch.no_grad():
            said = net(torch.tensor([symbols[first:last]]))[0].log_softmax(-1)
        for j in range(told, last):
            bits -= float(said[j - first, symbols[j + 1]]) / math.log(2)
        told, first = last, first + settings.context - settings.context // 4
    return bits
