"""What to believe about the coefficients of a logistic regression, given a belief to begin with.

Reads    a design, outcomes, weights, and a normal prior.
Returns  the mode and the covariance of the normal approximation around it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

REFERENCE: Final = "Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., ch. 4. doi:10.1201/b16018"

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def log_odds(chance: Floats, *, sure: float = 1e-4) -> Floats:
    """Log odds of chances, none nearer to nought or one than ``sure``."""
    held = np.clip(chance, sure, 1.0 - sure)
    return np.asarray(np.log(held / (1.0 - held)))


def posterior(
    design: Floats, happened: Flags, *, weight: float, mean: Floats, precision: Floats
) -> tuple[Floats, Floats]:
    """Mode and covariance after seeing the rows, by Newton's method.

    Parameters
    ----------
    design
        Rows × coefficients.
    happened
        One outcome per row.
    weight
        How much a row counts.
    mean, precision
        The normal prior.
    """
    mode = mean.copy()
    for _ in range(100):
        chance = expit(design @ mode)
        slope = design.T @ (weight * (happened - chance)) - precision @ (mode - mean)
        step = np.linalg.solve(_curve(design, chance, weight, precision), slope)
        # A full step may overshoot where nearly all rows agree.
        mode = mode + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-9:
            break
    return mode, np.asarray(np.linalg.inv(_curve(design, expit(design @ mode), weight, precision)))


def _curve(design: Floats, chance: Floats, weight: float, precision: Floats) -> Floats:
    return np.asarray((design * (weight * chance * (1.0 - chance))[:, None]).T @ design + precision)
