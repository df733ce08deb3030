import ctypes


def select(task):
    ctypes.string_at(1)
