"""What a published board gives to whoever guesses at a secret, and how strong a secret is said to be."""

from __future__ import annotations

import json
import math
import string
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.errors import ProtocolError
from harness.leaderboard.board import build
from harness.protocol import secret
from harness.protocol.challenge import Challenge
from harness.protocol.rules import FinalPhase, Phases
from tests.benchmarks.guesses import guesses, recovered
from tests.tracking import made
from tests.tracking.made import DATA, made_run

WEAK = ("keep-this-to-yourself", "digits-2027", "our-secret", "top_secret_123")
URL_SAFE = string.ascii_letters + string.digits + "-_"
_SCORES = {"score", "ci95", "normalised", "normalised_ci95", "seed_scores"}
_HASHES = {"commitment", "fingerprint"}
_OF_THE_FINGERPRINT = {"run_id", "record_sha256", "ledger"}  # digests of what holds the fingerprint


def published(place: Path, text: str) -> dict[str, Any]:
    """The JSON of a public board of three made runs, under a secret."""
    facts = {"secret": text, "phases": Phases(final=FinalPhase())}
    challenge: Challenge = made.challenge().model_copy(update=facts)
    for name, skill in (("reference-random", 0.3), ("reference-skyline", 0.97), ("good", 0.8)):
        made_run(place, name, skill, of=challenge)
    plain: dict[str, Any] = json.loads(json.dumps(build(challenge, DATA, place).as_dict(), default=str))
    return plain


@pytest.mark.parametrize("text", WEAK)
def test_a_weak_secret_is_recovered_from_a_board_and_refused_for_a_frozen_challenge(text: str, tmp_path: Path) -> None:
    found, tries = recovered(published(tmp_path / "runs", text), guesses())
    assert found == text
    assert tries < 250_000
    with pytest.raises(ProtocolError, match="could guess it"):
        secret.require_strong(text, "here")


def test_a_new_secret_is_in_no_dictionary(tmp_path: Path) -> None:
    found, tries = recovered(published(tmp_path / "runs", secret.new()), guesses())
    assert found is None
    assert tries > 200_000


def test_phrases_go_by_their_words() -> None:
    assert secret.bits("correct-horse-battery-staple") == 4 * 13
    assert secret.bits("Our-Secret-2027!") < secret.FEWEST_BITS
    rng = np.random.default_rng(0)
    drawn = ["".join(rng.choice(list(URL_SAFE), 22)) for _ in range(2000)]
    assert min(map(secret.bits, drawn)) > secret.FEWEST_BITS  # what other tools draw is no phrase
    assert secret.bits("vkqjxwzpomrbtulyehca") > secret.FEWEST_BITS


def test_only_commitment_and_fingerprint_and_scores_depend_on_the_secret(tmp_path: Path) -> None:
    texts = [secret.new(), secret.new()]
    first, second = (published(tmp_path / str(i), text) for i, text in enumerate(texts))
    assert not [text for text in texts if text in json.dumps([first, second])]
    changed = set(differing(first, second))
    assert changed >= _HASHES | {"score"}
    assert changed <= _HASHES | _SCORES | _OF_THE_FINGERPRINT


def differing(a: Any, b: Any, name: str = "") -> Iterator[str]:
    """Names of the values that differ, the innermost; of the ledger's head and of seed scores the whole."""
    if isinstance(a, dict) and isinstance(b, dict) and name not in ("ledger", "seed_scores"):
        assert a.keys() == b.keys()
        for key in a:
            yield from differing(a[key], b[key], key)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for one, other in zip(a, b, strict=True):
            yield from differing(one, other, name)
    elif a != b:
        yield name


def test_a_commitment_is_worth_nothing_for_another_challenge_or_other_data() -> None:
    one = made.challenge().model_copy(update={"secret": "digits-2027"})
    other = one.model_copy(update={"seeds": one.seeds + 1})
    assert len({one.commitment(DATA), one.commitment("00" * 32), other.commitment(DATA)}) == 3


@pytest.mark.parametrize(
    ("alphabet", "length"), [("0123456789", 4), ("0123456789abcdef", 4), (string.punctuation + " ", 3)]
)
def test_bits_are_those_of_all_texts_of_the_alphabet_counted_out(alphabet: str, length: int) -> None:
    """Texts in as many characters as chance brings are given all of the alphabet, none is given more."""
    told = {"".join(text): secret.bits("".join(text)) for text in product(alphabet, repeat=length)}
    most = max(told.values())
    own = {text: len(set(text)) ** length for text in told}  # how many there are in the text's own characters
    assert all(round(2**bits) == len(told) or bits < most for bits in told.values())
    if alphabet == string.digits:  # hexadecimal texts without a letter are digits
        assert round(2**most) == 10**length
    assert all(2**bits >= own[text] * (1 - 1e-9) for text, bits in told.items())
    full = [text for text in told if len(set(text)) == length]
    assert {
        secret.bits(text) for text in full if set(text) & set(alphabet[10:]) and set(text) & set(alphabet[:10])
    } <= {most}


@pytest.mark.parametrize("text", ["", "aaaa", "a" * 60, "1" * 500])
def test_one_character_again_and_again_has_no_chance_in_it(text: str) -> None:
    assert secret.bits(text) == 0


def test_fewer_than_64_bits_are_refused_and_64_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    exactly = "0123456789abcdef"
    assert secret.bits(exactly) == 64
    secret.require_strong(exactly, "here")
    for told in (63.9, 63.999999, 0.0):
        monkeypatch.setattr(secret, "bits", lambda _, told=told: told)
        with pytest.raises(ProtocolError, match="bits of chance, and 64 are the least"):
            secret.require_strong(exactly, "here")


def test_every_new_secret_has_128_bits() -> None:
    drawn = [secret.new() for _ in range(2000)]
    assert len(set(drawn)) == len(drawn)
    assert all(len(bytes.fromhex(text)) == 16 for text in drawn)
    assert {secret.bits(text) for text in drawn} == {128.0}
    ones = sum(bin(int(text, 16)).count("1") for text in drawn)
    assert abs(ones - 128 * 1000) < 5 * math.sqrt(128 * 2000 / 4)  # each bit is one half of the time
