"""Agreement of annotators: worked examples of those who define and explain the coefficients."""

from __future__ import annotations

import numpy as np

from harness.pipeline.annotations import agreement
from tests.published.table import About, Row

ABOUT = About(
    "Coefficients of agreement",
    "Krippendorff, Computing Krippendorff's alpha-reliability, 2011; Wikipedia on Krippendorff's alpha and on Fleiss' kappa",
    'their examples. Four observers and twelve units: typed in, not checked against a copy of the paper (the votes are the "C" data in the'
    " manual of R's package irr). Three observers and fifteen units: as tests/test_krippendorff.py of pln-fing-udelar/fast-krippendorff has them,"
    " 0.691358 and 0.810845. Fourteen raters and ten subjects: as statsmodels/stats/tests/test_inter_rater.py has them",
    "`harness.pipeline.annotations.agreement` on the printed votes",
    "equal to three decimals",
    within=0.0005,
    digits=3,
    data="printed there; in tests/published/agreement.py and tests/pipeline/annotations/test_agreement.py",
)
_FOUR_OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 * * *",
    "1 2 3 3 2 2 4 1 2 5 * 3",
    "* 3 3 3 2 3 4 2 2 5 1 *",
    "1 2 3 3 2 4 4 1 2 5 1 *",
)


def rows() -> list[Row]:
    from tests.pipeline.annotations.test_agreement import FOURTEEN_RATERS, three_observers

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
        Row("kappa, fourteen raters", 0.210, agreement.fleiss(np.array(FOURTEEN_RATERS))),
    ]
