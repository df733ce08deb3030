"""A seccomp filter as BPF bytes: system calls no algorithm needs and that reach the kernel, other processes or the net.

Standard library only: it is loaded by bubblewrap from a file descriptor, or by the launcher on itself. Refused calls
fail with EPERM (``clone3`` with ENOSYS, so that libc falls back to ``clone``, whose flags a filter can see).
Numbers: x86-64 and AArch64 tables of the Linux kernel (``unistd_64.h``, ``asm-generic/unistd.h``).
"""

from __future__ import annotations

import ctypes
import os
import struct
from errno import ENOSYS, EPERM

_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JEQ, _JGE, _JSET, _AND, _RET = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_NR, _ARCH, _ARG0, _ARG1 = 0, 4, 16, 24  # offsets in struct seccomp_data; arguments are 8 bytes each, little endian
_CLONE_NEW = 0x7E020000  # user, pid, net, ipc, uts, cgroup and mount namespaces
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET = 1, 1, 5

# name: (x86-64, AArch64); None where the architecture has no such call
_CALLS: dict[str, tuple[int | None, int | None]] = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "unshare": (272, 97), "setns": (308, 268), "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "acct": (163, 89), "quotactl": (179, 60), "syslog": (103, 116),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "sethostname": (170, 161), "setdomainname": (171, 162), "iopl": (172, None), "ioperm": (173, None),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264), "fanotify_init": (300, 262),
    "vhangup": (153, 58), "personality": (135, 92), "move_pages": (279, 239), "migrate_pages": (256, 238),
}  # fmt: skip

# What the mounts and namespaces of bubblewrap keep apart and Landlock does not: modes, owners, times and attributes of
# files, shared memory, queues, others' schedules.
_SHARED: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, None),
    "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "utime": (132, None), "utimes": (235, None),
    "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6),
    "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semctl": (66, 191),
    "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
    "setpriority": (141, 140), "ioprio_set": (251, 30), "sched_setattr": (314, 274), "sched_setscheduler": (144, 119),
}  # fmt: skip
_OWN_ONLY = {"prlimit64": (302, 261), "sched_setaffinity": (203, 122)}  # first argument a pid: only 0, oneself
_SIGNALS = {"kill": (62, 129), "tgkill": (234, 131), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138)}
_SOCKET, _SOCKETPAIR, _CLONE, _CLONE3 = (41, 198), (53, 199), (56, 220), (435, 435)
_ARCHES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def supported() -> bool:
    """Whether the filter knows this machine's architecture."""
    return os.uname().machine in _ARCHES


def program(*, namespaces: bool, signal_only: int | None = None) -> bytes:
    """The filter as an array of ``struct sock_filter``.

    Parameters
    ----------
    namespaces: True where the process has namespaces of its own (then Unix sockets and System V IPC are harmless);
        False refuses all sockets, shared IPC and calls that touch other processes.
    signal_only: the only process id that may be signalled, where nothing else scopes signals (Landlock before ABI 6).
    """
    column, audit = _ARCHES[os.uname().machine]
    deny = {**_CALLS} if namespaces else {**_CALLS, **_SHARED}
    code: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _ARCH), (_JEQ, 1, 0, audit), (_RET, 0, 0, _KILL), (_LOAD, 0, 0, _NR)
    ]  # fmt: skip
    if column == 0:  # the x32 calls share the architecture and differ by one bit
        code += [(_JGE, 0, 1, 0x40000000), (_RET, 0, 0, _ERRNO | EPERM)]
    for numbers in deny.values():
        if numbers[column] is not None:
            code += [(_JEQ, 0, 1, numbers[column] or 0), (_RET, 0, 0, _ERRNO | EPERM)]
    code += [(_JEQ, 0, 1, _CLONE3[column]), (_RET, 0, 0, _ERRNO | ENOSYS)]
    code += _argument(_CLONE[column], (_JSET, _CLONE_NEW), refuse_if=True)
    if namespaces:
        code += _argument(_SOCKET[column], (_JEQ, _AF_UNIX), refuse_if=False)
    else:
        code += [(_JEQ, 0, 1, _SOCKET[column]), (_RET, 0, 0, _ERRNO | EPERM)]
        code += [  # a pair of datagram sockets could send to any socket with a path; these two kinds stay a pair
            (_JEQ, 0, 6, _SOCKETPAIR[column]), (_LOAD, 0, 0, _ARG1), (_AND, 0, 0, 0xF), (_JEQ, 2, 0, _SOCK_STREAM),
            (_JEQ, 1, 0, _SOCK_SEQPACKET), (_RET, 0, 0, _ERRNO | EPERM), (_LOAD, 0, 0, _NR),
        ]  # fmt: skip
        for own in _OWN_ONLY.values():
            code += _argument(own[column], (_JEQ, 0), refuse_if=False)
    if signal_only is not None:
        for signal in _SIGNALS.values():
            code += _argument(signal[column], (_JEQ, signal_only), refuse_if=False)
    code.append((_RET, 0, 0, _ALLOW))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _argument(number: int, test: tuple[int, int], *, refuse_if: bool) -> list[tuple[int, int, int, int]]:
    """For one call: load the low half of its first argument, refuse by the test, put the call number back."""
    operation, value = test
    hit, miss = (0, 1) if refuse_if else (1, 0)
    return [
        (_JEQ, 0, 4, number), (_LOAD, 0, 0, _ARG0), (operation, hit, miss, value),
        (_RET, 0, 0, _ERRNO | EPERM), (_LOAD, 0, 0, _NR),
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
