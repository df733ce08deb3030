"""Rules that garbled text breaks, after Gopher (Rae et al., 2021, appendix A.1) and C4 (Raffel et al., JMLR 2020).

Kept is a document whose words have two to ten letters in the mean, of whose tokens seven in ten hold a letter and one in ten at
most mixes letters with digits or symbols, in which symbols are rare, and one vowel or more stands in nearly all words.
"""

import re

import numpy as np


def clean(task):
    order = task.rng.permutation(len(task.texts))
    kept = order[[readable(task.texts[int(i)]) for i in order]]
    return kept if len(kept) else order


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
