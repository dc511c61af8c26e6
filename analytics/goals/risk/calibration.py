"""Do stated probabilities come true, and how must they be bent so that they do?

Reads    probabilities stated before the outcome was known, and the outcomes.
Returns  a rising map from stated to calibrated probabilities, with the interval of each.

An S-shape on the log odds (Platt) with few goals, any rising curve (isotonic regression) with many. It only
ever learns from probabilities that were stated ahead of time, and for each third of the goals' time apart:
what was learnt of goals near their end says nothing about goals that have just begun.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from analytics.goals.risk.posterior import log_odds, posterior
from analytics.policy import FEWEST_FOR_LOGISTIC, ISOTONIC_FROM

REFERENCE: Final = "Niculescu-Mizil & Caruana (2005), ICML. doi:10.1145/1102351.1102430"

SURE: Final = 0.005
"""No goal that is open is nearer to nought or one than this."""
BINS: Final = 10

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Calibration:
    """A map from stated to calibrated probabilities.

    Attributes
    ----------
    stated, calibrated
        Points of the map, rising; between them it is a straight line. Empty: nothing was learnt.
    goals
        How many goals it rests on.
    edges, off, count
        Of each bin of calibrated probabilities: upper edge; how far the share missed strayed from it from
        one period to the next, beyond chance; how many goals it holds.
    """

    stated: Floats
    calibrated: Floats
    goals: int
    edges: Floats
    off: Floats
    count: Floats

    def apply(self, stated: Floats) -> Floats:
        """Calibrated probabilities."""
        if not len(self.stated):
            return np.clip(stated, SURE, 1.0 - SURE)
        return np.clip(np.interp(stated, self.stated, self.calibrated), SURE, 1.0 - SURE)

    def interval(self, calibrated: Floats, *, width: float) -> tuple[Floats, Floats]:
        """Limits of each probability, ``width`` standard errors to either side.

        A probability is off as far as the share missed among as many goals as were stated near it is by
        chance, and as far as such probabilities were off from one past period to the next: what befalls a
        whole period, no number of goals averages out. NaN where nothing was learnt.
        """
        if not len(self.edges):
            return np.full_like(calibrated, np.nan), np.full_like(calibrated, np.nan)
        at = np.minimum(np.searchsorted(self.edges, calibrated), len(self.edges) - 1)
        error = np.sqrt(calibrated * (1.0 - calibrated) / self.count[at] + self.off[at] ** 2)
        return (
            np.clip(calibrated - width * error, 0.0, 1.0),
            np.clip(calibrated + width * error, 0.0, 1.0),
        )


NOTHING: Final = Calibration(*(np.empty(0),) * 2, 0, *(np.empty(0),) * 3)


@dataclass(frozen=True)
class Calibrations:
    """A calibration for each third of the goals' time.

    Attributes
    ----------
    thirds
        In the order of time.
    """

    thirds: tuple[Calibration, ...]

    @property
    def goals(self) -> int:
        """How many goals the best known third rests on."""
        return max(third.goals for third in self.thirds)

    def apply(self, stated: Floats, elapsed: Floats) -> Floats:
        """Calibrated probabilities; ``elapsed`` is the share of the time that had passed."""
        found = np.empty_like(stated)
        for third, rows in zip(self.thirds, _by_third(elapsed), strict=True):
            found[rows] = third.apply(stated[rows])
        return found

    def interval(self, calibrated: Floats, elapsed: Floats, *, width: float) -> tuple[Floats, Floats]:
        """Limits of each probability; NaN where nothing was learnt."""
        low, high = np.empty_like(calibrated), np.empty_like(calibrated)
        for third, rows in zip(self.thirds, _by_third(elapsed), strict=True):
            low[rows], high[rows] = third.interval(calibrated[rows], width=width)
        return low, high


UNCHECKED: Final = Calibrations((NOTHING,) * 3)


def calibrate_by_third(
    stated: Floats, missed: Flags, elapsed: Floats, goal: Ints, period: Ints
) -> Calibrations:
    """Learn a map for each third of the goals' time that enough was stated in.

    Parameters
    ----------
    stated, missed, goal, period
        As in `calibrate`.
    elapsed
        Share of the time that had passed.
    """
    found = []
    for rows in _by_third(elapsed):
        enough = len(np.unique(goal[rows])) >= FEWEST_FOR_LOGISTIC.value
        found.append(calibrate(stated[rows], missed[rows], goal[rows], period[rows]) if enough else NOTHING)
    return Calibrations(tuple(found))


def _by_third(elapsed: Floats) -> list[Ints]:
    at = np.clip((elapsed * 3).astype(np.int64), 0, 2)
    return [np.flatnonzero(at == third) for third in range(3)]


def calibrate(stated: Floats, missed: Flags, goal: Ints, period: Ints) -> Calibration:
    """Learn the map from what was stated ahead of time.

    Parameters
    ----------
    stated
        Probabilities, one per snapshot.
    missed
        What became of each.
    goal
        Which goal each snapshot is of: snapshots of one goal are one experience.
    period
        In which period each was stated.

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
        bent = curve.fit(stated, missed.astype(np.float64)).predict(grid)
    else:
        bent = _s_shape(stated, missed, goals / len(missed), grid)
    found = np.clip(np.interp(stated, grid, bent), SURE, 1.0 - SURE)
    edges = np.unique(np.quantile(found, np.arange(1, BINS + 1) / BINS))
    at = np.minimum(np.searchsorted(edges, found), len(edges) - 1)
    return Calibration(
        grid, np.asarray(bent), goals, edges, *_strayed(at, missed - found, goal, period, len(edges))
    )


def _strayed(at: Ints, error: Floats, goal: Ints, period: Ints, bins: int) -> tuple[Floats, Floats]:
    """How far each bin was off from period to period beyond chance, and how many goals it holds."""
    told = pl.DataFrame({"at": at, "goal": goal, "period": period, "error": error})
    # One error per goal: its snapshots miss or land together.
    each = told.group_by("at", "period", "goal").agg(pl.col("error").mean())
    spread = (
        each.group_by("at", "period")
        .agg(pl.col("error").mean().alias("mean"), pl.col("error").var().fill_null(0.25), pl.len().alias("n"))
        .group_by("at")
        .agg(
            (((pl.col("mean") ** 2 - pl.col("error") / pl.col("n")) * pl.col("n")).sum() / pl.col("n").sum())
            .clip(lower_bound=0.0)
            .sqrt()
            .alias("off")
        )
    )
    counts = each.group_by("at").agg(pl.col("goal").n_unique().alias("count"))
    full = (
        pl.DataFrame({"at": np.arange(bins)})
        .join(spread, on="at", how="left")
        .join(counts, on="at", how="left")
    )
    full = full.sort("at").fill_null(strategy="zero")
    return full["off"].to_numpy(), np.maximum(full["count"].to_numpy().astype(np.float64), 1.0)


def _s_shape(stated: Floats, missed: Flags, weight: float, grid: Floats) -> Floats:
    """Platt's two coefficients, drawn to the identity as if by a few goals."""

    design = np.column_stack([np.ones(len(stated)), log_odds(stated, sure=SURE)])
    mean, _ = posterior(
        design, missed, weight=weight, mean=np.array([0.0, 1.0]), precision=np.diag([1.0, 4.0])
    )
    # A falling curve would turn the order of goals around: then only the level is taken.
    return np.asarray(expit(mean[0] + max(mean[1], 0.0) * log_odds(grid, sure=SURE)))
