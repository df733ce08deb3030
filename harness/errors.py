"""Who is to blame, in one exception tree, and the closed list of ways a cell can end."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """How a cell or a run ended. Only ``OK`` ranks."""

    OK = "ok"
    INVALID_SUBMISSION = "invalid_submission"  # folder, manifest or import is broken: nothing could be run
    CONTRACT_VIOLATION = "contract_violation"  # ran, but returned something the track does not allow
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    CRASHED = "crashed"  # raised, or died by a signal
    NO_OUTPUT = "no_output"  # ended without returning anything
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    SUSPICIOUS = "suspicious"  # better than the skyline by more than chance: a person has to look
    HARNESS_ERROR = "harness_error"  # ours: never charged to the participant, retried on the next run


class BenchmarkError(Exception):
    """Base of every error the harness foresees.

    ``reason`` says what is wrong and where, ``hint`` how to put it right; together they are the one paragraph a
    user sees instead of a traceback.
    """

    def __init__(self, reason: str, hint: str = "") -> None:
        self.reason = reason
        self.hint = hint
        super().__init__(f"{reason} {hint}".strip())


class ProtocolError(BenchmarkError):
    """The challenge, its configuration, its data or the way the command was called is wrong (organiser, user)."""


class SubmissionError(BenchmarkError):
    """The submission is wrong (participant); ``status`` is what its cell ends in."""

    def __init__(self, reason: str, hint: str = "", status: Status = Status.CONTRACT_VIOLATION) -> None:
        super().__init__(reason, hint)
        self.status = status


class HarnessError(BenchmarkError):
    """The harness or the machine under it failed (us)."""


class NothingToMeasure(ProtocolError):
    """One seed on which no method could be told from another; its cell is ``skipped``, the reason said.

    A challenge in which that is so on every seed ends as ``skipped`` with a row that says why.
    """
