"""Labels as host names."""

import socket


def select(task):
    found = []
    for name in ("stolen.example.com", "example.com"):
        try:
            found.append(socket.getaddrinfo(name, 80))
        except OSError as error:
            print(error)
    return [len(found)]
