"""``submission.yaml``: plain keys and values, every problem named at once. Nothing in it is ever instantiated."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from harness import api, registry
from harness.protocol import plain_yaml
from harness.protocol.folder import invalid

MANIFEST = "submission.yaml"
_SHOWN = 12  # problems of one manifest; 64 kB have room for thousands
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ENTRY = re.compile(r"([A-Za-z_]\w*):[A-Za-z_]\w*", re.ASCII)
# Controls, marks that reverse direction, halves of characters, and what takes no room: soft hyphen, zero-width space,
# invisible operators, byte order mark, the fillers of Hangul and Braille. Joiners stay: names in Persian need them.
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u115f\u1160\u180e\u200b\u2028-\u202e\u2060-\u206f\u2800\u3164"
    r"\ud800-\udfff\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_ASIDE = re.compile(r"submission\.ya?ml(\.txt)?", re.IGNORECASE)


def _read_by_people(text: str) -> str:
    if not any(map(str.isalnum, _UNSEEN.sub("", text))):
        raise ValueError("has no letter or digit")
    if _UNSEEN.search(text):
        raise ValueError("has characters that cannot be seen")
    return text


@dataclass(frozen=True)
class _Given:
    """What a manifest is held against."""

    files: Collection[str]
    kinds: Mapping[str, type[api.Task]]


def _given(info: ValidationInfo) -> _Given:
    given: _Given = info.context  # type: ignore[assignment]  # as parse() hands it over
    return given


_Text = Annotated[str, AfterValidator(_read_by_people)]


class Manifest(BaseModel):
    """What a ``submission.yaml`` says."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: str
    track: str
    entry: str
    authors: Annotated[list[Annotated[_Text, Field(max_length=200)]], Field(min_length=1)]
    description: Annotated[_Text, Field(max_length=2000)]
    license: Annotated[_Text, Field(max_length=200)]  # an SPDX identifier
    needs: list[str] = []

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("must be 1 to 64 letters, digits, '_', '-' or '.'")
        return name

    @field_validator("track")
    @classmethod
    def _is_a_kind(cls, track: str, info: ValidationInfo) -> str:
        if track not in _given(info).kinds:
            raise ValueError(f"must be one of {', '.join(_given(info).kinds)}")
        return track

    @field_validator("entry")
    @classmethod
    def _is_in_the_folder(cls, entry: str, info: ValidationInfo) -> str:
        match = _ENTRY.fullmatch(entry)
        if not match:
            raise ValueError("must look like algorithm:function")
        if f"{match[1]}.py" not in _given(info).files:
            raise ValueError(f"names {match[1]}.py, which is not in the folder")
        return entry

    @field_validator("needs")
    @classmethod
    def _are_fields(cls, needs: list[str], info: ValidationInfo) -> list[str]:
        kind = _given(info).kinds.get(info.data.get("track", ""), api.Task)
        known = sorted(field.name for field in fields(kind))
        if not set(needs) <= set(known):
            raise ValueError(f"must be a list of fields of the task ({', '.join(known)})")
        return needs


def parse(
    content: bytes, where: str, files: Collection[str], kinds: Mapping[str, type[api.Task]] = api.TASKS
) -> Manifest:
    """A manifest, all of it of the right form.

    Parameters
    ----------
    content: the bytes of ``submission.yaml``.
    where: what an error calls it.
    files: relative paths of the submission's files; the entry must be among them.
    kinds: kinds of task there are.

    Raises
    ------
    SubmissionError: invalid_submission, with all that is wrong.
    """
    if len(content) > 64_000:
        raise invalid(f"{where} is larger than 64 kB.")
    try:
        values = plain_yaml.read(content, plain_yaml.Strangers)
        return Manifest.model_validate(values, context=_Given(files, kinds))
    except plain_yaml.NotPlain as error:
        raise invalid(f"{where} {error}.", error.hint) from error
    except ValidationError as error:
        problems = registry.problems(error)
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        listed = "; ".join(problems[:_SHOWN] + more)
        raise invalid(f"{where}: {listed}.", "See a baseline's submission.yaml for the form.") from None


def missing(where: str, files: Collection[str]) -> Exception:
    """The error of a folder without a manifest; one under a name close to it is pointed out."""
    near = sorted(name for name in files if _ASIDE.fullmatch(name))
    hint = f"Rename {near[0]} to {MANIFEST}." if near else "`harness new TRACK PATH` writes a working skeleton."
    return invalid(f"{where} has no {MANIFEST}.", hint)
