"""Fill temporary space, file after file."""

import os


def select(task):
    for i in range(1_000_000):
        with open(f"{os.environ['TMPDIR']}/{i}", "wb") as file:
            file.write(b"x" * (1 << 20))
