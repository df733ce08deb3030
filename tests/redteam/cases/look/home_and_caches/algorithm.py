"""Home directories and the caches libraries keep there."""

import os
from pathlib import Path


def select(task):
    homes = {Path.home(), Path("/root"), Path("/home"), Path("/var/cache"), Path("/var/tmp"), Path("/var/lib")}
    try:
        import pwd

        homes |= {Path(entry.pw_dir) for entry in pwd.getpwall()}
    except OSError:
        pass
    found = []
    for home in homes:
        for name in (
            ".cache",
            ".ssh",
            ".config",
            ".bash_history",
            ".gitconfig",
            ".netrc",
            "scikit_learn_data",
            ".keras",
            ".kaggle",
        ):
            try:
                if (home / name).is_dir():
                    os.listdir(home / name)
                    found.append(home / name)
                else:
                    (home / name).open().close()
                    found.append(home / name)
            except OSError:
                pass
    print(found)
    return [len(found)]
