"""``submission.yaml``: plain keys and texts, every problem named at once. Nothing in it is ever instantiated."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo

from harness import api
from harness.errors import SubmissionError
from harness.protocol import plain_yaml
from harness.protocol.folder import invalid
from harness.protocol.params import typed, valid
from harness.registry import problems

MANIFEST = "submission.yaml"
_ASIDE = re.compile(r"submission\.ya?ml(\.txt)?", re.IGNORECASE)


def _must(text: str, holds: object, words: str) -> str:
    if not holds:
        raise ValueError(words)
    return text


def _named(text: str) -> str:
    form = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.IGNORECASE | re.ASCII)
    return _must(text, form.fullmatch(text), "must be 1 to 64 letters, digits, '_', '-' or '.'")


def _kind(text: str, info: ValidationInfo[dict[str, Any]]) -> str:
    return _must(text, text in info.context["kinds"], f"must be one of {', '.join(info.context['kinds'])}")


def _function(text: str, info: ValidationInfo[dict[str, Any]]) -> str:
    _must(text, re.fullmatch(r"[A-Z_]\w*:[A-Z_]\w*", text, re.I | re.A), "must look like algorithm:function")
    module = f"{text.partition(':')[0]}.py"
    return _must(text, module in info.context["files"], f"names {module}, which is not in the folder")


def _readable(text: str) -> str:
    _must(text, any(map(str.isalnum, plain_yaml.UNSEEN.sub("", text))), "has no letter or digit")
    return _must(text, not plain_yaml.UNSEEN.search(text), "has characters that cannot be seen")


def _field(text: str, info: ValidationInfo[dict[str, Any]]) -> str:
    task = info.context["kinds"].get(info.data.get("track"), api.Task)
    fields = sorted(field.name for field in dataclasses.fields(task))
    return _must(text, text in fields, f"must be a field of the task ({', '.join(fields)})")


_Text = Annotated[str, AfterValidator(_readable)]


class Manifest(BaseModel):
    """The values of a ``submission.yaml``, all of the right form."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(_named)]
    track: Annotated[str, AfterValidator(_kind)]
    entry: Annotated[str, AfterValidator(_function)]
    authors: tuple[Annotated[_Text, Field(max_length=200)], ...] = Field(min_length=1)
    description: _Text = Field(max_length=2000)
    license: _Text = Field(max_length=200)  # an SPDX identifier, as MIT
    needs: tuple[Annotated[str, AfterValidator(_field)], ...] = ()
    requires: tuple[str, ...] = ()  # packages beside the harness's own: requirements.py
    params: Annotated[dict[str, Any], BeforeValidator(valid)] = {}  # keyword arguments of the function


def parse(
    content: bytes, where: str, files: Collection[str], kinds: Mapping[str, type[api.Task]] = api.TASKS
) -> Manifest:
    """A manifest from its bytes; ``where``: what an error calls it. Raises SubmissionError with all that is wrong.

    ``files`` are the relative paths of the submission's files: the entry must be among them. ``kinds`` are the task
    kinds by name: their fields are what ``needs`` may name.
    """
    if len(content) > 64_000:
        raise invalid(f"{where} is larger than 64 kB.")
    try:
        values = plain_yaml.read(content, plain_yaml.Texts)
        values |= {"params": typed(content)} if "params" in values else {}
        return Manifest.model_validate(values, context={"files": files, "kinds": kinds})
    except plain_yaml.NotPlain as error:
        raise invalid(f"{where} {error}.", error.hint) from error
    except ValidationError as error:
        wrong = "; ".join(problems(error)[:20])
        raise invalid(f"{where}: {wrong}.", "See a baseline's submission.yaml for the form.") from None


def missing(where: str, files: Collection[str]) -> SubmissionError:
    """The error of a folder without a manifest; one under a name close to it is pointed out."""
    near = sorted(name for name in files if _ASIDE.fullmatch(name))
    hint = f"Rename {near[0]} to {MANIFEST}." if near else "`harness new TRACK PATH` writes a working skeleton."
    return invalid(f"{where} has no {MANIFEST}.", hint)
