"""Every edit of what was recorded ends in a refusal that names the entry, however consistently it was made.

``ALONE``: one thing is edited. ``LIES``: a record is edited, and ledger and MLflow are made to say the same, so that only
the cells, the archive and the settings kept with it speak against it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from harness.leaderboard.board import Board, BoardRefused, build
from harness.protocol.challenge import Challenge
from harness.tracking import delivery
from harness.tracking.addresses import tracking_uri
from harness.tracking.ledger import LEDGER, Ledger
from harness.tracking.mlflow_store import open_store
from harness.tracking.runs import RunsDir
from harness.tracking.signature import Key
from harness.verification.directory import verify
from harness.verification.reproduce import reproduce
from tests.tracking import made
from tests.tracking.made import DATA, FINGERPRINT, made_run
from tests.verification.lies import (
    Plain,
    append_line,
    bind,
    edit_cell,
    edit_json,
    edit_record,
    forget,
    lie,
    load,
    record_path,
    redeliver,
    rename,
    reseal,
    retally,
    rewrite,
    skipped,
)

Edit = tuple[Callable[[Path], object], str, str]
"""What is done, of whose run, and the words that name it."""
RESEALED = "ab" * 32


def change(name: str, /, **values: object) -> Callable[[Path], None]:
    """A lie: values of a record."""
    return lambda runs: lie(runs, name, lambda plain: plain.update(values))


def change_cell(name: str, seed: int, **values: object) -> Callable[[Path], None]:
    """A lie: what a record says of one of its cells."""
    return lambda runs: lie(runs, name, lambda plain: plain["cells"][seed].update(values))


def change_settings(name: str, **values: object) -> Callable[[Path], None]:
    return lambda runs: lie(runs, name, lambda plain: plain["settings"].update(values))


def cell_dir(runs: Path, name: str, seed: int) -> Path:
    return record_path(runs, name).parent / "cells" / str(seed)


def archive(runs: Path, name: str) -> Path:
    return RunsDir(runs).submission_dir(load(record_path(runs, name))["submission_digest"])


def sql(runs: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(runs / "mlflow.db")) as database:
        assert database.execute(statement, values).rowcount > 0
        database.commit()


def of_run(runs: Path, name: str) -> tuple[str, str]:
    """SQL condition and value for the MLflow run of a made run."""
    condition = "run_uuid IN (SELECT run_uuid FROM tags WHERE key = 'run_id' AND value = ?)"
    return condition, record_path(runs, name).parent.name


def mlflow(statement: str, name: str = "fair") -> Callable[[Path], None]:
    def act(runs: Path) -> None:
        condition, value = of_run(runs, name)
        sql(runs, f"{statement} AND {condition}", value)

    return act


def artifact(runs: Path, name: str) -> Path:
    found = delivery.runs_of(open_store(tracking_uri(runs)), "made", FINGERPRINT)
    (run,) = [run for run in found if run.info.run_name == name]
    return Path(run.info.artifact_uri.removeprefix("file://")) / "record.json"


# --- one thing alone ---


def forge_mlflow_run(runs: Path, run_id: str) -> None:
    client = open_store(tracking_uri(runs))
    first = delivery.runs_of(client, "made", FINGERPRINT)[0]
    forged = client.create_run(first.info.experiment_id, tags={**first.data.tags, "run_id": run_id})
    client.log_metric(forged.info.run_id, "score", 1.0)
    client.set_terminated(forged.info.run_id)


def delete_mlflow_run(runs: Path) -> None:
    client = open_store(tracking_uri(runs))
    (run,) = [r for r in delivery.runs_of(client, "made", FINGERPRINT) if r.info.run_name == "fair"]
    client.delete_run(run.info.run_id)


def record_and_artifact(runs: Path) -> None:
    for path in (record_path(runs, "fair"), artifact(runs, "fair")):
        edit_json(path, lambda plain: plain.update(score=0.95))


def record_under_another_name(runs: Path) -> None:
    """A copy of a run, told to MLflow, but never run."""
    path = record_path(runs, "fair")
    fake = "made-fair-" + 12 * "0"
    shutil.copytree(path.parent, runs / fake)
    edit_json(runs / fake / "record.json", lambda plain: plain.update(run_id=fake))
    redeliver(runs, fake)


def drop_line(runs: Path) -> None:
    lines = (runs / LEDGER).read_bytes().splitlines(keepends=True)
    run_id = record_path(runs, "fair").parent.name.encode()
    (runs / LEDGER).write_bytes(b"".join(line for line in lines if run_id not in line))


def drop_line_and_rebuild(runs: Path) -> None:
    run_id = record_path(runs, "fair").parent.name
    rewrite(runs, [entry for entry in Ledger(runs).read() if entry.run_id != run_id])


def swap_lines(runs: Path) -> None:
    lines = (runs / LEDGER).read_bytes().splitlines(keepends=True)
    lines[4], lines[5] = lines[5], lines[4]
    (runs / LEDGER).write_bytes(b"".join(lines))


def cut(runs: Path) -> None:
    lines = (runs / LEDGER).read_bytes().splitlines(keepends=True)
    (runs / LEDGER).write_bytes(b"".join(lines[:4]))


def edit_note(runs: Path) -> None:
    content = (runs / LEDGER).read_bytes()
    (runs / LEDGER).write_bytes(content.replace(b'"note": ""', b'"note": "x"', 1))


def ledger_of_another(runs: Path) -> None:
    made_run(runs.parent / "other" / "runs", "elsewhere", 0.5)
    shutil.copyfile(runs.parent / "other" / "runs" / LEDGER, runs / LEDGER)


def everything_gone(runs: Path) -> None:
    for run_id in RunsDir(runs).run_ids():
        shutil.rmtree(runs / run_id)
    (runs / LEDGER).unlink()


def items_edited(runs: Path) -> None:
    path = cell_dir(runs, "good", 1) / "items" / "y_pred.npy"
    np.save(path, np.load(cell_dir(runs, "good", 1) / "items" / "y_true.npy"))


def rivals_output(runs: Path) -> None:
    shutil.copyfile(cell_dir(runs, "rival", 1) / "output/indices.npy", cell_dir(runs, "fair", 2) / "output/indices.npy")


def fifo(runs: Path) -> None:
    path = cell_dir(runs, "good", 0) / "cell.json"
    path.unlink()
    os.mkfifo(path)


def archive_replaced(runs: Path) -> None:
    ours, theirs = archive(runs, "fair"), archive(runs, "good")
    shutil.rmtree(ours)
    shutil.copytree(theirs, ours)


def archive_linked(runs: Path) -> None:
    """A name within the archive that leads out of it, to a file of the same content."""
    path = archive(runs, "fair") / "algorithm.py"
    path.rename(runs.parent / "outside.py")
    path.symlink_to(runs.parent / "outside.py")


def other_seeds_cell(runs: Path) -> None:
    shutil.rmtree(cell_dir(runs, "fair", 0))
    shutil.copytree(cell_dir(runs, "fair", 1), cell_dir(runs, "fair", 0))


def linked_cell(runs: Path) -> None:
    """The directory of a cell leads to that of another run's."""
    shutil.rmtree(cell_dir(runs, "fair", 0))
    cell_dir(runs, "fair", 0).symlink_to(cell_dir(runs, "good", 0))


