"""Run inside an environment with lightgbm: _lightgbm_side.py MIXTURES.npz PREDICTED.npz. Imports nothing of the harness.

The regression of RegMix's notebook: its settings, its seed, its early stopping on the test mixtures; and all trees without it.
"""

import sys

import lightgbm
import numpy as np

SETTINGS = {
    "task": "train", "boosting_type": "gbdt", "objective": "regression", "metric": ["l1", "l2"], "num_iterations": 1000,
    "seed": 42, "learning_rate": 1e-2, "verbosity": -1, "num_threads": 1,
}  # fmt: skip


def main(source, target):
    given = np.load(source, allow_pickle=False)
    stopped, whole = [], []
    for losses, losses_test in zip(given["losses"].T, given["losses_test"].T, strict=True):
        stop = lightgbm.early_stopping(stopping_rounds=3, verbose=False)
        test = [(given["X_test"], losses_test)]
        model = lightgbm.LGBMRegressor(**SETTINGS).fit(
            given["X"], losses, eval_set=test, eval_metric="l2", callbacks=[stop]
        )
        stopped.append(model.predict(given["X_test"]))
        whole.append(lightgbm.LGBMRegressor(**SETTINGS).fit(given["X"], losses).predict(given["X_test"]))
    np.savez(target, stopped=np.array(stopped), whole=np.array(whole))


if __name__ == "__main__":
    main(*sys.argv[1:])
