"""Code hidden where the digest does not look: the wrapper shares its digest with an innocent folder, and finds nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.protocol import submission
from harness.evaluation.session import Session
from harness.protocol.compose import load_challenge
from harness.errors import Status
from harness.evaluation.cell import evaluate_cell
from harness.evaluation.run import run_submission
from harness.sandbox import probe

TIERS = [report.name for report in probe() if report.works and report.name != "none"]
PLACES = [".git/payload.py", "__pycache__/x.pyc", ".DS_Store/payload.py", ".algorithm.py.swp", "runs/payload.py"]
WRAPPER = """import os
def rank(task):
    here = os.path.dirname(__file__)
    found = sorted(os.listdir(here))
    assert found == ["algorithm.py", "submission.yaml"], found
    return list(range(len(task.y)))
"""


def bench_of(tmp_path: Path, tier: str) -> Session:
    small = ["seeds=2", "track.train=60", "track.validation=20", "track.test=200"]
    return Session.open(load_challenge("debugging_digits", small), runs_dir=tmp_path / "out", device="cpu", tier=tier)


@pytest.mark.parametrize("tier", TIERS)
def test_nothing_beside_the_digested_files_exists(tier: str, tmp_path: Path, write_submission, table) -> None:
    session = bench_of(tmp_path, tier)
    folder = write_submission("hides", WRAPPER)
    innocent = submission.load(folder).digest
    for place in PLACES:
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_text("def rank(task): return [1]\n")
    record = run_submission(session, folder)
    assert record.status is Status.OK, record.reason
    assert record.submission_digest == innocent
    for place in PLACES:
        table.setdefault(f"hide_from_digest/{place}", {})[tier] = "not there"


@pytest.mark.parametrize("tier", TIERS)
def test_an_edit_between_two_cells_changes_nothing(tier: str, tmp_path: Path, write_submission, table) -> None:
    session = bench_of(tmp_path, tier)
    folder = write_submission("edited", WRAPPER)
    entry = session.runs.keep_submission(submission.load(folder))
    first = evaluate_cell(session, entry, 0)
    (folder / "algorithm.py").write_text("def rank(task): return [1]\n")
    again = evaluate_cell(session, entry, 0)
    assert (first.cell.status, first.cell.output_digest) == (Status.OK, again.cell.output_digest)
    table.setdefault("hide_from_digest/edited between cells", {})[tier] = "not seen"