def seed_as_link_of_a_copy(runs: Path) -> None:
    """Directories of cells outside, edited there."""
    folder = cell_dir(runs, "good", 0)
    shutil.copytree(folder, runs.parent / "outside")
    shutil.rmtree(folder)
    folder.symlink_to(runs.parent / "outside")
    np.save(folder / "items/y_pred.npy", np.load(folder / "items/y_true.npy"))


def skyline_cell(runs: Path) -> None:
    """A lower skyline makes everybody's place better."""
    folder = cell_dir(runs, "reference-skyline", 0)
    wrong = (np.load(folder / "items/y_true.npy") + 1) % made.CLASSES
    edit_cell(runs, "reference-skyline", 0, lambda plain: plain.update(score=0.0), {"items/y_pred.npy": wrong})


NOT_IN_LEDGER = "is not the one in the ledger"
ALONE: dict[str, Edit] = {
    "record: score": (lambda p: edit_record(p, "fair", lambda r: r.update(score=0.95)), "fair", NOT_IN_LEDGER),
    "record: score, and in its MLflow artifact": (record_and_artifact, "fair", NOT_IN_LEDGER),
    "record removed": (lambda p: record_path(p, "fair").unlink(), "fair", "The ledger lists run"),
    "run removed": (lambda p: shutil.rmtree(record_path(p, "fair").parent), "fair", "The ledger lists run"),
    "record copied under another name": (record_under_another_name, "", "made-fair-000000000000 has a record, but"),
    "items of a cell": (items_edited, "good", "items/y_pred.npy was changed after it was kept"),
    "output replaced by a rival's": (rivals_output, "fair", "output/indices.npy was changed after it was kept"),
    "items removed": (lambda p: shutil.rmtree(cell_dir(p, "fair", 3) / "items"), "fair", "items/y_true.npy cannot be read"),
    "cell removed": (lambda p: shutil.rmtree(cell_dir(p, "fair", 3)), "fair", "cells/3/cell.json cannot be read"),
    "cell.json: score": (lambda p: edit_cell(p, "fair", 0, lambda c: c.update(score=0.95)), "fair", "its cell.json is not the one that the record binds"),
    "cell.json a FIFO": (fifo, "good", "cells/0/cell.json is not a regular file"),
    "cell of another seed over a bad one": (other_seeds_cell, "fair", "holds the cell of another seed, 1"),
    "cell a link to a rival's": (linked_cell, "fair", "holds the cell of another run"),
    "cell a link to an edited copy": (seed_as_link_of_a_copy, "good", "items/y_pred.npy was changed after it was kept"),
    "skyline's cell": (skyline_cell, "reference-skyline", "its cell.json is not the one that the record binds"),
    "archive: a file edited": (lambda p: (archive(p, "fair") / "algorithm.py").write_text("x = 1\n"), "fair", "the submission kept with it was changed"),
    "archive: a file added": (lambda p: (archive(p, "fair") / "more.py").write_text("x = 1\n"), "fair", "the submission kept with it was changed"),
    "archive: a link out of it": (archive_linked, "fair", "the submission kept with it cannot be read"),
    "archive removed": (lambda p: shutil.rmtree(archive(p, "fair")), "fair", "the submission kept with it cannot be read"),
    "archive replaced by another's": (archive_replaced, "fair", "the submission kept with it was changed"),
    "ledger: a note": (edit_note, "", "does not follow from the line before it: line 1 or 2 was edited"),
    "ledger: a line deleted": (drop_line, "", "entries were removed, added or reordered"),
    "ledger: a line deleted, chain rebuilt": (drop_line_and_rebuild, "fair", "the ledger has no line for it"),
    "ledger: lines reordered": (swap_lines, "", "line 5 has seq 6: entries were removed, added or reordered"),
    "ledger: cut": (cut, "", "runs have a record, but the ledger has no line for them"),
    "ledger removed": (lambda p: (p / LEDGER).unlink(), "", "runs have a record, but the ledger has no line for them"),
    "ledger of another directory": (ledger_of_another, "", "The ledger lists run made-elsewhere-"),
    "ledger and all runs removed": (everything_gone, "fair", "has no line in the ledger: a row without a run"),
    "withdraw line by hand": (lambda p: append_line(p, "withdrawn", record_path(p, "good").parent.name), "", "is of a kind that this version does not know, 'withdrawn'"),
    "MLflow: score": (mlflow("UPDATE latest_metrics SET value = 0.99 WHERE key = 'score'"), "fair", "metric score is 0.99 in MLflow"),
    "MLflow: interval": (mlflow("UPDATE latest_metrics SET value = 0.99 WHERE key = 'ci_low'"), "fair", "metric ci_low is 0.99 in MLflow"),
    "MLflow: normalised removed": (mlflow("DELETE FROM latest_metrics WHERE key = 'normalised'"), "fair", "metric normalised is None in MLflow"),
    "MLflow: score of a seed": (mlflow("UPDATE metrics SET value = 0.99 WHERE key = 'seed/score' AND step = 2"), "fair", "the score of seed 2 is 0.99 in MLflow"),
    "MLflow: tag of the record's digest": (mlflow(f"UPDATE tags SET value = '{RESEALED}' WHERE key = 'record_sha256'"), "fair", "is not of the record that the ledger holds for it"),
    "MLflow: tag of the run id": (mlflow("UPDATE tags SET value = 'made-x' WHERE key = 'run_id'"), "", "made-x"),
    "MLflow: artifact edited": (lambda p: edit_json(artifact(p, "fair"), lambda r: r.update(score=0.95)), "fair", "its artifact record.json was edited"),
    "MLflow: artifact removed": (lambda p: artifact(p, "fair").unlink(), "fair", "missing or unreadable"),
    "MLflow: run deleted": (delete_mlflow_run, "fair", "MLflow does not have it"),
    "MLflow: row without a run": (lambda p: forge_mlflow_run(p, "made-nobody"), "", "made-nobody"),
    "MLflow: second row of a run": (lambda p: forge_mlflow_run(p, record_path(p, "fair").parent.name), "fair", "MLflow"),
}  # fmt: skip


