"""What travels to another machine and what happens there: a bench by its challenge and data, a submission by its files.

Everything comes from the head and is trusted as the head is. What could differ between the machines and change a score
is compared before the first cell: the harness's source, the challenge's fingerprint, the isolation tier.
"""

from __future__ import annotations

import pickle
import socket
from collections import OrderedDict
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from harness import __version__, plugins
from harness.data import Dataset
from harness.errors import BenchmarkError, ProtocolError, Status
from harness.evaluation.bench import Bench
from harness.evaluation.cell import failed
from harness.evaluation.work import Answer, Work, perform
from harness.packages.overlay import overlay
from harness.plugins import Plugin
from harness.protocol.submission import Submission
from harness.sandbox.cell import Cell
from harness.tracking import provenance
from harness.tracking.runs import RunsDir
from harness.tracks.base import Reference

_KEPT = 2  # benches that one process keeps ready
_ready: OrderedDict[tuple[str, str, str], Bench] = OrderedDict()


@dataclass(frozen=True)
class Packed:
    """A bench on its way to another machine."""

    challenge: bytes  # pickled: its classes may be those of a plug-in, which has to be received first
    plugins: tuple[Plugin, ...]
    dataset: Dataset
    fingerprint: str
    tier: str
    device: str
    source: str  # digest of the head's harness
    version: str

    @classmethod
    def of(cls, bench: Bench) -> Packed:
        challenge = bench.challenge
        classes = (challenge.track_type, type(challenge.track), type(challenge.dataset), type(challenge.model))
        return cls(
            challenge=pickle.dumps(challenge),
            plugins=tuple({found.name: found for cls in classes if (found := plugins.of(cls))}.values()),
            dataset=bench.track.dataset,
            fingerprint=bench.fingerprint,
            tier=bench.tier,
            device=bench.device,
            source=provenance.source(),
            version=__version__,
        )

    def unpacked(self) -> Bench:
        """The bench on this machine, kept for the next cell.

        Raises ProtocolError where this machine would score otherwise: another harness, other plug-ins, no such tier.
        """
        key = self.fingerprint, self.tier, self.device
        if key not in _ready:
            if why := differs(self.source, self.version):
                raise ProtocolError(why)
            for plugin in self.plugins:
                plugins.receive(plugin, _place() / "plugins")
            challenge = pickle.loads(self.challenge)  # noqa: S301 - made by the head, which this machine works for
            bench = Bench.ready(challenge, device=self.device, tier=self.tier, dataset=self.dataset)
            if bench.fingerprint != self.fingerprint:
                raise ProtocolError(f"{_here()} makes another challenge of {challenge.name}: its plug-ins differ.")
            _ready[key] = bench
        _ready.move_to_end(key)
        while len(_ready) > _KEPT:
            _ready.popitem(last=False)
        return _ready[key]


def differs(source: str, version: str) -> str:
    """Why this machine's harness would not score as the head's; nothing where it is the same."""
    if source == provenance.source():
        return ""
    return (
        f"{_here()} has another harness (version {__version__}, source {provenance.source()[:12]}; the head has "
        f"{version}, {source[:12]}): install the same one on all machines."
    )


def perform_here(packed: Packed, whose: Submission | Reference, seed: int, cores: int) -> Answer:
    """Compute one cell on this machine, which was sent its bench and submission. What is wrong with it is said."""
    try:
        bench = packed.unpacked()
        whose = _kept(whose) if isinstance(whose, Submission) else whose
    except BenchmarkError as error:
        return failed(seed, Status.HARNESS_ERROR, f"On {_here()}: {error}")
    return perform(Work(bench, whose, seed), cores)


def _kept(entry: Submission) -> Submission:
    """The submission in a copy of this machine's, with its packages unpacked here."""
    kept = RunsDir(_place()).keep_submission(entry)
    return replace(kept, packages=overlay(entry.lock) if entry.lock else None)


@cache
def _place() -> Path:
    """A directory of this process alone; one that was killed leaves it to the next harness on this machine to sweep."""
    place = Cell()
    _places.append(place)
    return place.path


_places: list[Cell] = []  # their locks are held as long as the process lives


def _here() -> str:
    return f"node {socket.gethostname()}"
