"""Landlock through its three system calls: from here on this process sees only the paths it was granted.

Standard library only. https://docs.kernel.org/userspace-api/landlock.html; call numbers are the same everywhere.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8
MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM, REFER, TRUNCATE = (1 << bit for bit in range(9, 15))
IOCTL_DEV = 1 << 15
_FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
_NET = 0b11  # bind and connect TCP
_SCOPES = 0b11  # abstract Unix sockets and signals outside the domain

MINIMUM_ABI = 3  # Linux 6.2; before that, files that may be read could be truncated
READ = EXECUTE | READ_FILE | READ_DIR
SCRATCH = (
    READ_FILE
    | READ_DIR
    | WRITE_FILE
    | TRUNCATE
    | MAKE_REG
    | MAKE_DIR
    | MAKE_SYM
    | MAKE_FIFO
    | REMOVE_FILE
    | REMOVE_DIR
    | REFER
)
OUTPUT = (SCRATCH & ~REFER) | MAKE_SOCK  # odd files may be made there; the reader refuses them
DEVICE = READ_FILE | WRITE_FILE


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """Version of Landlock in this kernel, 0 where there is none."""
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE, None, 0, 1)))


def restrict(grants: Iterable[tuple[str, int]], version: int) -> None:
    """Keep this process and its descendants to ``grants``: pairs of path and rights; absent paths are left out.

    ``version`` is what :func:`abi` said; rights and scopes the kernel does not know are not asked for.
    Raises OSError if the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def call(*arguments: object) -> int:
        result = int(libc.syscall(*arguments))
        if result < 0:
            raise OSError(ctypes.get_errno(), f"landlock: {os.strerror(ctypes.get_errno())}")
        return result

    known = (1 << (13 if version < 2 else 14 if version < 3 else 15 if version < 5 else 16)) - 1
    rules = _Ruleset(known, _NET if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = call(_CREATE, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    for path, rights in grants:
        try:
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _FILE_RIGHTS
        if rights & known:
            rule = _PathBeneath(rights & known, fd)
            call(_ADD_RULE, ruleset, 1, ctypes.byref(rule), 0)
        os.close(fd)
    if libc.prctl(38, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
    call(_RESTRICT, ruleset, 0)
    os.close(ruleset)
