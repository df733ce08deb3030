import sys


def select(task):
    sys.exit(0)
