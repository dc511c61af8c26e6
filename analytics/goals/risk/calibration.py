"""Do stated probabilities come true, and how must they be bent so that they do?

Reads    probabilities stated before the outcome was known, and the outcomes.
Returns  a rising map from stated to calibrated probabilities, with the interval of each.

An S-shape on the log odds (Platt) with few goals, any rising curve (isotonic regression) with many. It only
ever learns from probabilities that were stated ahead of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from analytics.goals.risk.posterior import posterior
from analytics.policy import ISOTONIC_FROM

REFERENCE: Final = "Niculescu-Mizil & Caruana (2005), ICML. doi:10.1145/1102351.1102430"

SURE: Final = 0.005
"""No goal that is open is nearer to nought or one than this."""
BINS: Final = 10

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Calibration:
    """A map from stated to calibrated probabilities.

    Attributes
    ----------
    stated, calibrated
        Points of the map, rising; between them it is a straight line. Empty: nothing was learnt.
    goals
        How many goals it rests on.
    edges, miss, count
        Of each bin of calibrated probabilities: upper edge, how far off it was, how many goals it holds.
    """

    stated: Floats
    calibrated: Floats
    goals: int
    edges: Floats
    miss: Floats
    count: Floats

    def apply(self, stated: Floats) -> Floats:
        """Calibrated probabilities."""
        if not len(self.stated):
            return np.clip(stated, SURE, 1.0 - SURE)
        return np.clip(np.interp(stated, self.stated, self.calibrated), SURE, 1.0 - SURE)

    def interval(self, calibrated: Floats, *, width: float) -> tuple[Floats, Floats]:
        """Limits of each probability, ``width`` standard errors to either side.

        The error of a probability is that of the share missed among as many goals as were stated near it,
        and how far off the map was there.
        """
        if not len(self.edges):
            return np.zeros_like(calibrated), np.ones_like(calibrated)
        at = np.minimum(np.searchsorted(self.edges, calibrated), len(self.edges) - 1)
        error = np.sqrt(calibrated * (1.0 - calibrated) / self.count[at] + self.miss[at] ** 2)
        return (
            np.clip(calibrated - width * error, 0.0, 1.0),
            np.clip(calibrated + width * error, 0.0, 1.0),
        )


NOTHING: Final = Calibration(*(np.empty(0),) * 2, 0, *(np.empty(0),) * 3)


def calibrate(stated: Floats, missed: Flags, goal: NDArray[np.int64], weight: Floats) -> Calibration:
    """Learn the map from what was stated ahead of time.

    Parameters
    ----------
    stated
        Probabilities, one per snapshot.
    missed
        What became of each.
    goal
        Which goal each snapshot is of: snapshots of one goal are one experience.
    weight
        How much each snapshot counts.

    Returns
    -------
    Calibration
        The identity if everything or nothing was missed.
    """
    goals = len(np.unique(goal))
    if not len(missed) or missed.all() or not missed.any():
        return NOTHING
    grid = np.linspace(0.0, 1.0, 201)
    if goals >= ISOTONIC_FROM.value:
        curve = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        bent = curve.fit(stated, missed.astype(np.float64), sample_weight=weight).predict(grid)
    else:
        bent = _s_shape(stated, missed, weight, grid)
    found = np.clip(np.interp(stated, grid, bent), SURE, 1.0 - SURE)
    edges = np.unique(np.quantile(found, np.arange(1, BINS + 1) / BINS))
    at = np.minimum(np.searchsorted(edges, found), len(edges) - 1)
    mass = np.maximum(np.bincount(at, weight, len(edges)), 1e-9)
    off = np.bincount(at, weight * (missed - found), len(edges)) / mass
    pairs = np.unique(np.column_stack([at, goal]), axis=0)[:, 0]
    return Calibration(
        grid,
        np.asarray(bent),
        goals,
        edges,
        off,
        np.maximum(np.bincount(pairs, minlength=len(edges)), 1).astype(np.float64),
    )


def _s_shape(stated: Floats, missed: Flags, weight: Floats, grid: Floats) -> Floats:
    """Platt's two coefficients, drawn to the identity as if by a few goals."""

    def logit(chance: Floats) -> Floats:
        held = np.clip(chance, SURE, 1.0 - SURE)
        return np.asarray(np.log(held / (1.0 - held)))

    design = np.column_stack([np.ones(len(stated)), logit(stated)])
    mean, _ = posterior(design, missed, weight, mean=np.array([0.0, 1.0]), precision=np.diag([1.0, 4.0]))
    # A falling curve would turn the order of goals around: then only the level is taken.
    return np.asarray(expit(mean[0] + max(mean[1], 0.0) * logit(grid)))
