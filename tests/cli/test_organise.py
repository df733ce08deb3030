"""From an organiser's own data to a board: docs/challenges.md word for word, and what is said where something is wrong."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
import time
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from harness.cli import main
from harness.protocol.compose import load_challenge
from harness.protocol.sizes import TITLES
from harness.tracks import track_class

PAGE = Path(__file__).resolve().parents[2] / "docs" / "challenges.md"
RNG = np.random.default_rng(7)


GROUPED = ("--label", "outcome", "--set", "missing.policy=mean+flag", "--set", "columns.smoker=category+meta")
LEAVES = ("challenge", "new", "mine", "--track", "debugging", "--config-dir", "own", "--data")


def started(here: Path, *arguments: str) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "harness", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(PAGE.parents[1])}
    pipe = subprocess.PIPE
    return subprocess.Popen(line, cwd=here, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def harness(here: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a command comes to, run in this process, which has imported everything already."""
    out, error = io.StringIO(), io.StringIO()
    with chdir(here), redirect_stdout(out), redirect_stderr(error):
        try:
            status = main(list(arguments))
        except SystemExit as leaving:  # argparse
            status = int(leaving.code or 0)
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), error.getvalue())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``patients.csv``, ``messages.tsv`` and ``leaves/``, with what real data have: categories, gaps, quotes, accents."""
    here = tmp_path_factory.mktemp("organiser")
    sick = RNG.integers(0, 2, 320)
    lines = ["age,pressure,smoker,town,clinic,outcome"]
    for i, s in enumerate(sick):
        pressure = "" if i % 11 == 0 else f"{110 + 25 * s + 10 * RNG.normal():.1f}"
        smoker = RNG.choice(["yes", "no", "former"], p=[0.6, 0.2, 0.2] if s else [0.1, 0.7, 0.2])
        town = RNG.choice(["Görlitz", '"Essen, Ruhr"', "Łódź"])
        lines.append(
            f"{35 + 20 * s + 8 * RNG.normal():.0f},{pressure},{smoker},{town},c{i % 40},{'sick' if s else 'well'}"
        )
    (here / "patients.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    words = {
        "spam": "win cash prize now free call claim urgent",
        "ham": "lunch home later love meeting ok train tomorrow",
    }
    common = ["the", "you", "to", "a", "and", "is", "in", "me", "at", "for"]
    rows = ["kind\tbody"]
    for i in range(300):
        kind = ("ham", "spam")[i % 3 == 0]
        body = RNG.choice(words[kind].split(), 4).tolist() + RNG.choice(common, 6).tolist()
        rows.append(f"{kind}\t{' '.join(RNG.permutation(body))} {i}")
    (here / "messages.tsv").write_text("\n".join(rows) + "\n")

    for c, name in enumerate(("ash", "beech", "cherry", "elm", "fir", "oak")):
        (here / "leaves" / name).mkdir(parents=True)
        for i in range(60):
            picture = RNG.integers(0, 150, (10, 10))
            picture[1 + c : 4 + c, 2:8] += 40 + RNG.integers(0, 60, (min(3, 9 - c), 6))
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(here / "leaves" / name / f"{i:03}.png")
    return here


def test_every_command_of_the_page(data: Path) -> None:
    page = PAGE.read_text(encoding="utf-8").partition("## A competition")[
        0
    ]  # which tests/competition/test_page.py runs
    commands = re.findall(r"^    (harness .*)$", page, re.MULTILINE)
    assert len(commands) >= 11
    files = re.findall(r"into `conf/(\w+/\w+\.yaml)`:\n\n```yaml\n(.*?)```", page, re.DOTALL)
    assert len(files) == 3
    for command in commands:
        if "patients_noisy" in command or "list challenges" in command:
            for name, text in files:
                (data / "conf" / name).parent.mkdir(exist_ok=True)
                (data / "conf" / name).write_text(text)
        done = harness(data, *shlex.split(command)[1:])
        if command.startswith("harness challenge new"):  # not one secret in twenty may leave a seed nothing to win
            made = data / "conf" / "challenge" / f"{command.split()[3]}.yaml"
            few = "secret: of the tests\nseeds: 3"
            made.write_text(re.sub(r"(?m)^secret: .*$", few, made.read_text()))
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        if "--power" in command:
            assert "the board resolves" in done.stdout.splitlines()[-1]
    assert sorted(path.name for path in (data / "conf" / "challenge").iterdir()) == [
        "find_flips.yaml", "leaves.yaml", "messages.yaml", "patients.yaml", "patients_noisy.yaml",
    ]  # fmt: skip
    patients = load_challenge("patients", config_dir=data / "conf")
    assert patients.dataset.pinned
    assert np.load(data / "view.npz")["X"].shape == (patients.track.train, 9)  # type: ignore[attr-defined]
    assert not [path for path in (data / "conf").iterdir() if path.name.startswith(".")]
    for name in (
        "patients",
        "messages",
        "leaves",
    ):  # the specification that was written fits the data that it was made of
        done = harness(data, "dataset", "validate", name, "--config-dir", "conf")
        assert done.returncode == 0, done.stdout + done.stderr
    assert "| pressure | feature | number |" in (data / "conf" / "cards" / "patients.md").read_text()


@pytest.mark.parametrize("track", TITLES)
def test_a_challenge_of_every_track(data: Path, tmp_path: Path, track: str) -> None:
    grouped = track == "selection_worst_group"  # needs a column of groups
    arguments = ["--track", track, "--data", str(data / ("patients.csv" if grouped else "leaves")), "--json"]
    arguments += ["--config-dir", str(tmp_path / "own")] + [*GROUPED] * grouped
    done = harness(tmp_path, "challenge", "new", "mine", *arguments)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert len(facts["classes"]) == (2 if grouped else 6)
    challenge = load_challenge("mine", config_dir=tmp_path / "own")
    assert challenge.track_type is track_class(track)
    assert not challenge.practice
    assert len({load_challenge(n, config_dir=tmp_path / "own").secret for n in ("mine", "debugging_wine")}) == 2
    view, key = challenge.load_track(challenge.load_dataset(), device="cpu").prepare(0)
    assert view.arrays
    assert not grouped or challenge.track.attributes == ("smoker",)  # type: ignore[attr-defined]
    assert key is not None


def test_what_no_flag_says_is_asked_for_on_a_terminal_alone(data: Path) -> None:
    process = started(data, "challenge", "new", "mine", "--data", "patients.csv")
    _, error = process.communicate("debugging\n")
    assert process.returncode == 2
    assert "--track is missing" in error


def test_the_second_of_a_name_is_refused_and_changes_nothing(data: Path, tmp_path: Path) -> None:
    arguments = [
        "challenge",
        "new",
        "mine",
        "--track",
        "debugging",
        "--data",
        str(data / "leaves"),
        "--config-dir",
        "own",
    ]
    assert harness(tmp_path, *arguments).returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "own").rglob("*") if path.is_file()}
    done = harness(tmp_path, *arguments)
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert before == {path: path.read_bytes() for path in (tmp_path / "own").rglob("*") if path.is_file()}
    again = harness(tmp_path, *["other" if word == "mine" else word for word in arguments])
    assert again.returncode == 0, again.stderr  # on the same data
    pinned = {yaml.safe_load((tmp_path / "own/dataset" / f"{n}.yaml").read_text())["sha256"] for n in ("mine", "other")}
    assert len(pinned) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["Mine", "--track", "debugging", "--data", "{leaves}"], "lower-case letters"),
        (["yes", "--track", "debugging", "--data", "{leaves}"], "truth value"),
        (["../mine", "--track", "debugging", "--data", "{leaves}"], "lower-case letters"),
        (["debugging_digits", "--track", "debugging", "--data", "{leaves}"], "name of a shipped"),
        (["digits", "--track", "debugging", "--data", "{leaves}"], "name of a shipped dataset"),
        (["mine", "--track", "debuging", "--data", "{leaves}"], "No challenge is made for the track"),
        (["mine", "--track", "debugging", "--data", "nowhere.csv", "--label", "x"], "There is no nowhere.csv"),
        (["mine", "--track", "debugging", "--data", "{csv}", "--label", "outcom"], "outcom"),
        (["mine", "--track", "debugging", "--data", "{csv}", "--label", "pressure"], "pressure"),
        (["mine", "--track", "debugging", "--data", "{csv}", "--label", "outcome"], "missing"),
        (["mine", "--track", "debugging", "--data", "{few}", "--label", "y"], "rows"),
        (["mine", "--track", "debugging", "--data", "{csv}", "--label", "outcome", "--set", "nonsense"], "KEY=VALUE"),
        (["mine", "--track", "debugging", "--data", "{csv}", "--label", "outcome", "--set", "colums=3"], "colums"),
        (["mine", "--track", "selection_worst_group", "--data", "{leaves}"], "there are no groups, and no worst one"),
        (["mine", "--track", "debugging", "--data", "{pdf}"], "of no kind that is read"),
        (["mine", "--track", "debugging", "--data", "{empty}"], "neither pictures nor .txt"),
    ],
)
def test_what_is_wrong_is_one_paragraph_and_nothing_is_written(
    data: Path, tmp_path: Path, arguments: list[str], says: str
) -> None:
    (tmp_path / "few.csv").write_text("x,y\n" + "".join(f"{i},{i % 2}\n" for i in range(20)))
    (tmp_path / "report.pdf").write_text("%PDF")
    (tmp_path / "empty").mkdir()
    places = {
        "leaves": data / "leaves",
        "csv": data / "patients.csv",
        "few": "few.csv",
        "pdf": "report.pdf",
        "empty": "empty",
    }
    done = harness(tmp_path, "challenge", "new", *(word.format(**places) for word in arguments), "--config-dir", "own")
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    left = [path for path in (tmp_path / "own").rglob("*") if path.is_file()] if (tmp_path / "own").exists() else []
    assert left == []


def test_of_two_at_once_one_is_told_that_the_name_is_taken(data: Path, tmp_path: Path) -> None:
    both = [started(tmp_path, *LEAVES, str(data / "leaves")) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 2]
    assert sum("exists already; nothing was written" in text for text in said) == 1
    assert not [path for path in (tmp_path / "own").iterdir() if path.name.startswith(".")]


def test_a_kill_leaves_nothing_that_stands_in_the_way(data: Path, tmp_path: Path) -> None:
    process = started(tmp_path, *LEAVES, str(data / "leaves"))
    while not list((tmp_path / "own").glob(".*")) and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert not (tmp_path / "own" / "challenge").exists()
    done = harness(tmp_path, *LEAVES, str(data / "leaves"))
    assert done.returncode == 0, done.stderr
    assert not [path for path in (tmp_path / "own").iterdir() if path.name.startswith(".")]


def test_columns_that_yaml_would_read_as_something_else(tmp_path: Path) -> None:
    rows = [
        f"{k + RNG.random():.3f},{RNG.random():.3f},{RNG.choice(['a', 'b'])},{'yes' if i % 3 else 'off'},{k}"
        for i in range(200)
        for k in (0, 1)
    ]
    (tmp_path / "odd.csv").write_text("\n".join(['0,1e3,y,"no, #x: {a}`",null', *rows]) + "\n")
    arguments = ["--track", "selection", "--data", "odd.csv", "--label", "null", "--config-dir", "own"]
    done = harness(tmp_path, "challenge", "new", "odd", *arguments)
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((tmp_path / "own" / "dataset" / "odd.yaml").read_text())
    assert written["columns"] == {"0": "number", "1e3": "number", "y": "category", "no, #x: {a}`": "category"}
    assert load_challenge("odd", config_dir=tmp_path / "own").dataset.pinned
