"""English by its commonest words: Rae et al. (2021, appendix A.1) keep documents with two of them; here their share is asked for."""

import re

COMMON = frozenset(
    [
        "the",
        "be",
        "to",
        "of",
        "and",
        "that",
        "have",
        "with",
        "a",
        "in",
        "is",
        "it",
        "for",
        "i",
        "you",
        "he",
        "was",
        "on",
        "as",
        "are",
        "not",
        "his",
        "this",
        "but",
        "they",
        "at",
        "by",
    ]
)
LEAST = 0.15


def clean(task):
    order = task.rng.permutation(len(task.texts))
    kept = order[[english(task.texts[int(i)]) for i in order]]
    return kept if len(kept) else order


def english(text):
    """Whether ``LEAST`` of the words are among the commonest English ones."""
    words = re.findall(r"\w+", text.lower())
    return sum(word in COMMON for word in words) >= LEAST * max(1, len(words))
