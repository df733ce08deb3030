"""A challenge made ready: all that a cell is computed with, on whatever machine."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from harness import sandbox
from harness.data import Dataset
from harness.errors import HarnessError, ProtocolError, Status, SubmissionError
from harness.evaluation.frozen import refuse_drift
from harness.models.backend import resolve_device
from harness.protocol.challenge import Challenge
from harness.sandbox import gpu, turns
from harness.tracks.base import Track

_STOPPED = "The run was stopped before this cell ended."


@dataclass(frozen=True)
class Bench:
    """Data loaded, protocol bound to the fixed model, isolation proved to work."""

    challenge: Challenge
    track: Track[Any, Any]
    transfer: (
        Track[Any, Any] | None
    )  # the protocol once more, bound to the second fixed model of a challenge that has one
    fingerprint: str
    data_digest: str
    tier: str
    device: str

    @classmethod
    def ready(
        cls,
        challenge: Challenge,
        *,
        device: str = "auto",
        tier: str = "auto",
        dataset: Dataset | None = None,
        elsewhere: bool = False,
    ) -> Bench:
        """Load data (unless they are given) and model of a challenge, and resolve device and tier.

        ``elsewhere``: cells run on other machines, which have the GPU, if one is asked for.
        Raises ProtocolError where this machine has not got the data, the device, the tier or a GPU for submissions.
        """
        os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # a process that only looks can still be forked
        try:
            device = device if elsewhere and device == "cuda" else resolve_device(device)
        except HarnessError as error:  # asking for what this machine lacks is a matter of usage
            raise ProtocolError(error.reason, error.hint) from error
        minimum = "none" if tier == "none" else challenge.minimum_isolation  # asked for by name: runs, never ranks
        with ThreadPoolExecutor(1) as aside:  # where Ctrl-C cannot break into the trial of a tier
            tier = aside.submit(sandbox.resolve_tier, tier, minimum).result()
        if tier == "none":
            warnings.warn("sandbox tier none: submissions run without isolation, and never rank", stacklevel=2)
        if challenge.limits.gpu and not elsewhere:
            gpu.require(tier)
        dataset = dataset or challenge.load_dataset()
        data_digest = dataset.digest()
        refuse_drift(challenge, data_digest)
        return cls(
            challenge=challenge,
            track=challenge.load_track(dataset, device),
            transfer=challenge.load_track(dataset, device, challenge.transfer) if challenge.transfer else None,
            fingerprint=challenge.fingerprint(dataset),
            data_digest=data_digest,
            tier=tier,
            device=device,
        )

    @property
    def alone(self) -> bool:
        """Whether its cells never overlap with others in time."""
        return turns.must_be_alone(self.tier, not self.challenge.practice, self.challenge.limits.gpu)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A turn at the fixed model. On a GPU one cell at a time has it, whichever process it is in.

        Raises SubmissionError (``cancelled``) once the run was stopped.
        """
        self.go_on()
        if self.device == "cpu" and not self.challenge.limits.gpu:
            yield
            return
        with turns.device(self.go_on):
            yield

    @staticmethod
    def go_on() -> None:
        """Raises SubmissionError (``cancelled``) once the run was stopped."""
        if sandbox.cancelled():
            raise SubmissionError(_STOPPED, status=Status.CANCELLED)
