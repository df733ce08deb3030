"""The same output scored with a second fixed model beside the challenge's own: said in the record, never ranked by.

A set of rows that was chosen with one model in hand may serve that model alone. The second one is trained on the very same
output, on the same draw of the seed: a secondary metric ``transfer_<model>_<metric>``, in rows and references alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.errors import NothingToMeasure
from harness.evaluation.bench import Bench
from harness.tracks.base import Arrays, Reference


def metrics(bench: Bench, seed: int, answer: Arrays | Reference) -> Mapping[str, float]:
    """The second model's score of a valid output, or of the harness's own floor or oracle; none without a second model.

    Nothing either on a seed where the protocol has nothing to measure with that model.
    """
    second = bench.transfer
    if second is None:
        return {}
    second.model.reset()
    try:
        view, key = second.prepare(seed)
    except NothingToMeasure:
        return {}
    score = (
        second.reference(answer, view, key, seed) if isinstance(answer, str) else second.score(answer, view, key, seed)
    )
    return {f"transfer_{bench.challenge.transfer_name}_{second.metric}": score.value}
