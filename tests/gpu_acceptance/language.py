"""The step of a language model: trained on the device and on the CPU, and the speed of one of ten million parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.api import Texts
from harness.models import load_model

from .plan import Figures, Setting
from .work import the_gpus_way, timed

PAGES = Path(__file__).resolve().parents[2] / "docs"
TOLERANCE = 0.01  # largest difference of bits per byte from the CPU's, as a share
SMALL = {"tokens": 32_768}
LARGE: dict[str, Any] = {"layers": 6, "width": 384, "heads": 6, "context": 512, "batch_size": 64, "learning_rate": 1e-3}
UPDATES = 40  # of the large one


class LanguageModelStep:
    """One fixed language model, on the text of this project's own pages."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, setting: Setting) -> Figures:
        pages = Texts.of(path.read_text() for path in sorted(PAGES.glob("*.md")))
        scored, trained = pages[:1], pages[1:]
        subsets = [np.arange(len(trained)), np.arange(0, len(trained), 2)]
        network = self.name == "transformer_lm"
        there = setting.device if network else "cpu"
        settings: dict[str, Any] = (SMALL if not setting.quick else {"tokens": 2048, "width": 32}) if network else {}

        def per_byte(where: str) -> np.ndarray:
            model: Any = load_model(self.name, device=where, **settings)
            found: np.ndarray = model.fit_many(trained, subsets=subsets).bits_per_byte(scored)
            return found

        with the_gpus_way(there):
            here = timed(lambda: per_byte(there), there)
        cpu = timed(lambda: per_byte("cpu"))
        apart = float((abs(here.value - cpu.value) / cpu.value).max())
        assert apart <= TOLERANCE, f"bits per byte are {apart:.2%} from the CPU's, allowed {TOLERANCE:.0%}"
        figures: Figures = {
            "runs_on": there,
            "bits_per_byte": float(here.value[0]),
            "apart_from_cpu": apart,
            "seconds": round(here.seconds, 2),
            "cpu_seconds": round(cpu.seconds, 2),
        }
        return figures | (_ten_million(there, trained) if there == "cuda" else {})


def _ten_million(device: str, trained: Texts) -> Figures:
    """Tokens a second of 10.9 million parameters, the start included."""
    tokens = UPDATES * LARGE["batch_size"] * LARGE["context"]
    done = timed(lambda: load_model("transformer_lm", device=device, tokens=tokens, **LARGE).fit(trained), device)
    return {"large_tokens_a_second": round(tokens / done.seconds), "large_device_mb": done.device_mb}
