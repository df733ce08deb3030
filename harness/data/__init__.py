"""Data sets by name. Importing this costs numpy and pydantic only; a loader is imported when it is asked for.

Adding a data set: a class derived from :class:`~harness.data.base.DatasetSettings` in a module beside this
one, its line in ``_REGISTRY``, ``conf/dataset/<name>.yaml``, ``conf/spec/<name>.yaml`` and the card made from it under
``docs/datasets/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.data.base import Dataset, DatasetSettings
from harness.registry import Registry, settings_of

__all__ = ["OWN", "Dataset", "DatasetSettings", "dataset_names", "dataset_settings", "fetch_dataset", "load_dataset"]

_REGISTRY: Registry[DatasetSettings] = Registry(
    "data set",
    "harness.datasets",
    "harness.data.base:DatasetSettings",
    {
        "adult": "harness.data.adult:Adult",
        "cifar10h": "harness.data.cifar:Cifar10H",
        "cifar10n": "harness.data.cifar:Cifar10N",
        "dataperf_speech": "harness.data.dataperf_selection:DataperfSpeech",
        "dataperf_vision": "harness.data.dataperf_selection:DataperfVision",
        "dataperf_debugging": "harness.data.dataperf_debugging:DataperfDebugging",
        "fashion_mnist": "harness.data.fashion_mnist:FashionMnist",
        "mnist_5k": "harness.data.mnist_5k:Mnist5k",
        "roman_numerals": "harness.data.roman_numerals:RomanNumerals",
        "nltk_documents": "harness.data.nltk_text:NltkDocuments",
        "labelme_crowd": "harness.data.crowd:LabelmeCrowd",
        "sentiment_crowd": "harness.data.crowd:SentimentCrowd",
        "crowd_labels": "harness.data.crowd:CrowdLabels",
        "subjectivity": "harness.data.nltk_sentences:Subjectivity",
        "sentence_polarity": "harness.data.nltk_sentences:SentencePolarity",
        "hate_offensive": "harness.data.posts:HateOffensive",
        "goemotions": "harness.data.posts:GoEmotions",
        "regmix": "harness.data.regmix:Regmix",
        "digits": "harness.data.bundled:Digits",
        "breast_cancer": "harness.data.bundled:BreastCancer",
        "wine": "harness.data.bundled:Wine",
        "digit_cells": "harness.data.bundled:DigitCells",
        "marked_digits": "harness.data.bundled:MarkedDigits",
        "letter_cells": "harness.data.tables_dirty:Letter",
        "table": "harness.data.own.table:Table",
        "text": "harness.data.own.text:Text",
        "images": "harness.data.own.images:Images",
        "arrays": "harness.data.own.arrays:Arrays",
        "croissant": "harness.data.own.croissant:Croissant",
    },
)


OWN = frozenset({"table", "text", "images", "arrays", "croissant"})
"""Kinds without data of their own: a YAML file of the organiser's says which files and columns (``docs/datasets/own.md``)."""


def dataset_names() -> list[str]:
    """Names of all data sets the harness can load, the kinds in ``OWN`` among them."""
    return _REGISTRY.names()


def dataset_settings(name: str, **params: Any) -> DatasetSettings:
    """The validated, frozen settings of a data set; reads no data.

    Raises
    ------
    ProtocolError: unknown name (with the nearest ones), unknown or wrong parameters (all of them listed).
    """
    return settings_of(_REGISTRY.what, settings_class(name), name, params)


def load_dataset(name: str, **params: Any) -> Dataset:
    """Load a data set, fetching its files if they are not on this machine.

    Raises
    ------
    ProtocolError: as :func:`dataset_settings`, or the files cannot be had or are not the pinned ones.
    """
    return dataset_settings(name, **params).load()


def fetch_dataset(name: str) -> list[Path]:
    """Bring all files of a data set onto this machine, checked; their paths (none for bundled data).

    Raises
    ------
    ProtocolError: unknown name, or a file that cannot be had or is not the pinned one.
    """
    return settings_class(name).fetch()


def settings_class(name: str, root: Path | None = None) -> type[DatasetSettings]:
    """The class of a data set, ``root`` being where an organiser's modules are. ProtocolError for an unknown name."""
    return _REGISTRY.get(name, root)
