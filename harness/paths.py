"""Where the shipped configs and baselines are (inside an installed wheel, or beside the package in a checkout), and
what a path that a user wrote means and who may read what is written.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from harness.errors import ProtocolError

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "_shipped" if (_PACKAGE / "_shipped").is_dir() else _PACKAGE.parent

CONF_DIR = _SHIPPED / "conf"
SUBMISSIONS_DIR = _SHIPPED / "submissions"

_UMASK = os.umask(0o077)  # cannot be read without being set, so once, before there are threads
os.umask(_UMASK)


def expanded(path: Path | str) -> Path:
    """A path with ``~`` and ``~somebody`` replaced by home directories; ``~nobody-known`` is a name like any other.

    Raises ProtocolError for ``~`` where this user has no home.
    """
    text = os.path.expanduser(path)  # noqa: PTH111 - Path's own raises where a user is unknown
    if text == "~" or text.startswith("~/"):
        raise ProtocolError(
            f"{text} cannot be found: this user has no home directory.", "Set HOME, or give the whole path."
        )
    return Path(text)


def permit(path: Path, mode: int = 0o666) -> None:
    """Give what was made as a temporary file or folder the mode it would have had without that detour.

    The umask decides, as for any other file: 077 keeps a runs directory to oneself, 002 shares it with a group. A folder
    keeps its set-group-id bit. Raises OSError.
    """
    path.chmod(mode & ~_UMASK | path.stat().st_mode & stat.S_ISGID)
