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
_WORD = re.compile(r"(?<![A-Za-z])(?:[A-Za-z][a-z]{1,13}|[A-Z]{2,14})(?![A-Za-z])")
_BITS_OF_WORD = 13  # lists that passphrases are drawn from by dice have 7,776 words


def new() -> str:
    """128 random bits in hexadecimal digits."""
    return secrets.token_hex(16)


def bits(text: str) -> float:
    """At most how many bits of chance a text holds: what a guesser needs to try, at most.

    The lesser of two counts. By its characters: length and alphabet. By its words: a run of letters that may be one is
    worth no more than a word of a list of 8,000 is, however long it is; the rest goes by its characters, each kind by
    itself. A known phrase holds less: no count of one text can tell.
    """
    if set(text.lower()) <= _HEX:
        return _by_characters(text)
    rest = _WORD.sub("", text)
    kinds = [*_CLASSES, "".join(set(rest).difference(*_CLASSES))]
    of_rest = sum(_by_characters("".join(c for c in rest if c in kind)) for kind in kinds)
    return min(_by_characters(text), len(_WORD.findall(text)) * _BITS_OF_WORD + of_rest)


def _by_characters(text: str) -> float:
    """The alphabet is that of the kinds of characters in it; or, where far fewer of these occur than chance would bring,
    the different characters themselves.
    """
    kinds = sum(len(kind) for kind in _CLASSES if set(kind) & set(text))
    kinds += 100 if re.search(r"[^\x20-\x7e]", text) else 0
    if set(text.lower()) <= _HEX:
        kinds = min(kinds, 16)
    different = len(set(text))
    by_chance = kinds * (1 - (1 - 1 / max(1, kinds)) ** len(text))  # different characters, on average
    return len(text) * math.log2(max(1, kinds if different >= by_chance / 2 else different))


def require_strong(text: str, where: str) -> None:
    """Raise ProtocolError where a secret can be guessed at by whoever sees a fingerprint; ``where`` says whose it is."""
    if bits(text) < FEWEST_BITS:
        raise ProtocolError(
            f"The secret {where} holds at most {bits(text):.0f} bits of chance, and {FEWEST_BITS} are the least: whoever sees "
            "a fingerprint could guess it, and draw the hidden rows.",
            "`harness challenge freeze NAME --new-secret` draws one of 128 bits.",
        )


def read(path: Path) -> str:
    """The secret in a file: its one word, beside comments (lines that begin with #).

    Raises ProtocolError where there is none; warns where others of this machine may read it.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MOST_BYTES).decode()
    except FileNotFoundError as error:
        raise ProtocolError(
            f"The secret file {path} is not there, so splits and noise cannot be drawn.",
            "Only the organiser has it; `harness challenge freeze` makes one. Whoever is to run a published challenge needs "
            "the secret that its organiser has revealed, as `secret:` in its place; for practice there is the config directory of "
            "its bundle.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ProtocolError(
            f"The secret file {path} cannot be read: {getattr(error, 'strerror', None) or error}."
        ) from error
    if mode & 0o077:
        warnings.warn(f"Others of this machine may read the secret file {path}: chmod 600 {path}", stacklevel=2)
    words = [word for line in content.splitlines() if not line.startswith("#") for word in line.split()]
    if len(words) != 1:
        raise ProtocolError(f"The secret file {path} must hold one word, the secret; it holds {len(words)}.")
    return words[0]
