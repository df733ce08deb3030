"""``python -m tests.benchmarks.guesses``: how fast a secret can be guessed at from a published board, on one core.

Whoever sees a board knows settings and digest of the data, hence the bytes that the commitment is an HMAC of.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any

from harness.protocol import secret
from harness.protocol.challenge import Challenge
from harness.protocol.compose import load_challenge

FARM = 1e10  # guesses a second of very many graphics processors
_YEAR = 365.25 * 24 * 3600


def guesses() -> Iterator[str]:
    """What people write in the place of a secret: a word, two or three of them, a number behind."""
    words = (
        "secret",
        "competition",
        "challenge",
        "digits",
        "test",
        "our",
        "the",
        "my",
        "top",
        "private",
        "organiser",
        "key",
    )
    phrases = ("keep-this-to-yourself", "do-not-tell", "change-me", "correct-horse-battery-staple")
    numbers = ("", "1", "123", *(str(year) for year in range(2020, 2031)))
    joined = (sign.join(some) for n in (1, 2, 3) for some in product(words, repeat=n) for sign in ("", "-", "_"))
    for base in (*phrases, *joined):
        for number in numbers:
            yield from (base + number, f"{base}-{number}", f"{base}_{number}")


def bound(board: Mapping[str, Any]) -> bytes:
    """The bytes under a published board's commitment: all that is fixed but the secret."""
    challenge = Challenge.from_plain({**board["settings"], "secret": "not known"})
    return challenge.canonical(board["data_digest"])


def recovered(board: Mapping[str, Any], tried: Iterable[str]) -> tuple[str | None, int]:
    """The secret of a board, if it is among the guesses, and how many it took."""
    message, wanted = bound(board), bytes.fromhex(board["commitment"])
    number = 0
    for number, guess in enumerate(tried, 1):
        if hmac.digest(guess.encode(), message, "sha256") == wanted:
            return guess, number
    return None, number


def rate(seconds: float = 3.0) -> float:
    """Guesses a second of plain Python."""
    challenge = load_challenge("test_set_digits").model_copy(update={"secret": secret.new()})
    digest = challenge.load_dataset().digest()
    board = {"settings": challenge.published(), "data_digest": digest, "commitment": challenge.commitment(digest)}
    done, start = 0, time.perf_counter()
    while (took := time.perf_counter() - start) < seconds:
        done += recovered(board, (f"{done + i:032x}" for i in range(10_000)))[1]
    return done / took


def main() -> None:
    speed = rate()
    print(f"{speed:,.0f} guesses a second")
    for name, each in (("so", speed), ("at 10^10 a second", FARM)):
        for bits in (40, secret.FEWEST_BITS, 128):
            print(f"2^{bits} guesses {name}: {2**bits / each / _YEAR:.2g} years")


if __name__ == "__main__":
    main()
