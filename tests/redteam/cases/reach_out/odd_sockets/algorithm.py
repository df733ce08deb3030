"""Raw packets, netlink, virtual-machine sockets, kernel crypto, Bluetooth, TIPC."""

import socket


def select(task):
    found = []
    for family in (2, 10, 16, 17, 21, 29, 30, 31, 38, 40, 44):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
            try:
                socket.socket(family, kind).close()
                found.append((family, kind))
            except OSError:
                pass
    print(found)
    return [len(found)]
