"""Where the shipped configs and baselines are: inside an installed wheel, or beside the package in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "_shipped" if (_PACKAGE / "_shipped").is_dir() else _PACKAGE.parent

CONF_DIR = _SHIPPED / "conf"
SUBMISSIONS_DIR = _SHIPPED / "submissions"
