"""Passwords, kernel memory, disks, other users' mail, the container's socket."""


def select(task):
    found = []
    for path in (
        "/etc/shadow",
        "/etc/passwd",
        "/etc/hostname",
        "/etc/ssh/ssh_host_rsa_key",
        "/proc/kcore",
        "/proc/kallsyms",
        "/dev/mem",
        "/dev/kmsg",
        "/dev/sda",
        "/dev/vda",
        "/dev/nvme0n1",
        "/sys/kernel/debug/tracing/trace",
        "/sys/firmware/efi/vars",
        "/var/log/syslog",
        "/var/log/dpkg.log",
        "/var/run/docker.sock",
        "/run/systemd/private",
        "/proc/1/environ/../../../etc/shadow",
    ):
        try:
            if open(path, "rb").read(16) and path != "/proc/kallsyms":
                found.append(path)
        except OSError:
            pass
    for path in (
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/sys/power/state",
        "/proc/sys/kernel/hostname",
    ):
        try:
            open(path, "w").close()
            found.append(f"write {path}")
        except OSError:
            pass
    print(found)
    return [len(found)]
