"""The contributor's kit: workflows and forms parse and keep their promises, and no page points to what is not there."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> list[dict[str, Any]]:
    """Of all jobs of a workflow, or of a composite action."""
    parsed = read(path)
    if "runs" in parsed:
        return list(parsed["runs"]["steps"])
    return [step for job in parsed["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_only_read_and_ends(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in path.read_text(encoding="utf-8")
    assert all("permissions" not in job and job["timeout-minutes"] <= 180 for job in workflow["jobs"].values())


@pytest.mark.parametrize("path", WORKFLOWS + ACTIONS, ids=lambda path: path.parent.name + "/" + path.stem)
def test_actions_are_pinned_and_scripts_exist(path: Path) -> None:
    for step in steps(path):
        if "uses" not in step:
            scripts = re.findall(r"(?<![\w/])(?:\./)?(scripts/\w+)", step["run"])
            assert all((ROOT / name).is_file() for name in scripts)
            assert all(os.access(ROOT / name, os.X_OK) for name in re.findall(r"\./(scripts/\w+)", step["run"]))
        elif step["uses"].startswith("./"):
            assert (ROOT / step["uses"] / "action.yml").is_file()
        else:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])


def test_every_python_that_is_promised_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = [c.rsplit(" ", 1)[1] for c in project["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert read(GITHUB / "workflows" / "ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"] == versions
    assert project["requires-python"] == f">={versions[0]}"


def test_every_dependency_has_a_lowest_version() -> None:
    """Else the oldest release of all is resolved, which nobody ever tried."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    assert [one for group in groups for one in group if ">=" not in one] == []
