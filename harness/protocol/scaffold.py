"""A new submission: the ``random`` baseline of its task kind under a new name, ready to run and to be rewritten."""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path

import yaml

from harness.api import Task
from harness.errors import ProtocolError
from harness.paths import expanded
from harness.protocol.manifest import MANIFEST
from harness.protocol.submission import places
from harness.tracks import task_kinds

_HEADER = '''"""{name}: describe the idea here, with the paper it comes from.

``task`` holds ({task_class} in {module}.py):

{fields}
``task.rng`` is the only randomness that reproduces. ``task.model`` is the challenge's own fixed model:
{model}
"""
'''
_PARAMS = "# params: {k: 10}  # keyword arguments of the function: `def f(task, *, k)`, then submission.params.k=5 overrides\n"
_OF_ROWS = "``task.model.fit(X, y).predict_proba(X)``, and ``task.model.fit_many(X, y, weights=W)`` fits W.shape[0] of them at once."
_OF_DOCUMENTS = (
    "``task.model.fit(documents).bits(documents)``, and ``task.model.fit_many(documents, subsets=rows)`` fits a model for each\n"
    "array of rows. Documents are ``harness.api.Texts``, as ``task.texts`` is; ``task.texts[rows]`` are those of some rows."
)


def scaffold(task: str, path: Path) -> Path:
    """Write ``submission.yaml`` and ``algorithm.py`` into ``path`` and return it.

    Raises ProtocolError: unknown track, or something is already there.
    """
    kinds = task_kinds()
    template = next((found for place in places() if (found := place / task / "random").is_dir()), None)
    if task not in kinds or template is None:
        near = difflib.get_close_matches(task, kinds, n=2)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        raise ProtocolError(f"There is no track {task!r}.", f"{hint}Known: {', '.join(kinds)}.")
    path = expanded(path).absolute()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ProtocolError(
            f"{path} exists already and is not an empty folder.", "Choose a new path; nothing was written."
        )
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", path.name).lstrip("_.-")[:64] or "my_submission"
    manifest = yaml.safe_load((template / MANIFEST).read_text(encoding="utf-8"))
    manifest |= {"name": name, "authors": ["Your Name"], "description": "One line that says what it does."}
    building = path.with_name(f".{path.name}.new")
    try:
        building.mkdir(parents=True)
        text = yaml.safe_dump(manifest, sort_keys=False) + _PARAMS
        (building / MANIFEST).write_text(text, encoding="utf-8")
        module = manifest["entry"].split(":")[0]
        (building / f"{module}.py").write_text(
            _algorithm(name, kinds[task], template / f"{module}.py"), encoding="utf-8"
        )
        if path.is_dir():
            path.rmdir()
        building.rename(path)
    except OSError as error:
        raise ProtocolError(f"Cannot write {path}: {error.strerror}.", "Choose a folder you may write to.") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return path


def _algorithm(name: str, task: type[Task], template: Path) -> str:
    source = template.read_text(encoding="utf-8")
    body = re.sub(r'^""".*?"""\n', "", source, count=1, flags=re.DOTALL)
    own = vars(task).get("__annotations__", {})
    fields = "".join(f"- task.{field}: {kind}\n" for field, kind in own.items())
    model = _OF_DOCUMENTS if own.get("model") == "LanguageModel" else _OF_ROWS
    module = task.__module__.replace(".", "/")
    return _HEADER.format(name=name, task_class=task.__name__, module=module, fields=fields, model=model) + body
