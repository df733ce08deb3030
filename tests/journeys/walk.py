"""A newcomer's way, command by command as a page prints it, from a clean clone to what the page promises.

The standard library alone: it runs before anything is installed.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_MINUTES = {"Five": 5, "Ten": 10}
_NOTE = 'echo "$EPOCHREALTIME" >&3'


@dataclass(frozen=True)
class Journey:
    """What a page promises and how."""

    name: str
    minutes: int
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Step:
    command: str
    seconds: float  # by the clock on the wall


@dataclass(frozen=True)
class Walked:
    """What came of it."""

    journey: Journey
    steps: tuple[Step, ...]
    status: int
    problem: str  # empty where the end is what the page promises

    @property
    def seconds(self) -> float:
        return sum(step.seconds for step in self.steps)


def journey(name: str) -> Journey:
    """The commands of ``docs/<name>.md`` under its heading of so many minutes."""
    page = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    _, number, rest = re.split(r"^## (\w+) minutes$", page, maxsplit=1, flags=re.MULTILINE)
    section = rest.partition("\n## ")[0]
    return Journey(name, _MINUTES[number], tuple(re.findall(r"^    (\S.*)$", section, re.MULTILINE)))


def walk(going: Journey, place: Path, repository: Path = ROOT, *, cold: bool = False) -> Walked:
    """Go there in an empty ``place``, with a home of its own; ``cold``: without pip's cache."""
    if going.name == "organiser":
        patients(place / "patients.csv")
    home = place / "home"
    home.mkdir()
    cache = subprocess.run(["python3", "-m", "pip", "cache", "dir"], capture_output=True, text=True, check=False)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL", "XDG"))
    }
    environment |= {"HOME": str(home), "PIP_CACHE_DIR": str(place / "pip") if cold else cache.stdout.strip()}
    lines = ["set -e"]
    for command in going.commands:
        lines += ["printf '$ %s\\n' " + f"'{command}'", command.replace("REPOSITORY", f"'{repository}'"), _NOTE]
    notes = place / "notes"
    done = subprocess.run(
        ["bash", "-c", "\n".join([f"exec 3>'{notes}'", _NOTE, *lines])], cwd=place, env=environment, check=False
    )
    steps = _steps(going, notes.read_text())
    problem = ENDS[going.name](place) if done.returncode == 0 else f"`{going.commands[len(steps)]}` failed"
    return Walked(going, steps, done.returncode, problem)


def _steps(going: Journey, notes: str) -> tuple[Step, ...]:
    marks = [float(at) for at in notes.split()]
    return tuple(
        Step(command, after - before) for command, before, after in zip(going.commands, marks, marks[1:], strict=False)
    )


def patients(path: Path) -> None:
    """A table as an organiser might have it: 320 patients of 40 clinics, with gaps and categories."""
    draw = random.Random(7)
    lines = ["age,pressure,smoker,clinic,outcome"]
    for i in range(320):
        sick = draw.random() < 0.5
        pressure = "" if i % 11 == 0 else f"{draw.gauss(135 if sick else 110, 10):.1f}"
        smoker = draw.choices(("yes", "no", "former"), (6, 2, 2) if sick else (1, 7, 2))[0]
        lines.append(
            f"{draw.gauss(55 if sick else 35, 8):.0f},{pressure},{smoker},c{i % 40},{'sick' if sick else 'well'}"
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _has_a_row(place: Path) -> str:
    board = json.loads((place / "harness" / "boards" / "selection_digits.json").read_text())
    rows = [row["submission"] for row in board["ranked"]]
    return "" if "my_method" in rows else f"my_method is not among {rows}"


def _is_frozen(place: Path) -> str:
    wanted = (place / "conf" / "challenge" / "patients.lock", place / "patients_bundle.zip")
    return "; ".join(f"there is no {path.name}" for path in wanted if not path.is_file())


ENDS: dict[str, Callable[[Path], str]] = {
    "researcher": _has_a_row,
    "organiser": _is_frozen,
    "checker": lambda place: "",  # `harness reproduce` ends with 0 for `reproduced` alone
}
