"""Everything that could tell one call from another: the test compares the log of two runs."""

import os
import platform
import sys


def select(task):
    # names of temporary folders differ from cell to cell where there are no mounts, at random: nothing to tell by
    hide = os.path.dirname(os.path.dirname(os.path.abspath(sys.argv[1])))
    facts = [
        sorted(os.environ.items()),
        sys.argv,
        sys.path,
        os.getcwd(),
        os.getuid(),
        platform.node() if hide == "/cell" else "",
        sorted(os.listdir(hide)) if hide == "/cell" else "",
        sys.flags,
    ]
    print(str(facts).replace(hide, "CELL"))
    return [3]
