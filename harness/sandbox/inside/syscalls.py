"""The system calls a cell may use, by what they are for; every other fails with ENOSYS, as on a kernel without it.

This is the survey behind docs/security.md: nothing is listed that lets two cells write and read the same state of the
kernel. Left out on purpose, each a way to talk over a file or a counter that both can only read: ``flock`` (and the
lock, lease and notify commands of ``fcntl``), ``inotify`` and ``fanotify``, keyrings, ``mincore``, ``cachestat`` and
``preadv2`` (which pages of a file are in memory), ``mbind`` and ``move_pages`` (on which node), asynchronous I/O
(``io_setup`` counts against one limit of the machine), ``sync``. Left out because they reach the kernel, other
processes or the net: ``ptrace``, ``bpf``, ``perf_event_open``, ``io_uring``, mounts, modules, clocks, names.

Numbers: ``asm/unistd_64.h`` (x86-64) and ``asm-generic/unistd.h`` (AArch64) of the Linux kernel; None where an
architecture has no such call. Standard library only.
"""

from __future__ import annotations

Calls = dict[str, tuple[int | None, int | None]]

# Files and folders, as far as the walls let them be seen.
READING: Calls = {
    "read": (0, 63), "pread64": (17, 67), "readv": (19, 65), "preadv": (295, 69), "lseek": (8, 62),
    "open": (2, None), "openat": (257, 56), "openat2": (437, 437), "close": (3, 57), "close_range": (436, 436),
    "stat": (4, None), "lstat": (6, None), "fstat": (5, 80), "newfstatat": (262, 79), "statx": (332, 291),
    "access": (21, None), "faccessat": (269, 48), "faccessat2": (439, 439), "readlink": (89, None),
    "readlinkat": (267, 78), "getdents": (78, None), "getdents64": (217, 61), "getcwd": (79, 17), "chdir": (80, 49),
    "fchdir": (81, 50), "statfs": (137, 43), "fstatfs": (138, 44), "getxattr": (191, 8), "lgetxattr": (192, 9),
    "fgetxattr": (193, 10), "listxattr": (194, 11), "llistxattr": (195, 12), "flistxattr": (196, 13),
}  # fmt: skip

# Files of its own: whatever both cells see is read-only.
WRITING: Calls = {
    "write": (1, 64), "pwrite64": (18, 68), "writev": (20, 66), "pwritev": (296, 70), "creat": (85, None),
    "truncate": (76, 45), "ftruncate": (77, 46), "fallocate": (285, 47), "fsync": (74, 82), "fdatasync": (75, 83),
    "msync": (26, 227), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276), "link": (86, None),
    "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36), "unlink": (87, None), "unlinkat": (263, 35),
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "mknod": (133, None), "mknodat": (259, 33),
    "umask": (95, 166), "sendfile": (40, 71), "copy_file_range": (326, 285), "splice": (275, 76), "tee": (276, 77),
    "vmsplice": (278, 75), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "pipe": (22, None),
    "pipe2": (293, 59),
}  # fmt: skip

# Its own address space.
MEMORY: Calls = {
    "brk": (12, 214), "munmap": (11, 215), "mremap": (25, 216), "mprotect": (10, 226), "mlock": (149, 228),
    "mlock2": (325, 284), "mlockall": (151, 230), "munlock": (150, 229), "munlockall": (152, 231),
    "membarrier": (324, 283), "pkey_alloc": (330, 289), "pkey_free": (331, 290), "pkey_mprotect": (329, 288),
}  # fmt: skip

# Processes and threads of its own, and itself.
PROCESSES: Calls = {
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281), "exit": (60, 93),
    "exit_group": (231, 94), "wait4": (61, 260), "waitid": (247, 95), "getpid": (39, 172), "getppid": (110, 173),
    "gettid": (186, 178), "getpgid": (121, 155), "getpgrp": (111, None), "setpgid": (109, 154), "getsid": (124, 156),
    "setsid": (112, 157), "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177),
    "getresuid": (118, 148), "getresgid": (120, 150), "getgroups": (115, 158), "capget": (125, 90),
    "prctl": (157, 167), "arch_prctl": (158, None), "set_tid_address": (218, 96), "set_robust_list": (273, 99),
    "get_robust_list": (274, 100), "rseq": (334, 293), "restart_syscall": (219, 128), "getrlimit": (97, 163),
    "setrlimit": (160, 164), "getrusage": (98, 165), "times": (100, 153), "getpriority": (140, 141),
    "sched_yield": (24, 124), "sched_getaffinity": (204, 123), "sched_getparam": (143, 121),
    "sched_getscheduler": (145, 120), "sched_getattr": (315, 275), "sched_get_priority_max": (146, 125),
    "sched_get_priority_min": (147, 126), "sched_rr_get_interval": (148, 127), "getcpu": (309, 168),
    "uname": (63, 160), "sysinfo": (99, 179), "getrandom": (318, 278),
}  # fmt: skip

