"""The steps: marked tests, logistic regression against scikit-learn, every fixed model, full memory, a whole cell."""

from __future__ import annotations

import multiprocessing
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import yaml

from harness.errors import ProtocolError, Status
from harness.models import load_model, model_names, nets, settings_class
from harness.models.backend import cores
from harness.models.base import Batch
from harness.paths import CONF_DIR

from .language import LanguageModelStep
from .plan import Figures, Setting, Skip, Step
from .work import coalitions, digits, nearly_full, the_gpus_way, timed

ROOT = Path(__file__).resolve().parents[2]
ON_THE_CPU = (
    "knn",
    "svc_logistic_vote",
)  # by design, docs/performance.md; others have to prove that they are on the GPU
# Largest difference from the CPU: of any probability; or of networks, of a row's probabilities (mean) and of accuracy.
TOLERANCE, NET_TOLERANCE, NET_ACCURACY = 5e-4, 0.02, 0.01


def steps() -> list[Step]:
    """All steps, those of the fixed models as the registry and conf/model have them; under 8 minutes in all."""
    shipped = [name for name in model_names() if (CONF_DIR / "model" / f"{name}.yaml").is_file()]
    models = [Step(f"model {name}", f"{name}: speed, and equality with the CPU", _step(name), 30) for name in shipped]
    return [
        Step("device", "the device answers, and a product on it is right", device, 15),
        Step("tests", "tests marked gpu", marked_tests, 90),
        Step("logistic 512", "logistic regression against scikit-learn on all cores", against_sklearn, 45),
        *models,
        Step("memory", "memory that runs out halves the batch and changes no answer", full_memory, 30),
        Step("cell", "a cell with a GPU inside, scored on it", whole_cell, 45),
    ]


def device(setting: Setting) -> Figures:
    """Name and versions; a matrix product against numpy's."""
    import torch

    a = np.random.default_rng(0).random((256, 256), dtype=np.float32)
    product = (torch.from_numpy(a).to(setting.device) @ torch.from_numpy(a).to(setting.device)).cpu().numpy()
    np.testing.assert_allclose(product, a @ a, rtol=1e-3)
    found: Figures = {"torch": torch.__version__, "cores": cores()}
    if setting.rehearsal:
        return {"card": "none (rehearsal on the CPU)", **found}
    card = torch.cuda.get_device_properties(0)
    return {
        "card": card.name,
        "memory_gb": round(card.total_memory / 2**30, 1),
        "capability": f"{card.major}.{card.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        **found,
    }


def marked_tests(setting: Setting) -> Figures:
    """``pytest -m gpu`` on the files that have such tests; on a GPU none may be skipped."""
    files = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if _is_marked(path)]
    line = [sys.executable, "-m", "pytest", "-q", "-rs", "-m", "gpu", "-p", "no:cacheprovider", "--benchmark-disable"]
    done = subprocess.run(
        [*line, "-o", "addopts=--strict-markers", *map(str, files)],
        cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-300:]
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (passed|failed|skipped|errors?)", last)}
    reasons = sorted({line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("SKIPPED")})
    assert done.returncode == 0, f"{last}: {' '.join(done.stdout.split())[-400:]}"
    if counts.get("passed", 0) == 0 or counts.get("skipped", 0):
        raise Skip(f"{last} ({'; '.join(reasons)})")
    return {"tests": counts}


def _is_marked(path: Path) -> bool:
    return path.parent != ROOT / "tests" and bool(re.search(r"mark\.gpu\b|\bCUDA\b", path.read_text()))