# --- consistent lies ---


def drop_bad_seeds(runs: Path) -> None:
    """The three worst seeds are gone from the record, mean and interval are those of what is left."""

    def keep_best(plain: Plain) -> None:
        plain["cells"] = [max(plain["cells"], key=lambda cell: cell["score"])]

    edit_record(runs, "good", keep_best)
    retally(runs, "good")
    reseal(runs)


def relabel_as_skipped(runs: Path, *, cells_too: bool) -> None:
    """Two seeds as if there had been nothing to measure on them."""
    if cells_too:
        for seed in (1, 2):
            edit_cell(runs, "good", seed, lambda c: c.update(status="skipped", score=None, reason="nothing to measure"))
        bind(runs, "good")
    else:
        edit_record(runs, "good", lambda plain: skipped(plain, (1, 2)))
    retally(runs, "good")
    reseal(runs)


def relabel_timeout(runs: Path) -> None:
    """A seed that timed out has a score, in cell.json and record."""
    edit_cell(runs, "slow", 2, lambda c: c.update(status="ok", reason="", score=0.9))
    bind(runs, "slow")
    edit_record(runs, "slow", lambda plain: plain.update(status="ok", reason="", score=0.7, ci95=[0.6, 0.8]))
    reseal(runs)


def better_items(runs: Path, *, score_too: bool) -> None:
    """Right answers in a cell; cell.json fits them; the record is of this cell.json."""
    truth = np.load(cell_dir(runs, "fair", 0) / "items/y_true.npy")
    score = {"score": 1.0} if score_too else {}
    edit_cell(runs, "fair", 0, lambda c: c.update(score), {"items/y_pred.npy": truth})
    bind(runs, "fair")
    reseal(runs)


