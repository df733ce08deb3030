"""Ours against others, side by side in one process order A B A B: ``scripts/bench [--rounds 3] [--out DIR]``.

Seconds are CPU seconds of the process, so that a shared machine disturbs them little: with both cores busy, the ratio
of CPU seconds is the ratio of wall time against as many single-threaded processes as there are cores. Every
comparison of fits states how far both answers are from the optimum (largest difference of a probability from the
polished solution).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from harness.models import load_model
from harness.models.backend import cores
from harness.models.base import FittedModels, FixedModel
from harness.models.coalitions import Banzhaf, OutOfBag, Permutations, prefixes
from harness.models.dataperf_net import legacy_accuracies
from harness.models.knn import knn_shapley

warnings.filterwarnings("ignore")
Result = dict[str, Any]
T = TypeVar("T")


def digits(rows: int = 1000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    X, y = (data.data[order] / 16).astype(np.float32), data.target[order]
    return X[:rows], y[:rows], X[-300:], y[-300:]


def cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def abab(ours: Callable[[], object], theirs: Callable[[], object], fits: int, their_fits: int, rounds: int) -> Result:
    """Milliseconds of CPU per fit on both sides and their ratio, median and range over the rounds."""
    ours()  # once before the clock starts: imports and thread pools
    return spread([(cpu(ours) / fits * 1e3, cpu(theirs) / their_fits * 1e3) for _ in range(rounds)])


def spread(pairs: list[tuple[float, float]]) -> Result:
    """Medians of (ours, theirs) in milliseconds, median ratio and its range."""
    ratios = [b / a for a, b in pairs]
    return {
        "ours_ms": statistics.median(a for a, _ in pairs),
        "theirs_ms": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
    }


def say(name: str, result: Result) -> Result:
    low, high = result["ratio_range"]
    extra = {k: v for k, v in result.items() if k not in ("ours_ms", "theirs_ms", "ratio", "ratio_range")}
    print(
        f"{name:<44} ours {result['ours_ms']:9.3f} ms   theirs {result['theirs_ms']:9.2f} ms   "
        f"ratio {result['ratio']:7.1f}  ({low:.1f} to {high:.1f})  {extra or ''}",
        flush=True,
    )
    return {"name": name, **result}


SOLVERS = ("newton-cg", "lbfgs", "newton-cholesky")  # scikit-learn's for this loss; sag and saga are slower still
MODELS, THEIR_MODELS = 512, 16  # models in one call of ours; of which this many are fitted one by one by scikit-learn


def breast_cancer(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The table in random order, standardised: ``rows`` to train on, the last 171 to predict."""
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(data.target))
    X = ((data.data - data.data.mean(0)) / data.data.std(0)).astype(np.float32)[order]
    y = data.target[order]
    return X[:rows], y[:rows], X[-171:], y[-171:]


def logistic_against_scikit_learn(rounds: int) -> list[Result]:
    """Against the fastest of scikit-learn's solvers on every data set, share of rows and tolerance.

    The clock runs over the fits alone, each a new model object that remembers nothing; scikit-learn has one BLAS
    thread and no row that is left out. Distances are from scikit-learn's second-order solver in float64 at 1e-12.
    """
    sets = {"digits": digits, "breast cancer": breast_cancer}
    results = []
    for name, rows in (("digits", 1000), ("digits", 300), ("breast cancer", 398), ("breast cancer", 300)):
        data = sets[name](rows)
        for share in (0.9, 0.3, 0.1):
            results += against_solvers(f"logistic, {name}, n = {rows}, {share:.0%} of rows", data, share, rounds)
    return results


def against_solvers(name: str, data: tuple[np.ndarray, ...], share: float, rounds: int) -> list[Result]:
    """One data set and share: a result for each of scikit-learn's tolerances 1e-4 (its default) and 1e-6."""
    X, y, X_test, _ = data
    classes = int(y.max()) + 1
    W = (np.random.default_rng(int(share * 10)).random((MODELS, len(X))) < share).astype(np.float32)
    live = W[:THEIR_MODELS] > 0
    exact = scikit_learn_proba(scikit_learn_fits("newton-cholesky", 1e-12, X.astype(float), y, live), X_test, classes)

    def ours() -> FittedModels:
        return load_model("logistic", device="cpu", n_classes=classes).fit_many(X, y, weights=W)

    our_distance = distance(ours().predict_proba(X_test)[:THEIR_MODELS], exact)
    theirs = {
        (tol, solver): limited(partial(scikit_learn_fits, solver, tol, X, y, live))
        for tol in (1e-4, 1e-6)
        for solver in SOLVERS
    }
    times: dict[object, list[float]] = {"ours": [], **{key: [] for key in theirs}}
    for _ in range(rounds):
        for key, fits in theirs.items():
            times["ours"].append(cpu(ours) / MODELS * 1e3)
            times[key].append(cpu(fits) / THEIR_MODELS * 1e3)
    results = []
    for tol in (1e-4, 1e-6):
        solvers = {solver: statistics.median(times[tol, solver]) for solver in SOLVERS}
        fastest = min(solvers, key=solvers.__getitem__)
        beside = np.reshape(times["ours"], (rounds, -1))[:, list(theirs).index((tol, fastest))]
        result = spread(list(zip(beside.tolist(), times[tol, fastest], strict=True)))
        result["ours_ms"] = statistics.median(times["ours"])
        their_distance = distance(scikit_learn_proba(theirs[tol, fastest](), X_test, classes), exact)
        result |= {"our_distance": our_distance, "their_distance": their_distance}
        result |= {"solver": fastest, "solvers_ms": {k: round(v, 2) for k, v in solvers.items()}}
        results.append(say(f"{name}, tol {tol:g}", result))
    return results


