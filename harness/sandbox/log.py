"""What a cell printed: bounded while it runs, harmless to show afterwards."""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles and links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # device control strings
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"  # colours, cursor movements
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Log:
    """The first and the last half of ``limit`` bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._head = bytearray()
        self._tail = bytearray()
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        """Take what was read; keeps at most about ``limit`` bytes."""
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > 4 * self._half:
            self._cut()

    def _cut(self) -> None:
        extra = len(self._tail) - self._half
        if extra > 0:
            self.dropped += extra
            del self._tail[:extra]

    @property
    def truncated(self) -> bool:
        """Whether anything was dropped."""
        self._cut()
        return self.dropped > 0

    def text(self) -> str:
        """As text without escapes and control characters; says where and how much was dropped."""
        self._cut()
        if not self.dropped:
            return clean((self._head + self._tail).decode("utf-8", "replace"))
        gap = f"\n[... {self.dropped} bytes dropped ...]\n"
        return clean(self._head.decode("utf-8", "replace")) + gap + clean(self._tail.decode("utf-8", "replace"))


def clean(text: str, limit: int | None = None) -> str:
    """Text that cannot move a cursor, set a title or reverse its direction; cut to ``limit`` characters."""
    text = _CONTROLS.sub("", _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"


def last_lines(text: str, lines: int = 20, characters: int = 2000) -> str:
    """The end of a log, for a person to read: at most so many lines and characters, cleaned."""
    return "\n".join(clean(text).strip()[-characters:].splitlines()[-lines:])
