import sys


def select(task):
    sys.setrecursionlimit(10**9)

    def deeper(f):
        return sorted([1, 2], key=lambda x: deeper(f))

    return deeper(deeper)
