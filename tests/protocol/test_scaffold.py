"""`harness new` for every task kind: what it writes loads, says what the task holds, and is never written over."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from harness import api
from harness.errors import ProtocolError
from harness.paths import SUBMISSIONS_DIR
from harness.protocol import submission
from harness.protocol.scaffold import scaffold


@pytest.mark.parametrize("task", api.TASKS)
def test_a_skeleton_of_every_task_kind_loads(tmp_path: Path, task: str) -> None:
    assert (SUBMISSIONS_DIR / task / "random").is_dir(), "every task kind has a random baseline to start from"
    made = submission.load(scaffold(task, tmp_path / "mine"))
    template = submission.load(SUBMISSIONS_DIR / task / "random")
    assert (made.name, made.track, made.function) == ("mine", task, template.function)
    tree = ast.parse((made.folder / f"{made.module}.py").read_text())
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == made.function]
    assert function.args.args
    said = ast.get_docstring(tree) or ""
    for field in vars(api.TASKS[task])["__annotations__"]:
        assert f"task.{field}:" in said
    ours = ast.parse((template.folder / f"{template.module}.py").read_text())
    assert [ast.dump(node) for node in tree.body[1:]] == [ast.dump(node) for node in ours.body[1:]]
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(["mine", "submission.yaml", f"{made.module}.py"])


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my method!", "my_method_"),
        ("..hidden", "hidden"),
        ("x" * 90, "x" * 64),
        ("---", "my_submission"),
        ("été", "t_"),
    ],
)
def test_any_folder_gives_a_name_that_is_allowed(tmp_path: Path, folder: str, name: str) -> None:
    assert submission.load(scaffold("debugging", tmp_path / folder)).name == name


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("text")
    for name in ("full", "file"):
        with pytest.raises(ProtocolError, match="exists already"):
            scaffold("debugging", tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full", "thesis.tex"]
    (tmp_path / "empty").mkdir()
    assert submission.load(scaffold("debugging", tmp_path / "empty")).name == "empty"


@pytest.mark.parametrize("task", ["debuging", "", "../selection", "random", "debugging/random"])
def test_an_unknown_task_kind_is_refused(tmp_path: Path, task: str) -> None:
    with pytest.raises(ProtocolError, match="no track"):
        scaffold(task, tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []
