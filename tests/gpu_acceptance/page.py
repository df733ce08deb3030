"""The report as JSON and as a page for docs/performance.md."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import __version__
from harness.tracking.files import write_json_atomic, write_text_atomic

from .plan import Figures, Result, Setting


def accepted(results: Sequence[Result], setting: Setting) -> bool:
    """All passed; in a rehearsal also where a step was skipped, since it says why."""
    fine = {"passed", "skipped"} if setting.rehearsal else {"passed"}
    return all(result.status in fine for result in results)


def report(results: Sequence[Result], setting: Setting, left_out: Sequence[str]) -> dict[str, Any]:
    """All that was found, as JSON has it; ``left_out``: steps that were not asked for."""
    about = next((result.figures for result in results if result.name == "device"), {})
    return {
        "accepted": accepted(results, setting),
        "rehearsal": setting.rehearsal,
        "quick": setting.quick,
        "left_out": list(left_out),
        "device": setting.device,
        "card": about.get("card", "unknown"),
        "about": about,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "harness": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "seconds": round(sum(result.seconds for result in results), 1),
        "steps": [result.plain() for result in results],
    }


def write(found: dict[str, Any], folder: Path) -> Path:
    """Both files; returns the page's path. A rehearsal never takes the place of the real thing."""
    name = "rehearsal" if found["rehearsal"] else "acceptance"
    write_json_atomic(folder / f"{name}.json", found)
    write_text_atomic(folder / f"{name}.md", page(found))
    return folder / f"{name}.md"


def page(found: dict[str, Any]) -> str:
    """Markdown: what was run on, how each step ended, its figures, and what was skipped or failed and why."""
    title = "Rehearsal on the CPU: no GPU was used" if found["rehearsal"] else f"On {found['card']}"
    about = ", ".join(f"{name} {value}" for name, value in found["about"].items() if name != "card")
    lines = [f"### {title}", ""]
    if found["rehearsal"]:
        lines += ["Device: cpu. The figures say that the steps work, and nothing about any card.", ""]
    if found["quick"]:
        lines += ["Small sizes (--quick): nothing here is a measurement.", ""]
    if found["left_out"]:
        lines += [f"Not asked for (--only): {', '.join(found['left_out'])}.", ""]
    lines += [f"{found['date']}, harness {found['harness']}, Python {found['python']}, {about}.", ""]
    lines += ["| step | what | result | s | figures |", "|---|---|---|---|---|"]
    lines += [
        f"| {step['name']} | {step['what']} | {step['status']} | {step['seconds']} | {_figures(step['figures'])} |"
        for step in found["steps"]
    ]
    reasons = [f"- {step['name']} {step['status']}: {step['why']}" for step in found["steps"] if step["why"]]
    return "\n".join([*lines, *([""] if reasons else []), *reasons]) + "\n"


def _figures(figures: Figures) -> str:
    shown = {name: f"{value:.3g}" if isinstance(value, float) else json.dumps(value) for name, value in figures.items()}
    return "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items()).replace("|", "\\|")
