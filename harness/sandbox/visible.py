"""What a cell may see of this machine: interpreter, standard library, installed packages, system libraries. No more."""

from __future__ import annotations

import functools
import importlib.util
import marshal
import os
import site
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness import plugins

# Data sets that libraries carry with them: a cell that could load them could look hidden labels up.
BUNDLED = (
    "sklearn/datasets/data", "sklearn/datasets/images", "sklearn/datasets/tests", "scipy/io/arff/tests",
    "scipy/spatial/tests", "matplotlib/mpl-data/sample_data", "statsmodels/datasets", "skimage/data",
    "plotly/package_data/datasets", "vega_datasets/_data", "seaborn/data", "nltk_data", "pydataset", "palmerpenguins",
    "river/datasets", "sktime/datasets", "aeon/datasets", "tslearn/.cached_datasets", "pmlb", "ucimlrepo",
)  # fmt: skip
_SHIPPED = (
    "api",
    "errors.py",
    "registry.py",
    "models",
    "sandbox/inside",
)  # of the harness: all that exists in a cell


@dataclass(frozen=True)
class Visible:
    """Absolute paths on this machine."""

    python: str  # the base interpreter, links resolved
    site: tuple[str, ...]  # where numpy and the others are installed
    roots: tuple[str, ...]  # readable, with everything below
    masked: tuple[str, ...]  # but not these

    def path(self) -> str:
        """PATH inside."""
        return f"{os.path.dirname(self.python)}:/usr/bin:/bin"  # noqa: PTH120


@functools.cache
def visible() -> Visible:
    """What the running interpreter needs, computed once."""
    python = Path(getattr(sys, "_base_executable", sys.executable) or sys.executable).resolve()
    prefix = python.parent.parent
    packages = tuple(p for p in sys.path if Path(p).name in ("site-packages", "dist-packages") and Path(p).is_dir())
    numpy = importlib.util.find_spec("numpy")
    home = str(Path(numpy.origin).parents[1]) if numpy and numpy.origin else ""
    in_use = tuple(dict.fromkeys(p for p in packages if p != site.getusersitepackages() or p == home))
    wanted = [
        str(python), *(str(prefix / name) for name in ("lib", "lib64")), sysconfig.get_path("stdlib"), *in_use,
        "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/bin", "/etc/ld.so.cache", "/etc/alternatives",
    ]  # fmt: skip
    roots = _outermost(Path(p) for p in wanted if Path(p).exists())
    masked: list[str] = []
    for root in roots:
        for pattern in ("lib/python*", "python*", "../local/lib/python*"):
            folders = sorted(Path(root).glob(f"{pattern}/*-packages"))
            masked += [os.path.normpath(folder) for folder in folders if str(folder) not in in_use and folder.is_dir()]
    for packages_dir in map(Path, in_use):
        own = ["harness"] if (packages_dir / "harness").is_dir() else []
        masked += [str(packages_dir / name) for name in (*bundled(packages_dir), *own)]
    masked += map(str, plugins.packages())  # they may hold data and keys
    below = [m for m in dict.fromkeys(masked) if any(_is_below(m, root) for root in roots)]
    return Visible(str(python), in_use, roots, tuple(below))


def cover(mask: str, empty: Path) -> str:
    """What is mounted over a masked path: an empty folder, or nothing where it is a file."""
    return str(empty) if Path(mask).is_dir() else os.devnull


def _outermost(paths: Iterable[Path]) -> tuple[str, ...]:
    unique = sorted({os.path.normpath(p) for p in paths})
    return tuple(p for p in unique if not any(_is_below(p, other) for other in unique))


def _is_below(path: str, root: str) -> bool:
    return path.startswith(root.rstrip("/") + "/")


@functools.cache
def readable() -> tuple[str, ...]:
    """The roots without what is masked, as :func:`without` gives them."""
    return without(visible().roots, visible().masked)


def without(roots: Iterable[str], masked: Iterable[str]) -> tuple[str, ...]:
    """The roots without what is masked, as the shortest list of paths: for Landlock, which can only grant."""
    masked = set(masked)
    found: list[str] = []
    todo = list(roots)
    while todo:
        path = todo.pop()
        if path in masked:
            continue
        if any(_is_below(mask, path) for mask in masked):
            todo += [entry.path for entry in os.scandir(path)]
        else:
            found.append(path)
    return tuple(sorted(found))


def bundled(packages: Path) -> tuple[str, ...]:
    """Data sets that packages installed into a folder carry, relative to it."""
    return tuple(name for name in BUNDLED if (packages / name).is_dir())


@functools.cache
def code() -> dict[str, bytes]:
    """The few modules of the harness that exist inside, with bytecode: path below the code folder -> content."""
    package = Path(__file__).parents[1]
    files = {
        "harness/__init__.py": b'"""The part of the harness that exists inside the sandbox."""\n',
        "harness/sandbox/__init__.py": b"",
        "sitecustomize.py": b"from harness.sandbox.inside import semaphores\n\nsemaphores.install()\n",  # of children
    }
    for name in _SHIPPED:
        sources = sorted((package / name).rglob("*.py")) if (package / name).is_dir() else [package / name]
        for source in sources:
            files[f"harness/{source.relative_to(package).as_posix()}"] = source.read_bytes()
    for name in list(files):
        cached = importlib.util.cache_from_source(name, optimization="")
        # header of an unchecked hash-based .pyc (PEP 552): never compared with the source again
        header = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + bytes(8)
        files[cached] = header + marshal.dumps(compile(files[name], f"/{name}", "exec", dont_inherit=True))
    return files
