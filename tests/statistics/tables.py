"""Write the tables of docs/statistics.md from simulations and from the scores of 300 real seeds.

A quarter of an hour on one core in full.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from harness.statistics.resolution import resolved
from tests.statistics.simulation import (
    REAL,
    SLOTS,
    Noise,
    covered,
    covered_of,
    families,
    family_error,
    gaussian,
    independent,
    power_of_pair,
    power_of_t,
    ranks_covered,
    real_counts,
    real_scores,
    uneven,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
SEEDS = (3, 5, 10, 30)
_TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def coverage(boards: int) -> Iterable[Sequence[str]]:
    yield "seeds", "seed noise", "item noise", "both"
    noises: tuple[Noise, ...] = ("seed", "item", "both")
    for seeds in SEEDS:
        yield str(seeds), *(percent(covered(seeds, noise, 5 * boards, rng("coverage", seeds))) for noise in noises)


def errors(boards: int) -> Iterable[Sequence[str]]:
    yield (
        "rows",
        "seeds",
        "independent",
        "two families",
        "uneven",
        "real scores",
        "beside three better",
        "independent, Gaussian draws",
    )
    kinds = (independent, families, uneven, real_scores)
    for rows, n in ((4, boards), (12, boards // 2)):
        for seeds in (3, 4, 5, 10, 30):
            made = [family_error(seeds, rows, kind, n, rng("errors", seeds)) for kind in kinds]
            made.append(family_error(seeds, rows + 3, independent, n, rng("beside", seeds), better=3))
            made.append(family_error(seeds, rows, independent, boards // 4, rng("errors", seeds), p_values=gaussian))
            yield str(rows), str(seeds), *map(percent, made)


def power(boards: int) -> Iterable[Sequence[str]]:
    yield "seeds", "difference / sd", "two rows", "paired t test, exact"
    for seeds, shift in ((3, 2.5), (5, 1.3), (10, 0.9), (30, 0.5)):
        found = power_of_pair(seeds, shift, 2, 5 * boards, rng("power", seeds))
        yield str(seeds), f"{shift:.1f}", percent(found), percent(power_of_t(seeds, shift))


def resolution(boards: int) -> Iterable[Sequence[str]]:
    yield "rows", "seeds", "resolved difference / sd", "power on simulated boards"
    for rows in (2, 5, 16, 40):
        for seeds in SEEDS:
            shift = resolved(1.0, rows, seeds)
            n = 5 * boards if rows == 2 else max(50, boards * 16 // rows**2)
            yield (
                str(rows),
                str(seeds),
                f"{shift:.2f}",
                percent(power_of_pair(seeds, shift, rows, n, rng("board", seeds))),
            )


def ranks(boards: int) -> Iterable[Sequence[str]]:
    yield "expected scores / sd", "seeds", "all ranks covered", "ranks in a set, mean"
    for means in ([0.0] * 8, [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0], [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]):
        for seeds in SEEDS:
            share, width = ranks_covered(np.array(means), seeds, boards // 2, rng("ranks", seeds))
            yield ", ".join(f"{mean:g}" for mean in means), str(seeds), percent(share), f"{width:.1f}"


def real(boards: int) -> Iterable[Sequence[str]]:
    yield "submission", "mean of 300 seeds", "sd", *(f"covered, {seeds} seeds" for seeds in SEEDS)
    for name, counts in real_counts().items():
        scores = np.array(counts) / SLOTS
        shares = (percent(covered_of(counts, seeds, 5 * boards, rng("real", seeds))) for seeds in SEEDS)
        yield f"`{name}`", f"{scores.mean():.3f}", f"{scores.std(ddof=1):.3f}", *shares


def keep_real(runs: Path) -> None:
    """Write down what the runs of test_set_digits in this directory scored."""
    counts = {}
    for path in sorted(runs.glob("test_set_digits-*/record.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        cells = sorted(record["cells"], key=lambda cell: cell["seed"])
        counts[record["submission"]] = [round(SLOTS * cell["score"]) for cell in cells]
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(values)}" for name, values in counts.items())
    REAL.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def rng(table: str, seeds: int) -> np.random.Generator:
    return np.random.default_rng([*table.encode(), seeds])


def percent(share: float) -> str:
    return f"{100 * share:.1f}"


def markdown(rows: Iterable[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def filled(page: str, name: str, table: str) -> str:
    """The page with one of its tables replaced."""
    return _TABLE.sub(lambda found: found[1] + table + found[3] if found[2] == name else found[0], page)


TABLES: dict[str, Callable[[int], Iterable[Sequence[str]]]] = {
    "coverage": coverage,
    "real": real,
    "errors": errors,
    "power": power,
    "ranks": ranks,
    "resolution": resolution,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/statistics", description=__doc__)
    parser.add_argument(
        "--boards", type=int, default=2000, help="simulated boards for a figure of the errors (default 2000)"
    )
    parser.add_argument("--only", default=",".join(TABLES), help="tables, separated by commas")
    parser.add_argument(
        "--real", type=Path, metavar="RUNS", help="first keep the scores of the runs of test_set_digits there"
    )
    told = parser.parse_args()
    if told.real:
        keep_real(told.real)
    for name in told.only.split(","):
        written = markdown(TABLES[name](told.boards))
        print(name, written, sep="\n", flush=True)
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), name, written), encoding="utf-8")


if __name__ == "__main__":
    main()
