"""AME: Lin et al., Measuring the effect of training data on deep learning predictions via randomized experiments,
ICML 2022.

The average marginal effect of a row over random coalitions, each with its own inclusion probability p. Accuracy is
regressed on features that are uncorrelated by construction, 1/p where the row is in and -1/(1 - p) where it is not;
the LASSO, with its penalty chosen by cross-validation, keeps the rows that matter. The coefficient, scaled by the
features' variance, estimates the row's marginal effect.
"""

import numpy as np

from harness.models.coalitions import utilities

FITS_PER_ROW, MOST_FITS = 50, 15_000  # the regression holds a feature for each fit and row
PROBABILITIES = (0.2, 0.4, 0.6, 0.8)


def value(task, fits=None):
    from sklearn.linear_model import LassoCV

    n = len(task.y)
    fits = fits or min(FITS_PER_ROW * n, MOST_FITS)
    p = task.rng.choice(PROBABILITIES, size=(fits, 1))
    member = task.rng.random((fits, n)) < p
    utility = utilities(task.model, task.X, task.y, member.astype(np.float32), task.X_val, task.y_val)
    features = np.where(member, 1 / p, -1 / (1 - p)).astype(np.float64)
    variance = np.mean([1 / (q * (1 - q)) for q in PROBABILITIES])
    scale = np.sqrt(variance)
    lasso = LassoCV(cv=5, alphas=30, eps=1e-2, random_state=0).fit(features / scale, utility)
    return lasso.coef_ * scale