def without_items(runs: Path) -> None:
    """A cell.json that lists no items, so that nothing can be computed again, with a score of its own."""

    def change(plain: Plain) -> None:
        plain["score"] = 0.99
        plain["files"] = {name: digest for name, digest in plain["files"].items() if not name.startswith("items/")}

    edit_cell(runs, "fair", 0, change)
    bind(runs, "fair")
    retally(runs, "fair")
    reseal(runs)


def without_output(runs: Path) -> None:
    edit_cell(runs, "fair", 0, lambda c: c["files"].pop("output/indices.npy"))
    bind(runs, "fair")
    reseal(runs)


def rivals_cells(runs: Path) -> None:
    """All cells of a better row, and everything that follows from them."""
    shutil.rmtree(record_path(runs, "fair").parent / "cells")
    shutil.copytree(record_path(runs, "good").parent / "cells", record_path(runs, "fair").parent / "cells")
    bind(runs, "fair")
    retally(runs, "fair")
    reseal(runs)


def renamed(name: str, /, **values: object) -> Callable[[Path], None]:
    """A record's values and whatever follows from them: id, directory, ledger, MLflow."""

    def act(runs: Path) -> None:
        edit_record(runs, name, lambda plain: plain.update(values))
        rename(runs, name)

    return act


def from_the_easier(runs: Path, *, settings: bool, move: bool) -> None:
    """A run of the protocol with an overridden setting, as one of the official's."""
    official = load(record_path(runs, "good"))
    names = ["fingerprint", "commitment", *(["settings"] if settings else [])]
    edit_record(runs, "moved", lambda plain: plain.update({n: official[n] for n in names}, modified=False))
    if move:
        rename(runs, "moved")
    else:
        forget(runs, record_path(runs, "moved").parent.name)
        reseal(runs)


