"""The command line as a stranger meets it: exit statuses, one paragraph for mistakes, JSON for scripts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import sandbox
from harness.cli import main

Write = Callable[..., Path]
SMALL = ["seeds=2", "track.train=60", "track.validation=20", "track.test=200"]


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of one command, run in this process."""
    try:
        status = main([str(word) for word in words])
    except SystemExit as leaving:  # argparse
        status = int(leaving.code or 0)
    captured = capsys.readouterr()
    ours = captured.out.partition("Its last lines on seed")[0]  # what follows is the submission's own log
    assert "Traceback" not in ours + captured.err
    return status, captured.out, captured.err


def test_help_imports_nothing_heavy() -> None:
    """A proxy for the half second that does not depend on how busy this machine is."""
    code = (
        "import sys\nfrom harness.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'mlflow', 'hydra', 'sklearn', 'pandas', 'numpy', 'pydantic', 'rich'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))"
    )
    names = [
        "run",
        "list",
        "show",
        "new",
        "check",
        "leaderboard",
        "verify",
        "compare",
        "reproduce",
        "release",
        "doctor",
    ]
    for words in ([], *([name] for name in names)):
        done = subprocess.run(
            [sys.executable, "-c", code, *words, "--help"], capture_output=True, text=True, check=True
        )
        assert done.stdout.endswith("heavy: []\n"), words
        assert "usage:" in done.stdout


@pytest.mark.parametrize("what", ["challenges", "submissions"])
def test_list_json_has_the_contract_keys(capsys: pytest.CaptureFixture[str], what: str) -> None:
    status, out, _ = call(capsys, "list", what, "--json")
    rows = json.loads(out)
    assert status == 0
    assert rows
    assert all({"name", "track", "title"} <= set(row) for row in rows)
    _, plain, _ = call(capsys, "list", what)
    assert len(plain.splitlines()) == len(rows)


def test_show_says_what_is_pinned(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "show", "debugging_digits", "--json")
    facts = json.loads(out)
    assert status == 0
    assert facts["task"]["X"] == "float32 [300, 64]"
    assert "y_true" not in json.dumps(facts["task"])
    assert len(facts["fingerprint"]) == 64
    status, out, _ = call(capsys, "show", "debugging_digits")
    assert facts["fingerprint"] in out
    assert facts["settings"]["test"] == 0
    assert "0 (all the rest)" in out


