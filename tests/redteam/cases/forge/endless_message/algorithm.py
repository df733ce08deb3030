"""An exception that cannot be printed."""


class Evil(Exception):
    def __str__(self):
        raise Evil

    __repr__ = __str__


def select(task):
    raise Evil
