"""Inside the sandbox: build the task, call the participant's function, leave its arrays in typed files.

Nothing here is trusted once the participant's code has been loaded: the other side reads what is left as if a stranger
had written every byte. This module and all it imports (``harness.api``, ``errors``, ``models``, ``sandbox.wire``) are
the only parts of the harness that exist in this process.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import importlib.machinery
import importlib.util
import json
import os
import resource
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np

from harness import api
from harness.errors import Status, SubmissionError
from harness.sandbox.inside import advice, semaphores, wire
from harness.sandbox.inside.returned import call, with_params

T = TypeVar("T")


def main(job: dict[str, Any]) -> NoReturn:
    """Run one cell and end the process. ``job`` is what the supervisor wrote into ``job.json``."""
    np.set_printoptions(threshold=100)
    semaphores.install()
    channel = socket.socket(fileno=job["channel"])
    channel.set_inheritable(False)
    if job["gpu"] and not gpu_visible():
        raise RuntimeError("The challenge grants a GPU, but the driver shows none inside the sandbox.")
    inside = Path(job["inputs"])
    fields: dict[str, Any] = dict.fromkeys(job["task"]["fields"]) | job["scalars"]
    fields |= {name: _mapped(inside, name) for name in job["arrays"]}
    for name in job["texts"]:
        fields[name] = api.Texts(_mapped(inside, name), _mapped(inside, f"{name}.offsets"))
    entropy = np.random.SeedSequence(job["entropy"])
    fields["rng"] = np.random.Generator(np.random.PCG64(entropy))
    fields["model"] = model = LazyModel(job["model"], job["model_class"], fields.get("max_fits"))
    task = task_class(job["task"])(**fields)
    names = tuple(job["task"]["outputs"])
    directory = os.open(job["outputs"], os.O_RDONLY | os.O_DIRECTORY)
    socket.send_fds(channel, [b"R"], [directory])
    os.close(directory)
    spare = os.open("/dev/null", os.O_RDONLY)  # for the report, should the submission use up all descriptors
    folder, outputs, landlock = Path(job["folder"]), Path(job["outputs"]), bool(job["confine"])

    report: dict[str, Any] = {"status": str(Status.OK), "reason": ""}
    try:
        function = load_function(folder, job["module"], job["function"], landlock=landlock)
        function = with_params(function, job["params"])
        arrays = call(function, task, names)
        if job["rounds"]:
            arrays = play(channel, function, task, names, arrays)
        write_outputs(outputs, arrays)
    except SubmissionError as error:
        report = {"status": str(error.status), "reason": str(error)[:4000]}
        print(report["reason"], file=sys.stderr)  # to the log, which may be all that keeps it
    except BaseException as error:  # noqa: BLE001 - whatever a stranger's code may raise, SystemExit included
        status, reason = blame(error, folder, landlock=landlock)
        report = {"status": str(status), "reason": reason[:4000], "child": safely(advice.broken_child, error)}
    with contextlib.suppress(OSError):
        os.close(spare)
    _finish(outputs, report | {"fits": model.fits})


def _mapped(inside: Path, name: str) -> wire.Array:
    """A read-only mapping: not even setflags(write=True) makes it writable, and no page is copied."""
    return np.asarray(np.load(inside / f"{name}.npy", mmap_mode="r", allow_pickle=False))


def task_class(described: Mapping[str, Any]) -> type[api.Task]:
    """The class of a task kind: the harness's own, or one made from the field names of a plug-in's."""
    kind = described["kind"]
    if kind in api.TASKS:
        return api.TASKS[kind]
    fields = [(name, Any, dataclasses.field(default=None, kw_only=True)) for name in described["fields"]]
    space = {"kind": kind, "outputs": tuple(described["outputs"])}
    return dataclasses.make_dataclass(f"{kind}_task", fields, bases=(api.Task,), namespace=space, frozen=True)


def for_children(folder: Path) -> dict[str, str]:
    """Variables that give the interpreters a submission starts what this one has: the same path in the same order.

    Set here rather than from outside: this interpreter itself must not read them. Nor shall those that multiprocessing
    starts have its ``-S``: without it they find the cell's ``sitecustomize``.
    """
    own = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    subprocess._args_from_interpreter_flags = lambda: [flag for flag in own if flag != "-S"]  # type: ignore[attr-defined]
    flags = ("PYTHONSAFEPATH", "PYTHONNOUSERSITE", "PYTHONDONTWRITEBYTECODE", "PYTHONUTF8")
    return dict.fromkeys(flags, "1") | {"PYTHONPATH": os.pathsep.join([*sys.path, str(folder)])}


def gpu_visible() -> bool:
    """Whether the driver shows a device, asked in a child: a process that has asked itself cannot fork users of it."""
    child = os.fork()
    if child == 0:
        seen = False
        with contextlib.suppress(BaseException):
            driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
            seen = driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
        os._exit(0 if seen else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _finish(outputs: Path, report: dict[str, Any]) -> NoReturn:
    try:
        if report["status"] != Status.OK:  # whatever was left is not wanted, and may fill the room for the report
            for path in outputs.iterdir():
                with contextlib.suppress(OSError):
                    path.unlink()
        _write(outputs / "report.json", json.dumps(report, default=repr).encode())
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(0)  # no atexit hooks, no waiting for threads


def load_function(folder: Path, module: str, function: str, *, landlock: bool = False) -> Callable[[Any], object]:
    """The submission's function, loaded by path; its folder comes last on ``sys.path``, so it shadows nothing.

    Compiled leftovers (``__pycache__``) in the folder are ignored: what runs is the source that was digested.
    Raises SubmissionError (``invalid_submission``) saying which file and line failed, or what is missing.
    """
    os.environ.update(for_children(folder))
    sys.path_hooks.insert(0, _source_only(str(folder)))
    sys.path.append(str(folder))
    path = folder / f"{module}.py"
    name = module if module not in sys.modules else f"submission_{module}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_SourceOnly(name, str(path)))
    if spec is None or spec.loader is None or not path.is_file():
        raise SubmissionError(f"{module}.py is not in the submission.", status=Status.INVALID_SUBMISSION)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded
    try:
        spec.loader.exec_module(loaded)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything
        print_traceback(error, str(folder))
        raise SubmissionError(
            f"{module}.py does not import: {describe(error, str(folder))}.",
            safely(advice.of, error, folder, landlock=landlock) or "",
            Status.INVALID_SUBMISSION,
        ) from None
    found = getattr(loaded, function, None)
    if not callable(found):
        raise SubmissionError(
            f"{module}.py has no function {function!r}.", "`entry` names it.", Status.INVALID_SUBMISSION
        )
    return found  # type: ignore[no-any-return]


class _SourceOnly(importlib.machinery.SourceFileLoader):
    def path_stats(self, path: Any) -> Mapping[str, Any]:
        raise OSError("no bytecode")  # makes the base class read and compile the source


def _source_only(folder: str) -> Callable[[str], importlib.machinery.FileFinder]:
    loaders = [
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
        (_SourceOnly, importlib.machinery.SOURCE_SUFFIXES),
    ]

    def hook(path: str) -> importlib.machinery.FileFinder:
        if path != folder and not path.startswith(folder + os.sep):
            raise ImportError
        return importlib.machinery.FileFinder(path, *loaders)

    return hook


class LazyModel:
    """The fixed model; torch is imported when it is first used. It trains ``allowed`` models, None: any number."""

    def __init__(self, settings: Mapping[str, Any], foreign: str | None = None, allowed: int | None = None) -> None:
        self._settings = dict(settings)
        self._n_classes = self._settings.pop("n_classes", None)
        self._device = self._settings.pop("device", "cpu")
        self._foreign = foreign  # module:Class of a plug-in's settings
        self._allowed = allowed
        self._loaded: Any = None

    @property
    def fits(self) -> int:
        """Models trained so far."""
        return 0 if self._loaded is None else int(self._loaded.fits)

    def _model(self) -> Any:
        if self._loaded is None:
            self._loaded = self.settings.build(device=self._device, n_classes=self._n_classes)
            self._loaded.allowed = self._allowed
        return self._loaded

    @property
    def settings(self) -> Any:
        """The pinned settings, defaults included, without importing torch."""
        if self._foreign:
            from harness import registry

            return registry.imported(self._foreign).model_validate(self._settings)
        from harness.models import model_settings

        return model_settings(**self._settings)

    def fit(self, *arguments: Any, **named: Any) -> Any:
        return self._model().fit(*arguments, **named)

    def fit_many(self, *arguments: Any, **named: Any) -> Any:
        return self._model().fit_many(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._model(), name)


def play(
    channel: socket.socket, function: Any, task: Any, names: tuple[str, ...], arrays: dict[str, wire.Array]
) -> dict[str, wire.Array]:
    """The protocol in rounds: send an output, get fields of the task to replace, call again, until told the end."""
    while True:
        wire.send_arrays(channel, arrays)
        fields = wire.receive_arrays(channel.recv, cap=1 << 40)
        if fields is None:
            return arrays
        for field in fields.values():
            field.setflags(write=False)
        task = dataclasses.replace(task, **{k: v.item() if v.ndim == 0 else v for k, v in fields.items()})
        arrays = call(function, task, names)


def write_outputs(outputs: Path, arrays: Mapping[str, wire.Array]) -> None:
    """One ``.npy`` file per array. Raises SubmissionError where they do not fit into what a cell may leave."""
    for name, array in arrays.items():
        try:
            _write(outputs / f"{name}.npy", wire.encode(array))
        except OSError as error:
            why = {
                errno.EMFILE: "the submission holds more open files than it may; close them",
                errno.EFBIG: "it is larger than a file may be here; return less",
                errno.ENOSPC: "it is larger than what the challenge lets a cell leave; return less",
            }.get(error.errno or 0, f"{error.strerror}; what a cell may leave is limited")
            raise SubmissionError(f"{name} ({array.nbytes / 2**20:.1f} MB) cannot be handed over: {why}.") from error


def _write(path: Path, data: bytes) -> None:
    with contextlib.suppress(OSError):
        path.unlink()  # whatever the submission may have put there
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))  # the submission may have lowered its own
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)


def blame(error: BaseException, folder: Path, *, landlock: bool = False) -> tuple[Status, str]:
    """Status and one-paragraph reason of an exception that left the participant's function."""
    said = describe(error, str(folder))
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in _text(error):
        return Status.OUT_OF_MEMORY, f"The submission ran out of memory: {said}."
    print_traceback(error, str(folder))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return Status.CONTRACT_VIOLATION, f"The submission wrote more than it may: {said}."
    if isinstance(error, Exception | KeyboardInterrupt):
        hint = safely(advice.of, error, folder, landlock=landlock) or ""
        return Status.CRASHED, f"The submission raised {said}. {hint}".rstrip()
    return Status.NO_OUTPUT, f"The submission ended by {said} without returning anything."


