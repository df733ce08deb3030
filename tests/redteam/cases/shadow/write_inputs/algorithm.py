"""The arrays of the task themselves."""

import dataclasses

import numpy as np


def select(task):
    found = []
    for attempt in (
        lambda: task.X.__setitem__(0, 7.0),
        lambda: task.X.setflags(write=True),
        lambda: np.copyto(task.y, 0),
        lambda: setattr(task, "budget", 10**6),
        lambda: task.X.base.__setitem__(0, 7.0),
    ):
        try:
            attempt()
            found.append(attempt)
        except (ValueError, TypeError, RuntimeError, dataclasses.FrozenInstanceError, OSError):
            pass
    print(found)
    return [len(found)]
