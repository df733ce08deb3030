"""What goes into the sandbox and what comes out of it, in types both sides of the boundary may know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from harness.api import Task
from harness.errors import Status
from harness.tracks.base import Arrays, View


class Limits(BaseModel):
    """What one cell of a submission may use; enforced from outside its process. Pinned by the challenge."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    seconds: float = Field(60.0, gt=0)  # wall clock from process start, imports included
    memory_mb: int = Field(2048, ge=64)
    processes: int = Field(64, ge=1)  # processes and threads together
    output_mb: int = Field(64, ge=1)  # all files it may leave
    log_kb: int = Field(256, ge=1)  # of stdout and stderr kept; the rest is dropped and flagged
    gpu: bool = Field(False, strict=True)  # one NVIDIA device handed in; bubblewrap only

    @model_serializer(mode="wrap")
    def _named_where_granted(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """``gpu`` is left out where it is not granted: older challenges keep their fingerprints."""
        facts: dict[str, Any] = plain(self)
        return facts if self.gpu else {name: value for name, value in facts.items() if name != "gpu"}


@dataclass(frozen=True)
class ForeignModel:
    """The one module that a plug-in's fixed model needs inside."""

    settings: str  # module:Class of its settings
    path: str  # of the module, below where modules are imported from
    source: bytes


@dataclass(frozen=True)
class Job:
    """One cell to run: everything the worker gets, and nothing else."""

    view: View
    task: type[Task]
    model: Mapping[str, int | float | str | bool]  # arguments of load_model: name, n_classes, hyperparameters
    entropy: tuple[int, ...]  # seeds task.rng; derived from the secret, cannot be turned back
    folder: Path  # the submission, mounted read-only
    module: str  # "algorithm" of entry "algorithm:rank"
    function: str  # "rank"
    limits: Limits
    params: Mapping[str, Any] = field(default_factory=dict)  # keyword arguments that it is called with: JSON values
    foreign: ForeignModel | None = None  # where the fixed model is a plug-in's
    quiet: bool = False  # the challenge keeps its secret: no words of the submission's own in a reason
    reply: Callable[[int, Arrays], Arrays | None] | None = None
    """For protocols in rounds: (round, output of that round) -> fields of the task to replace, None to end."""
    packages: Path | None = None  # an overlay of what the submission requires, mounted read-only
    alone: bool = False  # no other cell may run meanwhile, whatever the tier; see harness/sandbox/turns.py


@dataclass(frozen=True)
class Outcome:
    """What the supervisor saw. ``arrays`` is set when the worker delivered well-formed typed files (status ok)."""

    status: Status
    reason: str
    arrays: Arrays | None
    seconds: float  # wall clock of the process, measured outside it
    peak_memory_mb: float
    log: str
    log_truncated: bool
    tier: str
    fits: int | None = None  # models it trained with task.model, by its own report: never trusted, only shown
