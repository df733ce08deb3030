"""Where cells are computed, as the Hydra group ``launcher/`` says it: settings alone, which change no score."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

_Workers = Annotated[int | None, Field(ge=1, strict=True)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SerialLaunch(_Settings):
    """One cell after the other, in the harness's own process."""

    kind: Literal["serial"] = "serial"
    workers: Literal[1] = 1


class LocalLaunch(_Settings):
    """Processes of this machine; ``workers`` None: one per core."""

    kind: Literal["local"] = "local"
    workers: _Workers = None


Launch = Annotated[SerialLaunch | LocalLaunch, Field(discriminator="kind")]
LOCAL = LocalLaunch()
