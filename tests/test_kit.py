"""The contributor's kit: workflows and forms parse and keep their promises, and no page points to what is not there."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.tracks import track_class, track_names

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


FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_is_one_that_github_shows(path: Path) -> None:
    """The rules of https://docs.github.com/en/communities/using-templates-to-encourage-useful-issues-and-pull-requests."""
    form = read(path)
    assert form["name"]
    assert form["description"]
    assert set(form) <= {"name", "description", "title", "labels", "assignees", "body"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    identifiers = [field["id"] for field in fields]
    labels = [field["attributes"]["label"] for field in fields]
    assert len(set(identifiers)) == len(identifiers) > 0
    assert len(set(labels)) == len(labels)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", identifier) for identifier in identifiers)
    for field in fields:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes")
        options = field["attributes"].get("options", [])
        assert bool(options) == (field["type"] in ("dropdown", "checkboxes"))
        assert len(set(options)) == len(options)


def test_the_data_set_form_knows_the_tracks() -> None:
    fields = {field.get("id"): field for field in read(GITHUB / "ISSUE_TEMPLATE" / "data_set.yml")["body"]}
    assert set(fields["tracks"]["attributes"]["options"]) == {track_class(name).track for name in track_names()}


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").glob("*/README.md")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NAMED = re.compile(r"`((?:harness|tests|scripts|conf|docs|submissions|leaderboards|\.github)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    links = [link for link in _LINK.findall(prose) if "://" not in link]
    for link in links:
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{link} is not there"
        assert not anchor or anchor in anchors(target), f"{link} has no such heading"
    # The changelog speaks of what was there once, other pages of a directory of the reader's own.
    named = (
        []
        if page.stem in ("CHANGELOG", "organiser", "challenges", "releases", "rounds", "lab_receipts")
        else _NAMED.findall(text)
    )
    assert [name for name in named if not (ROOT / name).exists() and not (ROOT / "harness" / name).exists()] == []


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
