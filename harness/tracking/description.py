"""A record in MLflow's words: tags to search by, params to compare, metrics with their steps, the data set.

Everything is made from the record alone, so that a run delivered late is described as one delivered at once.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import ProtocolError
from harness.tracking.addresses import shown
from harness.tracking.record import Record
from harness.tracks import track_class

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Param

MAX_PARAMS = 100  # of MLflow, in one call
CURVE_POINTS = 50
_DIGEST = 12  # hexadecimal digits of a data set's digest, which fit into MLflow's table; it takes 36
_TAG, _PARAM = 4000, 500  # characters
_FIRST = ("model", "track", "dataset")  # settings that are kept where there are more than MAX_PARAMS
_SECRET = re.compile(r"secret|passw|credential|api_?key|token$", re.IGNORECASE)


def tags(record: Record, digest: str) -> dict[str, str]:
    """What runs are found by. ``digest``: SHA-256 of record.json."""
    found = {
        "run_id": record.run_id,
        "record_sha256": digest,
        "status": record.status.value,
        "reason": record.reason,
        "challenge": record.challenge,
        "fingerprint": record.fingerprint,
        "challenge_version": str(record.challenge_version),
        "track": record.track,
        "task": record.task,
        "submission": record.submission,
        "submission_digest": record.submission_digest or "",
        "authors": ", ".join(record.authors),
        "isolation": record.isolation,
        "device": record.device,
        "modified": str(record.modified).lower(),
        "reference": str(record.reference).lower(),
        "system.platform": platform.platform(),
        "system.cpus": str(len(os.sched_getaffinity(0))),
        "mlflow.user": ", ".join(record.authors),  # columns of MLflow's own table
        "mlflow.source.name": "harness",
    }
    if record.team:
        found["team"] = record.team
    if record.commit:
        found["mlflow.source.git.commit"] = record.commit
    found |= {f"data.{_key(name)}": value for name, value in record.data_digests.items()}
    found |= {f"version.{_key(name)}": value for name, value in record.versions.items()}
    if _has_curve(record):
        found["curve.x"], found["curve.y"] = _steps(record)[1], _axes(record)[1]
    return {key: value[:_TAG] for key, value in found.items()}


def experiment_tags(record: Record) -> dict[str, str]:
    """What an experiment is found by, and the challenge's own words as its description."""
    words = [record.settings.get("title"), record.settings.get("description")]
    return {
        "challenge": record.challenge,
        "fingerprint": record.fingerprint,
        "challenge_version": str(record.challenge_version),
        "track": record.track,
        "modified": str(record.modified).lower(),
        "mlflow.note.content": "\n\n".join(word for word in words if isinstance(word, str))[:_TAG],
    }


def params(record: Record) -> list[Param]:
    """The submission's parameters (``param.k``) and the challenge's settings (``model.C``), flat; at most MAX_PARAMS."""
    from mlflow.entities import Param

    flat = {"metric": record.metric, "direction": record.direction, "seeds_measured": str(len(record.measured))}
    flat |= {_key(f"param.{name}"): str(value)[:_PARAM] for name, value in record.params.items()}
    prose = {key: value for key, value in record.settings.items() if key not in ("title", "description")}
    settings = {key: prose[key] for key in _FIRST if key in prose} | prose
    flat |= {_key(key): str(value)[:_PARAM] for key, value in _flatten(_open(settings))}
    return [Param(key, value) for key, value in list(flat.items())[:MAX_PARAMS]]


def final_metrics(record: Record) -> dict[str, float]:
    """The metrics that speak for the whole run, as MLflow holds them; what the board checks against the record."""
    low, high = record.ci95 or (None, None)
    seconds = sum(cell.seconds.submission for cell in record.cells) if record.measured else None
    found = {"score": record.score, "ci_low": low, "ci_high": high, "normalised": record.normalised, "seconds": seconds}
    return {key: float(value) for key, value in found.items() if value is not None}