def duplicate_seed(runs: Path) -> None:
    def change(plain: Plain) -> None:
        best = max(plain["cells"], key=lambda cell: cell["score"])
        worst = min(range(len(plain["cells"])), key=lambda k: plain["cells"][k]["score"])
        plain["cells"][worst] = best

    edit_record(runs, "good", change)
    retally(runs, "good")
    reseal(runs)


def lower_skyline(runs: Path) -> None:
    """Items, cell.json, record, ledger and MLflow of the skyline; the rows were seen against another one."""
    skyline_cell(runs)
    bind(runs, "reference-skyline")
    path = record_path(runs, "reference-skyline")
    scores = [cell["score"] for cell in load(path)["cells"]]
    mean, half = (
        float(np.mean(scores)),
        3.182446305284263 * float(np.std(scores, ddof=1)) / 2,
    )  # t, 3 degrees of freedom
    edit_json(path, lambda plain: plain.update(score=mean, ci95=[mean - half, mean + half]))
    reseal(runs)


def of_the_other_source(runs: Path) -> None:
    """Scored by another harness; the record says that it was this one."""
    row = made_run(runs, "older", 0.79, source=RESEALED)
    source = load(record_path(runs, "good"))["source"]
    lie(runs, "older", lambda plain: plain.update(source=source))
    assert row.source != source


def as_the_harness(runs: Path) -> None:
    lie(runs, "good", lambda plain: plain.update(reference=True, isolation="trusted"))


