"""Past these machines: what very many runs would cost, from the unit costs that the other parts measured."""

from __future__ import annotations

from tests.benchmarks.scale.places import Result, rounded, say

WANTED = {"submissions": 10_000, "seeds": 10, "challenges": 20}


def plan(report: Result, submissions: int, seeds: int, challenges: int) -> Result:
    """Cells, core hours, hours of one head, bytes, board and ledger time, each a unit cost times how many there are.

    A cell costs what ranked rows of the committed boards spent on average; the head, bytes of a run and of a cell what they did on
    the challenge of ``cores``; MLflow's database what it did in the directory of very many runs.
    """
    cores, boards, ledger = (report[name] for name in ("cores", "boards", "ledger"))
    units, one, many = cores["measured"]["1"], boards["one"], boards["many"]
    runs, cells = submissions * challenges, submissions * challenges * seeds
    own = cores["bytes"]
    of_run = own["run"] - own["cell"] * units["cells"] / units["runs"]  # what a run has beside its cells
    read = many["again"]["wall"] / many["challenges"] ** 2 / (many["rows"] + 2)  # of a run, for a board it is not on
    found = {
        "runs": runs,
        "cells": cells,
        "core_hours": cells * cores["boards"]["submissions_cell"] / 3600,
        "head_hours": {"keep": cells * units["keep"] / 3600, "record": runs * units["record"] / 3600},
        "gigabytes": {
            "cells": cells * own["cell"] / 1e9,
            "runs": runs * of_run / 1e9,
            "mlflow": runs * (own["mlflow_artifacts"] + one["bytes"]["mlflow_database"]) / 1e9,
            "submissions": submissions * own["submission"] / 1e9,
            "ledger": runs * ledger["bytes"] / ledger["lines"] / 1e9,
        },
        "board_seconds": {
            "own_rows_first": one["first"]["wall"] * submissions / one["runs"],
            "own_rows_again": one["again"]["wall"] * submissions / one["runs"],
            "other_runs": read * (runs - submissions),
            "all_boards_again_hours": challenges
            * (one["again"]["wall"] * submissions / one["runs"] + read * runs)
            / 3600,
        },
        "ledger_seconds": runs * ledger["verify"]["wall"] / ledger["lines"],
        "listing_seconds": one["list_runs"]["wall"] * runs / one["runs"],
    }
    say("plan:", rounded(found))
    return dict(rounded(found))