def against_sklearn(setting: Setting) -> Figures:
    """512 coalitions of 1,000 digits in one call; scikit-learn's fastest solver in as many processes as cores."""
    models, rows = (24, 300) if setting.quick else (512, 1000)
    X, y, X_test, _ = digits(rows)
    W = coalitions(models, rows, 0.7)

    def ours(where: str) -> np.ndarray:
        return load_model("logistic", device=where, n_classes=10).fit_many(X, y, weights=W).predict_proba(X_test)

    with the_gpus_way(setting.device):
        here = timed(lambda: ours(setting.device), setting.device)
    beside = timed(lambda: ours("cpu"))
    with multiprocessing.get_context("spawn").Pool(cores()) as pool:  # not forked: this process has used the device
        tasks = [(X, y, w, X_test) for w in W]
        theirs = timed(lambda: np.stack(pool.starmap(_sklearn, tasks)))
    apart = float(abs(here.value - beside.value).max())
    assert apart <= TOLERANCE, f"a probability is {apart:.1e} from the CPU's, allowed {TOLERANCE:g}"
    from_theirs = float(abs(here.value - theirs.value).max())
    assert from_theirs <= 0.05, f"a probability is {from_theirs:.2f} from scikit-learn's"
    return {
        "models": models,
        "ms_a_fit": _ms(here.seconds, models),
        "cpu_ms_a_fit": _ms(beside.seconds, models),
        "sklearn_ms_a_fit": _ms(theirs.seconds, models),
        "times_sklearn": round(theirs.seconds / here.seconds, 1),
        "device_mb": here.device_mb,
        "apart_from_cpu": apart,
        "apart_from_sklearn": from_theirs,
    }


