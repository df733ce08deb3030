"""What comes of a practice run: numbers, a table and a picture for a notebook. It is kept nowhere and never ranks."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from math import nan
from typing import Literal

from harness.api import FloatArray
from harness.errors import ProtocolError, Status
from harness.evaluation.plots import Bar, interval_svg, on_paper, score_curve_svg
from harness.statistics.differences import Difference, difference
from harness.tracking.record import CellRecord


class Figure(str):
    """An SVG picture as text, which a notebook shows; ``Path("plot.svg").write_text(figure)`` keeps it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<Figure: {len(self)} characters of SVG>"

    def _repr_svg_(self) -> str:
        return str(self)


@dataclass(frozen=True, repr=False, eq=False)
class Row:
    """The cells of one method. ``score`` is the mean over the seeds measured, ``ci95`` its 95 % interval by seed."""

    name: str
    score: float | None
    ci95: tuple[float, float] | None
    cells: tuple[CellRecord, ...]
    curves: tuple[FloatArray, ...]  # [p, 2] of each seed measured, where the track has a curve

    def __repr__(self) -> str:
        return f"{self.name} {_interval(self)}"

    @property
    def scores(self) -> dict[int, float]:
        """Score by seed, of those on which there was something to measure."""
        return {cell.seed: cell.score for cell in self.cells if cell.score is not None}

    @property
    def bar(self) -> Bar:
        """Score and interval to be drawn."""
        score = nan if self.score is None else self.score
        low, high = self.ci95 or (score, score)
        return Bar(self.name, score, low, high, reference=not isinstance(self, Practice))


@dataclass(frozen=True, repr=False, eq=False)
class Practice(Row):
    """A function or folder on seeds for practice, run in this process, with floor and skyline on the same seeds.

    ``score``, ``ci95``, ``normalised``, ``floor``, ``skyline`` and ``curve`` mean what they mean in a record; ``cells``
    have seed, score, metrics and seconds each; ``remarks`` says what else there is to know.
    """

    challenge: str
    fingerprint: str  # of the protocol under the open secret: two practice runs with the same one can be compared
    metric: str
    direction: Literal["max", "min"]
    status: Status
    normalised: float | None
    curve: tuple[tuple[float, float], ...] | None
    floor_row: Row
    skyline_row: Row
    axes: tuple[str, str]
    remarks: tuple[str, ...] = ()
    isolation: str = "in process"

    @property
    def floor(self) -> float | None:
        """Mean score of the harness's own random answer on these seeds."""
        return self.floor_row.score

    @property
    def skyline(self) -> float | None:
        """Mean score of the answer that knows what is hidden."""
        return self.skyline_row.score

    def compare(self, other: Practice) -> Difference:
        """By how much this scores above ``other`` (negative: below), paired by seed, with its 95 % interval and p-value.

        Raises ProtocolError where the two were not measured on the same.
        """
        if self.fingerprint != other.fingerprint:
            raise ProtocolError(
                f"{self.name} and {other.name} were measured on different challenges, or settings of one.",
                f"Evaluate both on {self.challenge} as it was loaded once.",
            )
        return difference(self.scores, other.scores)

    def plot(self, *others: Practice) -> Figure:
        """The mean curve against floor, skyline and ``others``; scores with intervals where the track has no curve."""
        title = f"{self.challenge}, for practice"
        rows = _named([self, *others, self.floor_row, self.skyline_row])
        if any(len(curve) > 1 for curve in self.curves):
            curves = {name: row.curves for name, row in rows.items()}
            return Figure(on_paper(score_curve_svg(curves, self.axes, title)))
        bars = [replace(row.bar, name=name) for name, row in rows.items() if row.score is not None]
        return Figure(on_paper(interval_svg(bars, self.metric, title)))

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        better = "higher" if self.direction == "max" else "lower"
        yield f"{self.name} on {self.challenge}: {self.metric} {_interval(self)}, {better} is better"
        yield f"floor {_number(self.floor)}, skyline {_number(self.skyline)}, normalised {_number(self.normalised)}"
        yield f"{len(self.scores)} seeds for practice, {self.isolation}: not recorded, not ranked"
        yield from self.remarks

    def _repr_html_(self) -> str:
        title, *lines = (escape(line) for line in self._lines())
        columns = ("seed", self.metric, "floor", "skyline", "seconds")
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        low, high = self.floor_row.scores, self.skyline_row.scores
        body = "".join(
            f"<tr><td>{cell.seed}</td><td>{_number(cell.score)}</td><td>{_number(low.get(cell.seed))}</td>"
            f"<td>{_number(high.get(cell.seed))}</td><td>{cell.seconds.submission:.2f}</td></tr>"
            for cell in self.cells
        )
        picture = base64.b64encode(self.plot().encode()).decode()  # a picture: no name of another's can become markup
        return (
            f"<p><b>{title}</b><br>{'<br>'.join(lines)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f'<img alt="{title}" src="data:image/svg+xml;base64,{picture}">'
        )


def _named(rows: Sequence[Row]) -> dict[str, Row]:
    """Rows by a name each, in their order: the second of the same name is "NAME (2)"."""
    named: dict[str, Row] = {}
    for row in rows:
        same = sum(row.name == other.name for other in named.values())
        named[f"{row.name} ({same + 1})" if same else row.name] = row
    return named


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _interval(row: Row) -> str:
    return _number(row.score) + (f" [{row.ci95[0]:.4f}, {row.ci95[1]:.4f}]" if row.ci95 else "")
