"""How likely is a goal to miss its due date, by models from plain to rich?

Reads    measurements of goals on the days they were seen, and which part of the time then left they took.
Returns  a fitted model that gives a delay probability for any such measurements.

Four rungs, each used only if it does better on later goals (`analytics.goals.risk.ladder`):

- *pace*: log odds of a miss rise with the pace needed against the pace so far; two coefficients with a
  stated prior, so that it answers with nothing learnt, and says how little it knows;
- *logistic*: a penalised logistic regression on all measurements;
- *boosting*: boosted trees on the same;
- *blend*: the mean of the two on the log-odds scale.

The two in the middle are discrete-time hazards: the time left on the day of a snapshot is cut into parts,
and a goal enters each part that has passed by now, if it was open when the part began. So a goal that is
still open tells what it can: that it has not landed so far. The chance to miss is the product of the chances
not to land in each part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from analytics.goals.risk.posterior import log_odds, posterior

REFERENCE: Final = (
    "Tutz & Schmid (2016), Modeling Discrete Time-to-Event Data, Springer. doi:10.1007/978-3-319-28158-2; "
    "van Houwelingen (2007), Scand. J. Stat. 34(1). doi:10.1111/j.1467-9469.2006.00529.x"
)
RUNGS: Final = ("pace", "logistic", "boosting", "blend")

PACE_PRIOR_MEAN: Final = (-0.4, 0.8)
PACE_PRIOR_SD: Final = (1.0, 0.4)
"""Log odds of a miss of a goal on pace, and what an e-fold of the pace needed adds.

Four in ten such goals are missed, give or take a factor of e in the odds; the slope is a little below one,
because what is behind catches up. Weak enough that twenty goals outweigh it.
"""

PENALTY: Final = 0.3
"""Inverse strength of the ridge penalty of the logistic regression, on standardised measurements."""

FEWEST_PER_PART: Final = 50
"""Landings each part of the time left must hold before it is told apart from the next."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Model(Protocol):
    """A fitted rung."""

    def delay(self, features: Floats) -> Floats:
        """Chance that each goal is not done by its due date; rows of measurements."""
        ...


@dataclass(frozen=True)
class Pace:
    """The pace rule with honest width: a normal approximation of what is believed about two coefficients.

    Attributes
    ----------
    mean, covariance
        Of intercept and slope on the logarithm of the pace needed.
    column
        Which measurement the pace needed is.
    """

    mean: Floats
    covariance: Floats
    column: int

    def delay(self, features: Floats) -> Floats:
        """Chance of a miss, averaged over what is not known about the coefficients."""
        centre, spread = self._log_odds(features)
        # MacKay (1992), Neural Comput. 4(5): the logistic of a normal variable on average.
        return np.asarray(expit(centre / np.sqrt(1.0 + np.pi * spread**2 / 8.0)))

    def interval(self, features: Floats, *, width: float) -> tuple[Floats, Floats]:
        """Limits of the probability ``width`` standard errors to either side."""
        centre, spread = self._log_odds(features)
        return np.asarray(expit(centre - width * spread)), np.asarray(expit(centre + width * spread))

    def _log_odds(self, features: Floats) -> tuple[Floats, Floats]:
        design = _pace_design(features, self.column)
        variance = np.einsum("ij,jk,ik->i", design, self.covariance, design)
        return design @ self.mean, np.sqrt(variance)


def pace(features: Floats, missed: Flags, *, weight: float, column: int) -> Pace:
    """Learn the pace rule; with no rows it is its prior.

    Parameters
    ----------
    features
        Measurements, goals × measurements.
    missed
        What became of each.
    weight
        How much a row counts.
    column
        Which measurement is the pace needed.
    """
    mean, covariance = posterior(
        _pace_design(features, column),
        missed,
        weight=weight,
        mean=np.array(PACE_PRIOR_MEAN),
        precision=np.diag(1.0 / np.square(PACE_PRIOR_SD)),
    )
    return Pace(mean, covariance, column)


def _pace_design(features: Floats, column: int) -> Floats:
    # Where no pace is known the rule has nothing but its intercept.
    needed = np.nan_to_num(features[:, column], nan=0.0)
    return np.column_stack([np.ones(len(needed)), needed])


@dataclass(frozen=True)
class Parts:
    """The time left on the day of a snapshot, in parts.

    Attributes
    ----------
    ends
        Where each part ends, as a share of the time left; the last is 1.
    """

    ends: tuple[float, ...]


def parts(landed_at: Floats) -> Parts:
    """Cut the time left into as many parts as the landings on record can tell apart.

    Parameters
    ----------
    landed_at
        The share of the time left after which each snapshot's goal landed; NaN where it did not in time.
    """
    for n in (3, 2):
        ends = np.arange(1, n + 1) / n
        counts = np.histogram(landed_at, bins=np.concatenate([[0.0], ends]))[0]
        if counts.min() >= FEWEST_PER_PART:
            return Parts(tuple(ends))
    return Parts((1.0,))


