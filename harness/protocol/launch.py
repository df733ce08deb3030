"""Where cells are computed, as the Hydra group ``launcher/`` says it: settings alone, which change no score."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

_Workers = Annotated[int | None, Field(ge=1, strict=True)]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    elsewhere: ClassVar[bool] = False  # on other machines than the head


class SerialLaunch(_Settings):
    """One cell after the other, in the harness's own process."""

    kind: Literal["serial"] = "serial"
    workers: Literal[1] = 1


class LocalLaunch(_Settings):
    """Processes of this machine; ``workers`` None: one per core."""

    kind: Literal["local"] = "local"
    workers: _Workers = None


class RayLaunch(_Settings):
    """Tasks of a Ray cluster."""

    elsewhere: ClassVar[bool] = True
    kind: Literal["ray"] = "ray"
    address: str | None = None  # auto, HOST:PORT or ray://HOST:PORT; None: RAY_ADDRESS, else one for this command alone
    workers: _Workers = None  # cells at a time; None: as many as the cluster takes
    cpus: int = Field(1, ge=1)  # of one cell
    retries: int = Field(5, ge=0)  # of a cell whose node or process is lost


class SlurmLaunch(_Settings):
    """Job arrays of a Slurm cluster, through submitit."""

    elsewhere: ClassVar[bool] = True
    kind: Literal["slurm"] = "slurm"
    exchange: str | None = None  # a directory that all nodes share; None: ``exchange`` in the runs directory
    workers: _Workers = None  # jobs at a time; None: as many as the cluster takes
    cells: int = Field(10, ge=1)  # of one job: starting a job costs seconds
    cpus: int = Field(1, ge=1)  # of one job
    minutes: int = Field(60, ge=1)  # after which Slurm ends a job
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    gres: str | None = None  # such as gpu:1
    retries: int = Field(5, ge=0)  # of a cell whose node is lost or whose job is preempted


Launch = Annotated[SerialLaunch | LocalLaunch | RayLaunch | SlurmLaunch, Field(discriminator="kind")]
LOCAL = LocalLaunch()
