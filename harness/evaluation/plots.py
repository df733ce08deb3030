"""Plots as SVG text: small, sharp, the same bytes on every machine, readable in light and dark, no scripts.

Written directly rather than through a plotting library: a page of code, no second of import per run, and text that
stays text (searchable, read aloud).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

import numpy as np

from harness.api import FloatArray

WIDTH = 720
_PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe-Ito: safe for the colour-blind
_DASHES = ("", "7 4", "2 3", "10 3 2 3", "4 4", "1 4")
_DARK = "@media(prefers-color-scheme:dark){svg.plot{color:#e6edf3}}"
_STYLE = (
    f"<style>svg.plot{{color:#1f2328;font:13px system-ui,sans-serif}}svg.plot text{{fill:currentColor}}{_DARK}</style>"
)


@dataclass(frozen=True)
class Bar:
    """One row of :func:`interval_svg`."""

    name: str
    score: float
    low: float
    high: float
    reference: bool = False  # the harness's own row: drawn hollow


def score_curve_svg(curves: Mapping[str, Sequence[FloatArray]], axes: tuple[str, str], title: str) -> str:
    """Mean curve of every row; the first row also seed by seed, faintly.

    Parameters
    ----------
    curves: by name of the row, one array [p, 2] of x and y per seed; rows without curves are left out.
    axes: labels of x and y.
    """
    shown = {name: [c for c in map(_finite, seeds) if len(c)] for name, seeds in curves.items()}
    shown = {name: seeds for name, seeds in shown.items() if seeds}
    height, left, right, top, bottom = 400, 64, 16, 40, 62
    points = np.concatenate([c for seeds in shown.values() for c in seeds]) if shown else np.array([[0.0, 0.0]])
    x = _Scale.over(points[:, 0], left, WIDTH - right)
    y = _Scale.over(points[:, 1], height - bottom - 20 * ((len(shown) - 1) // 3), top)
    parts = [_text(left, 22, title, weight=True)]
    for at, label in y.ticks():
        parts += [_line(left, at, WIDTH - right, at, faint=True), _text(left - 8, at + 4, label, anchor="end")]
    for at, label in x.ticks():
        parts += [_line(at, top, at, y.start, faint=True), _text(at, y.start + 17, label, anchor="middle")]
    parts += [_line(left, y.start, WIDTH - right, y.start), _line(left, top, left, y.start)]
    parts.append(_text((left + WIDTH - right) / 2, y.start + 34, axes[0], anchor="middle"))
    middle = (top + y.start) / 2
    turned = f'transform="rotate(-90 15 {middle:.1f})"'
    parts.append(_text(15, middle, axes[1], anchor="middle", extra=turned))
    for i, (name, seeds) in enumerate(shown.items()):
        style = f'stroke="{_PALETTE[i % 6]}" fill="none"'
        if i == 0 and len(seeds) > 1:
            parts += [f'<path d="{_path(c, x, y)}" {style} stroke-opacity=".25"/>' for c in seeds]
        dash = f' stroke-dasharray="{_DASHES[i % 6]}"' if _DASHES[i % 6] else ""
        mean = _path(mean_curve(seeds), x, y)
        parts.append(f'<path d="{mean}" {style} stroke-width="2.2"{dash}><title>{escape(name)}</title></path>')
        lx, ly = left + 218 * (i % 3), y.start + 56 + 20 * (i // 3)
        parts.append(f'<path d="M{lx:.0f} {ly - 4:.0f}h26" {style} stroke-width="2.2"{dash}/>')
        parts.append(_text(lx + 32, ly, _short(name, 24)))
    return _svg(height, parts, f"{title}: {axes[1]} against {axes[0]} for {', '.join(shown) or 'no rows'}")


def interval_svg(bars: Sequence[Bar], axis: str, title: str) -> str:
    """Scores with their intervals, a line per row, in the order given."""
    left, right, top, step = 210, 24, 34, 26
    height = top + step * max(1, len(bars)) + 48
    values = np.array([v for bar in bars for v in (bar.score, bar.low, bar.high)] or [0.0])
    x = _Scale.over(values, left, WIDTH - right)
    base = height - 44
    parts = [_text(10, 20, title, weight=True)]
    for at, label in x.ticks():
        parts += [_line(at, top, at, base, faint=True), _text(at, base + 17, label, anchor="middle")]
    parts += [_line(left, base, WIDTH - right, base), _text((left + WIDTH) / 2, base + 35, axis, anchor="middle")]
    for i, bar in enumerate(bars):
        y = top + step * (i + 0.5)
        colour = "currentColor" if bar.reference else _PALETTE[0]
        fill = "none" if bar.reference else colour
        tip = f"{bar.name}: {bar.score:.4f} [{bar.low:.4f}, {bar.high:.4f}]"
        parts.append(_text(left - 12, y + 4, _short(bar.name, 28), anchor="end"))
        parts.append(
            f'<g stroke="{colour}" stroke-width="2"><title>{escape(tip)}</title>'
            f'<path d="M{x(bar.low):.1f} {y:.1f}H{x(bar.high):.1f}M{x(bar.low):.1f} {y - 4:.1f}v8M{x(bar.high):.1f} {y - 4:.1f}v8"/>'
            f'<circle cx="{x(bar.score):.1f}" cy="{y:.1f}" r="4.5" fill="{fill}"/></g>'
        )
    return _svg(height, parts, f"{title}: {axis} with 95 % intervals for {len(bars)} rows")


def on_paper(svg: str) -> str:
    """A plot on white, for places whose ground is not the reader's own theme's: a notebook, a file in a viewer."""
    return svg.replace(_DARK, "svg.plot{background:#fff}")


def mean_curve(seeds: Sequence[FloatArray]) -> FloatArray:
    """Mean over curves [p, 2] on the x values that all of them cover: [q, 2]."""
    low, high = max(c[:, 0].min() for c in seeds), min(c[:, 0].max() for c in seeds)
    grid = np.unique(np.concatenate([c[:, 0] for c in seeds]))
    grid = grid[(grid >= low) & (grid <= high)]
    if len(grid) == 0:
        return seeds[0]
    return np.column_stack([grid, np.mean([np.interp(grid, c[:, 0], c[:, 1]) for c in seeds], axis=0)])


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float  # pixel of low
    end: float  # pixel of high

    @classmethod
    def over(cls, values: FloatArray, start: float, end: float) -> _Scale:
        low, high = float(values.min()), float(values.max())
        pad = (high - low) * 0.04 or max(abs(high), 1.0) * 0.05
        return cls(low - pad, high + pad, start, end)

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Pixel and label of about six round values."""
        rough = (self.high - self.low) / 6
        power = 10.0 ** floor(log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
        decimals = max(0, -floor(log10(step) + 1e-9))
        for i in range(ceil(self.low / step), floor(self.high / step) + 1):
            yield self(i * step), f"{i * step + 0.0:.{decimals}f}"


def _finite(curve: FloatArray) -> FloatArray:
    curve = np.asarray(curve, dtype=np.float64)
    curve = curve[np.isfinite(curve).all(axis=1)]
    return curve[np.argsort(curve[:, 0], kind="stable")]


def _path(curve: FloatArray, x: _Scale, y: _Scale) -> str:
    if len(curve) > 240:  # more points than pixels tell nobody anything
        curve = curve[np.linspace(0, len(curve) - 1, 240).round().astype(int)]
    return "M" + "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b in curve.tolist())


def _text(x: float, y: float, text: str, *, anchor: str = "", weight: bool = False, extra: str = "") -> str:
    attributes = (f' text-anchor="{anchor}"' if anchor else "") + (' font-weight="600"' if weight else "")
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}{" " + extra if extra else ""}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, faint: bool = False) -> str:
    opacity = ".15" if faint else ".6"
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="currentColor" stroke-opacity="{opacity}"/>'


def _short(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def _svg(height: float, parts: Sequence[str], description: str) -> str:
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {WIDTH} {height}" role="img"'
    return f'{opening} aria-label="{escape(description)}">{_STYLE}\n' + "\n".join(parts) + "\n</svg>\n"
