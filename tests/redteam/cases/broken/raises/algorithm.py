import numpy as np


def select(task):
    raise ValueError("no such luck")
