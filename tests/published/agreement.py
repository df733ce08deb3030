"""Agreement of annotators: the worked examples of the papers and books that define the coefficients."""

from __future__ import annotations

import numpy as np

from harness.pipeline.annotations import agreement
from tests.published.table import About, Row

ABOUT = About(
    "Coefficients of agreement",
    "Krippendorff, Computing Krippendorff's alpha-reliability, 2011, and Content Analysis; Fleiss, Psychological Bulletin 1971, as worked in"
    " textbooks",
    "their examples: four observers and twelve units; three observers and fifteen units; fourteen raters and ten subjects",
    "`harness.pipeline.annotations.agreement` on the printed votes",
    "equal to three decimals",
    within=0.0005,
    digits=3,
    data="printed in these works; in tests/published/agreement.py and tests/pipeline/annotations/test_agreement.py",
)
_FOUR_OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 * * *",
    "1 2 3 3 2 2 4 1 2 5 * 3",
    "* 3 3 3 2 3 4 2 2 5 1 *",
    "1 2 3 3 2 4 4 1 2 5 1 *",
)


def rows() -> list[Row]:
    from tests.pipeline.annotations.test_agreement import FLEISS_1971, three_observers

    four = np.zeros((12, 5), np.int64)
    for observer in _FOUR_OBSERVERS:
        for unit, said in enumerate(observer.split()):
            if said != "*":
                four[unit, int(said) - 1] += 1
    three = three_observers()
    values = [float(name) for name in three.classes]
    return [
        Row("nominal alpha, four observers", 0.743, agreement.alpha(four)),
        Row("interval alpha, four observers", 0.849, agreement.alpha(four, agreement.interval([1, 2, 3, 4, 5]))),
        Row("nominal alpha, three observers", 0.691, agreement.alpha(three.counts)),
        Row("interval alpha, three observers", 0.811, agreement.alpha(three.counts, agreement.interval(values))),
        Row("kappa, fourteen raters", 0.210, agreement.fleiss(np.array(FLEISS_1971))),
    ]
