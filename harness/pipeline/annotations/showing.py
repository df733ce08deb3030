"""A report for people: tables on a terminal, and a plot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt

from rich.table import Table
from rich.text import Text

from harness.evaluation.plots import Bar, interval_svg
from harness.pipeline.annotations.report import MOST_PAIRS, Facts
from harness.protocol.folder import shown

_ROWS = 10  # of a table whose rest is in the JSON
_BARS = 40
_ENOUGH = 10  # shared items, before a low kappa is worth a look
_Z = 1.959964


def tables(facts: Facts) -> Iterator[tuple[str, Table]]:
    """Titles and tables: the whole, then the annotators least like the others, the worst pairs, the classes, the rounds."""
    yield "", _whole(facts)
    people = sorted(facts["per_annotator"], key=_at_best)
    if people:
        title = "annotators" if len(people) <= _ROWS else f"annotators, the worst {_ROWS} of {len(people)}"
        yield title, _table(people, ("annotator", "votes", "agreement", "accuracy", "gold", "labels_used"))
    pairs = [pair for pair in facts["pairs"] if pair["shared"] >= _ENOUGH] or facts["pairs"]
    if pairs:
        of = f" of the {MOST_PAIRS:,} that share most" if facts["pairs_total"] > MOST_PAIRS else ""
        worst = sorted(pairs, key=lambda pair: _last(pair["kappa"]))
        title = "pairs, Cohen's kappa" if len(pairs) <= _ROWS else f"pairs, the lowest {_ROWS} kappas{of}"
        yield title, _table(worst, ("a", "b", "shared", "kappa"))
    yield "classes", _table(facts["per_class"], ("label", "votes", "share", "agreement", "alpha"), 50)
    if facts["per_round"]:
        columns = ("round", "labels", "items", "annotators", "agreement", "alpha")
        yield "rounds", _table(facts["per_round"], columns, 50)


def plot(facts: Facts, name: str) -> str:
    """SVG: every annotator's agreement with the majority of the others and its Wilson interval, those with most votes first.

    Of counts, whose annotators are not known: every class' agreement.
    """
    alpha = "undefined" if facts["alpha"] is None else f"{facts['alpha']:.3f}"
    title = f"{name}: Krippendorff's alpha {alpha}"
    if facts["per_annotator"]:
        people = sorted(facts["per_annotator"], key=lambda one: -one["votes"])
        rows = [(one["annotator"], one["agreement"], one["compared"]) for one in people]
        axis = "agreement with the majority of the others"
    else:
        rows = [(one["label"], one["agreement"], one["votes"]) for one in facts["per_class"]]
        axis = "chance that another vote says the same"
    bars = [Bar(shown(row), share, *wilson(share, n)) for row, share, n in rows if share is not None]
    return interval_svg(bars[:_BARS], axis, title)


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share of n (Wilson, *Probable inference*, JASA 22, 1927)."""
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    return middle - half, middle + half


def _whole(facts: Facts) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    for key in ("items", "annotators", "labels"):
        table.add_row(key, "not known" if facts[key] is None else f"{facts[key]:,}")
    names = {
        "alpha": "Krippendorff's alpha", "fleiss": "Fleiss' kappa", "cohen_mean": "Cohen's kappa, mean of pairs",
        "majority_accuracy": "accuracy of the majority", "dawid_skene_accuracy": "accuracy of Dawid-Skene",
    }  # fmt: skip
    for key, title in names.items():
        if key in facts:
            text = _shown(facts[key]) if facts[key] is not None else f"undefined: {facts['undefined'][key]}"
            ends = facts["alpha_ci95"] if key == "alpha" else None
            table.add_row(title, Text(text + (f"  [{ends[0]:.4f}, {ends[1]:.4f}]" if ends else "")))
    return table


def _table(rows: Sequence[Facts], columns: Sequence[str], most: int = _ROWS) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        words = isinstance(rows[0][column], str)
        table.add_column(column.replace("_", " "), justify="left" if words else "right", overflow="fold")
    for row in rows[:most]:
        table.add_row(*(Text(_shown(row[column])) for column in columns))
    return table


def _shown(value: object) -> str:
    if value is None:
        return "undefined"
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else shown(str(value))


def _at_best(one: Facts) -> float:
    """Upper end of the interval of accuracy, or else agreement: one wrong vote of one makes nobody the worst."""
    share, n = (one["accuracy"], one["gold"]) if one["gold"] else (one["agreement"], one["compared"])
    return 2.0 if share is None else wilson(share, n)[1]


def _last(value: float | None) -> float:
    return 2.0 if value is None else value
