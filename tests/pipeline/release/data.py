"""Small data sets of every kind, as an organiser writes them, and what stands in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from tests.data.own import write_csv

ABOUT: dict[str, Any] = {
    "title": "Visits to four wards",
    "purpose": "Who is ill?",
    "unit": "A visit",
    "source": "Made up",
    "url": "https://example.org/visits",
    "creators": ["Ada Example", "Example Institute"],
    "license": "CC-BY-4.0",
    "privacy": "No real people.",
    "collection": {"method": "Written by hand", "period": "2024", "people": "nobody"},
    "faults": ["Some weights were not taken"],
    "citation": "Example 2024",
    "versions": [{"version": "1.0.0", "date": "2024-04-01"}],
}
CLASSES = {"ill": "Has it", "well": {"means": "Has it not", "edge_cases": ["a cold"], "examples": ["a walk"]}}

PATIENTS: list[tuple[str, ...]] = [
    ("id", "patient", "visit", "age", "ward name", "weight", "note", "outcome", "part"),
    ("v1", "p1", "2024-01-05", "61", "north", "70.50", "calm", "well", "train"),
    ("v2", "p1", "2024-02-09", "61", "north", "?", "calm", "well", "train"),
    ("v3", "p2", "2024-01-11", "47", "south", "82.0", '"tired, ""very"""', "ill", "train"),
    ("v4", "p2", "2024-03-02", "47", "?", "80.5", "tired", "ill", "train"),
    ("v5", "p3", "2024-02-20", "35", "east", "64.0", "calm", "well", "test"),
    ("v6", "p4", "2024-03-15", "58", "north", "91.5", "tired", "ill", "test"),
]
PATIENT_COLUMNS: dict[str, dict[str, Any]] = {
    "id": {"role": "id", "type": "category"},
    "patient": {"role": "group", "type": "category"},
    "visit": {"role": "time", "type": "date", "least": "2024-01-01"},
    "age": {"type": "integer", "least": 0, "most": 120, "unit": "years"},
    "ward name": {"type": "category", "values": ["north", "south", "east"], "missing": "?"},
    "weight": {"type": "number", "least": 20, "most": 300, "unit": "kg", "missing": "?"},
    "note": {"role": "unused", "type": "text"},
    "outcome": {"role": "label", "type": "category"},
    "part": {"role": "part", "type": "category"},
}
TEXTS = [
    'Good bread, "fresh" every day',
    "Stale again;\nand cold,\n\nalways",
    "Żółta łódź — 你好, приветъ \U0001f35e",
    "  spaces around, 'quotes' and a tab\tinside ",
    "NA",
    "007",
    "=1+1",
    "Comma, comma; \\backslash\\",
    "One line\r\nand another",
    "an old line\rand another",
]


def write(root: Path, name: str, config: dict[str, Any], **spec: Any) -> Path:
    """The two files that describe a data set; a value of None leaves a key out."""
    for folder, content in (("dataset", config), ("spec", {"name": name, **ABOUT, **spec})):
        (root / folder).mkdir(parents=True, exist_ok=True)
        plain = {key: value for key, value in content.items() if value is not None}
        (root / folder / f"{name}.yaml").write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), "utf-8")
    return root


def patients(root: Path, rows: list[tuple[str, ...]] = PATIENTS, **spec: Any) -> Path:
    """A table with groups, dates, parts, missing entries and a name with a space."""
    write_csv(root / "patients.csv", rows)
    config = {
        "name": "table", "path": "patients.csv", "label": "outcome", "id": "id", "group": "patient", "time": "visit",
        "part": "part", "missing": {"markers": ["?"], "policy": "mean+flag"},
        "columns": {"age": "number", "ward name": "category+meta", "weight": "number", "note": "drop"}, "rare": 1,
    }  # fmt: skip
    label = {"column": "outcome", "guide": "Ask the doctor", "classes": CLASSES}
    return write(root, "patients", config, **{"columns": PATIENT_COLUMNS, "label": label, **spec})


def reviews(root: Path, **spec: Any) -> Path:
    """Documents without ids, in a table."""
    import csv

    root.mkdir(parents=True, exist_ok=True)
    with (root / "reviews.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(
            [("text", "verdict"), *((text, ("like", "dislike")[i % 2]) for i, text in enumerate(TEXTS))]
        )
    config = {"name": "text", "path": "reviews.csv", "label": "verdict", "dimension": 64}
    columns = {"text": {"role": "text", "type": "text"}, "verdict": {"role": "label", "type": "category"}}
    return write(root, "reviews", config, **{"columns": columns, **spec})


def leaves(root: Path, **spec: Any) -> Path:
    """Pictures in a folder a class, one of them a JPEG."""
    rng = np.random.default_rng(0)
    for i in range(8):
        folder = root / "leaves" / ("oak", "elm tree")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(rng.integers(0, 256, (6, 5, 3)).astype(np.uint8))
        image.save(folder / f"leaf {i}.{'jpg' if i == 3 else 'png'}")
    return write(root, "leaves", {"name": "images", "path": "leaves"}, **spec)


VOTES: list[tuple[str, ...]] = [
    ("item", "annotator", "label"),
    ("v1", "ann", "well"), ("v1", "ben", "well"), ("v2", "ann", "ill"), ("v2", "cy", "well"), ("v3", "ben", "ill"),
    ("v5", "ann", "well"), ("v6", "cy", "ill"),
]  # fmt: skip


def judged(root: Path, votes: list[tuple[str, ...]] = VOTES, **spec: Any) -> Path:
    """The patients with votes in a file of their own."""
    patients(root)
    write_csv(root / "votes.csv", votes)
    config = yaml.safe_load((root / "dataset" / "patients.yaml").read_text("utf-8")) | {"votes": "votes.csv"}
    plain = yaml.safe_load((root / "spec" / "patients.yaml").read_text("utf-8"))
    about = {key: value for key, value in plain.items() if key not in ("name", *ABOUT)}
    return write(root, "judged", config, **{**about, **spec})


def panel(root: Path, **spec: Any) -> Path:
    """Votes in a column an annotator, and no ids."""
    rows = [
        ("x", "y", "ann", "ben"),
        *((str(i / 4), "ab"[i % 2], "ab"[i % 2], "ba"[i % 2] if i % 3 else "") for i in range(12)),
    ]
    write_csv(root / "panel.csv", rows)
    config = {"name": "table", "path": "panel.csv", "label": "y", "votes": ["ann", "ben"]}
    return write(root, "panel", config, **spec)


def signals(root: Path, width: int = 6, **spec: Any) -> Path:
    """Arrays."""
    rng = np.random.default_rng(0)
    root.mkdir(parents=True, exist_ok=True)
    X = rng.normal(size=(12, width)).astype(np.float32)
    np.savez(root / "signals.npz", X=X, y=np.arange(12) % 2, person=np.arange(12) // 4)
    config = {"name": "arrays", "path": "signals.npz", "label": "y", "group": "person"}
    columns = {
        "X": {"type": "array", "least": -9, "most": 9},
        "y": {"role": "label", "type": "integer"},
        "person": {"role": "group", "type": "integer"},
    }
    return write(root, "signals", config, **{"columns": columns, **spec})


ALL = {"patients": patients, "reviews": reviews, "leaves": leaves, "judged": judged, "panel": panel, "signals": signals}
