"""Names that belong to the harness's own rows, in whatever spelling, and what makes two names look alike."""

from __future__ import annotations

import unicodedata
from functools import cache

from harness.protocol import submission as submissions

# Letters of other scripts, and digits, that are drawn like Latin letters: the common ones of Unicode's confusables (UTS 39).
_ALIKE = str.maketrans(
    "авеѕіјкмнорсԁтухһӏɡԛԝѵ" + "αβεικνορτυχγηωϲϳ" + "ıɩℓ|ɑօսոցհ" + "01358",
    "abesijkmhopcdtyxhlgqwv" + "abeikvoptuxynwcj" + "iill" + "aoungh" + "olesb",
)


def skeleton(name: str) -> str:
    """The name as the eye takes it: letters alone, small, without marks, look-alikes made one."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold()).translate(_ALIKE)
    return "".join(c for c in plain if c.isalnum()).replace("rn", "m").replace("vv", "w").replace("l", "i")


@cache
def _ours(task: str | None) -> frozenset[str]:
    shipped = {
        name for name, folders in submissions.shipped().items() if not task or task in {f.parent.name for f in folders}
    }
    return frozenset(map(skeleton, {"reference-random", "reference-skyline", "harness", "harness baselines", *shipped}))


def reserved(name: str, task: str | None = None) -> bool:
    """Whether a name is, or could be read as, that of a reference or of a shipped baseline, or of their authors.

    ``task``: the kind of task whose baselines are meant, as they share no board with those of others; None: all.
    """
    return skeleton(name) in _ours(task)
