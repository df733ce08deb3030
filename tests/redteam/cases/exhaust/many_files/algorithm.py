"""Very many empty files, and a folder in a folder in a folder."""

import os


def select(task):
    os.chdir(os.environ["TMPDIR"])
    for i in range(3000):
        os.mkdir("d")
        os.chdir("d")
    os.chmod(".", 0)
    os.chdir(os.environ["TMPDIR"])
    for i in range(30_000):
        open(str(i), "w").close()
    return [3]