# Signals: to whom is limited by the process namespace, or by Landlock.
SIGNALS: Calls = {
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "rt_sigpending": (127, 136),
    "rt_sigsuspend": (130, 133), "rt_sigtimedwait": (128, 137), "sigaltstack": (131, 132), "pause": (34, None),
    "alarm": (37, None), "getitimer": (36, 102), "setitimer": (38, 103), "signalfd": (282, None),
    "signalfd4": (289, 74),
}  # fmt: skip

# Reading and waiting.
CLOCKS: Calls = {
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "nanosleep": (35, 101),
    "gettimeofday": (96, 169), "time": (201, None), "timer_create": (222, 107), "timer_settime": (223, 110),
    "timer_gettime": (224, 108), "timer_getoverrun": (225, 109), "timer_delete": (226, 111),
    "timerfd_create": (283, 85), "timerfd_settime": (286, 86), "timerfd_gettime": (287, 87), "poll": (7, None),
    "ppoll": (271, 73), "select": (23, None), "pselect6": (270, 72), "epoll_create": (213, None),
    "epoll_create1": (291, 20), "epoll_ctl": (233, 21), "epoll_wait": (232, None), "epoll_pwait": (281, 22),
    "epoll_pwait2": (441, 441), "eventfd": (284, None), "eventfd2": (290, 19),
}  # fmt: skip

# Between its own processes, over descriptors it was given or made.
CHANNELS: Calls = {
    "sendto": (44, 206), "recvfrom": (45, 207), "sendmsg": (46, 211), "recvmsg": (47, 212),
    "sendmmsg": (307, 269), "recvmmsg": (299, 243), "shutdown": (48, 210), "getsockopt": (55, 209),
    "setsockopt": (54, 208), "getsockname": (51, 204), "getpeername": (52, 205),
}  # fmt: skip

# Modes and times of files: where mounts are read-only, of its own; under Landlock, which does not look at them, answered as
# done without doing it, since libraries that set them can do without.
MODES: Calls = {
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452), "utime": (132, None),
    "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
}  # fmt: skip

# Harmless only where namespaces and read-only mounts keep cells apart: owners and attributes of files, named sockets, shared
# memory, queues, others' schedules.
NAMESPACED: Calls = {
    "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54), "setxattr": (188, 5),
    "lsetxattr": (189, 6), "fsetxattr": (190, 7), "removexattr": (197, 14), "lremovexattr": (198, 15),
    "fremovexattr": (199, 16), "bind": (49, 200), "connect": (42, 203), "listen": (50, 201), "accept": (43, 202),
    "accept4": (288, 242), "shmget": (29, 194), "shmat": (30, 196), "shmdt": (67, 197), "shmctl": (31, 195),
    "semget": (64, 190), "semop": (65, 193), "semtimedop": (220, 192), "semctl": (66, 191), "msgget": (68, 186),
    "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
    "mq_timedsend": (242, 182), "mq_timedreceive": (243, 183), "mq_notify": (244, 184), "mq_getsetattr": (245, 185),
    "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "setpriority": (141, 140),
    "sched_setattr": (314, 274), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119),
}  # fmt: skip

# Calls that name a process: any of its namespace; under Landlock as far as the tests in seccomp.py go.
PROCESS_IDS: Calls = {
    "kill": (62, 129), "tgkill": (234, 131), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "prlimit64": (302, 261), "sched_setaffinity": (203, 122),
}  # fmt: skip

# Allowed by their arguments, see seccomp.py.
LOOKED_AT: Calls = {
    "clone": (56, 220), "socket": (41, 198), "socketpair": (53, 199), "fcntl": (72, 25), "ioctl": (16, 29), "mmap": (9, 222),
    "memfd_create": (319, 279), "madvise": (28, 233), "futex": (202, 98),
}  # fmt: skip

# Answered as done, without doing it: they would load or drop pages that other cells read, too.
ADVICE: Calls = {
    "fadvise64": (221, 223), "readahead": (187, 213),
}  # fmt: skip

# What a GPU's driver asks for besides, in cells that are granted one and never run beside another.
DRIVER: Calls = {
    "mincore": (27, 232), "mbind": (237, 235), "get_mempolicy": (239, 236), "set_mempolicy": (238, 237),
}  # fmt: skip
