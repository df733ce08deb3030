"""One operation in C that takes hours and never looks for signals."""


def select(task):
    return [len(str(7 ** (10**9)))]
