"""Several draws of a submission's randomness a seed: what is run, kept, averaged and compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from harness import evaluate, load_challenge
from harness.errors import HarnessError, Status
from harness.evaluation.draws import over_draws
from harness.protocol.challenge import Challenge
from harness.randomness import seed_sequence
from harness.tracking.runs import RunsDir
from harness.verification.reproduce import reproduce

SMALL = ["seeds=2", "track.pool=100", "track.budget=10", "track.budgets=[]", "track.test=150", "draws=3"]
SELECT = "def select(task):\n    {body}\n"

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def challenge() -> Challenge:
    return load_challenge("selection_digits", SMALL)


def test_one_draw_keeps_the_fingerprint_and_more_change_it() -> None:
    one, three = (load_challenge("debugging_digits", [f"draws={n}"]) for n in (1, 3))
    data = one.load_dataset()
    assert "draws" not in one.pinned()
    assert not one.modified
    assert three.pinned()["draws"] == 3
    assert Challenge.from_plain(three.pinned()).draws == 3
    assert one.fingerprint(data) == load_challenge("debugging_digits").fingerprint(data) != three.fingerprint(data)


def test_a_cell_is_the_mean_of_its_draws(tmp_path: Path, challenge: Challenge) -> None:
    """Against scikit-learn's macro-F1 of each draw's kept predictions, and the rows drawn anew from the secret."""
    record = evaluate(challenge, "random", runs_dir=tmp_path)
    assert record.status is Status.OK
    for cell in record.cells:
        stored = RunsDir(tmp_path).load_cell(record.run_id, cell.seed)
        assert stored is not None
        assert cell.draws == 3
        scores = []
        for draw in range(3):
            purpose = "algorithm" if draw == 0 else f"algorithm draw {draw}"
            entropy = seed_sequence("open", cell.seed, purpose).generate_state(8).tolist()
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
            assert stored.output[f"draw{draw}_indices"].tolist() == rng.permutation(100)[:10].tolist()
            y_true, y_pred = stored.items[f"draw{draw}_y_true"], stored.items[f"draw{draw}_y_pred"]
            scores.append(f1_score(y_true, y_pred, labels=range(10), average="macro", zero_division=0))
        assert cell.score == pytest.approx(np.mean(scores))
        assert len(set(scores)) > 1
    assert record.ci95 is not None
    assert record.ci95[0] < (record.score or 0) < record.ci95[1]
    assert reproduce(record.run_id, tmp_path).verdict == "reproduced"


def test_what_does_not_draw_is_run_once(tmp_path: Path, challenge: Challenge, write_submission: Write) -> None:
    folder = write_submission("same", SELECT.format(body="return list(range(10))"), "selection", "select")
    record = evaluate(challenge, folder, runs_dir=tmp_path / "runs")
    once = evaluate(challenge.model_copy(update={"draws": 1}), folder, runs_dir=tmp_path / "runs")
    assert [cell.draws for cell in record.cells] == [1, 1]
    assert [cell.result for cell in record.cells] == [cell.result for cell in once.cells]


def test_a_draw_that_fails_is_named(tmp_path: Path, challenge: Challenge, write_submission: Write) -> None:
    first = seed_sequence("open", 0, "algorithm").generate_state(8).tolist()
    body = f"""import numpy as np
    first = np.random.Generator(np.random.PCG64(np.random.SeedSequence({first}))).permutation(100)
    mine = task.rng.permutation(100)
    if (mine == first).all():
        return mine[:10]
    raise ValueError("unlucky")"""
    folder = write_submission("unlucky", SELECT.format(body=body), "selection", "select")
    record = evaluate(challenge, folder, runs_dir=tmp_path / "runs")
    assert [cell.status for cell in record.cells] == [Status.CRASHED, Status.CRASHED]
    assert record.cells[0].reason.startswith("draw 1: The submission raised ValueError")
    assert record.cells[1].reason.startswith("draw 0: ")


def test_replicates_average_over_draws_under_the_same_weights() -> None:
    rng = np.random.default_rng(0)
    right = rng.random((3, 20))
    weights = rng.integers(0, 3, (5, 20)).astype(float)
    items = {f"draw{k}_right": right[k] for k in range(3)}
    statistic = over_draws(lambda items, weights: weights @ items["right"] / weights.sum(axis=1))
    expected = [sum(w @ r for r in right) / (3 * w.sum()) for w in weights]
    np.testing.assert_allclose(statistic(items, weights), expected)
    np.testing.assert_allclose(statistic({"right": right[0]}, weights), weights @ right[0] / weights.sum(axis=1))
    with pytest.raises(HarnessError, match="different numbers of items"):
        statistic({"draw0_right": right[0], "draw1_right": right[1][:5]}, weights)
