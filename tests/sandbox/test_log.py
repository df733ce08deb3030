"""The log is bounded in memory and harmless to print."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sandbox.log import Log, clean

HARMFUL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def test_short_logs_are_kept_whole() -> None:
    log = Log(100)
    log.feed(b"one\n")
    log.feed("zwölf\n".encode())
    assert log.text() == "one\nzwölf\n"
    assert not log.truncated


def test_long_logs_keep_both_ends() -> None:
    log = Log(1000)
    for i in range(100_000):
        log.feed(b"%d\n" % i)
    text = log.text()
    assert log.truncated
    assert text.startswith("0\n1\n2\n")
    assert text.endswith("\n99999\n")
    assert len(text) < 1100
    total = sum(len(b"%d\n" % i) for i in range(100_000))
    assert f"[... {total - 1000} bytes dropped ...]" in text


@given(st.lists(st.binary(max_size=50)), st.integers(2, 60))
def test_nothing_is_lost_before_the_limit(parts: list[bytes], limit: int) -> None:
    log = Log(limit)
    for part in parts:
        log.feed(part)
    total = sum(map(len, parts))
    assert log.dropped <= max(0, total - limit + 1)
    assert log.truncated == (total > limit // 2 * 2)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_nothing_harmful_comes_through(raw: bytes) -> None:
    log = Log(1000)
    log.feed(b"\x1b[31m" + raw + b"\x1b]0;title\x07" + "\u202e".encode())
    assert not HARMFUL.search(log.text())


def test_escapes_go_with_their_arguments() -> None:
    assert clean("a\x1b[2Jb\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d\x1bP1$r\x1b\\e\x9b1mf") == "abcde1mf"
    assert clean("10%\r50%\r\nend") == "10%\n50%\nend"
    assert clean("x" * 50, 10) == "x" * 9 + "…"
