"""docs/tracks.md against the code it describes."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
from pathlib import Path

import pytest

from harness.tracks import track_class, track_names

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "tracks.md").read_text(encoding="utf-8")


def section(protocol: str) -> str:
    """The words of a protocol's section, on one line."""
    found = re.search(rf"\n## {protocol}\n(.*?)<!-- table", PAGE, re.DOTALL)
    assert found, f"docs/tracks.md has no section {protocol}"
    return " ".join(found.group(1).split())


def test_tables_are_what_the_script_writes() -> None:
    loader = importlib.machinery.SourceFileLoader("track_docs", str(ROOT / "scripts" / "track_docs"))
    spec = importlib.util.spec_from_loader("track_docs", loader)
    assert spec is not None
    script = importlib.util.module_from_spec(spec)
    loader.exec_module(script)
    assert script.page(PAGE) == PAGE, "run `python scripts/track_docs`"


@pytest.mark.parametrize("protocol", track_names())
def test_a_section_names_function_outputs_and_metric(protocol: str) -> None:
    track, words = track_class(protocol), section(protocol)
    assert f"(`{track.task.function}`)" in words
    assert f"`{track.metric}`" in words
    assert ("lower is better" in words) == (track.direction == "min")
    if len(track.task.outputs) > 1:
        assert all(f"`{name}`" in words for name in track.task.outputs)
