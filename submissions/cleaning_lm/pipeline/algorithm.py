"""What pipelines for the web's text do one after the other: near deduplication, rules on garbled text, repeated lines, language.

After Rae et al. (Gopher, 2021, appendix A) and Penedo et al., The RefinedWeb dataset, NeurIPS 2023. Lines that stand in several
documents, other than copies, are boilerplate; a document of them is dropped (C4's rule on repeated spans, Raffel et al., 2020).
"""

import re
import zlib
from collections import Counter

import numpy as np

RUN = 3  # words
HASHES = 128
BANDS = 32
ALIKE = 0.4
PRIME = (1 << 31) - 1
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
    documents = list(task.texts)
    group = groups(signatures(documents))
    single = order[np.sort(np.unique(group[order], return_index=True)[1])]
    often = repeated_lines([documents[i] for i in single])
    kept = [i for i in single if readable(documents[i]) and english(documents[i]) and not often(documents[i])]
    return kept or order


def repeated_lines(documents):
    """A test whether most lines of a document stand in five documents or more, whatever numbers they hold."""
    seen = Counter(line for text in documents for line in set(lines(text)))

    def often(text):
        found = lines(text)
        return sum(seen[line] >= 5 for line in found) > len(found) / 2

    return often


def lines(text):
    """The lines without case and numbers, as CCNet compares them (Wenzek et al., LREC 2020)."""
    return re.sub(r"[0-9]+", "0", text.lower()).split("\n")


def shingles(text):
    """Hashes of a document's runs of words; of a shorter one its own."""
    words = re.findall(r"\w+", text.lower()) or [text]
    runs = {" ".join(words[i : i + RUN]) for i in range(max(1, len(words) - RUN + 1))}
    return np.array([zlib.crc32(run.encode()) % PRIME for run in runs], np.int64)


def signatures(documents):
    """The least of each of ``HASHES`` random hashes over a document's runs: [n, HASHES]."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, PRIME, (2, HASHES, 1))
    return np.stack([((a * shingles(text) + b) % PRIME).min(axis=1) for text in documents])


def groups(signature):
    """The first document of the group that each one belongs to, [n]: connected by pairs that are alike."""
    parent = np.arange(len(signature))

    def root(i):
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for band in np.split(signature, BANDS, axis=1):
        seen = {}
        for i, key in enumerate(map(bytes, np.ascontiguousarray(band))):
            j = seen.setdefault(key, i)
            if root(i) != root(j) and (signature[i] == signature[j]).mean() >= ALIKE:
                parent[root(i)] = root(j)
    return np.array([root(i) for i in range(len(signature))])


def readable(text):
    """Whether a text passes all rules."""
    tokens = text.split()
    words = [token for token in tokens if re.search(r"[^\W\d_]", token)]
    if not words:
        return False
    mixed = sum(bool(re.search(r"[^\W\d_][\d#@%&*{}\[\]|\\~^=+<>]+[^\W\d_]", word)) for word in words)
    voiceless = sum(len(word) > 3 and not re.search(r"[aeiouyà-ÿœ]", word.lower()) for word in words)
    symbols = len(re.findall(r"[#@%&*{}\[\]|\\~^=+<>�]", text))
    return bool(
        2 <= np.mean([len(word) for word in words]) <= 10
        and len(words) >= 0.7 * len(tokens)
        and mixed <= 0.1 * len(words)
        and voiceless <= 0.05 * len(words)
        and symbols <= 0.03 * len(text)
    )


def english(text):
    """Whether ``LEAST`` of the words are among the commonest English ones."""
    words = re.findall(r"\w+", text.lower())
    return sum(word in COMMON for word in words) >= LEAST * max(1, len(words))
