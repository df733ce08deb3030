"""The competition of docs/challenges.md, command by command as it stands there."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from harness.cli import main
from harness.protocol.rules import written
from harness.tracking.runs import RunsDir
from tests.competition.conftest import files, folder, packed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "challenges.md"
ENDS = "2027-01-31T23:59:59Z"
BY_LOSS = "import numpy as np\n\ndef rank(task):\n    return np.arange(len(task.y))[::{step}]\n"


def entry(name: str, step: int) -> dict[str, str]:
    contents = files(name, BY_LOSS.format(step=step))
    manifest = (
        contents["submission.yaml"].replace("selection", "debugging").replace("algorithm:select", "algorithm:rank")
    )
    return {**contents, "submission.yaml": manifest}


def patients(here: Path) -> None:
    """``patients.csv`` as the page has it, smaller."""
    rng = np.random.default_rng(7)
    lines = ["age,pressure,smoker,clinic,outcome"]
    for i, s in enumerate(rng.integers(0, 2, 400)):
        pressure = "" if i % 11 == 0 else f"{110 + 25 * s + 10 * rng.normal():.1f}"
        smoker = rng.choice(["yes", "no"], p=[0.7, 0.3] if s else [0.2, 0.8])
        lines.append(f"{35 + 20 * s + 8 * rng.normal():.0f},{pressure},{smoker},c{i % 40},{'sick' if s else 'well'}")
    (here / "patients.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_every_command_of_the_competition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    founding = re.findall(r"^    (harness challenge new patients .*)$", page, re.MULTILINE)[0]
    section = page.partition("## A competition")[2].partition("\n## ")[0]
    rules = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)[0]
    commands = re.findall(r"^    (harness .*)$", section, re.MULTILINE)
    assert len(commands) >= 16
    patients(tmp_path)
    assert main(shlex.split(founding)[1:]) == 0
    challenge = Path("conf/challenge/patients.yaml")
    text = re.sub(r"(?m)^secret: .*$", "secret: of-the-tests-and-of-no-others", challenge.read_text(encoding="utf-8"))
    challenge.write_text(f"{text}seeds: 4\n{rules}", encoding="utf-8")
    frozen = 0
    tokens: dict[str, str] = {}
    for command in commands:
        words = shlex.split(command)[1:]
        if words[0] == "intake":
            packed(Path("inbox/T1/first.zip"), {**entry("first", 1), "team.token": tokens["T1"]})
            folder(Path("inbox/T2/second"), {**entry("second", -1), "team.token": tokens["T2"]})
        if words[:2] == ["challenge", "freeze"]:
            frozen += 1
            if frozen == 2:  # something was wrong
                text = challenge.read_text(encoding="utf-8").replace("version: 2", "version: 3")
                challenge.write_text(f"{text}limits: {{seconds: 50.0}}\n", encoding="utf-8")
        if words[0] == "merge":
            folder(tmp_path / "third", entry("third", 1))
            run = [
                "run",
                "challenge=patients",
                "submission=third",
                "team=T2",
                "runs_dir=other_runs",
                "--config-dir",
                "conf",
            ]
            assert main(run) == 0
        if words[:2] == ["challenge", "finalise"]:  # the day has come
            now = written(datetime.now(UTC))
            challenge.write_text(challenge.read_text(encoding="utf-8").replace(ENDS, now), encoding="utf-8")
            assert main(["challenge", "freeze", "patients", "--config-dir", "conf"]) == 0
        if "RUN" in words:
            (run_id,) = [found for found in RunsDir("runs").run_ids() if found.startswith("patients-second-")]
            words[words.index("RUN")] = run_id
        capsys.readouterr()
        assert main(words) == 0, command
        said = capsys.readouterr().out
        if words[:2] == ["team", "new"]:
            tokens[words[2]] = said.split("token  ")[1].split()[0]
        if words[0] == "winners":
            assert "Nearest Neighbours" in said
    assert Path("patients_bundle.zip").is_file()
    assert sorted(path.name for path in Path("boards").glob("*.json")) == [
        "patients.json", "patients.public.json", "patients.revealed.json",
    ]  # fmt: skip
    assert len(list(Path("reports").rglob("*.md"))) == 2
