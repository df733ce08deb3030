"""Namespaces, mounts, chroot, other users, capabilities, device nodes, kernel modules, BPF, keys."""

import ctypes
import os
import stat
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)


def select(task):
    found = []
    calls = {
        "unshare user": lambda: LIBC.unshare(0x10000000),
        "unshare mount": lambda: LIBC.unshare(0x00020000),
        "mount": lambda: LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None),
        "remount": lambda: LIBC.mount(None, b"/", None, 32, None),
        "umount": lambda: LIBC.umount2(b"/proc/sys", 2),
        "chroot": lambda: LIBC.chroot(b"/tmp"),
        "bpf": lambda: LIBC.syscall(321, 0, None, 0),
        "perf": lambda: LIBC.syscall(298, None, 0, -1, -1, 0),
        "keyctl": lambda: LIBC.syscall(250, 0, -3, 1),
        "userfaultfd": lambda: LIBC.syscall(323, 0),
        "init_module": lambda: LIBC.syscall(175, None, 0, b""),
        "sethostname": lambda: LIBC.sethostname(b"evil", 4),
        "open_tree": lambda: LIBC.syscall(428, -100, b"/", 1),
        "clone3": lambda: LIBC.syscall(435, None, 0),
        "x32 ptrace": lambda: LIBC.syscall(0x40000000 + 521, 0, 1, 0, 0),
        "personality": lambda: LIBC.personality(0x0040000),
    }
    for name, call in calls.items():
        if call() >= 0:
            found.append(name)
    for name, call in {
        "setuid": lambda: os.setuid(0 if os.getuid() else 12345),
        "setgroups": lambda: os.setgroups([0]),
        "mknod": lambda: os.mknod("/tmp/disk", stat.S_IFBLK | 0o600, os.makedev(8, 0)),
        "chown": lambda: os.chown(__file__, 0, 0),
        "unshare program": lambda: subprocess.run(["unshare", "-Ur", "true"], check=True, stderr=subprocess.DEVNULL),
        "sudo": lambda: subprocess.run(["sudo", "-n", "true"], check=True, stderr=subprocess.DEVNULL),
    }.items():
        try:
            call()
            found.append(name)
        except (OSError, subprocess.CalledProcessError):
            pass
    status = {}
    try:
        status = dict(line.split(":\t", 1) for line in open("/proc/self/status") if ":\t" in line)
    except OSError:
        header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        LIBC.capget(ctypes.byref(header), ctypes.byref(data))
        status["CapEff"] = hex(data[0] | data[3])
    if int(status.get("CapEff", "0"), 16):
        found.append(status["CapEff"])
    print(found)
    return [len(found)]
