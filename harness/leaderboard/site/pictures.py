"""Pictures of boards: shades of a heat map, score against cost, and performance profiles, as SVG text.

The same numbers give the same bytes. Colours are CSS classes of ``pictures.css``, so that light and dark need one picture;
nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import Any

from harness.leaderboard.text import clean

HIGHLIGHTED = 6
"""Curves of a profile that have a colour and a label; all others are grey."""
SHADES = 10
_WIDTH = 720
_LETTER = 8.6  # pixels: bold letters of 12.5 px in a wide font, DejaVu Sans

Box = tuple[float, float, float, float]  # left, top, right, bottom


def label(row: Mapping[str, Any]) -> str:
    """What people call a row: its team's name, else the submission's, without invisible characters."""
    return clean(row.get("team_name") or row.get("team") or row["submission"])


def leads(row: Mapping[str, Any]) -> bool:
    """Whether a row may be the best: its set of ranks holds rank 1."""
    return 1 in (row["rank"], (row.get("rank_ci95") or (0,))[0])


def shade(normalised: float | None) -> str:
    """The CSS class of a normalised score: ``none``, ``below`` the floor, ``h0`` to ``h9`` from floor to skyline."""
    if normalised is None:
        return "none"
    shown = round(normalised, 2)  # as it is written in the cell
    return "below" if shown < 0 else f"h{min(SHADES - 1, int(shown * SHADES + 1e-9))}"


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points (cost, gain) no other one beats: at least as cheap and as good, and one of both strictly."""
    found, last = [False] * len(points), (0.0, float("-inf"))
    for i in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if points[i][1] > last[1] or points[i] == last:
            found[i], last = True, points[i]
    return found


def pareto(rows: Sequence[Mapping[str, Any]], metric: str, direction: str = "max") -> str:
    """Score against seconds a seed (logarithmic axis) as SVG; rows that no other beats in both are joined and named.

    Parameters
    ----------
    rows: of a board, as in its JSON file. Those with a rank are points; the harness's references are horizontal lines;
        rows without score or seconds are left out. Empty text where that leaves no point.
    metric, direction: of the board; better is up, also where lower is better.
    """
    points = [row for row in rows if row["rank"] is not None and _known(row["score"]) and (row["seconds"] or 0) > 0]
    if not points:
        return ""
    sign = 1.0 if direction == "max" else -1.0
    lines = {
        label(row).removeprefix("reference-"): row["score"]
        for row in rows
        if row["rank"] is None and _known(row["score"])
    }
    x = _Seconds([row["seconds"] for row in points])
    y = _Axis.over(_window([sign * r["score"] for r in points], [sign * s for s in lines.values()]), 326, 30)
    best = front([(row["seconds"], sign * row["score"]) for row in points])
    places = [(x(row["seconds"]), y(max(y.low, sign * row["score"]))) for row in points]
    parts = [_text(12, 18, f"{metric} ({'higher' if sign > 0 else 'lower'} is better)", "axis")]
    for value in y.ticks():
        parts += [
            _line(64, y(value), _WIDTH - 16, y(value), "grid"),
            _text(56, y(value) + 4, y.written(sign * value), "end"),
        ]
    for seconds, named in _log_ticks(x):
        parts.append(_line(x(seconds), 30, x(seconds), 326, "grid"))
        parts += [_text(x(seconds), 344, named, "middle")] if named else []
    parts += [
        _line(64, 326, _WIDTH - 16, 326, "frame"),
        _text((48 + _WIDTH) / 2, 366, "seconds a seed (log scale)", "middle axis"),
    ]
    for name, score in sorted(lines.items(), key=lambda item: item[1]):
        if y.low <= sign * score <= y.high:
            parts += [_line(64, y(sign * score), _WIDTH - 16, y(sign * score), "reference")]
            parts += [_text(_WIDTH - 18, y(sign * score) - 5, name, "end soft")]
    chosen = sorted((i for i in range(len(points)) if best[i]), key=lambda i: places[i])
    steps = "".join(
        f"H{places[i][0]:.1f}V{places[i][1]:.1f}" for i in chosen[1:]
    )  # what is between two is not to be had
    parts.append(f'<path class="front" d="M{places[chosen[0]][0]:.1f} {places[chosen[0]][1]:.1f}{steps}H{x.end:.1f}"/>')
    for row, place, on in zip(points, places, best, strict=True):
        parts.append(_mark(row, place, on, below=sign * row["score"] < y.low))
    taken: list[Box] = [(px - 6, py - 6, px + 6, py + 6) for px, py in places]
    taken += [(_WIDTH - 18 - _LETTER * len(n), y(sign * s) - 18, _WIDTH, y(sign * s)) for n, s in lines.items()]
    taken += _segments([*(places[i] for i in chosen), (x.end, places[chosen[-1]][1])])
    for i in chosen:
        parts += _placed(_short(label(points[i]), 28), *places[i], taken)
    told = "; ".join(f"{label(points[i])} {points[i]['score']:.4g} in {points[i]['seconds']:.3g} s" for i in chosen)
    return _svg("pareto", 378, parts, f"{metric} against seconds a seed", f"Not beaten in both, fastest first: {told}.")