@dataclass(frozen=True)
class Hazard:
    """One model per part of the time left: the chance to land in it if still open."""

    models: tuple[Model, ...]

    def delay(self, features: Floats) -> Floats:
        """Chance to land in none of the parts."""
        missed = np.ones(len(features))
        for model in self.models:
            missed = missed * model.delay(features)
        return missed


@dataclass(frozen=True)
class Blend:
    """The mean of several models on the log-odds scale."""

    models: tuple[Model, ...]

    def delay(self, features: Floats) -> Floats:
        """Chance of a miss."""
        return blended(*(model.delay(features) for model in self.models))


def blended(*stated: Floats) -> Floats:
    """The mean of probabilities on the log-odds scale."""
    return np.asarray(expit(np.mean([log_odds(one) for one in stated], axis=0)))


@dataclass(frozen=True)
class Logistic:
    """A penalised logistic regression on standardised measurements; what is not known counts as average.

    A measurement beyond all that was learnt from counts as the nearest that was: a straight line has nothing
    to say there. Each measurement has a slope of its own and one that changes with the share of the
    time that has passed: work left means little at the start and nearly all at the end.
    """

    centre: Floats
    scale: Floats
    lowest: Floats
    highest: Floats
    coefficients: Floats
    intercept: float
    elapsed: int

    def delay(self, features: Floats) -> Floats:
        """Chance not to land in this part."""
        near = np.clip(features, self.lowest, self.highest)
        design = _changing(np.nan_to_num((near - self.centre) / self.scale, nan=0.0), self.elapsed)
        return np.asarray(expit(design @ self.coefficients + self.intercept))


def _changing(standard: Floats, elapsed: int) -> Floats:
    return np.hstack([standard, standard * standard[:, [elapsed]]])


@dataclass(frozen=True)
class Boosting:
    """Boosted trees."""

    trees: HistGradientBoostingClassifier

    def delay(self, features: Floats) -> Floats:
        """Chance not to land in this part."""
        if not len(features):
            return np.empty(0)
        return np.asarray(self.trees.predict_proba(features)[:, 1])


@dataclass(frozen=True)
class Always:
    """The same chance for all: what is left to say where every goal of a part had the same end."""

    chance: float

    def delay(self, features: Floats) -> Floats:
        """The chance not to land in this part."""
        return np.full(len(features), self.chance)


@dataclass(frozen=True)
class Lived:
    """What is known of snapshots at an origin.

    Attributes
    ----------
    features
        Snapshots × measurements; NaN is not known.
    landed_at
        Share of the time then left after which the goal landed in time; NaN: it did not, or not yet.
    known_to
        Share of the time then left that has passed by now, whatever became of the goal.
    weight
        How much a snapshot counts.
    """

    features: Floats
    landed_at: Floats
    known_to: Floats
    weight: float


def logistic(lived: Lived, cut: Parts, *, elapsed: int) -> Hazard:
    """Learn a penalised logistic regression for each part of the time left; ``elapsed`` is a column."""

    def fit(features: Floats, missed: Flags) -> Model:
        with np.errstate(all="ignore"):
            known = ~np.isnan(features)
            counts = np.maximum(known.sum(axis=0), 1)
            centre = np.where(known, features, 0.0).sum(axis=0) / counts
            spread = np.sqrt((np.where(known, features - centre, 0.0) ** 2).sum(axis=0) / counts)
        scale = np.where(spread > 1e-9, spread, 1.0)
        standard = np.nan_to_num((features - centre) / scale, nan=0.0)
        found = LogisticRegression(C=PENALTY * lived.weight, max_iter=500).fit(
            _changing(standard, elapsed), missed
        )
        filled = np.where(known, features, centre)
        return Logistic(
            centre,
            scale,
            filled.min(axis=0),
            filled.max(axis=0),
            np.asarray(found.coef_[0]),
            float(found.intercept_[0]),
            elapsed,
        )

    return _hazard(lived, cut, fit)


def boosting(lived: Lived, cut: Parts, *, seed: int) -> Hazard:
    """Learn boosted trees for each part of the time left."""

    def fit(features: Floats, missed: Flags) -> Model:
        trees = HistGradientBoostingClassifier(
            learning_rate=0.06,
            max_iter=150,
            max_leaf_nodes=8,
            min_samples_leaf=40,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=seed,
        )
        # Trees need a value to split at; a column that is never known becomes one in which all are alike.
        unknown = np.isnan(features).all(axis=0)
        return Boosting(trees.fit(np.where(unknown, 0.0, features), missed))

    return _hazard(lived, cut, fit)


class _Fit(Protocol):
    def __call__(self, features: Floats, missed: Flags) -> Model: ...


def _hazard(lived: Lived, cut: Parts, fit: _Fit) -> Hazard:
    models: list[Model] = []
    begin = 0.0
    for end in cut.ends:
        open_still = ~(lived.landed_at <= begin)
        lands = open_still & (lived.landed_at <= end)
        enters = open_still & (lived.known_to >= end)
        missed = ~lands[enters]
        if missed.all() or not missed.any():
            # The rule of succession, not certainty.
            models.append(Always((missed.sum() + 1.0) / (len(missed) + 2.0)))
        else:
            models.append(fit(features=lived.features[enters], missed=missed))
        begin = end
    return Hazard(tuple(models))
