"""Data mixing laws (Ye et al., 2024): the loss on a target is c + exp(b + t . shares), fitted for every target.

Least squares by Levenberg's and Marquardt's steps as scipy has them, from a linear fit of the logarithm; t has a small penalty,
without which few mixtures do not decide it.
"""

import numpy as np
from scipy.optimize import least_squares

PENALTY = 1e-2


def predict(task):
    known, asked = task.mixtures.astype(np.float64), task.candidates.astype(np.float64)
    laws = [fitted(known, losses) for losses in task.losses.T]
    return np.stack([law(asked, *numbers) for numbers in laws], axis=1)


def law(shares, c, b, t):
    """Losses [n] of shares [n, d]."""
    return c + np.exp(np.clip(b + shares @ t, -50, 50))


def fitted(shares, losses, penalty=PENALTY):
    """The constant c, the offset b and the slopes t [d] of the least squares."""
    d = shares.shape[1]
    spread = max(losses.max() - losses.min(), 1e-6)
    low = losses.min() - 0.1 * spread
    ridge = np.vstack([np.column_stack([np.ones(len(shares)), shares]), np.sqrt(penalty) * np.eye(d + 1)[1:]])
    start = np.linalg.lstsq(ridge, np.concatenate([np.log(losses - low), np.zeros(d)]), rcond=None)[0]

    def residuals(numbers):
        return np.concatenate(
            [law(shares, numbers[0], numbers[1], numbers[2:]) - losses, np.sqrt(penalty) * numbers[2:]]
        )

    def jacobian(numbers):
        risen = np.exp(np.clip(numbers[1] + shares @ numbers[2:], -50, 50))[:, None]
        slopes = np.concatenate([np.ones_like(risen), risen, risen * shares], axis=1)
        return np.vstack([slopes, np.sqrt(penalty) * np.eye(d + 2)[2:]])

    found = least_squares(residuals, np.concatenate([[low], start]), jacobian, max_nfev=500).x
    return found[0], found[1], found[2:]
