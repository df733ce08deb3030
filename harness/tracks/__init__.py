"""Protocols by name. Adding one: a file beside this one and its line here."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.api import TASKS, Task
from harness.errors import ProtocolError
from harness.registry import Registry
from harness.tracks.base import Settings, Track

_REGISTRY: Registry[Track[Any, Any]] = Registry(
    "track",
    "harness.tracks",
    "harness.tracks.base:Track",
    {
        "acquisition": "harness.tracks.acquisition:Acquisition",
        "cleaning": "harness.tracks.cleaning:Cleaning",
        "selection_active": "harness.tracks.selection_active:SelectionActive",
        "selection_active_crowd": "harness.tracks.selection_active_crowd:SelectionActiveCrowd",
        "selection_legacy_speech": "harness.tracks.selection_legacy_speech:SelectionLegacySpeech",
        "selection_legacy_vision": "harness.tracks.selection_legacy_vision:SelectionLegacyVision",
        "flywheel": "harness.tracks.flywheel:Flywheel",
        "slicing": "harness.tracks.slicing:Slicing",
        "valuation": "harness.tracks.valuation:Valuation",
        "attribution": "harness.tracks.attribution:Attribution",
        "valuation_sets": "harness.tracks.valuation_sets:ValuationSets",
        "selection": "harness.tracks.selection:Selection",
        "selection_worst_group": "harness.tracks.selection_worst_group:SelectionWorstGroup",
        "mixture": "harness.tracks.mixture:Mixture",
        "mixture_lm": "harness.tracks.mixture_lm:MixtureLm",
        "debugging": "harness.tracks.debugging:Debugging",
        "debugging_correct": "harness.tracks.debugging_correct:DebuggingCorrect",
        "debugging_legacy": "harness.tracks.debugging_legacy:DebuggingLegacy",
        "training_set": "harness.tracks.training_set:TrainingSet",
        "distillation": "harness.tracks.distillation:Distillation",
        "test_set": "harness.tracks.test_set:TestSet",
        "test_set_repair": "harness.tracks.test_set_repair:TestSetRepair",
        "annotation": "harness.tracks.annotation:Annotation",
        "annotation_consensus": "harness.tracks.annotation_consensus:AnnotationConsensus",
        "selection_lm": "harness.tracks.selection_lm:SelectionLm",
        "cleaning_lm": "harness.tracks.cleaning_lm:CleaningLm",
        "weighting": "harness.tracks.weighting:Weighting",
    },
)


def track_names() -> list[str]:
    """Names of all protocols, as ``track.name`` in a challenge may give them."""
    return _REGISTRY.names()


def track_class(name: str, root: Path | None = None) -> type[Track[Any, Any]]:
    """The class of a protocol, ``root`` being where an organiser's modules are. ProtocolError for an unknown name."""
    return _REGISTRY.get(name, root)


def settings_class(name: str, root: Path | None = None) -> type[Settings]:
    """The class of a protocol's settings. Raises ProtocolError for an unknown name."""
    return track_class(name, root).settings_class


def task_kinds() -> dict[str, type[Task]]:
    """Every kind of task by name: the harness's own, and those of installed plug-ins that can be imported."""
    kinds = dict(TASKS)
    for name in track_names():
        if name not in _REGISTRY.own:
            with suppress(ProtocolError):
                task = track_class(name).task
                kinds.setdefault(task.kind, task)
    return kinds


def track_of(kind: str) -> str:
    """The track of a kind of task; empty where no track of here or of a plug-in has it."""
    for name in dict.fromkeys([*_REGISTRY.own, *track_names()]):
        with suppress(ProtocolError):
            if (found := track_class(name)).task.kind == kind:
                return found.track
    return ""
