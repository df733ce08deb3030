"""Everything about a release that is made from its specification and its data, and never by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.pipeline.release import croissant, datapackage, licences, papers
from harness.pipeline.release.contents import Contents, Stored

DESCRIPTIONS = ("README.md", "LICENSE", "CHANGELOG.md", "spec.yaml", "croissant.json", "datapackage.json")


def descriptions(contents: Contents) -> dict[str, bytes]:
    """Every description by its file's name; the same bytes for the same contents."""
    spec = papers.specification(contents.spec).encode()
    return {
        "README.md": papers.readme(contents).encode(),
        "LICENSE": licences.text(contents.spec).encode(),
        "CHANGELOG.md": papers.changelog(contents.spec).encode(),
        "spec.yaml": spec,
        "croissant.json": _json(croissant.description(contents)),
        "datapackage.json": _json(datapackage.package(contents, Stored.of(spec))),
    }


def _json(plain: Mapping[str, Any]) -> bytes:
    return (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode()