def test_show_power_judges_the_board_that_is_planned(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Two seeds are run once; another number of teams or seeds is calculated from them."""
    words = ["show", "debugging_digits", "--power", "--runs-dir", tmp_path, *SMALL]
    facts, planned = (
        json.loads(call(capsys, *words, "--json", *more)[1])["power"] for more in ([], ["--teams", 5, "--seeds", 20])
    )
    fitting = json.loads(call(capsys, "list", "submissions", "--json")[1])
    assert facts["teams"] == sum(row["task"] == "debugging" for row in fitting) + 1
    assert (facts["seeds"], facts["seeds measured"]) == (2, 2)
    assert (planned["teams"], planned["seeds"], planned["seeds measured"]) == (5, 20, 2)
    assert planned["knn_shapley, seconds of work a run"] == facts["knn_shapley, seconds of work a run"]
    assert planned["resolves"] < facts["resolves"]
    assert set(planned["baselines_beat_random"]) == {"aum", "knn_shapley"}
    assert planned["hours"] > 0
    assert "5 teams and 20 seeds the board resolves" in planned["verdict"]
    *_, last = call(capsys, *words, "--teams", 5, "--seeds", 20)[1].splitlines()
    assert last == planned["verdict"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "debugging_digits", "--teams", "40"], "--power is missing"),
        (["show", "debugging_digits", "--seeds", "10", "--teams", "40"], "--teams and --seeds"),
        (["show", "debugging_digits", "--power", "--teams", "1"], "--teams must be a whole number from 2"),
        (["show", "debugging_digits", "--power", "--teams", "-3"], "--teams must be a whole number from 2"),
        (["show", "debugging_digits", "--power", "--seeds", "2.5"], "not '2.5'"),
        (["show", "debugging_digits", "--power", "--seeds", "ten"], "not 'ten'"),
        (["show", "debugging_digits", "--power", "--seeds", "9" * 5000], "--seeds must be a whole number from 2"),
        (["run", "challenge=debuging_digits"], "debugging_digits"),
        (["run", "submission=knn_shaply"], "knn_shapley"),
        (["run", "submission=/no/such/folder"], "/no/such/folder"),
        (["run", "submission=random,knn_shapley"], "add -m"),
        (["run", "challenge=debugging_digits,debugging_wine"], "-m"),
        (["run", "-m", "submission=random,knn_shaply"], "knn_shapley"),
        (["run", "nonsense"], "nonsense"),
        (["run", "nope=3"], "nope"),
        (["run", "seeds=-1"], "seeds"),
        (["run", "--nope"], "--nope"),
        (["run", "sandbox=nope"], "nope"),
        (["run", "--config-dir", "/no/such/dir"], "/no/such/dir"),
        (["show", "nope"], "nope"),
        (["new", "debuging", "/tmp/never_made"], "debugging"),
        (["new", "debugging", "/proc/nope/x"], "/proc/nope/x"),
        (["check", "/no/such/folder"], "/no/such/folder"),
        (["check", "/etc/passwd"], "neither a folder nor a baseline"),
        (["check", "random"], "debugging/random or "),
        (["check"], "required: path\n"),
        (["run", "submission="], "submission: "),
        (["run", "runs_dir="], "runs_dir: "),
        (["list", "challenges", "--config-dir", "/no/such/dir"], "/no/such/dir"),
        (["leaderboard", "debugging_digits", "--runs-dir", "/no/such/dir"], "/no/such/dir"),
        (["sync", "--runs-dir", "/no/such/dir"], "/no/such/dir"),
        (["release", "nope", "--who", "a", "--why", "b"], "nope"),
        (["reproduce"], "RUN_ID"),
        (["reproduce", "no-such-run"], "no-such-run"),
        (["leaderboard", "nope"], "nope"),
        (["verify"], "required: "),
        (["verify", "/no/such/dir"], "/no/such/dir"),
        (["verify", "/no/such/board.json"], "/no/such/board.json"),
        (["compare", "one", "other"], "There is no run 'one'"),
        (["compare", "one", "one"], "is compared with itself"),
        (["compare", "one"], "required: "),
        (["list", "nope"], "nope"),
        (["fetch", "nope"], "nope"),
        (["nope"], "nope"),
        ([], "run a submission"),
    ],
)
def test_wrong_usage_is_one_paragraph_and_exit_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = call(capsys, *words)
    assert status == 2
    assert says in err
    assert not out
    assert list(tmp_path.iterdir()) == [], "wrong usage must leave nothing behind"


def test_from_skeleton_to_board(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """new, check, run, run again, reproduce, leaderboard: the researcher's afternoon."""
    mine = tmp_path / "my_method"
    assert call(capsys, "new", "debugging", mine)[0] == 0
    assert call(capsys, "new", "debugging", mine)[0] == 2, "an existing folder is never written over"

    status, out, _ = call(capsys, "check", mine, "--json")
    assert status == 0, out
    assert json.loads(out)["passed"]

    runs = tmp_path / "runs"
    status, out, _ = call(capsys, "run", f"submission={mine}", f"runs_dir={runs}", "--json")
    record = json.loads(out)
    assert (status, record["status"], record["submission"]) == (0, "ok", "my_method")
    assert (
        call(capsys, "run", f"submission={mine}", f"runs_dir={runs}", *SMALL)[0] == 0
    )  # modified: another fingerprint

    status, out, _ = call(capsys, "reproduce", record["run_id"], "--runs-dir", runs)
    assert (status, out.split()[0]) == (0, "reproduced")

    boards = tmp_path / "boards"
    status, out, _ = call(capsys, "leaderboard", "debugging_digits", "--out", boards, "--runs-dir", runs, "--json")
    assert status == 0
    (board,) = json.loads(out)
    assert [row["submission"] for row in board["ranked"]] == ["my_method"], "the modified run must not join"
    assert board["ranked"][0]["reproduced"] == "reproduced"
    assert {row["submission"] for row in board["references"]} == {"reference-random", "reference-skyline"}
    for suffix in ("md", "csv", "json", "html"):
        assert (boards / f"debugging_digits.{suffix}").stat().st_size > 0


def test_check_says_what_to_mend(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_submission: Write
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = "import sys\nimport numpy as np\ndef rank(task):\n    print('\\x1b[31mseen', len(task.y))\n"
    source += (
        "    print('odd \\u202e thing', file=sys.stderr)\n    return np.random.default_rng().permutation(len(task.y))\n"
    )
    status, out, _ = call(capsys, "check", write_submission("entropy", source))
    assert status == 1
    assert "FAIL  reproducible" in out
    log = tmp_path / "cache/harness/checks/entropy.log"
    printed = out.partition(f"pass  printed: 2 lines; all of it, until the next check, in {log}\n")[2].splitlines()[:2]
    assert sorted(printed) == ["      odd  thing", "      seen 300"]
    assert sorted(log.read_text(encoding="utf-8").splitlines()) == ["odd  thing", "seen 300"]
    status, out, _ = call(capsys, "check", write_submission("bad", "def rank(task): return [0, 0]\n"))
    assert status == 1
    assert "repeats row 0" in out


def test_check_says_where_another_tier_cannot(capsys: pytest.CaptureFixture[str], write_submission: Write) -> None:
    works = {report.name for report in sandbox.probe() if report.works}
    if not {"bubblewrap", "landlock"} <= works:
        pytest.skip("needs both tiers")
    managed = "import multiprocessing\ndef rank(task):\n    with multiprocessing.Manager() as manager:\n"
    managed += "        return list(manager.list(range(len(task.y))))\n"
    status, out, _ = call(capsys, "check", write_submission("managed", managed))
    assert status == 0, out
    assert "works in bubblewrap and not under landlock" in out
    assert "no sockets with an address" in out
    status, out, _ = call(capsys, "check", write_submission("plain", "def rank(task): return range(len(task.y))\n"))
    assert (status, "returns the same under landlock" in out) == (0, True)


SEVERAL = """import json, sys
from harness.cli import main
for words in json.loads(sys.argv[1]):
    print("status", main(words), end="\\0", flush=True)
"""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminals_that_cannot_show_a_character(encoding: str, tmp_path: Path, write_submission: Write) -> None:
    """Boards, with rows that are not ranked, and all else: an escape stands for what cannot be shown, JSON stays JSON."""
    folder = write_submission("raises", "def rank(task): raise ValueError('na\u00efve \u2013 \u4e2d')\n")
    challenge, runs = tmp_path / "conf" / "challenge", tmp_path / "runs"
    challenge.mkdir(parents=True)
    small = "\n".join(["seeds: 2", "track: {train: 60, validation: 20, test: 200}", "secret: open", "baseline: random"])
    head = "# @package _global_\ndefaults:\n  - override /track: debugging\n  - override /dataset: digits\n"
    head += "  - override /model: logistic\n\nname: small\ntitle: Klein \u2013 \u5c0f\n"
    (challenge / "small.yaml").write_text(head + small + "\n", encoding="utf-8")
    lines: list[list[object]] = [
        ["run", "challenge=small", "submission=random", f"runs_dir={runs}"],
        ["run", "challenge=small", f"submission={folder}", f"runs_dir={runs}"],
        ["leaderboard", "small", "--runs-dir", runs, "--out", tmp_path / "boards"],
        ["show", "small"],
        ["show", "small", "--json"],
    ]
    words = json.dumps([[*map(str, line), "--config-dir", str(tmp_path / "conf")] for line in lines])
    done = subprocess.run(  # one process for all: what it may print is decided when it starts
        [sys.executable, "-c", SEVERAL, words],
        capture_output=True,
        encoding=encoding,
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    said, statuses = zip(*(part.rsplit("status ", 1) for part in done.stdout.split("\0")[:-1]), strict=True)
    assert statuses == ("0", "1", "0", "0", "0"), done.stderr
    assert "\\u4e2d" in said[1]
    assert "reference-random" in said[2]
    assert "\\u5c0f" in said[3]
    assert json.loads(said[4])["title"] == "Klein \u2013 \u5c0f"


def test_a_failed_run_exits_1(capsys: pytest.CaptureFixture[str], tmp_path: Path, write_submission: Write) -> None:
    folder = write_submission("raises", "def rank(task): raise ValueError('a reason')\n")
    status, out, _ = call(capsys, "run", f"submission={folder}", f"runs_dir={tmp_path / 'runs'}", *SMALL)
    assert status == 1
    assert "a reason" in out


def test_a_sweep_runs_every_combination(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["run", "-m", "submission=random,knn_shapley", f"runs_dir={tmp_path / 'runs'}", *SMALL, "--json"]
    status, out, _ = call(capsys, *words)
    assert status == 0
    assert [record["submission"] for record in json.loads(out)] == ["random", "knn_shapley"]


def test_doctor_names_tiers_devices_and_data(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = call(capsys, "doctor", "--json")
    report = json.loads(out)
    assert set(report) == {"isolation", "limits", "devices", "data", "versions"}
    assert "control groups" in report["limits"]["memory and processes"]
    assert set(report["isolation"]) >= {"bubblewrap", "landlock", "container", "none"}
    ranks = any(value.startswith("works") for name, value in report["isolation"].items() if name != "none")
    assert status == (0 if ranks else 1)
