"""Near deduplication by MinHash: Broder (1997); Lee et al., Deduplicating training data makes language models better, ACL 2022.

Documents are sets of runs of three words. Signatures of 128 least hashes are cut into 32 bands; two documents with a band in
common are compared by their signatures, and are one if these agree in 40 %. One of each group is kept.
"""

import re
import zlib

import numpy as np

RUN = 3  # words
HASHES = 128
BANDS = 32
ALIKE = 0.4
PRIME = (1 << 31) - 1


def clean(task):
    order = task.rng.permutation(len(task.texts))
    group = groups(signatures(list(task.texts)))
    return order[np.sort(np.unique(group[order], return_index=True)[1])]


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
