"""Licences of a data set as the formats of others name them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from harness.data.specification import Specification

# Identifiers that Hugging Face has names of its own for; any other is `other` there.
_HUB = {
    "odbl-1.0": "odbl", "odc-by-1.0": "odc-by", "pddl-1.0": "pddl",
    **{name: name for name in (
        "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "unlicense", "gpl-3.0", "gpl-2.0", "mpl-2.0", "gfdl",
        "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0",
        "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0",
        "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0",
    )},
}  # fmt: skip


@dataclass(frozen=True)
class Licence:
    """One licence: its identifier and where its text is."""

    name: str
    path: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def of(spec: Specification) -> list[Licence]:
    """Every licence that the expression names; where it has more than one, LICENSE says how they go together."""
    words = re.findall(r"[A-Za-z0-9][\w.+:-]*", spec.license)
    skip, found = False, []
    for word in words:
        if word in ("AND", "OR"):
            continue
        if word == "WITH" or skip:  # an exception of the licence before it, not a licence
            skip = word == "WITH"
            continue
        where = "LICENSE" if word.startswith("LicenseRef-") else f"https://spdx.org/licenses/{word}.html"
        found.append(Licence(word, where))
    return found


def hub(spec: Specification) -> dict[str, object]:
    """The keys of Hugging Face's front matter."""
    names = [licence.name.lower() for licence in of(spec)]
    if spec.license.lower() in _HUB:
        return {"license": _HUB[spec.license.lower()]}
    known = all(name in _HUB for name in names) and " AND " not in spec.license and len(names) > 1
    if known and " WITH " not in spec.license:
        return {"license": [_HUB[name] for name in names]}
    return {"license": "other", "license_name": spec.license.lower(), "license_link": "LICENSE"}


def text(spec: Specification) -> str:
    """The file LICENSE: which licence it is and where its words are."""
    lines = [f"SPDX-License-Identifier: {spec.license}", ""]
    for licence in of(spec):
        if licence.path == "LICENSE":
            continue
        lines += [
            f"The words of {licence.name} are at {licence.path};",
            "this file names the licence and does not hold its text.",
            "",
        ]
    if spec.license_text:
        lines += [spec.license_text, ""]
    return "\n".join(lines)
