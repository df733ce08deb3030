"""A kept secret: nothing a failed submission says is published; in practice its last lines help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness import evaluate, load_challenge
from harness.cli import main
from harness.errors import Status
from harness.sandbox.quiet import quiet_reason
from harness.tracking.runs import RunsDir

SMALL = ["seeds=1", "track.train=60", "track.validation=20", "track.test=200"]
LEAK = "LABELS-3141592653"
BODIES = {
    "message": f"raise ValueError('{LEAK}')",
    "class": "raise type('LABELS_3141592653', (Exception,), {})()",
    "keys": f"return {{'{LEAK}': task.y}}",
    "type": "return type('LABELS_3141592653', (), {})()",
    "print": f"print('{LEAK}'); raise KeyError('{LEAK}')",
}

Write = Callable[..., Path]


@pytest.mark.parametrize("way", BODIES)
def test_no_word_of_a_submission_leaves_the_log(way: str, tmp_path: Path, write_submission: Write) -> None:
    folder = write_submission(way, f"def rank(task):\n    {BODIES[way]}\n")
    challenge = load_challenge("debugging_digits", [*SMALL, "secret=kept"])
    runs = RunsDir(tmp_path / "runs")
    record = evaluate(challenge, folder, runs_dir=runs.path)
    assert record.status in (Status.CRASHED, Status.CONTRACT_VIOLATION)
    log = runs.cell_dir(record.run_id, 0) / "log.txt"
    assert "3141592653" in log.read_text()
    copy = runs.submission_dir(record.submission_digest or "")
    for path in runs.path.rglob("*"):
        if path.is_file() and path != log and copy not in path.parents:
            assert b"3141592653" not in path.read_bytes(), path
    if way == "message":
        assert "raised an exception: ValueError (algorithm.py, line 2)." in record.reason


def test_only_exceptions_and_lines_that_exist_are_named(tmp_path: Path) -> None:
    (tmp_path / "algorithm.py").write_text("a\nb\n")
    crashed = Status.CRASHED
    assert "(algorithm.py, line 2)" in quiet_reason(crashed, "raised KeyError: x (algorithm.py, line 2).", tmp_path)
    for said in (
        "raised Labels: x (algorithm.py, line 99999).",
        "raised Labels: x (../secret.py, line 1).",
        "free text",
    ):
        reason = quiet_reason(crashed, said, tmp_path)
        assert reason.startswith("The submission raised an exception. What it said is kept back")


@pytest.mark.parametrize("secret", ["open", "kept"])
def test_run_and_check_show_the_last_lines_in_practice_alone(
    secret: str, tmp_path: Path, write_submission: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_submission("prints", "def rank(task):\n    print('far ' + 'away')\n    raise ValueError('x')\n")
    words = [*SMALL, f"secret={secret}", "challenge=debugging_digits", f"runs_dir={tmp_path / 'runs'}"]
    for command in (["run", f"submission={folder}"], ["check", str(folder)]):
        assert main([*command, *words]) == 1
        shown = capsys.readouterr().out
        assert ("far away" in shown) == ("Traceback" in shown) == (secret == "open")
