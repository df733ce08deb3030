"""A seccomp filter as BPF bytes: the system calls a cell may use (harness/sandbox/inside/syscalls.py) and with which arguments.

Standard library only: it is loaded by bubblewrap from a file descriptor, or by the launcher on itself. What is not
listed fails with ENOSYS, so that libraries fall back as on an older kernel (``clone3`` to ``clone``, whose flags a
filter can see); a refused argument fails with EPERM.

Futexes need more than a list. One without the private flag is known to the kernel by file and offset, even in a mapping
that is private and read-only, so two cells could wait for and wake each other at any address of libc. Such waits are
answered "try again" (EAGAIN), which every caller has to expect: who waits for another process of its own cell looks again
and again instead of sleeping.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from errno import EAGAIN, ENOLCK, ENOSYS, EPERM

from harness.sandbox.inside import syscalls

_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _AND, _JEQ, _JGE, _JSET, _RET = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_NR, _ARCH, _ARGS = 0, 4, 16  # offsets in struct seccomp_data; arguments are 8 bytes each, little endian
_ARCHES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}

_CLONE_NEW = 0x7E020000  # user, pid, net, ipc, uts, cgroup and mount namespaces
_AF_UNIX = 1
_KINDS_OF_PAIR = (1, 5, 2)  # SOCK_STREAM, SOCK_SEQPACKET stay a pair; SOCK_DGRAM could send to any socket with a path
_HUGE_PAGES = 0x40000, 0x4  # MAP_HUGETLB, MFD_HUGETLB: from a pool that all of the machine shares
_ADVICE = (0, 1, 2, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23)  # of madvise: what concerns one's own memory
_WAITS, _PRIVATE, _COMMAND = (0, 9, 11), 128, 127  # FUTEX_WAIT, _WAIT_BITSET, _WAIT_REQUEUE_PI; flag; mask
_DESCRIPTORS = (0, 1, 2, 3, 4, 9, 11, 1030, 1032, 1033, 1034)
"""Of fcntl: duplicating, flags, who gets signals (F_GETOWN, F_GETSIG), a pipe's size, seals. No locks, leases,
notification, hints, and no larger pipes, which count against one limit of the user."""
_TO_WHOM = (8, 10)  # F_SETOWN, F_SETSIG: a signal to whom it says
_TERMINAL = (0x5401, 0x540F, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
"""Of ioctl: TCGETS, TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX. None that changes a file's flags."""

Code = list[tuple[int, int, int, int]]


def supported() -> bool:
    """Whether the filter knows this machine's architecture."""
    return os.uname().machine in _ARCHES


def program(*, namespaces: bool, signal_only: int | None = None, gpu: bool = False) -> bytes:
    """The filter as an array of ``struct sock_filter``.

    Parameters
    ----------
    namespaces: True where the process has namespaces and mounts of its own (then Unix sockets and System V IPC are
        harmless); False leaves out all sockets, shared IPC and calls that touch other processes.
    signal_only: the only process id that may be signalled, where nothing else scopes signals (Landlock before ABI 6).
    gpu: with what a GPU's driver needs.
    """
    column, audit = _ARCHES[os.uname().machine]

    def number(name: str) -> int | None:
        return listed[name][column]

    groups = [
        syscalls.READING, syscalls.WRITING, syscalls.MEMORY, syscalls.PROCESSES, syscalls.SIGNALS, syscalls.CLOCKS,
        syscalls.CHANNELS, syscalls.MODES, syscalls.PROCESS_IDS, syscalls.LOOKED_AT, syscalls.ADVICE,
    ]  # fmt: skip
    groups += [syscalls.NAMESPACED] if namespaces else []
    groups += [syscalls.DRIVER] if gpu else []
    listed = {name: numbers for group in groups for name, numbers in group.items()}

    looked_at: dict[str, Code] = {
        "clone": _unless_bits(0, _CLONE_NEW),
        "socket": _only(0, (_AF_UNIX,) if namespaces else ()),
        "socketpair": _only(1, _KINDS_OF_PAIR[: 3 if namespaces else 2], mask=0xF),
        "fcntl": _only(1, (*_DESCRIPTORS, *_TO_WHOM) if namespaces else _DESCRIPTORS, ENOLCK),
        "mmap": _unless_bits(3, _HUGE_PAGES[0]),
        "memfd_create": _unless_bits(1, _HUGE_PAGES[1]),
        "madvise": _only(2, _ADVICE, 0),  # done, without doing it
        "futex": _futex(),
    }
    looked_at |= {} if gpu else {"ioctl": _only(1, _TERMINAL)}
    pretended = syscalls.ADVICE if namespaces else {**syscalls.ADVICE, **syscalls.MODES}
    looked_at |= {name: [(_RET, 0, 0, _ERRNO | 0)] for name in pretended}
    if not namespaces:  # of calls that take a process id, 0 is oneself
        looked_at |= {name: _only(0, (0,)) for name in ("prlimit64", "sched_setaffinity")}
    if signal_only is not None:
        looked_at |= {
            name: _only(0, (signal_only,))
            for name in ("kill", "tgkill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
        }

    code: Code = [(_LOAD, 0, 0, _ARCH), (_JEQ, 1, 0, audit), (_RET, 0, 0, _KILL), (_LOAD, 0, 0, _NR)]
    if column == 0:  # the x32 calls share the architecture and differ by one bit
        code += [(_JGE, 0, 1, 0x40000000), (_RET, 0, 0, _ERRNO | ENOSYS)]
    for name in listed:
        if (nr := number(name)) is not None:
            then = looked_at.get(name, [(_RET, 0, 0, _ALLOW)])
            code += [(_JEQ, 0, len(then), nr), *then]
    code.append((_RET, 0, 0, _ERRNO | ENOSYS))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _only(argument: int, values: Iterable[int], error: int = EPERM, mask: int = 0xFFFFFFFF) -> Code:
    """Allow the call with one of these values (low half, masked) of an argument; ``error`` 0 pretends success."""
    tests = [instruction for value in values for instruction in ((_JEQ, 0, 1, value), (_RET, 0, 0, _ALLOW))]
    return [(_LOAD, 0, 0, _ARGS + 8 * argument), (_AND, 0, 0, mask), *tests, (_RET, 0, 0, _ERRNO | error)]


def _unless_bits(argument: int, bits: int) -> Code:
    """Allow the call if none of these bits (low half) is set in an argument."""
    return [
        (_LOAD, 0, 0, _ARGS + 8 * argument), (_JSET, 0, 1, bits), (_RET, 0, 0, _ERRNO | EPERM), (_RET, 0, 0, _ALLOW)
    ]  # fmt: skip


def _futex() -> Code:
    waits = [instruction for op in _WAITS for instruction in ((_JEQ, 0, 1, op), (_RET, 0, 0, _ERRNO | EAGAIN))]
    return [
        (_LOAD, 0, 0, _ARGS + 8), (_JSET, 0, 1, _PRIVATE), (_RET, 0, 0, _ALLOW), (_AND, 0, 0, _COMMAND),
        *waits, (_RET, 0, 0, _ALLOW),
    ]  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def install(code: bytes) -> None:
    """Bind this process and all its descendants to the filter. Raises OSError if the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    filter_ = _Program(len(code) // 8, code)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(filter_), 0, 0):  # no_new_privs, seccomp
        number = ctypes.get_errno()
        raise OSError(number, f"seccomp: {os.strerror(number)}")
