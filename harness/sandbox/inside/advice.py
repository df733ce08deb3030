"""Inside the sandbox: what to do about an exception that left the participant's code, in one sentence."""

from __future__ import annotations

import dataclasses
import difflib
import errno
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from harness import api

INSTALLED = ("numpy", "scipy", "sklearn", "pandas", "matplotlib", "torch", "joblib")  # named where one is missing
_DISTRIBUTIONS = {  # import name -> the name to ask for, where it is another
    "attr": "attrs", "bs4": "beautifulsoup4", "community": "python-louvain", "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil", "faiss": "faiss-cpu", "git": "gitpython", "imblearn": "imbalanced-learn",
    "PIL": "pillow", "skactiveml": "scikit-activeml", "skimage": "scikit-image", "sklearn": "scikit-learn",
    "sklearn_extra": "scikit-learn-extra", "skopt": "scikit-optimize", "umap": "umap-learn", "yaml": "pyyaml",
}  # fmt: skip
_NO_LANDLOCK = (
    "Under Landlock there are no shared memory and no sockets with an address, so multiprocessing's managers, shared "
    "memory and forkserver and DataLoader workers fail; they work in bubblewrap. Pools and queues of processes, joblib and "
    "threads work in both."
)


def of(error: BaseException, folder: Path, *, landlock: bool = False) -> str:
    """A sentence to put behind the exception's own text; empty where there is nothing to add.

    folder: of the submission, as seen inside. landlock: whether that is what holds this process.
    """
    for known in (_import, _database, _file, _shadowed_attribute, _task, _read_only, _argument):
        if said := known(error, folder):
            return said
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return "At most 1,024 files may be open at a time: close them (`with open(...)`)."
    return _landlock(error) if landlock else ""


def _import(error: BaseException, folder: Path) -> str:
    if not isinstance(error, ImportError):
        return ""
    text, name = str(error), error.name or ""
    if "relative import" in text:
        return "The files of a submission are no package: write `from helper import ...`, without the dot."
    top = name.partition(".")[0]
    if top == "harness":
        return "Of the harness, only harness.api and harness.models are in the sandbox."
    if said := _shadowed(top, folder):
        return said
    if "partially initialized" in text:
        return "Two of the submission's files import each other: move what both need into a third."
    if isinstance(error, ModuleNotFoundError):
        return _missing(name, top, folder)
    wanted = re.match(r"cannot import name '(\w+)'", text)
    module = sys.modules.get(name)
    if wanted and module is not None and _own_file(module, folder):
        near = difflib.get_close_matches(wanted[1], vars(module), n=1)
        return f"{_relative(module, folder)} does not define it" + (f"; did you mean {near[0]}?" if near else ".")
    return ""


def _missing(name: str, top: str, folder: Path) -> str:
    own = sorted(set(_modules(folder)))
    for module in own:
        if module.rpartition(".")[2] == top and "." in module:
            return f"It lies in a folder: write `from {module.rpartition('.')[0]} import {top}`."
    if top in own:
        return f"The submission's {top} holds no {name.partition('.')[2]}."
    there = [package for package in INSTALLED if _found(package)]
    near = difflib.get_close_matches(top, [*own, *there], n=1, cutoff=0.75)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(there)} and what these need. {_ask(top)}"
    return f"The submission has no file {top}.py, and no package {top} is installed in the sandbox; {hint}"


def _ask(top: str) -> str:
    asked = _DISTRIBUTIONS.get(top, top.replace("_", "-"))
    known = f" ({asked} is the package's name)" if top in _DISTRIBUTIONS else ""
    return f"If the challenge allows packages, write `requires: [{asked}]` into submission.yaml{known}."


def _shadowed(top: str, folder: Path) -> str:
    """For a file of the submission that has the name of another module, which was imported in its place."""
    module = sys.modules.get(top)
    own = next((path for path in (folder / f"{top}.py", folder / top) if top and path.exists()), None)
    if own is None or module is None or _own_file(module, folder):
        return ""
    kind = "a standard module" if top in sys.stdlib_module_names else "an installed package"
    return f"The submission's {own.name} has the name of {kind}, which is imported in its place: rename it."