def safely(ask: Callable[..., T], *arguments: Any, **named: Any) -> T | None:
    """What a question about a stranger's exception answers; None where its own code fails at that."""
    try:
        return ask(*arguments, **named)
    except Exception:  # noqa: BLE001 - a stranger's exception may have code of its own
        return None


def describe(error: BaseException, folder: str) -> str:
    """``ValueError: text (algorithm.py, line 12)``: the innermost line that belongs to the submission."""
    where = ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f" ({os.path.basename(error.filename)}, line {error.lineno})"  # noqa: PTH119
        text = error.msg
    else:
        text = _text(error)
        for frame, line in traceback.walk_tb(error.__traceback__):
            if frame.f_code.co_filename.startswith(folder):
                where = f" ({os.path.relpath(frame.f_code.co_filename, folder)}, line {line})"
    return f"{type(error).__name__}{': ' if text else ''}{text}{where}"


def print_traceback(error: BaseException, folder: str) -> None:
    """To the log: the traceback from the submission's first frame on, without the harness's own."""
    try:
        sys.stdout.flush()
        tb = error.__traceback__
        while tb is not None and not tb.tb_frame.f_code.co_filename.startswith(folder):
            tb = tb.tb_next
        traceback.print_exception(type(error), error, tb, limit=30)
    except BaseException:  # noqa: BLE001 - likewise
        print(f"(the traceback of {type(error).__name__} cannot be printed)", file=sys.stderr)


def _text(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())[:1000]
    except BaseException:  # noqa: BLE001 - likewise
        return "(its text cannot be read)"