def distance(found: np.ndarray, exact: np.ndarray) -> list[float]:
    """Largest and mean absolute difference of the probabilities [B, t, C]."""
    off = abs(found - exact)
    return [float(f"{off.max():.2g}"), float(f"{off.mean():.2g}")]


def limited(work: Callable[[], T]) -> Callable[[], T]:
    """The same work with one BLAS thread."""
    from threadpoolctl import threadpool_limits

    def run() -> T:
        with threadpool_limits(1):
            return work()

    return run


def scikit_learn_fits(solver: str, tol: float, X: np.ndarray, y: np.ndarray, live: np.ndarray) -> list[Any]:
    """Every model of ``live`` [B, n], fitted one by one on its rows."""
    from sklearn.linear_model import LogisticRegression

    return [LogisticRegression(C=1.0, solver=solver, tol=tol, max_iter=5000).fit(X[rows], y[rows]) for rows in live]


def scikit_learn_proba(fitted: list[Any], X_test: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities [B, t, C]; 0 for classes that a model has not seen."""
    P = np.zeros((len(fitted), len(X_test), classes))
    for p, model in zip(P, fitted, strict=True):
        p[:, model.classes_] = model.predict_proba(X_test)
    return P


def nets_against_loop(rounds: int) -> list[Result]:
    X, y, _, _ = digits()
    X = X.reshape(-1, 8, 8)
    W = (np.random.default_rng(0).random((16, len(X))) < 0.5).astype(np.float32)
    results = []
    for name in ("mlp", "cnn"):

        def fresh(name: str = name) -> FixedModel:  # one that remembers nothing yet
            return load_model(name, device="cpu", updates=60, n_classes=10)

        def together(fresh: Callable[[], FixedModel] = fresh) -> object:
            return fresh().fit_many(X, y, weights=W)

        def one_by_one(fresh: Callable[[], FixedModel] = fresh) -> object:
            return [fresh().fit(X, y, weights=w) for w in W[:4]]

        result = abab(together, one_by_one, 16, 4, rounds)
        results.append(say(f"{name}, 16 members against one by one", result))
    return results


def debugging_against_original(rounds: int, data: Path) -> list[Result]:
    import pandas as pd
    import torch

    folder = data / "dataperf_debugging"
    if not folder.is_dir():
        print(f"debugging: skipped, no DataPerf tasks in {data}")
        return []
    results, total, fits = [], 0.0, 0
    for task in ("01g317-flipped", "01g317", "04hgtk", "09j2d"):
        train = pd.read_parquet(folder / f"{task}_train_0.3_300.parquet")
        test = pd.read_parquet(folder / f"{task}_test_500.parquet")
        X, X_test = np.stack(list(train.encoding)), np.stack(list(test.encoding))
        truth = pd.read_csv(folder / f"dataset_{task}_train.csv").drop_duplicates("ImageID").set_index("ImageID")
        true, given = truth.hv_label.loc[train.filename].to_numpy(), train.label.to_numpy()
        place = np.argsort(np.loadtxt(folder / f"{task}_datascope.txt", dtype=int))
        Y = np.where(place <= np.arange(-1, len(given))[:, None], true, given)
        y_test, distinct = test.label.to_numpy(), len(np.unique(Y, axis=0))

        def original(X: np.ndarray = X, Y: np.ndarray = Y, X_test: np.ndarray = X_test) -> None:
            torch.set_num_threads(1)
            for labels in Y[:: len(Y) // 3][:3]:
                torch.manual_seed(42)
                net = torch.nn.Sequential(torch.nn.Linear(X.shape[1], 128), torch.nn.Linear(128, 1))
                optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.9)
                rows = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(labels, dtype=torch.float32))
                loader = torch.utils.data.DataLoader(rows, batch_size=64)
                for _ in range(20):
                    for x, target in loader:
                        optimizer.zero_grad()
                        torch.nn.functional.binary_cross_entropy_with_logits(net(x).flatten(), target).backward()
                        optimizer.step()
                with torch.no_grad():
                    net(torch.tensor(X_test))

        arguments = (X, Y, X_test, y_test)
        result = abab(partial(legacy_accuracies, *arguments), original, distinct, 3, 1)
        seconds = result["ours_ms"] * distinct / 1e3
        total, fits = total + seconds, fits + len(Y)
        result["whole_curve_cpu_s"], result["distinct"] = round(seconds, 2), distinct
        results.append(say(f"debugging net, {task}, per distinct training", result))
    print(f"debugging: whole curves of 4 tasks {total:.1f} CPU s ({total / cores():.1f} s with {cores()} cores busy)")
    results.append({"name": "debugging, whole curves of 4 tasks", "cpu_s": total, "trainings_asked": fits})
    return results


def bookkeeping(rounds: int) -> list[Result]:
    """CPU per fit that accumulators take at n = 1000, as a share of the fit itself."""
    X, y, X_val, _ = digits()
    n, rng, results = len(X), np.random.default_rng(0), []
    masks = rng.random((256, n)) < 0.5
    fit = min(
        cpu(
            lambda: (
                load_model("logistic", device="cpu", n_classes=10)
                .fit_many(X, y, weights=masks.astype(np.float32))
                .predict(X_val)
            )
        )
        for _ in range(rounds)
    )
    u, right, order = rng.random(256), rng.random((256, n)) < 0.5, rng.permutation(n)
    shapley, banzhaf, bags = Permutations(n), Banzhaf(n), OutOfBag(n)

    def walk() -> None:
        prefixes(order)
        shapley.add(order, rng.random(n + 1))

    work: dict[str, tuple[Callable[[], object], int]] = {
        "Banzhaf": (lambda: banzhaf.add(masks, u), 256),
        "Shapley (with its coalitions)": (walk, n),
        "Data-OOB": (lambda: bags.add(masks.astype(int), right), 256),
    }
    for name, (add, count) in work.items():
        seconds = min(cpu(add) for _ in range(rounds + 2)) / count
        share = seconds / (fit / 256)
        print(f"bookkeeping, {name:<32} {seconds * 1e6:8.1f} us a fit, {share:.1%} of the fit")
        results.append({"name": f"bookkeeping {name}", "us": seconds * 1e6, "share_of_fit": share})
    return results


def neighbours_values(rounds: int) -> list[Result]:
    rng, results = np.random.default_rng(0), []
    for n, m, d in ((1000, 300, 64), (50_000, 200, 64)):
        X, V = rng.random((n, d), np.float32), rng.random((m, d), np.float32)
        y, v = rng.integers(0, 10, n), rng.integers(0, 10, m)
        seconds = min(cpu(partial(knn_shapley, X, y, V, v)) for _ in range(rounds))
        print(f"KNN-Shapley, {n} x {m}, {d} features: {seconds:.2f} CPU s")
        results.append({"name": f"knn_shapley {n} x {m} x {d}", "cpu_s": seconds})
    return results


def other_library(library: str, rounds: int) -> list[Result]:
    """pyDVL or opendataval in its own environment, where e.g. PYDVL_PYTHON names an interpreter that has it."""
    variable = f"{library.upper()}_PYTHON"
    interpreter = os.environ.get(variable, "")
    if not interpreter:
        print(f"{library}: skipped (set {variable} to a Python that has it)")
        return []
    n = 500
    X, y, X_val, y_val = digits(n)
    results = []
    for method, fits in (("leave_one_out", n + 1), ("tmc_shapley", n), ("banzhaf", 200), ("data_oob", 200)):
        script = str(Path(__file__).with_name(f"{library}_side.py"))
        pairs, their_fits = [], 0
        ours_values(method, fits, X, y, X_val, y_val)  # once before the clock starts
        for _ in range(rounds):
            ours = cpu(partial(ours_values, method, fits, X, y, X_val, y_val)) / fits * 1e3
            command = [interpreter, script, method, str(n), str(fits)]
            done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            if done.returncode:
                print(f"{library} {method}: failed: {done.stderr.strip().splitlines()[-1:]}")
                break
            found = json.loads(done.stdout.splitlines()[-1])
            their_fits = found["fits"]
            pairs.append((ours, found["cpu_s"] / their_fits * 1e3))
        else:
            result = {**spread(pairs), "fits": fits, "their_fits": their_fits}
            results.append(say(f"{library} {method}, n = {n}, per fit", result))
    return results


def ours_values(
    method: str, fits: int, X: np.ndarray, y: np.ndarray, X_val: np.ndarray, y_val: np.ndarray
) -> np.ndarray:
    """The four methods through fit_many, at the numbers of fits that :func:`other_library` counts."""
    n, rng, model = len(X), np.random.default_rng(0), load_model("logistic", device="cpu", n_classes=10)

    def accuracy(W: np.ndarray) -> np.ndarray:
        shares: np.ndarray = (model.fit_many(X, y, weights=W).predict(X_val) == y_val).mean(axis=1)
        return shares

    if method == "leave_one_out":
        u = accuracy(np.vstack([np.ones(n), 1 - np.eye(n)]))
        gains: np.ndarray = u[0] - u[1:]
        return gains
    if method == "tmc_shapley":
        orders = [rng.permutation(n) for _ in range(fits // n)]
        u = accuracy(np.concatenate([prefixes(order) for order in orders]))
        sums = Permutations(n)
        for i, order in enumerate(orders):
            sums.add(order, np.concatenate([[0.1], u[i * n : (i + 1) * n]]))
        return sums.values()
    if method == "banzhaf":
        masks, banzhaf = rng.random((fits, n)) < 0.5, Banzhaf(n)
        banzhaf.add(masks, accuracy(masks.astype(np.float32)))
        return banzhaf.values()
    counts, bags = rng.multinomial(n, np.full(n, 1 / n), fits), OutOfBag(n)
    bags.add(counts, model.fit_many(X, y, weights=counts.astype(np.float32)).predict(X) == y)
    return bags.values()


def growth(folder: Path) -> list[Result]:
    """CPU per fit as B, n, d and C grow, one at a time from (128, 500, 32, 5); one SVG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    base = {"B": 128, "n": 500, "d": 32, "C": 5}
    axes_values = {"B": [1, 8, 64, 512], "n": [125, 500, 2000, 8000], "d": [8, 32, 128, 512], "C": [2, 5, 10, 20]}
    results = []
    figure, panels = plt.subplots(1, 4, figsize=(12, 2.8), sharey=True, layout="constrained")
    for panel, (axis, values) in zip(panels, axes_values.items(), strict=True):
        costs = []
        for value in values:
            B, n, d, C = ({**base, axis: value}[k] for k in "BndC")
            rng = np.random.default_rng(0)
            y = np.arange(n) % C
            X = (rng.standard_normal((C, d))[y] * 0.7 + rng.standard_normal((n, d))).astype(np.float32)
            W = (rng.random((B, n)) < 0.7).astype(np.float32)
            model = load_model("logistic", device="cpu", n_classes=C)
            costs.append(cpu(partial(model.fit_many, X, y, weights=W)) / B * 1e3)
            results.append({"name": "growth", "axis": axis, "value": value, "ms": costs[-1], **base, axis: value})
        panel.loglog(values, costs, "o-")
        panel.set_xlabel({"B": "models B", "n": "rows n", "d": "features d", "C": "classes C"}[axis])
        print(f"growth in {axis}: " + ", ".join(f"{v}: {c:.3f} ms" for v, c in zip(values, costs, strict=True)))
    panels[0].set_ylabel("CPU ms per fit")
    figure.savefig(folder / "growth.svg", metadata={"Date": None})
    return results


def main() -> None:
    from tests.benchmarks.language import language_models  # which builds on what stands above

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of A B (default 3)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for bench.json and growth.svg")
    beside = Path(__file__).parents[3] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HARNESS_DATA_DIR") or beside))
    parser.add_argument(
        "--only",
        default="",
        help="comma-separated: logistic,nets,language,debugging,bookkeeping,knn,pydvl,opendataval,growth",
    )
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Callable[[], list[Result]]] = {
        "logistic": lambda: logistic_against_scikit_learn(chosen.rounds),
        "nets": lambda: nets_against_loop(chosen.rounds),
        "language": lambda: language_models(chosen.rounds, chosen.data),
        "debugging": lambda: debugging_against_original(chosen.rounds, chosen.data),
        "bookkeeping": lambda: bookkeeping(chosen.rounds),
        "knn": lambda: neighbours_values(chosen.rounds),
        "pydvl": lambda: other_library("pydvl", chosen.rounds),
        "opendataval": lambda: other_library("opendataval", chosen.rounds),
        "growth": lambda: growth(chosen.out),
    }
    wanted = chosen.only.split(",") if chosen.only else list(parts)
    if unknown := set(wanted) - set(parts):
        sys.exit(f"bench: there is no part named {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    facts = {
        "cores": cores(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    report: Result = {"facts": facts, "load_before": os.getloadavg(), "results": []}
    for name in wanted:
        report["results"] += parts[name]()
    report["load_after"] = os.getloadavg()
    (chosen.out / "bench.json").write_text(json.dumps(report, indent=1))
    print(f"written: {chosen.out / 'bench.json'}")


if __name__ == "__main__":
    main()