def profile(curves: Sequence[tuple[str, Sequence[float]]], taus: Sequence[float], unit: str = "runs") -> str:
    """Performance profiles as SVG: for every tau the share of runs with a normalised score above it.

    Sources: Dolan and Moré, *Benchmarking optimization software with performance profiles*, Mathematical Programming 91
    (2002); in this form, for scores, Agarwal et al., *Deep reinforcement learning at the edge of the statistical precipice*,
    NeurIPS (2021), section 4.2.

    Parameters
    ----------
    curves: name and shares [T] of every method, best first; the first HIGHLIGHTED have a colour, dashes and a label.
    taus: [T], ascending.
    unit: what is counted.
    """
    y = _Axis(0.0, 1.0, 300, 24)
    x = _Axis(max(taus[0], -0.25), max(taus[-1], 1.0), 52, _WIDTH - 186)
    parts = []
    for i in range(5):
        parts += [_line(52, y(i / 4), x.end, y(i / 4), "grid"), _text(44, y(i / 4) + 4, f"{25 * i} %", "end")]
    for value in x.ticks():
        parts += [_line(x(value), 24, x(value), 300, "grid"), _text(x(value), 318, x.written(value), "middle")]
    parts += [
        _line(52, 300, x.end, 300, "frame"),
        _text((52 + x.end) / 2, 340, "normalised score s: 0 floor, 1 skyline", "middle axis"),
    ]
    parts.append(_text(8, 14, f"share of {unit} above s", "axis"))
    for name, shares in reversed(curves[HIGHLIGHTED:]):
        parts.append(
            f'<path class="other" d="{_steps(taus, shares, x, y)}"><title>{escape(clean(name))}</title></path>'
        )
    shown = curves[:HIGHLIGHTED]
    for i, (name, shares) in enumerate(shown):
        level = 0.9 - 0.8 * (i + 0.5) / max(len(shown), 3)
        at = next((tau for tau, share in zip(taus, shares, strict=True) if share <= level), taus[-1])
        at = x(min(max(at, x.low), x.high))
        parts.append(f'<path class="leader c{i}" d="M{at:.1f} {y(level):.1f}H{x.end + 8:.1f}"/>')
        parts.append(
            f'<path class="curve c{i}" d="{_steps(taus, shares, x, y)}"><title>{escape(clean(name))}</title></path>'
        )
        parts.append(f'<circle class="mark c{i}" cx="{at:.1f}" cy="{y(level):.1f}" r="4"/>')
        parts.append(_text(x.end + 12, y(level) + 4, _short(clean(name), 24), f"name c{i}"))
    medians = "; ".join(f"{clean(name)} {_median(taus, shares):.2f}" for name, shares in shown)
    told = f"Normalised score that half of the {unit} exceed, best methods: {medians}."
    return _svg("profile", 350, parts, f"Share of {unit} with a normalised score above s, by method", told)


def _mark(row: Mapping[str, Any], place: tuple[float, float], best: bool, *, below: bool) -> str:
    """A row's point; a triangle at the lower edge where it lies below what is shown."""
    (x, y), kind = place, "best" if best else "point"
    tip = f"{label(row)}: {row['score']:.4g} in {row['seconds']:.3g} s"
    if below:
        drawn = f'd="M{x - 5:.1f} {y - 7:.1f}h10l-5 7z"'
        return f'<path class="{kind}" {drawn}><title>{escape(tip)}, lower than shown</title></path>'
    drawn = f'cx="{x:.1f}" cy="{y:.1f}" r="{6 if best else 4.5}"'
    return f'<circle class="{kind}" {drawn}><title>{escape(tip)}</title></circle>'


