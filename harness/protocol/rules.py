"""The rules of a competition: who may enter and how often, what counts, when what is shown. None changes a score."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Counts = Literal["last", "best", "selected"]
Logs = Literal["kept", "shown"]
PhaseName = Literal["public", "final"]


def moment(value: object) -> datetime:
    """A time with its zone, as UTC. Raises ValueError for a text that does not say which zone it means."""
    said = value if isinstance(value, str) else str(value)
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(said)
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(
        f"must be a time with its zone, as 2027-01-31T23:59:00+01:00 or 2027-01-31T22:59:00Z, got {said!r:.60}"
    )


def written(time: datetime) -> str:
    """A time as people and files have it: UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Moment = Annotated[datetime, BeforeValidator(moment), PlainSerializer(written, when_used="json")]


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublicPhase(_Rules):
    """What is shown while the competition goes on.

    ``share`` of the hidden items are its own where there is a final phase, whose are the others. ``ladder``: a team's
    public score moves only when it grows by more than this step (Blum and Hardt 2015, The Ladder).
    """

    opens: Moment | None = None  # from then on its board is published; None: at once
    closes: Moment | None = None  # what is handed in later never ranks
    share: float = Field(0.5, gt=0, lt=1)
    ladder: float | None = Field(None, gt=0, lt=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.opens and self.closes and self.closes <= self.opens:
            raise ValueError(f"closes {written(self.closes)} is not after opens {written(self.opens)}")
        return self


class FinalPhase(_Rules):
    """What decides: scored on the hidden items that the public phase never used, published once."""

    opens: Moment | None = None  # nothing of it is published before; None: when it is finalised


class Phases(_Rules):
    """The phases of a competition; without ``final`` all hidden items are the public phase's."""

    public: PublicPhase = PublicPhase()
    final: FinalPhase | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        """``public:`` with nothing below it is a phase with the usual settings."""
        return (
            {name: {} if phase is None else phase for name, phase in value.items()}
            if isinstance(value, dict)
            else value
        )

    @model_serializer(mode="wrap")
    def _without_none(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """No final phase is no key: read again, one with nothing below it would be a phase."""
        facts: dict[str, Any] = plain(self)
        return {name: phase for name, phase in facts.items() if phase is not None}

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        closes, opens = self.public.closes, self.final.opens if self.final else None
        if closes and opens and opens < closes:
            raise ValueError(f"final opens {written(opens)} before public closes {written(closes)}")
        return self


class Quota(_Rules):
    """How many entries of a team are run: those that came to a score, or failed by the team's own fault, count."""

    per_day: int | None = Field(None, ge=1)  # from midnight to midnight, UTC
    total: int | None = Field(None, ge=1)
