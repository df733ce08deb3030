"""The packages a submission asks for: ``requires`` in its manifest, or a ``requirements.txt`` beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from packaging.requirements import InvalidRequirement, Requirement

from harness.protocol.folder import invalid

FILE = "requirements.txt"
MAX_REQUIREMENTS, MAX_LENGTH = 50, 300
_HINT = (
    'A requirement is a package of the index and perhaps its versions, as "lightgbm==4.6.0" or "scikit-activeml~=1.0".'
)


def requirements(listed: Sequence[object], contents: Mapping[str, bytes], where: str) -> tuple[str, ...]:
    """Requirements (PEP 508) in one spelling: names and versions of packages in the index, and nothing else.

    Parameters
    ----------
    listed: the manifest's ``requires``.
    contents: the submission's files by relative path.
    where: what an error calls the folder.

    Raises
    ------
    SubmissionError: invalid_submission, with all that is wrong.
    """
    if FILE in contents:
        if listed:
            raise invalid(f"{where} has `requires` in its manifest and a {FILE}.", "Keep one of the two.")
        listed, where = _lines(contents[FILE], f"{where}/{FILE}"), f"{where}/{FILE}"
    if len(listed) > MAX_REQUIREMENTS:
        raise invalid(f"{where} requires more than {MAX_REQUIREMENTS} packages.")
    if problems := [problem for value in listed if (problem := _problem(value))]:
        raise invalid(f"{where}: requires {'; '.join(problems)}.", _HINT)
    return tuple(dict.fromkeys(str(Requirement(str(value))) for value in listed))


def _problem(value: object) -> str:
    if not isinstance(value, str):
        return f"must be a list of texts, got {type(value).__name__}"
    if len(value) > MAX_LENGTH or not value.isascii() or not value.isprintable():
        return f"{value!r:.60} is too long or has odd characters"
    if value.lstrip().startswith("-"):
        return f"{value!r:.60} is an option of pip's; only packages can be named"
    try:
        requirement = Requirement(value)
    except InvalidRequirement:
        path = re.search(r"://|^\s*[./~]|\.(whl|zip|tar\.gz)\b", value)
        return f"{value!r:.60} is " + ("an address or a path, not a package" if path else "no requirement")
    return f"{value!r:.60} names an address; only packages of the index can be had" if requirement.url else ""


def _lines(content: bytes, where: str) -> list[str]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise invalid(f"{where} is not UTF-8 text.", "Save it as UTF-8.") from None
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()[:5000]]
    return [line for line in lines if line]
