"""Documents as bytes and boundaries: the same as a list of str, whatever is in them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.api import Texts


@given(st.lists(st.text()), st.data())
def test_like_a_list(documents: list[str], data: st.DataObject) -> None:
    texts = Texts.of(documents)
    known = [document.encode("utf-8", "replace").decode() for document in documents]
    assert list(texts) == known
    assert len(texts) == len(known)
    rows = data.draw(st.lists(st.integers(0, len(known) - 1))) if known else []
    assert list(texts[np.array(rows, np.int64)]) == [known[row] for row in rows]
    assert list(texts[1:-1]) == known[1:-1]
    if known:
        assert texts[-1] == known[-1]
        assert texts.encoded(0) == known[0].encode()
