"""What people have to know of a data set, in one file (``spec/NAME.yaml``) from which everything else is written.

The card, the Data Package, the Croissant description and the rules that participants read come from it. A specification
may be unfinished, as a new one is; :meth:`Specification.unfinished` says what a release still needs.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Role = Literal["feature", "label", "id", "group", "time", "part", "text", "image", "votes", "meta", "unused"]
Type = Literal["number", "integer", "category", "text", "date", "image", "array"]


def _licence(text: str) -> str:
    """The expression in SPDX's own spelling; empty where nobody has said one."""
    if not text:
        return ""
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression as error:
        raise ValueError(
            f"{text!r} is no SPDX expression ({error}); https://spdx.org/licenses lists the identifiers, as CC-BY-4.0, and "
            "LicenseRef-NAME with `license_text` stands for any other"
        ) from None


def _version(text: object) -> str:
    try:
        parsed = Version(str(text))
    except InvalidVersion:
        parsed = None
    if parsed is None or str(parsed) != str(text) or len(parsed.release) != 3:
        raise ValueError(f"{text!r} is no version of three numbers, as 1.0.0")
    return str(text)


Text = Annotated[str, AfterValidator(str.strip)]
Licence = Annotated[Text, AfterValidator(_licence)]
VersionNumber = Annotated[str, BeforeValidator(_version)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)


class Column(_Part):
    """A column (array, file) of the data: what it is for, of what type, what may stand in it.

    ``values`` is the domain of a category, ``least`` and ``most`` bound numbers (and ISO dates); ``missing`` is what stands
    for an entry that is not there.
    """

    role: Role = "feature"
    type: Type
    means: Text = ""
    unit: Text = ""
    values: tuple[str, ...] | None = None
    least: float | datetime.date | None = None
    most: float | datetime.date | None = None
    missing: str | None = None

    @model_validator(mode="after")
    def _fitting_domain(self) -> Self:
        ordered = {"number": float, "integer": float, "array": float, "image": float, "date": datetime.date}
        for bound, value in (("least", self.least), ("most", self.most)):
            if value is not None and not isinstance(value, ordered.get(self.type, ())):
                raise ValueError(f"{bound} is {value}, which bounds no {self.type}")
        if self.values is not None and self.type not in ("category", "integer", "text"):
            raise ValueError(f"values lists categories, and the type is {self.type}")
        if self.least is not None and self.most is not None and not self.least <= self.most:  # type: ignore[operator]
            raise ValueError(f"least ({self.least}) is above most ({self.most})")
        return self


class ClassGuide(_Part):
    """How an annotator knows a class: what it is, what is hard to tell and how it was decided, examples."""

    means: Text = ""
    edge_cases: tuple[Text, ...] = ()
    examples: tuple[Text, ...] = ()


def _short(said: object) -> object:
    """A class described by one sentence alone."""
    return {"means": said} if isinstance(said, str) else said


class Label(_Part):
    """Where labels stand, how they came about, and the guide by which they are given."""

    column: Text = ""
    origin: Text = ""  # who gave them, and how
    guide: Text = ""
    classes: Mapping[str, Annotated[ClassGuide, BeforeValidator(_short)]] = {}


class Split(_Part):
    """How rows are split, and the columns that decide it."""

    rule: Text = ""
    group: Text = ""
    time: Text = ""
    part: Text = ""


class Collection(_Part):
    """How, when, of whom and with what consent the rows were collected."""

    method: Text = ""
    period: Text = ""
    people: Text = ""
    consent: Text = ""


class Change(_Part):
    """A version and what is different in it."""

    version: VersionNumber
    date: datetime.date | None = None
    changes: Text = "First version."


class Digest(_Part):
    """The digest of the loaded arrays for some parameters of the loader: what a fingerprint relies on."""

    parameters: Mapping[str, Any] = {}
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Specification(_Part):
    """Everything about a data set that its files cannot tell. Texts may be Markdown."""

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_]{0,63}$")]
    title: Text = ""
    purpose: Text = ""
    summary: Text = ""  # rows, arrays, classes: the first paragraph of a card
    unit: Text = ""
    columns: Mapping[str, Column] = {}
    label: Label = Label()
    split: Split = Split()
    collection: Collection = Collection()
    preparation: Text = ""
    source: Text = ""
    url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    creators: tuple[Text, ...] = ()
    license: Licence = ""
    license_text: Text = ""
    privacy: Text = ""
    citation: Text = ""
    faults: tuple[Text, ...] = ()
    sections: Mapping[str, Text] = {}  # further chapters of the card by heading
    digests: tuple[Digest, ...] = ()
    versions: Annotated[tuple[Change, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        numbers = [Version(change.version) for change in self.versions]
        for earlier, later in itertools.pairwise(numbers):
            if not later > earlier:
                raise ValueError(f"versions: {later} comes after {earlier}; versions only rise, the newest last")
        if "LicenseRef-" in self.license and not self.license_text:
            raise ValueError(f"license is {self.license}, whose text is not known; give it in license_text")
        return self

    @property
    def version(self) -> str:
        """The newest."""
        return self.versions[-1].version

    def facts(self) -> dict[str, str]:
        """What stands wherever the data are named: on boards, in records, in MLflow."""
        return {"name": self.name, "title": self.title, "version": self.version, "license": self.license or "not said"}

    def unfinished(self) -> list[str]:
        """What a release needs and nobody has filled in yet, as keys with what they are for."""
        needed: Sequence[tuple[str, object, str]] = (
            ("title", self.title, "one line"),
            ("purpose", self.purpose, "the description: what the data are for"),
            ("creators", any(self.creators), "a list of people or organisations"),
            ("license", self.license, "an SPDX identifier, or LicenseRef-NAME with license_text"),
            ("source", self.source, "where the data come from"),
        )
        return [f"{key} ({what})" for key, value, what in needed if not value]
