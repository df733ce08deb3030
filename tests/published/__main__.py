"""The command: scripts/published [NAME ...] [--json] [--write] [--quick]."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from harness.errors import HarnessError, ProtocolError
from tests.conftest import BESIDE
from tests.published.page import PAGE, written
from tests.published.table import Row, Table, agrees, decimals, tables


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if all that ran agrees or has its reason on the page, 1 if not, 2 for wrong usage."""
    known = tables()
    chosen = _parsed(arguments)
    if unknown := sorted(set(chosen.name) - set(known)):
        print(f"No table is called {', '.join(unknown)}. There are {', '.join(known)}.", file=sys.stderr)
        return 2
    wanted = [t for t in known.values() if t.name in (chosen.name or known) and not (chosen.quick and t.about.slow)]
    ran: dict[Table, list[Row]] = {}
    for table in wanted:
        rows = _computed(table)
        if rows:
            ran[table] = rows
            if not chosen.json:
                _show(table, rows)
    if chosen.json:
        print(json.dumps([_entry(table, row) for table, rows in ran.items() for row in rows], indent=1))
    if chosen.write:
        new = PAGE.with_suffix(".new")
        new.write_text(written(PAGE.read_text(encoding="utf-8"), ran), encoding="utf-8")
        new.replace(PAGE)  # whole or not at all
    return int(any(not agrees(row) and not row.reason for rows in ran.values() for row in rows))


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/published", description="Published figures beside ours.")
    parser.add_argument("name", nargs="*", help="tables to compute; all without any")
    parser.add_argument("--json", action="store_true", help="a list of rows: table, figure, published, ours and more")
    parser.add_argument("--write", action="store_true", help="write what ran into docs/published.md")
    parser.add_argument(
        "--quick", action="store_true", help="leave out tables that take more than ten seconds of a core"
    )
    return parser.parse_args(arguments)


def _computed(table: Table) -> list[Row]:
    """The rows that could be computed; what could not is said on stderr."""
    try:
        rows = table.rows()
    except (ProtocolError, HarnessError, ImportError) as error:
        print(f"{table.name}: skipped. {error}", file=sys.stderr)
        return []
    for row in rows:
        if row.ours is None:
            print(f"{table.name}: {row.figure}: skipped. {row.reason}", file=sys.stderr)
    return [row for row in rows if row.ours is not None]


def _entry(table: Table, row: Row) -> dict[str, object]:
    assert row.ours is not None
    return {
        "table": table.name,
        "figure": row.figure,
        "published": row.published,
        "ours": row.ours,
        "difference": row.ours - row.published,
        "within": row.within,
        "agrees": agrees(row),
        "reason": row.reason,
        "paper": table.about.paper,
        "where": table.about.where,
        "data": {file.name: file.sha256 for file in table.about.files} or table.about.data,
        "command": f"scripts/published {table.name}",
    }


def _show(table: Table, rows: Sequence[Row]) -> None:
    from rich.console import Console
    from rich.table import Table as Printed

    printed = Printed(title=f"{table.name}: {table.about.title}", title_justify="left")
    for column in ("figure", "published", "ours", "difference", ""):
        printed.add_column(column, justify="left" if column in ("figure", "") else "right")
    for row in rows:
        assert row.ours is not None
        digits = decimals(row, table.about)
        figures = [f"{x:.{digits}f}" for x in (row.published, row.ours)]
        word = "agrees" if agrees(row) else row.reason or "differs"
        printed.add_row(row.figure, *figures, f"{row.ours - row.published:+.{digits}f}", word)
    Console().print(printed)


if __name__ == "__main__":
    if BESIDE.is_dir():
        os.environ.setdefault("HARNESS_DATA_DIR", str(BESIDE))
    sys.exit(main())
