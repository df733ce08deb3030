"""Where the engine's arrays live: numpy on the CPU, torch on CUDA, behind the handful of names both share.

NumPy carries the CPU path because a fresh worker process imports it in a tenth of torch's time and its matrix
products are as fast. Everything the engine calls on ``backend.xp`` (``matmul``, ``exp``, ``sum``, ``where`` and so
on, with ``out=``) means the same in both modules.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from harness.errors import HarnessError

T = TypeVar("T")
R = TypeVar("R")
Tensor = Any  # numpy array or torch tensor, as the backend says


def cuda_device_present() -> bool:
    """Whether it is worth importing torch to look for CUDA: a driver's device node exists."""
    return any(Path(p).exists() for p in ("/dev/nvidiactl", "/dev/dxg", "/dev/nvhost-gpu"))


def resolve_device(device: str) -> str:
    """``"cpu"`` or ``"cuda"`` for auto, cpu or cuda; imports torch only where a GPU's driver is.

    Raises HarnessError if CUDA is asked for and torch finds none.
    """
    if device == "cpu" or (device == "auto" and not cuda_device_present()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise HarnessError("device=cuda was asked for, but torch finds no CUDA device.", "Use device=auto or cpu.")
    return "cpu"


_granted: list[int] = []


@contextlib.contextmanager
def granted(count: int) -> Iterator[None]:
    """The engine spreads over ``count`` cores inside, whatever this process may use: others are at work beside it."""
    _granted.append(count)
    try:
        yield
    finally:
        _granted.pop()


def cores() -> int:
    """Cores the engine may use: those granted, else all of this process; OMP_NUM_THREADS, where set, is obeyed."""
    if _granted:
        return _granted[-1]
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(allowed, int(wanted)) if wanted.isdigit() else allowed)


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """One thread for BLAS calls inside.

    Waking threads for small products costs more than they bring, and a large product over several threads differs in its
    last bits with their number. Cores are kept busy by whole chunks and by other workers' cells: neither workers nor cores
    change an answer.
    """
    with _blas().limit(limits=1, user_api="blas"):
        yield


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Torch operations of this thread use ``count`` threads; as before afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Backend:
    """One device's array module. ``Backend.of("cpu")`` is numpy, ``Backend.of("cuda")`` torch."""

    xp: Any
    device: str
    is_torch: bool

    @staticmethod
    def of(device: str, torch_on_cpu: bool = False) -> Backend:
        """The backend of a resolved device; ``torch_on_cpu`` runs the CUDA code on the CPU (for tests)."""
        if device == "cpu" and not torch_on_cpu:
            return Backend(np, "cpu", False)
        import torch

        return Backend(torch, device, True)

    def dtype(self, name: str) -> Any:
        """``"float32"`` or ``"float64"`` as this module's dtype."""
        return getattr(self.xp, name)

    def put(self, array: npt.NDArray[Any], dtype: str | None = None) -> Tensor:
        """A numpy array on this device; without a copy where there is no need for one."""
        array = np.ascontiguousarray(array, dtype=dtype)
        if not self.is_torch:
            return array
        return self.xp.from_numpy(array if array.flags.writeable else array.copy()).to(self.device)

    def contiguous(self, array: Tensor) -> Tensor:
        """The array in the order of its axes in memory; copied if it is a view that is not."""
        return array.contiguous() if self.is_torch else np.ascontiguousarray(array)

    def rows(self, array: Tensor, index: Tensor) -> Tensor:
        """``array[index]`` along the first axis, [..., d] from [n, d] and an index of any shape."""
        return array[index] if self.is_torch else array.take(index, axis=0)

    def get(self, array: Tensor) -> npt.NDArray[Any]:
        """An array of this device as numpy."""
        return array.cpu().numpy() if self.is_torch else np.asarray(array)

    def zeros(self, shape: Sequence[int], dtype: str = "float32") -> Tensor:
        if self.is_torch:
            return self.xp.zeros(tuple(shape), dtype=self.dtype(dtype), device=self.device)
        return np.zeros(tuple(shape), dtype)

    def empty(self, shape: Sequence[int], dtype: str = "float32") -> Tensor:
        if self.is_torch:
            return self.xp.empty(tuple(shape), dtype=self.dtype(dtype), device=self.device)
        return np.empty(tuple(shape), dtype)

    def map(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """``[work(i) for i in items]``; on the CPU a thread per core, each with one BLAS thread."""
        if self.device != "cpu":
            return [work(item) for item in items]
        workers = min(cores(), len(items))
        with one_blas_thread():
            if workers <= 1:
                return [work(item) for item in items]
            # torch counts threads per calling thread: each worker has to be told
            setup = (lambda: self.xp.set_num_threads(1)) if self.is_torch else None
            with ThreadPoolExecutor(workers, initializer=setup) as pool:
                return list(pool.map(work, items))

    def map_halving(
        self,
        work: Callable[[npt.NDArray[np.int64]], None],
        parts: Sequence[npt.NDArray[np.int64]],
    ) -> None:
        """``work`` on every part; a part for which memory runs out is tried again as two halves.

        Raises HarnessError where it runs out for a part of one.
        """

        def attempt(part: npt.NDArray[np.int64]) -> None:
            try:
                work(part)
            except Exception as error:
                if not self.out_of_memory(error):
                    raise
                if len(part) < 2:
                    raise HarnessError(
                        f"Memory of the {self.device} device ran out while training one model.",
                        "Use a smaller data set" + (", or device=cpu." if self.device != "cpu" else "."),
                    ) from error
            else:
                return
            attempt(part[: len(part) // 2])
            attempt(part[len(part) // 2 :])

        self.map(attempt, list(parts))

    def free_memory(self) -> int:
        """Bytes free on a CUDA device, those torch holds in reserve among them; 2 GiB elsewhere."""
        if self.device != "cuda":
            return 2 * 2**30
        cuda = self.xp.cuda
        return int(cuda.mem_get_info()[0] + cuda.memory_reserved() - cuda.memory_allocated())

    def out_of_memory(self, error: Exception) -> bool:
        """Whether an exception means that this device's memory is full."""
        return isinstance(error, (MemoryError, self.xp.OutOfMemoryError) if self.is_torch else MemoryError)