class _Axis:
    """Values to pixels; ``start`` is the pixel of ``low``."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end
        rough = (high - low) / 5
        power = 10.0 ** floor(log10(rough))
        self.step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> _Axis:
        low, high = min(values), max(values)
        pad = (high - low) * 0.05 or max(abs(high), 1.0) * 0.05
        return cls(low - pad, high + pad, start, end)

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> Iterator[float]:
        """About five round values."""
        for i in range(ceil(self.low / self.step - 1e-9), floor(self.high / self.step + 1e-9) + 1):
            yield i * self.step

    def written(self, value: float) -> str:
        """A tick's value with as many decimals as its neighbours need."""
        return f"{value + 0.0:.{max(0, -floor(log10(self.step) + 1e-9))}f}"


class _Seconds(_Axis):
    """Seconds to pixels, logarithmically."""

    def __init__(self, seconds: Sequence[float]) -> None:
        low, high = log10(min(seconds)), log10(max(seconds))
        pad = max(0.12, (0.6 - (high - low)) / 2)
        super().__init__(low - max(pad, 0.25 * (high - low)), high + pad, 64, _WIDTH - 16)  # names stand at the left

    def __call__(self, value: float) -> float:
        return super().__call__(log10(value))


def _log_ticks(x: _Axis) -> Iterator[tuple[float, str]]:
    """1, 2, 5 of every decade in sight; all have a name where there are few decades, else powers of ten alone."""
    few = x.high - x.low < 2.5
    for power in range(floor(x.low), ceil(x.high) + 1):
        for digit in (1, 2, 5):
            if x.low <= log10(digit) + power <= x.high:
                yield digit * 10.0**power, f"{digit * 10.0**power:g}" if few or digit == 1 else ""


def _window(scores: Sequence[float], references: Sequence[float]) -> list[float]:
    """What the score axis covers: all of it, but at most half as much below the floor as there is above."""
    values = [*scores, *references]
    if len(references) == 2:
        low, high = min(references), max(*references, *scores)
        values = [max(value, low - 0.5 * (high - low)) for value in values]
    return values


def _placed(text: str, x: float, y: float, taken: list[Box]) -> Iterator[str]:
    """A label beside its point where it covers nothing, joined to it by a line where that is not near.

    First choice is above and to the left: what lies there would beat the point.
    """
    width = _LETTER * len(text)
    for away in (0, 16, 32, 48, 64, 80, 96, 128, 160):
        for left, up in ((-9 - width, -8 - away), (9, -8 - away), (9, 16 + away), (-9 - width, 16 + away)):
            box = (x + left, y + up - 13, x + left + width, y + up + 4)
            inside = box[0] >= 66 and box[2] <= _WIDTH - 2 and box[1] >= 22 and box[3] <= 324
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                if away:
                    yield _line(x, y, x + (9 if left > 0 else -9), y + up + (3 if up < 0 else -11), "leader")
                yield _text(x + left, y + up, text, "name")
                return


def _segments(corners: Sequence[tuple[float, float]]) -> Iterator[Box]:
    """The steps of a front as boxes that no label covers."""
    for (x, y), (right, up) in pairwise(corners):
        yield x, y - 1, right, y + 1
        yield right - 1, up, right + 1, y


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _steps(taus: Sequence[float], shares: Sequence[float], x: _Axis, y: _Axis) -> str:
    """A path that says only where a share changes."""
    inside = [(tau, share) for tau, share in zip(taus, shares, strict=True) if tau >= x.low - 1e-9]
    path, last = f"M{x(inside[0][0]):.1f} {y(inside[0][1]):.1f}", inside[0][1]
    for tau, share in inside[1:]:
        if share != last:
            path, last = f"{path}H{x(tau):.1f}V{y(share):.1f}", share
    return f"{path}H{x.end:.1f}"


def _median(taus: Sequence[float], shares: Sequence[float]) -> float:
    return next((tau for tau, share in zip(taus, shares, strict=True) if share < 0.5), taus[-1])


def _known(value: float | None) -> bool:
    return value is not None and isfinite(value)


def _text(x: float, y: float, text: str, classes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}">{escape(clean(text))}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, classes: str) -> str:
    return f'<path class="{classes}" d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}"/>'


def _short(name: str, length: int) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def _svg(kind: str, height: int, parts: Iterable[str], title: str, told: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="picture {kind}" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-labelledby="{kind}-title {kind}-desc"><title id="{kind}-title">{escape(clean(title))}</title>'
        f'<desc id="{kind}-desc">{escape(clean(told))}</desc>\n' + "\n".join(parts) + "\n</svg>\n"
    )