LOCKED = [{"name": "left-pad", "version": "1.0", "wheel": "left_pad-1.0-py3-none-any.whl", "sha256": "0" * 64}]
ID = "its id does not follow from fingerprint, submission, packages, isolation, device and team"
BINDS = "its cell.json is not the one that the record binds"
SAYS = "the record says of it what its cell.json does not"
LIES: dict[str, Edit] = {
    "score": (change("good", score=0.95), "good", "score is 0.95, its cells give"),
    "score of a seed": (change_cell("good", 1, score=0.95), "good", f"seed 1: {SAYS}"),
    "metrics of a seed": (change_cell("good", 1, metrics={"accuracy": 1.0}), "good", f"seed 1: {SAYS}"),
    "cost of a seed": (change_cell("good", 1, peak_memory_mb=1.0), "good", f"seed 1: {SAYS}"),
    "draws of a seed": (change_cell("good", 1, draws=3), "good", f"seed 1: {SAYS}"),
    "digest of a cell": (change_cell("good", 1, sha256=RESEALED), "good", f"seed 1: {BINDS}"),
    "digest of an output": (change_cell("good", 1, output_digest=RESEALED), "good", f"seed 1: {SAYS}"),
    "three bad seeds dropped": (drop_bad_seeds, "good", "the challenge has 0, 1, 2, 3"),
    "a seed twice": (duplicate_seed, "good", "the challenge has 0, 1, 2, 3"),
    "bad seeds as skipped": (lambda p: relabel_as_skipped(p, cells_too=False), "good", f"seed 1: {SAYS}"),
    "bad seeds as skipped, in cell.json too": (lambda p: relabel_as_skipped(p, cells_too=True), "good", "seeds 1, 2 are left out, and could be measured"),
    "interval": (change("good", ci95=[0.7, 0.71]), "good", "ci95 is 0.7 to 0.71, its cells give"),
    "normalised": (change("good", normalised=1.1), "good", "normalised is 1.1, its cells give"),
    "interval of normalised": (change("good", normalised_ci95=[1.0, 1.1]), "good", "normalised_ci95 is 1 to 1.1"),
    "floor": (change("good", floor=0.0), "good", "floor is 0, its cells give"),
    "skyline": (change("good", skyline=0.99), "good", "skyline is 0.99, its cells give"),
    "bound of what is suspicious": (change("magic", suspicious_bound=1.0), "magic", "suspicious_bound is 1, its cells give"),
    "curve": (change("good", curve=[[0.0, 0.0], [1.0, 1.0]]), "good", "curve is "),
    "reason": (change("good", reason="of merit"), "good", "reason is 'of merit', its cells give ''"),
    "status: suspicious to ok": (change("magic", status="ok", reason=""), "magic", "status is 'ok', its cells give 'suspicious'"),
    "status: timeout to ok": (change("slow", status="ok", reason="", score=0.9), "slow", "status is 'ok', its cells give 'timeout'"),
    "status: timeout to ok, in cell.json too": (relabel_timeout, "slow", "seed 2: no items were kept"),
    "isolation: none to bubblewrap": (change("open", isolation="bubblewrap"), "open", ID),
    "isolation: landlock to bubblewrap": (change("weak", isolation="bubblewrap"), "weak", ID),
    "isolation: none to bubblewrap, moved to its id": (renamed("open", isolation="bubblewrap"), "open", "holds the cell of another run"),
    "device": (change("good", device="cuda"), "good", ID),
    "device, moved to its id": (renamed("good", device="cuda"), "good", "holds the cell of another run"),
    "metric": (change("good", metric="accuracy"), "good", "metric is 'accuracy', its settings say 'macro_f1'"),
    "direction": (change("fair", direction="min"), "fair", "direction is 'min', its settings say 'max'"),
    "weakest isolation that ranks": (change("good", minimum_isolation="none"), "good", "minimum_isolation is 'none'"),
    "version of the challenge": (change("good", challenge_version=9), "good", "challenge_version is 9"),
    "data held to no digest": (change("good", unpinned=True), "good", "unpinned is True, its settings say False"),
    "settings": (change_settings("good", draws=1, seeds=4, version=2), "good", "its fingerprint is not that of its settings"),
    "settings: fewer seeds": (lambda p: lie(p, "good", lambda r: (r["settings"].update(seeds=2), r["cells"].__delitem__(slice(2, 4)))), "good", "its fingerprint is not that of its settings"),
    "settings: none": (change("good", settings={}), "good", "its settings are no challenge here"),
    "classes": (change("good", n_classes=2), "good", "its items give"),
    "commitment": (change("good", commitment=RESEALED), "good", "its commitment is not to the secret in its settings"),
    "data": (change("good", data_digests={"digits": RESEALED}), "good", "its fingerprint is not that of its settings, data"),
    "no data": (change("good", data_digests={}), "good", "it names no data set, or several"),
    "authors": (change("good", authors=["Somebody Else"]), "good", "authors is ('Somebody Else',), the manifest kept with it says ('A. Author',)"),
    "name": (change("good", submission="better"), "good", "submission is 'better', the manifest kept with it says 'good'"),
    "description": (change("good", description="the best"), "good", "description is 'the best', the manifest"),
    "license": (change("good", license="MIT"), "good", "license is 'MIT', the manifest"),
    "another's archive": (lambda p: lie(p, "fair", lambda r: r.update(submission_digest=load(record_path(p, "good"))["submission_digest"])), "fair", "submission is 'fair', the manifest kept with it says 'good'"),
    "packages": (change("good", packages=LOCKED), "good", ID),
    "another protocol's run: fingerprint": (lambda p: from_the_easier(p, settings=False, move=False), "moved", "its fingerprint is not that of its settings"),
    "another protocol's run: fingerprint and settings": (lambda p: from_the_easier(p, settings=True, move=False), "moved", ID),
    "another protocol's run: all, moved to its id": (lambda p: from_the_easier(p, settings=True, move=True), "moved", "holds the cell of another run"),
    "source of the scorers": (change("good", source=RESEALED), "good", "seed 0: another source of the harness scored it"),
    "another source's row as ours": (of_the_other_source, "older", "another source of the harness scored it"),
    "as the harness's own row": (as_the_harness, "good", "it is said to be a row of the harness's own, and is none"),
    "as a reference": (change("good", reference=True), "good", "it is said to be a row of the harness's own, and is none"),
    "as trusted": (change("good", isolation="trusted"), "good", "it is said to be a row of the harness's own, and is none"),
    "the floor as a participant's": (change("reference-random", reference=False), "reference-random", "it is a row of the harness's own, and does not say so"),
    "the floor's score": (change("reference-random", score=0.0), "reference-random", "score is 0, its cells give"),
    "the skyline in all places": (lower_skyline, "good", "skyline is "),
    "a rival's cells": (rivals_cells, "fair", "holds the cell of another run"),
    "better items, not scored": (lambda p: better_items(p, score_too=False), "fair", "its items give 1"),
    "better items, mean not computed": (lambda p: better_items(p, score_too=True), "fair", "score is "),
    "a cell without its items": (without_items, "fair", "no items were kept, so its score cannot be computed again"),
    "a cell without its output": (without_output, "fair", "its output is not the one that was scored"),
}  # fmt: skip