def metrics(record: Record, timestamp: int) -> list[Metric]:
    """Those of the whole run at step 0, ``seed/...`` with seeds as steps, and ``curve/...`` along the track's curve.

    ``timestamp``: milliseconds since 1970.
    """
    from mlflow.entities import Metric

    values = [(key, value, 0) for key, value in final_metrics(record).items()]
    for cell in record.measured:
        of_seed = {
            "score": cell.score,
            **cell.metrics,
            "seconds_submission": cell.seconds.submission,
            "seconds_scoring": cell.seconds.scoring,
            "fits": cell.fits,
            "peak_memory_mb": cell.peak_memory_mb,
        }
        values += [(f"seed/{_key(key)}", value, cell.seed) for key, value in of_seed.items() if value is not None]
    if _has_curve(record):
        name = _key(_axes(record)[1].partition(",")[0].strip().replace(" ", "_"))
        values += [(f"curve/{name}", y, step) for step, (_, y) in zip(_steps(record)[0], _curve(record), strict=True)]
    return [Metric(key, float(value), timestamp, step) for key, value, step in values]


def datasets(record: Record) -> list[DatasetInput]:
    """The data set, for MLflow's Datasets column and ``dataset.name``, ``.digest`` and ``.context`` in a search.

    Its digest is the harness's own, shortened; its source the pinned settings without anything secret; its schema
    names what is predicted; title, version and licence of its specification are tags.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    settings = record.settings.get("dataset")
    source = _open(settings) if isinstance(settings, dict) else {}
    if isinstance(source.get("url"), str):
        source["url"] = shown(source["url"]).partition("?")[0]  # a link that was signed for one person
    targets = source["label"] if isinstance(source.get("label"), str) else "y"
    columns = [{"name": "X", "type": "float", "required": True}, {"name": targets, "type": "long", "required": True}]
    return [
        DatasetInput(
            Dataset(
                name=name[:500],
                digest=digest[:_DIGEST],
                source_type="harness",
                source=json.dumps(source)[:65_000],
                schema=json.dumps({"mlflow_colspec": columns}),
                profile=json.dumps({"targets": targets, "num_classes": record.n_classes, "sha256": digest}),
            ),
            [
                InputTag("mlflow.data.context", record.track),
                *(InputTag(key, value[:500]) for key, value in record.dataset.items()),
            ],
        )
        for name, digest in record.data_digests.items()
    ]


# --- the curve ---


def _has_curve(record: Record) -> bool:
    return record.curve is not None and len(record.curve) > 1  # a single point is no curve


def _curve(record: Record) -> list[tuple[float, float]]:
    """At most CURVE_POINTS of the curve's points, the first and the last among them."""
    points = record.curve or ()
    kept = np.unique(np.linspace(0, len(points) - 1, min(len(points), CURVE_POINTS)).round().astype(int))
    return [points[i] for i in kept]


def _steps(record: Record) -> tuple[list[int], str]:
    """Integers for the curve's x, which MLflow's steps have to be, and what they are."""
    axis = _axes(record)[0]
    x = [point[0] for point in _curve(record)]
    for factor, unit in ((1, ""), (1000, ", in thousandths")):
        steps = [round(factor * value) for value in x]
        exact = factor > 1 or all(map(float.is_integer, x))
        if exact and max(map(abs, x)) * factor < 2**53 and all(a < b for a, b in pairwise(steps)):
            return steps, axis + unit
    return list(range(len(x))), f"point of the curve, in the order of {axis}"


def _axes(record: Record) -> tuple[str, str]:
    """What the track calls the curve's axes, where its class can be had."""
    settings = record.settings.get("track")
    axes = ("", "")
    with suppress(ProtocolError):
        axes = track_class(settings["name"] if isinstance(settings, dict) else record.track).curve_axes
    return axes[0] or "x", axes[1] or "y"


# --- settings ---


def _open(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings without those whose names say that nobody else is to see them."""
    return {
        key: _open(value) if isinstance(value, dict) else value
        for key, value in settings.items()
        if not _SECRET.search(key)
    }


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _key(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_./ -]", "_", name)[:200]