def _database(error: BaseException, _folder: Path) -> str:
    """For sqlite3, also where pandas or another library wraps it: locks are closed, and what is read-only stays so."""
    if not any(kind.__name__ == "DatabaseError" for kind in type(error).__mro__):
        return ""
    if re.search(r"database is locked|disk I/O error|unable to open|readonly database", str(error)):
        return (
            "There are no file locks in a cell, and databases are written in the working directory alone: "
            "use ':memory:' or 'file:x.db?nolock=1' with uri=True."
        )
    return ""


def _shadowed_attribute(error: BaseException, folder: Path) -> str:
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return _shadowed(error.obj.__name__, folder)
    return ""


def _file(error: BaseException, folder: Path) -> str:
    if not isinstance(error, OSError) or error.errno not in (errno.ENOENT, errno.EROFS, errno.EACCES, None):
        return ""
    named = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    if not named:  # numpy's readers name it in the text alone
        named = next((word for word in re.split(r"[\s'\"]+", str(error)) if (folder / word).is_file()), "")
    path = Path(named)
    inside = path.is_relative_to(folder)
    if inside and error.errno in (errno.EROFS, errno.EACCES):
        return "The submission's folder is read-only: write to the working directory, which is temporary."
    if isinstance(error, FileNotFoundError) and inside:
        near = difflib.get_close_matches(path.name, [p.name for p in folder.rglob("*") if p.is_file()], n=1)
        return f"The submission holds no {path.relative_to(folder)}" + (f"; it has {near[0]}." if near else ".")
    if isinstance(error, FileNotFoundError) and named and not path.is_absolute() and (folder / path).is_file():
        return (
            "The working directory is an empty temporary one, not the submission's: "
            f"open Path(__file__).parent / {str(path)!r} (from pathlib import Path)."
        )
    return ""


def _task(error: BaseException, _folder: Path) -> str:
    if isinstance(error, AttributeError) and isinstance(error.obj, api.Task):
        given = [field.name for field in dataclasses.fields(error.obj) if vars(error.obj).get(field.name) is not None]
        return f"It has {', '.join(given)}."
    return ""


def _read_only(error: BaseException, _folder: Path) -> str:
    if isinstance(error, ValueError) and "read-only" in str(error):
        return "The arrays of the task cannot be changed: work on a copy, e.g. task.X.copy()."
    return ""


def _argument(error: BaseException, folder: Path) -> str:
    if isinstance(error, TypeError) and "positional argument" in str(error) and not any(_frames(error, folder)):
        return "The function is called with one argument, the task."
    return ""


def _landlock(error: BaseException) -> str:
    if "shared memory object" in str(error):  # torch's own words
        return _NO_LANDLOCK
    if _in_children(error) or any(name.endswith("/socket.py") for name in _frames(error, Path("/"))):
        return _NO_LANDLOCK if isinstance(error, OSError | EOFError) else ""
    named = getattr(error, "filename", None)
    if isinstance(error, PermissionError) and isinstance(named, str) and named.startswith(("/tmp", "/var/tmp")):
        return "Under Landlock the private temporary directory is tempfile.gettempdir(), also the working directory."
    return ""


def broken_child(error: BaseException) -> bool:
    """Whether this says no more than that another process, started by the submission, failed."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & {"BrokenExecutor", "CalledProcessError"} or "DataLoader worker" in str(error):
        return True
    return isinstance(error, EOFError | ConnectionError) and _in_children(error)


def _in_children(error: BaseException) -> bool:
    """Whether it was raised where the standard library or torch looks after other processes."""
    files = _frames(error, Path("/"))
    return any(re.search(r"/(multiprocessing|concurrent/futures|torch/utils/data)/", name) for name in files)


def _frames(error: BaseException, folder: Path) -> Iterator[str]:
    """Files of the traceback's frames below ``folder``."""
    tb = error.__traceback__
    while tb is not None:
        if Path(tb.tb_frame.f_code.co_filename).is_relative_to(folder):
            yield tb.tb_frame.f_code.co_filename
        tb = tb.tb_next


def _modules(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _own_file(module: ModuleType, folder: Path) -> bool:
    found = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    return any(isinstance(name, str) and Path(name).is_relative_to(folder) for name in found)


def _relative(module: ModuleType, folder: Path) -> str:
    return str(Path(module.__file__ or module.__name__).relative_to(folder))


def _found(package: str) -> bool:
    return any((Path(entry) / package).is_dir() for entry in sys.path)
