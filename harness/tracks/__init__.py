"""Protocols by name. Adding one: a file beside this one and its line here."""

from __future__ import annotations

from typing import Any

from harness.registry import Registry
from harness.tracks.base import Settings, Track

_REGISTRY: Registry[Track[Any, Any]] = Registry(
    "track",
    {
        "acquisition": "harness.tracks.acquisition:Acquisition",
        "selection_active": "harness.tracks.selection_active:SelectionActive",
        "selection_legacy_speech": "harness.tracks.selection_legacy_speech:SelectionLegacySpeech",
        "selection_legacy_vision": "harness.tracks.selection_legacy_vision:SelectionLegacyVision",
        "slicing": "harness.tracks.slicing:Slicing",
        "valuation": "harness.tracks.valuation:Valuation",
        "valuation_sets": "harness.tracks.valuation_sets:ValuationSets",
        "selection": "harness.tracks.selection:Selection",
        "debugging": "harness.tracks.debugging:Debugging",
        "debugging_legacy": "harness.tracks.debugging_legacy:DebuggingLegacy",
        "training_set": "harness.tracks.training_set:TrainingSet",
        "test_set": "harness.tracks.test_set:TestSet",
        "test_set_repair": "harness.tracks.test_set_repair:TestSetRepair",
    },
)


def track_names() -> list[str]:
    """Names of all protocols, as ``track.name`` in a challenge may give them."""
    return _REGISTRY.names()


def track_class(name: str) -> type[Track[Any, Any]]:
    """The class of a protocol. Raises ProtocolError for an unknown name."""
    return _REGISTRY.get(name)


def settings_class(name: str) -> type[Settings]:
    """The class of a protocol's settings. Raises ProtocolError for an unknown name."""
    return track_class(name).settings_class
