"""What a participant's algorithm is given and what it gives back.

An algorithm is one function. It takes a *task* (one of the classes below, read-only numpy arrays) and returns the
arrays that its kind names in ``outputs``: the bare array where there is one name, a tuple in that order or a dict where
there are several. ``task.rng`` is the only randomness that reproduces. ``task.model`` is the challenge's own fixed model,
the same engine the scorer uses.

This package is imported inside the sandbox. It needs numpy alone and knows nothing of challenges, keys or scores.
"""

from __future__ import annotations

from harness.api.arrays import FloatArray, IntArray
from harness.api.models import Fitted, FittedLanguage, LanguageModel, Model
from harness.api.tasks import (
    TASKS,
    AcquisitionTask,
    AnnotationTask,
    AttributionTask,
    CleaningLmTask,
    CleaningTask,
    DebuggingCorrectTask,
    DebuggingTask,
    DistillationTask,
    FlywheelTask,
    MixtureLmTask,
    MixtureTask,
    SelectionActiveCrowdTask,
    SelectionActiveTask,
    SelectionLmTask,
    SelectionPairsTask,
    SelectionTask,
    SlicingTask,
    Task,
    TestSetRepairTask,
    TestSetTask,
    TrainingSetTask,
    ValuationSetsTask,
    ValuationTask,
    WeightingTask,
)
from harness.api.texts import Texts

__all__ = [
    "TASKS",
    "AcquisitionTask",
    "AnnotationTask",
    "AttributionTask",
    "CleaningLmTask",
    "CleaningTask",
    "DebuggingCorrectTask",
    "DebuggingTask",
    "DistillationTask",
    "Fitted",
    "FittedLanguage",
    "FloatArray",
    "FlywheelTask",
    "IntArray",
    "LanguageModel",
    "MixtureLmTask",
    "MixtureTask",
    "Model",
    "SelectionActiveCrowdTask",
    "SelectionActiveTask",
    "SelectionLmTask",
    "SelectionPairsTask",
    "SelectionTask",
    "SlicingTask",
    "Task",
    "TestSetRepairTask",
    "TestSetTask",
    "Texts",
    "TrainingSetTask",
    "ValuationSetsTask",
    "ValuationTask",
    "WeightingTask",
]
