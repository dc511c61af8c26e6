"""Does a rater use the levels like the company, like the own department, or in a way of one's own?

Reads    overall ratings placed among comparable ones (`analytics.severity.habits.comparable`).
Returns  per rater and per department the distance of the levels given from those the same people would get
         from the company, and what chance alone would make of it.

The 1-Wasserstein distance between two distributions over levels is the sum of the absolute differences of
their cumulative shares. Chance alone makes it positive; how much follows from the normal distribution of
those differences, whose absolute values have known means and covariances. A custom of a department is more
than the draw of its raters explains: raters differ everywhere. Ratees are placed by what others say alone,
so that a soft hand is part of the way somebody uses a scale; where nobody else rates a department's people,
their work cannot be told from a custom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from scipy import stats

from analytics.distribution.uncertainty import Floats, benjamini_hochberg, sums
from analytics.policy import FALSE_DISCOVERY, MINIMUM_HABIT_RATEES, SMALL_DIFFERENCE
from analytics.severity.habits.comparable import Gathered, ratio, usual_at

REFERENCE: Final = (
    "Vallender (1974), Theory Probab. Appl. 18(4). doi:10.1137/1118101 (distance on a line); "
    "Nabeya (1951), Ann. Inst. Stat. Math. 3 (absolute moments of the normal distribution)"
)

KINDS: Final = ("alike", "custom", "own", "unsure", "cannot_tell")


def likeness(overall: pl.DataFrame, raters: pl.DataFrame, *, told: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """How far each rater's, and each department's, use of the levels lies from the company's.

    Parameters
    ----------
    overall
        Overall ratings as `comparable.comparable` places them; the scale most used counts.
    raters
        The raters by number.
    told
        Whether there are enough raters to say what is usual.

    Returns
    -------
    tuple of polars.DataFrame
        Raters and departments, as `analytics.severity.habits.profile.Profiles` has them.
    """
    size = raters.height
    scale = overall.filter(pl.col("level").is_not_null())["scale_id"].mode().sort()
    rows = overall.filter(
        (pl.col("scale_id") == (scale[0] if scale.len() else "")) & pl.col("level").is_not_null()
    )
    highest = max(rows["highest"].to_list(), default=0)
    places = raters.select("department_id").with_columns(pl.col("department_id").rank("dense").alias("d"))[
        "d"
    ]
    home = places.fill_null(0).cast(pl.Int64).to_numpy() - 1
    departments = raters["department_id"].drop_nulls().unique().sort()
    # Likeness sets a rater beside the department as well as the company.
    if highest < 2 or not told or departments.is_empty():
        return _no_likeness(raters), _no_departments(departments)

    cuts = range(1, highest)
    rows = usual_at(rows, "merit", {f"to_{cut}": (pl.col("level") <= cut).cast(pl.Float64) for cut in cuts})
    gathered = Gathered.of(rows, size)
    below = np.column_stack([(rows["level"].to_numpy() <= cut).astype(float) for cut in cuts])
    usual = np.column_stack([rows[f"usual_to_{cut}"].to_numpy() for cut in cuts])
    sampling = np.minimum(usual[:, :, None], usual[:, None, :]) - usual[:, :, None] * usual[:, None, :]
    sampling = sampling.mean(axis=0)
    difference = below - usual
    design = gathered.design(difference.sum(axis=1))
    away = np.column_stack([gathered.mean(column) for column in difference.T])
    noise = ratio(design, gathered.n)
    enough = gathered.people >= MINIMUM_HABIT_RATEES.value

    # The others of the department, and their own share of chance.
    inside = home >= 0
    at = np.where(inside, home, 0)
    n_places = departments.len()
    n = np.where(inside, gathered.n, 0.0)
    totals = np.column_stack([sums(at, n * np.nan_to_num(column), n_places) for column in away.T])
    counts = sums(at, n, n_places)
    squares = sums(at, n**2 * np.nan_to_num(noise), n_places)
    rest = counts[at] - n
    others = (totals[at] - n[:, None] * np.nan_to_num(away)) / np.maximum(rest, 1e-12)[:, None]
    others_noise = (squares[at] - n**2 * np.nan_to_num(noise)) / np.maximum(rest, 1e-12) ** 2

    deviation = math.sqrt(float(np.diag(sampling).sum()))
    matters = SMALL_DIFFERENCE.value * deviation
    company = _Distance.of(away, noise[:, None, None] * sampling)
    local = _Distance.of(away - others, (noise + others_noise)[:, None, None] * sampling)
    comparable = enough & inside & (rest > 0)
    far = _beyond(company, enough, matters)
    own = _beyond(local, comparable, matters)

    # A department's raters differ from each other anyway: a custom is more than their draw explains.
    some = enough & np.isfinite(away).all(axis=1)
    between = sampling
    if some.sum() > 2:
        spread = np.cov(away[some].T, aweights=gathered.n[some]).reshape(sampling.shape)
        between = _positive(spread - sampling * float(np.average(noise[some], weights=gathered.n[some])))
    share = sums(at, n**2, n_places) / np.maximum(counts, 1e-12) ** 2
    of_department = _Distance.of(
        totals / np.maximum(counts, 1e-12)[:, None],
        share[:, None, None] * between + (squares / np.maximum(counts, 1e-12) ** 2)[:, None, None] * sampling,
    )
    n_raters = sums(at, (inside & enough).astype(float), n_places)
    judged = n_raters >= 2
    custom = _beyond(of_department, judged, matters)

    kind = np.select(
        [~enough, ~far.flag, own.flag, custom.flag[at] & inside],
        ["cannot_tell", "alike", "own", "custom"],
        "unsure",
    )
    of_raters = raters.select("rater_id", "department_id").with_columns(
        _series("to_company", company.distance, enough),
        _series("to_department", local.distance, comparable),
        _series("by_chance", company.chance, enough),
        _series("by_chance_department", local.chance, comparable),
        pl.Series("n_people", gathered.people.astype(np.int64)),
        pl.Series("n_ratings", gathered.n.astype(np.int64)),
        pl.Series("kind", kind.astype(np.str_)),
    )
    people = (
        rows.join(raters.select("rater", pl.col("department_id").alias("_home")), on="rater")
        .group_by(pl.col("_home").alias("department_id"))
        .agg(pl.col("ratee_id").n_unique().cast(pl.Int64).alias("n_people"))
    )
    counted = of_raters.group_by("department_id").agg(
        (pl.col("kind") == kind_of).sum().cast(pl.Int64).alias(f"n_{kind_of}")
        for kind_of in ("alike", "custom", "own")
    )
    table = (
        pl.DataFrame({"department_id": departments})
        .with_columns(
            _series("distance", of_department.distance, judged),
            _series("by_chance", of_department.chance, judged),
            _series("q", custom.q, judged),
            pl.Series("n_raters", n_raters.astype(np.int64)),
            pl.Series("custom", custom.flag),
        )
        .join(people, on="department_id", how="left")
        .join(counted, on="department_id", how="left")
        .select(
            *("department_id", "distance", "by_chance", "q", "n_raters", "n_people"),
            *("n_alike", "n_custom", "n_own", "custom"),
        )
        .sort("department_id")
    )
    return of_raters, table


@dataclass(frozen=True)
class _Distance:
    """1-Wasserstein distances, what chance makes of them, and how often chance makes as much."""

    distance: Floats
    chance: Floats
    p: Floats

    @classmethod
    def of(cls, differences: Floats, covariance: Floats) -> _Distance:
        """Of differences (n, cuts) with the covariances (n, cuts, cuts) chance gives them.

        For a bivariate normal with correlation r, E|a| = σ √(2/π) and
        E|a||b| = σₐ σ_b (2/π) (√(1 − r²) + r arcsin r). The sum is matched by a gamma distribution.
        """
        variances = np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0.0)
        error = np.sqrt(variances)
        chance = math.sqrt(2 / math.pi) * error.sum(axis=1)
        scale = error[:, :, None] * error[:, None, :]
        r = np.clip(ratio(covariance, scale, empty=0.0), -1.0, 1.0)
        both = (2 / math.pi) * (np.sqrt(1 - r**2) + r * np.arcsin(r) - 1.0)
        varying = (scale * both).sum(axis=(1, 2))
        distance = np.abs(differences).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = stats.gamma.sf(distance, chance**2 / varying, scale=varying / chance)
        return cls(distance, chance, p)


@dataclass(frozen=True)
class _Beyond:
    flag: np.ndarray[Any, np.dtype[np.bool_]]
    q: Floats


def _beyond(found: _Distance, told: np.ndarray[Any, np.dtype[np.bool_]], matters: float) -> _Beyond:
    """Which distances are more than chance makes, by enough to matter."""
    q = benjamini_hochberg(np.where(told, found.p, np.nan))
    enough = np.nan_to_num(found.distance - found.chance) >= matters
    return _Beyond(told & enough & (np.nan_to_num(q, nan=1.0) <= FALSE_DISCOVERY.value), q)


def _positive(covariance: Floats) -> Floats:
    """The nearest covariance without negative variances."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def _series(name: str, values: Floats, told: np.ndarray[Any, np.dtype[np.bool_]]) -> pl.Series:
    return pl.Series(name, np.where(told, values, np.nan)).fill_nan(None)


def _no_likeness(raters: pl.DataFrame) -> pl.DataFrame:
    unknown = ("to_company", "to_department", "by_chance", "by_chance_department")
    return raters.select("rater_id", "department_id").with_columns(
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in unknown),
        *(pl.lit(0, dtype=pl.Int64).alias(name) for name in ("n_people", "n_ratings")),
        pl.lit("cannot_tell").alias("kind"),
    )


def _no_departments(departments: pl.Series) -> pl.DataFrame:
    counts = ("n_raters", "n_people", "n_alike", "n_custom", "n_own")
    return pl.DataFrame({"department_id": departments}).with_columns(
        *(pl.lit(None, dtype=pl.Float64).alias(name) for name in ("distance", "by_chance", "q")),
        *(pl.lit(0, dtype=pl.Int64).alias(name) for name in counts),
        pl.lit(False).alias("custom"),
    )
