"""Secrets that are kept outside a challenge's file: where they lie, how strong they are."""

from __future__ import annotations

import math
import os
import re
import secrets
import string
import warnings
from pathlib import Path

from harness.errors import ProtocolError

FEWEST_BITS = 64
"""Guessing at a weaker one is within reach of whoever sees a fingerprint: 2^64 HMACs are not."""
_MOST_BYTES = 4096
_CLASSES = (string.digits, string.ascii_lowercase, string.ascii_uppercase, string.punctuation + " ")
_HEX = set(string.hexdigits.lower())


def new() -> str:
    """128 random bits in hexadecimal digits."""
    return secrets.token_hex(16)


def bits(text: str) -> float:
    """At most how many bits of chance a text holds, by its length and alphabet: what a guesser needs to try, at most.

    The alphabet is that of the kinds of characters in it, or the different characters themselves where these are fewer.
    """
    kinds = sum(len(kind) for kind in _CLASSES if set(kind) & set(text))
    kinds = 16 if set(text) <= _HEX else kinds + (100 if re.search(r"[^\x20-\x7e]", text) else 0)
    return len(text) * math.log2(max(1, min(kinds, len(set(text)))))


def read(path: Path) -> str:
    """The secret in a file: its first line that is not empty.

    Raises ProtocolError where there is none; warns where others of this machine may read it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            lines = file.read(_MOST_BYTES).decode().split()
    except FileNotFoundError as error:
        raise ProtocolError(
            f"The secret file {path} is not there, so splits and noise cannot be drawn.",
            "Only the organiser has it; `harness challenge freeze` makes one. Whoever is to run a published challenge needs "
            "the secret that its organiser has revealed, as `secret:` in its place.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ProtocolError(
            f"The secret file {path} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from error
    if mode & 0o077:
        warnings.warn(f"Others of this machine may read the secret file {path}: chmod 600 {path}", stacklevel=2)
    if len(lines) != 1:
        raise ProtocolError(f"The secret file {path} must hold one word, the secret; it holds {len(lines)}.")
    return lines[0]