def _sklearn(X: np.ndarray, y: np.ndarray, w: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        fitted = LogisticRegression(C=1.0, solver="newton-cg", tol=1e-4, max_iter=1000).fit(X[w > 0], y[w > 0])
        answer: np.ndarray = fitted.predict_proba(X_test)
    return answer


def _step(name: str) -> _Model | LanguageModelStep:
    return LanguageModelStep(name) if settings_class(name).learns == "documents" else _Model(name)


class _Model:
    """One fixed model with its shipped settings: stacked on the device, and some of the same models on the CPU."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shipped: dict[str, Any] = yaml.safe_load((CONF_DIR / "model" / f"{name}.yaml").read_text())

    def __call__(self, setting: Setting) -> Figures:
        members, beside, rows = (3, 2, 300) if setting.quick else (8 if setting.rehearsal else 64, 8, 1000)
        network = "updates" in self.shipped
        settings = self.shipped | ({"updates": 40 if setting.quick else 200} if network else {})
        stays = self.name in ON_THE_CPU
        there = "cpu" if stays else setting.device
        X, y, X_test, y_test = digits(rows)
        X, X_test = X.reshape(-1, 8, 8), X_test.reshape(-1, 8, 8)
        W = coalitions(beside if stays else members, rows, 0.5)

        def fit(where: str, weights: np.ndarray) -> np.ndarray:
            model = load_model(device=where, n_classes=10, **settings)
            proba: np.ndarray = model.fit_many(X, y, weights=weights).predict_proba(X_test)
            return proba

        try:
            with the_gpus_way(there):
                here = timed(lambda: fit(there, W), there)
        except ProtocolError as error:
            raise Skip(f"It takes other data than images and rows of numbers: {error.reason}") from error
        cpu = timed(lambda: fit("cpu", W[:beside]))
        figures: Figures = {
            "models": len(W),
            "runs_on": there,
            "ms_a_model": _ms(here.seconds, len(W)),
            "cpu_ms_a_model": _ms(cpu.seconds, beside),
            "device_mb": here.device_mb,
        }
        return figures | compared(here.value[:beside], cpu.value, y_test, network)


def compared(P: np.ndarray, Q: np.ndarray, y_test: np.ndarray, network: bool) -> Figures:
    """How far probabilities [B, n, C] are apart. Raises AssertionError beyond what docs/performance.md allows."""
    apart = abs(P - Q).max(axis=-1)
    if not network:
        assert apart.max() <= TOLERANCE, f"a probability is {apart.max():.1e} from the CPU's, allowed {TOLERANCE:g}"
        return {"apart_from_cpu": float(apart.max())}
    accuracy = abs((P.argmax(-1) == y_test).mean(axis=1) - (Q.argmax(-1) == y_test).mean(axis=1)).max()
    assert apart.mean() <= NET_TOLERANCE, f"rows are {apart.mean():.3f} from the CPU's, allowed {NET_TOLERANCE:g}"
    assert accuracy <= NET_ACCURACY + 1e-9, f"an accuracy is {accuracy:.3f} from the CPU's, allowed {NET_ACCURACY:g}"
    return {"apart_from_cpu": float(apart.mean()), "accuracy_apart": float(accuracy)}


def full_memory(setting: Setting) -> Figures:
    """A device so full that the members of an MLP do not fit together: trained in parts, with the same answers."""
    import torch

    members, hidden, updates = (6, 32, 5) if setting.rehearsal else (128, 2048, 20)
    X, y, X_test, _ = digits(300)
    W = coalitions(members, len(X), 0.5)

    def fit() -> np.ndarray:
        model = load_model("mlp", device=setting.device, n_classes=10, hidden=hidden, updates=updates)
        return model.fit_many(X, y, weights=W).predict_proba(X_test)

    train, tried, refused = nets.train, list[int](), list[int]()

    def watched(settings: nets.NetSettings, batch: Batch, part: np.ndarray, *rest: Any) -> object:
        tried.append(len(part))
        try:
            if setting.rehearsal and len(part) > members // 2:
                raise torch.OutOfMemoryError
            return train(settings, batch, part, *rest)
        except torch.OutOfMemoryError:
            refused.append(len(part))
            raise

    # the guess from free memory is left out: it is what follows a wrong guess that is tried
    with the_gpus_way(setting.device), patch.object(nets, "members_at_once", lambda *_: members):
        roomy = timed(fit, setting.device)
        with patch.object(nets, "train", watched), nearly_full(roomy.device_mb):
            cramped = fit()
    assert refused, f"memory never ran out: parts of {tried} were trained"
    assert max(refused) == members
    apart = float(abs(cramped - roomy.value).max(axis=-1).mean())
    assert apart <= NET_TOLERANCE, f"rows are {apart:.3f} from those with room, allowed {NET_TOLERANCE:g}"
    return {"members": members, "refused": refused, "parts": tried, "apart": apart}


_SUBMISSION = """
import numpy as np
import torch


def select(task):
    device = torch.device({device!r})
    scores = (torch.from_numpy(np.array(task.X)).to(device) ** 2).sum(1)
    assert scores.device.type == {device!r} and (device.type == "cpu" or torch.cuda.device_count() == 1)
    return np.argsort(-scores.cpu().numpy(), kind="stable")[: task.budget]
"""


def whole_cell(setting: Setting) -> Figures:
    """A submission that computes on the device it was granted, in the sandbox; its selection scored on the device."""
    from harness import evaluate, load_challenge

    granted = [] if setting.rehearsal else ["limits.gpu=true"]
    challenge = load_challenge("selection_digits", ["seeds=1", "limits.memory_mb=8192", *granted])
    with tempfile.TemporaryDirectory(prefix="gpu-acceptance-") as place:
        folder = Path(place) / "on_device"
        folder.mkdir()
        (folder / "algorithm.py").write_text(_SUBMISSION.format(device=setting.device))
        manifest = {"name": "on_device", "track": "selection", "entry": "algorithm:select", "authors": ["Acceptance"]}
        manifest |= {"description": "computes on the device it is granted", "license": "Apache-2.0"}
        (folder / "submission.yaml").write_text(yaml.safe_dump(manifest))
        record = evaluate(challenge, folder, runs_dir=Path(place) / "runs", device=setting.device)
    assert record.status is Status.OK, f"{record.status}: {record.reason}"
    assert record.device.startswith(setting.device), f"it was scored on {record.device}"
    seconds = record.cells[0].seconds
    return {
        "isolation": record.isolation,
        "scored_on": record.device,
        "score": record.score,
        "submission_s": round(seconds.submission, 2),
        "scoring_s": round(seconds.scoring, 2),
    }


def _ms(seconds: float, count: int) -> float:
    return float(f"{seconds / count * 1e3:.3g}")
