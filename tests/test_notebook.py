"""docs/quickstart.ipynb: its cells run in an empty directory, and what is stored in it is what they show."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"


def _script() -> Any:
    loader = importlib.machinery.SourceFileLoader("notebook", str(ROOT / "scripts" / "notebook"))
    spec = importlib.util.spec_from_loader("notebook", loader)
    assert spec is not None
    script = importlib.util.module_from_spec(spec)
    loader.exec_module(script)
    return script


def _shown(cell: dict[str, Any]) -> list[tuple[str, ...]]:
    """Kinds of the outputs of a cell; of what is printed nothing that is another's machine or minute."""
    return [(out["output_type"], *sorted(out.get("data", ()))) for out in cell.get("outputs", ())]


def _scores(cell: dict[str, Any]) -> list[float]:
    """All numbers of four decimals that a cell prints: scores and their intervals; seconds have fewer."""
    text = "".join("".join(out.get("text", ()) or out["data"]["text/plain"]) for out in cell.get("outputs", ()))
    return [float(number) for number in re.findall(r"(?<![\d.])[+-]?\d\.\d{4}(?!\d)", text)]


def test_the_notebook_runs_and_stores_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stored = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    again = _script().executed(stored)
    for kept, now in zip(stored["cells"], again["cells"], strict=True):
        assert _shown(kept) == _shown(now), "run scripts/notebook"
        assert [x for x in _scores(kept) if not np.isclose(x, _scores(now), atol=2e-3).any()] == [], (
            "run scripts/notebook"
        )
    kinds = [kind for cell in stored["cells"] for out in _shown(cell) for kind in out]
    assert kinds.count("image/svg+xml") == 2
    assert sum(len(_scores(cell)) for cell in stored["cells"]) > 15
    assert (tmp_path / "my_method" / "submission.yaml").is_file()
    (record,) = (tmp_path / "runs").glob("selection_digits-my_method-*/record.json")
    assert json.loads(record.read_text())["status"] == "ok"


def test_the_notebook_is_a_whole_one_without_paths_of_a_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    page = json.loads(text)
    assert (page["nbformat"], page["nbformat_minor"]) == (4, 5)
    identities = [cell["id"] for cell in page["cells"]]
    assert len(set(identities)) == len(identities)
    code = [cell for cell in page["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
