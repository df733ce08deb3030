"""Data sets, fixed models and tracks from elsewhere: installed packages, and modules in an organiser's own directory.

An installed package names its classes as entry points of the groups ``harness.datasets``, ``harness.models`` and
``harness.tracks``; a directory's class is ``module:Class``, where the module is a file or a package in it. Beside its
code a package may hold ``conf/`` and ``submissions/``, which are searched like the shipped ones.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from harness.errors import BenchmarkError, ProtocolError

_NAME = re.compile(r"([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")
_GROUPS = ("harness.datasets", "harness.models", "harness.tracks")


@dataclass(frozen=True)
class Plugin:
    """Python sources of one top-level module or package, by path below the directory it is imported from."""

    name: str
    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """SHA-256 over paths and contents: what a fingerprint relies on."""
        sha = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            sha.update(f"{path}\0{len(content)}\0".encode())
            sha.update(content)
        return sha.hexdigest()


_LOADED: dict[str, Plugin] = {}  # by the name it is imported under, as its sources were at that moment


@functools.cache
def entry_points(group: str) -> dict[str, str]:
    """Entry points of a group: name -> ``module:Class``."""
    return {entry.name: entry.value for entry in importlib.metadata.entry_points(group=group)}


@functools.cache
def packages() -> tuple[Path, ...]:
    """Where the packages with entry points are: their folders, or files; those not found are left out."""
    names = {value.partition(":")[0].partition(".")[0] for group in _GROUPS for value in entry_points(group).values()}
    return tuple(path for name in sorted(names) if (path := _installed(name)) is not None)


def folders(name: str) -> list[Path]:
    """The folders of this name (``conf``, ``submissions``) in the packages with entry points."""
    return [package / name for package in packages() if (package / name).is_dir()]


def load(what: str, reference: str, root: Path | None = None) -> type[Any]:
    """The class that ``module:Class`` names: of the directory ``root``, or installed where there is none.

    Raises ProtocolError: no such module or class, or it fails when it is imported.
    """
    match = _NAME.fullmatch(reference)
    if match is None:
        raise ProtocolError(f"{reference!r:.200} does not name a {what}.", "Write module:Class, as loader:Patients.")
    top, below, cls = match.groups()
    if root is not None:
        top = _admit(what, top, root)
    elif top not in _LOADED:
        path = _installed(top)
        if path is None:
            raise ProtocolError(f"The {what} {reference!r} is in no installed package: there is no {top}.")
        _LOADED[top] = Plugin(top, _sources(path))
    try:
        found = getattr(import_module(top + below), cls, None)
    except (Exception, SystemExit) as error:  # somebody else's code, which may raise anything
        raise ProtocolError(
            f"The {what} {reference!r} cannot be imported: {_told(error)}.",
            "A plug-in of several files is a package, whose modules import each other with a dot (from .helper import x).",
        ) from error
    if not isinstance(found, type):
        raise ProtocolError(f"The module of the {what} {reference!r} has no class {cls}.")
    return found


def of(cls: type[Any]) -> Plugin | None:
    """The plug-in a class was loaded from; None for the harness's own."""
    return _LOADED.get(cls.__module__.partition(".")[0])


@contextmanager
def said(cls: type[Any], what: str) -> Iterator[None]:
    """An error of a plug-in's own code inside becomes one paragraph that names its file and line."""
    try:
        yield
    except Exception as error:
        if isinstance(error, BenchmarkError) or of(cls) is None:
            raise
        raise ProtocolError(f"The {what} {cls.__name__} failed: {_told(error)}.", "It is a plug-in's.") from error


def module_of(cls: type[Any]) -> tuple[str, bytes]:
    """Path and source of the one module that holds a plug-in's class. Raises KeyError for the harness's own."""
    plugin, path = _LOADED[cls.__module__.partition(".")[0]], cls.__module__.replace(".", "/")
    name = f"{path}.py" if f"{path}.py" in plugin.files else f"{path}/__init__.py"
    return name, plugin.files[name]


def receive(plugin: Plugin, folder: Path) -> None:
    """Make another machine's plug-in importable here, from ``folder``, unless this machine has one of its name installed."""
    if plugin.name in _LOADED:
        return
    if (path := _installed(plugin.name)) is not None:
        _LOADED[plugin.name] = Plugin(plugin.name, _sources(path))
        return
    for name, content in plugin.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    sys.path.append(str(folder))
    importlib.invalidate_caches()
    _LOADED[plugin.name] = plugin


def _admit(what: str, module: str, root: Path) -> str:
    """Import a directory's module under a name that tells its content; returns that name.

    Two directories, or two states of one, thus never share a module, and nothing else in the directory is importable.
    """
    path = next(
        (p for p in (root / f"{module}.py", root / module) if p.is_file() or (p / "__init__.py").is_file()), None
    )
    if path is None:
        raise ProtocolError(
            f"The {what} is to come from the module {module!r}, and {root} holds neither {module}.py nor {module}/.",
            "The name is module:Class, the module in the config directory itself.",
        )
    sources = _sources(path)
    name = f"plugin_{Plugin(module, sources).digest[:12]}_{module}"
    if name in _LOADED:
        return name
    renamed = {re.sub(rf"^{module}(?=[./])", name, file): content for file, content in sources.items()}
    search = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(
        name, path / "__init__.py" if search else path, submodule_search_locations=search
    )
    assert spec is not None
    assert spec.loader is not None
    loaded: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    _LOADED[name] = Plugin(name, renamed)
    try:
        spec.loader.exec_module(loaded)
    except (Exception, SystemExit) as error:  # somebody else's code, which may raise anything
        del sys.modules[name], _LOADED[name]
        raise ProtocolError(
            f"{path} cannot be imported: {_told(error)}.",
            "A plug-in of several files is a package, whose modules import each other with a dot (from .helper import x).",
        ) from error
    return name


def _installed(module: str) -> Path | None:
    """Folder of an installed package, or the file of an installed module."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    origin = Path(spec.origin)
    return origin.parent if spec.submodule_search_locations else origin


def _sources(path: Path) -> dict[str, bytes]:
    """Python files of a package or module, by path below the directory it is imported from."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    try:
        return {file.relative_to(path.parent).as_posix(): file.read_bytes() for file in files}
    except OSError as error:
        raise ProtocolError(f"{error.filename} cannot be read: {error.strerror}.") from error


def _told(error: BaseException) -> str:
    """What somebody else's code raised, and in which line."""
    tb, where = error.__traceback__, ""
    while tb is not None:
        where = f" ({Path(tb.tb_frame.f_code.co_filename).name}, line {tb.tb_lineno})"
        tb = tb.tb_next
    if isinstance(error, SyntaxError):
        where = f" (line {error.lineno})"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{where}"