def official(challenge: Challenge, runs: Path, key: Key | None = None) -> Board:
    return build(challenge, DATA, runs, key=key)


def refused_and_named(edit: Edit, challenge: Challenge, runs: Path) -> str:
    """Board and verification refuse; both name run and fault."""
    _, name, words = edit
    run_id = record_id(runs, name)
    with pytest.raises(BoardRefused) as caught:
        official(challenge, runs)
    assert words in caught.value.reason
    assert run_id in caught.value.reason
    assert "\n" not in caught.value.reason
    problems = verify(runs).problems
    assert any(words in problem.what and run_id in f"{problem.run_id} {problem.what}" for problem in problems)
    return run_id


def record_id(runs: Path, name: str) -> str:
    if not name:
        return ""
    try:
        return record_path(runs, name).parent.name
    except IndexError:  # it is gone
        return made.run_id(name)


def test_what_was_recorded_agrees(challenge: Challenge, runs: Path) -> None:
    board = official(challenge, runs)
    assert {row.submission for row in board.ranked} == {"good", "rival", "weak", "fair"}
    assert {row.submission for row in board.unranked} == {"magic", "slow"}
    assert verify(runs).ok
    reseal(runs)  # which is what all lies below do, of the truth
    assert verify(runs).ok
    assert official(challenge, runs).ranked == board.ranked


@pytest.mark.parametrize("edit", ALONE)
def test_an_edit_is_refused_and_named(edit: str, challenge: Challenge, runs: Path) -> None:
    ALONE[edit][0](runs)
    refused_and_named(ALONE[edit], challenge, runs)


@pytest.mark.parametrize("edit", LIES)
def test_a_consistent_lie_is_refused_and_named(edit: str, challenge: Challenge, runs: Path) -> None:
    """Ledger and MLflow have nothing against it; board, ``verify`` and ``reproduce`` have."""
    LIES[edit][0](runs)
    assert Ledger(runs).problems() == []
    assert "MLflow" not in " ".join(problem.what for problem in verify(runs).problems)
    run_id = refused_and_named(LIES[edit], challenge, runs)
    words = LIES[edit][2]
    verdict = reproduce(run_id, runs)
    told = words in verdict.detail or "fingerprint" in words  # of which only running again can tell: another version
    assert (verdict.verdict in ("differs", "cannot run"), told) == (True, True), verdict
