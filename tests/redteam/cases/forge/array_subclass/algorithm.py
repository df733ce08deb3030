"""An array whose class would like to act on the other side."""

import numpy as np


class Evil(np.ndarray):
    def __reduce__(self):
        return (print, ("executed",))

    def __eq__(self, other):
        return True

    def astype(self, *args, **kwargs):
        raise RuntimeError("no")


def select(task):
    return np.array([3]).view(Evil)
