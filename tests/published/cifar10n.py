"""CIFAR-10N: how many of the labels that people gave to CIFAR-10's training images differ from the published ones."""

from __future__ import annotations

import numpy as np

from harness.data.cifar import HUMAN_LABELS
from tests.published.table import About, Row, path

ABOUT = About(
    "Noise rates of CIFAR-10N",
    "Wei et al., Learning with noisy labels revisited, ICLR 2022 (arXiv:2110.12088)",
    "table 1, typed in, not checked against a copy of the paper",
    "Percent of the 50,000 labels that differ from CIFAR-10's, counted",
    within=0.005,
    files=(HUMAN_LABELS,),
)
_PUBLISHED = {
    "aggre_label": ("aggregate", 9.03),
    "random_label1": ("random 1", 17.23),
    "random_label2": ("random 2", 18.12),
    "random_label3": ("random 3", 17.64),
    "worse_label": ("worst", 40.21),
}


def rows() -> list[Row]:
    with np.load(path(HUMAN_LABELS), allow_pickle=False) as labels:
        rate = {name: float(100 * np.mean(labels[name] != labels["clean_label"])) for name in _PUBLISHED}
        three = np.sort(np.stack([labels[f"random_label{i}"] for i in (1, 2, 3)]), axis=0)
        torn = int(((three[0] != three[1]) & (three[1] != three[2])).sum())
    drawn = (
        f"Cause not known (10 images). In the file the aggregate is the majority of the three labels wherever two agree, and one of the three"
        f" on the {torn:,} images where none do"
    )
    return [
        Row(title, published, rate[name], reason=drawn if name == "aggre_label" else "")
        for name, (title, published) in _PUBLISHED.items()
    ]
