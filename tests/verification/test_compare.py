"""Two runs side by side: the paired t test of scipy, and a refusal of whatever cannot be compared."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from harness.cli import main
from harness.errors import HarnessError, ProtocolError, Status
from harness.verification.compare import compare
from tests.tracking.made import made_run, spread
from tests.verification.lies import lie, record_path


def test_it_is_the_paired_t_test(runs: Path) -> None:
    first, second = (made_run(runs, name, skill) for name, skill in (("one", 0.72), ("other", 0.58)))
    found = compare(first.run_id, second.run_id, runs)
    ours, theirs = spread(first), spread(second)
    expected = stats.ttest_rel(ours, theirs)
    low, high = expected.confidence_interval(0.95)
    plain = found.as_dict()
    assert plain["difference"] == pytest.approx(np.mean(ours) - np.mean(theirs))
    assert plain["p"] == pytest.approx(expected.pvalue)
    assert plain["ci95"] == pytest.approx((low, high))
    assert plain["seeds"] == len(ours)
    assert plain["by_seed"] == {seed: [ours[seed], theirs[seed]] for seed in range(len(ours))}
    turned = compare(second.run_id, first.run_id, runs).as_dict()
    assert (turned["difference"], turned["p"]) == (pytest.approx(-plain["difference"]), pytest.approx(plain["p"]))


def test_what_is_printed_is_what_is_meant(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, fair = (record_path(runs, name).parent.name for name in ("good", "fair"))
    words = ["compare", good, fair, "--runs-dir", str(runs)]
    assert main([*words, "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert {"difference", "ci95", "p", "seeds"} <= set(plain)
    assert (plain["first"], plain["second"], plain["seeds"]) == (good, fair, 4)
    assert plain["p"] < 0.05
    assert main(words) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "made, macro_f1 (higher is better): good less fair"
    by = f"{plain['difference']:.4f}"
    said = f"good is better than fair by {by} on average over 4 seeds, by more than chance, as long as no other pair was looked at."
    assert out[-1] == said
    assert [line.split()[0] for line in out[2:6]] == ["0", "1", "2", "3"]
    dots = {line.index("o", 36) for line in out[2:6]}
    assert min(dots) > out[2].index("|"), "all differences lie on the right of zero"
    assert main(["compare", "made-fair", "made-good", "--runs-dir", str(runs)]) == 0, "how an id begins is enough"
    assert "good is better" in capsys.readouterr().out.splitlines()[-1]


def test_equal_runs_cannot_be_told_apart(runs: Path) -> None:
    good, rival = (record_path(runs, name).parent.name for name in ("rival", "weak"))
    found = compare(good, rival, runs)
    assert found.difference.p is not None
    assert found.difference.p > 0.05
    assert found.lines()[-1].endswith(" on average over 4 seeds, which may be chance: they cannot be told apart.")


@pytest.mark.parametrize(
    ("second", "kind", "says"),
    [
        ("good", ProtocolError, "is compared with itself"),
        ("made-", ProtocolError, "made- may be any of "),
        ("nobody", ProtocolError, "There is no run 'nobody' in"),
        ("../runs", ProtocolError, "There is no run '../runs' in"),
        ("moved", ProtocolError, "are of different protocols"),
        ("slow", HarnessError, "has no score: timeout, 1 of 4 cells failed; seed 2: 60 s were not enough"),
    ],
)
def test_what_cannot_be_compared(second: str, kind: type[Exception], says: str, runs: Path) -> None:
    ids = {name: record_path(runs, name).parent.name for name in ("good", "moved", "slow")}
    with pytest.raises(kind, match=says.replace("(", r"\(")) as caught:
        compare(ids["good"], ids.get(second, second), runs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("edited", ["good", "fair"])
def test_an_edited_record_is_not_compared(edited: str, runs: Path) -> None:
    lie(runs, edited, lambda plain: plain.update(score=0.95))
    good, fair = (record_path(runs, name).parent.name for name in ("good", "fair"))
    of = record_path(runs, edited).parent.name
    with pytest.raises(HarnessError, match=rf"The record of {of} is not what was run: score is 0\.95, its cells give"):
        compare(good, fair, runs)


def test_a_record_that_the_ledger_does_not_hold_is_not_compared(runs: Path) -> None:
    good, fair = (record_path(runs, name).parent.name for name in ("good", "fair"))
    path = record_path(runs, "fair")
    path.write_bytes(path.read_bytes().rstrip())
    with pytest.raises(HarnessError, match="it is not the record that the ledger holds"):
        compare(good, fair, runs)


@pytest.mark.parametrize("left_out", [1, 2, 3])
def test_seeds_that_could_not_be_measured_are_left_out(left_out: int, tmp_path: Path) -> None:
    failed = dict.fromkeys(range(left_out), (Status.SKIPPED, "nothing to measure"))
    for name, skill in (("reference-random", 0.3), ("reference-skyline", 0.8)):
        made_run(tmp_path, name, skill, failed=failed)
    one, other = (made_run(tmp_path, name, skill, failed=failed) for name, skill in (("one", 0.72), ("other", 0.58)))
    found = compare(one.run_id, other.run_id, tmp_path)
    plain = found.as_dict()
    ours, theirs = (np.array(list(record.seed_scores.values())) for record in (one, other))
    assert list(plain["by_seed"]) == list(range(left_out, 4))
    assert plain["difference"] == pytest.approx(np.mean(ours - theirs))
    if left_out == 3:
        assert (plain["ci95"], plain["p"], plain["seeds"]) == (None, None, 1)
        assert found.lines()[-1].endswith(" on the one common seed: one seed tells nothing apart.")
    else:
        assert plain["p"] == pytest.approx(stats.ttest_rel(ours, theirs).pvalue)
