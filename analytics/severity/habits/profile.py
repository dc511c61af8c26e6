"""How does each rater use the rating scale, compared with what the same people would get from others?

Reads    one row per rating (overall, and where there are any by dimension), self-ratings, and the progress
         of goals by half of a cycle.
Returns  per rater and habit: an estimate with its interval, what is usual, how many people it rests on and
         a reading; how far a rater's use of the levels lies from the department's and the company's.

Everything is held against comparable people, never against a raw average. What other raters say of a ratee
(in any cycle) and how softly the rater rates place every rating; ratings at the same place, with as many
others to go by, given by anybody else, say what is usual there: how often the middle level, how wide a
spread. So neither a strong team nor a soft hand passes for a habit. The habits:

=================  ==========================================  ===========================  ===============
habit              estimate                                    usual                        interval
=================  ==========================================  ===========================  ===============
middle             share of ratings at the middle level(s)     of the same people           Wilson
ends               share of ratings at the two end levels      of the same people           Wilson
spread             SD over people ÷ SD expected of them        1                            χ² of a variance
contrast           correlation of residual and expectation     median rater                 Fisher z
halo_correlation   mean correlation between dimensions         median rater                 Fisher z
halo_spread        SD within a person over dimensions ÷ usual  1                            χ² of a variance
self_gap           mean of manager less self, rating points    all raters                   Student
recency            weight of late less early goal progress     all raters                   shrunken, normal
=================  ==========================================  ===========================  ===============

The median rater is as usual, so that a few with a strong habit do not make the others look strange.
A contrast below the usual is centrality (those others rate high are rated lower, those low higher), above it
extremism. A person counts once however often they were rated: effective numbers are divided by a design
effect from the correlation, pooled over all raters, of what was given to the same person; degrees of freedom
of variances follow the spread of squared deviations seen in the company, not a normal distribution. What all
ratings of one cycle share beyond that (a mood) is not seen. A flag needs three things: a false discovery
rate under the policy's among all raters told, an interval without the usual value, and a size that matters.
How far somebody rates from self-ratings is mostly how softly they rate: it is flagged only if it goes on
beyond that, and never the same way as their severity.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

import numpy as np
import polars as pl
from scipy import special, stats

from analytics.disclosure import Cells
from analytics.distribution.uncertainty import Floats, Ints, benjamini_hochberg, sums, wilson
from analytics.policy import (
    CONFIDENCE,
    FALSE_DISCOVERY,
    HABIT_CORRELATION,
    HABIT_GAP,
    HABIT_RATIO,
    HABIT_SHARE,
    MINIMUM_GROUP,
    MINIMUM_HABIT_RATEES,
    MINIMUM_LINKED_RATERS,
    SMALL_DIFFERENCE,
)
from analytics.severity.habits.comparable import COLUMNS, OVERALL, Gathered, comparable, ratio
from analytics.severity.habits.likeness import likeness

REFERENCE: Final = (
    "Saal, Downey & Lahey (1980), Psychol. Bull. 88(2). doi:10.1037/0033-2909.88.2.413; "
    "Myford & Wolfe (2003, 2004), J. Appl. Meas. 4(4), 5(2); Wolfe (2004), J. Appl. Meas. 5(1); "
    "Heidemeier & Moser (2009), J. Appl. Psychol. 94(2). doi:10.1037/0021-9010.94.2.353; "
    "Fisher (1925), Statistical Methods for Research Workers (intraclass z)"
)

SELF_LENIENCY: Final = 0.32
"""Self less supervisor in standard deviations, and their correlation (Heidemeier & Moser 2009)."""
SELF_CORRELATION: Final = 0.22

HABITS: Final = (
    "middle",
    "ends",
    "spread",
    "contrast",
    "halo_correlation",
    "halo_spread",
    "self_gap",
    "recency",
)
"""Drift over the cycles is another question: how severity moves, not how the scale is used."""

_IDENTITY: Final = ("rater_id", "department_id", "habit")
_NUMBERS: Final = ("estimate", "low", "high", "usual", "q")
_READ: Final = ("reading", "flag", "reason")
_OF_SPREAD: Final = ("spread", "contrast", "halo_correlation", "halo_spread")

FLAGGED_SIDES: Final = {
    "middle": ("more",),
    "ends": ("more",),
    "spread": ("less",),
    "contrast": ("less", "more"),
    "halo_correlation": ("more",),
    "halo_spread": ("less",),
    "self_gap": ("less", "more"),
    "recency": ("less", "more"),
}
"""On which side of the usual a habit is one to talk about."""

READINGS: Final = ("less", "more", "usual", "unsure", "severity", "cannot_tell")
REASONS: Final = (
    "few_people",  # cannot tell: rated fewer people than it takes
    "few_raters",  # cannot tell: too few raters to say what is usual
    "no_variation",  # cannot tell: nothing differs that could be compared
    "not_rated",  # cannot tell: there are no such ratings (levels, dimensions, self-ratings, goals)
    "too_close",  # not to be told: a share so near all or nothing that it says what single people got
)


@dataclass(frozen=True)
class Profiles:
    """How raters use the scale.

    Attributes
    ----------
    habits
        One row per rater and habit, sorted by ``rater_id`` and in the order of `HABITS`: ``rater_id``,
        ``department_id`` (of most of their ratees), ``habit``, ``estimate`` with ``low`` and ``high``,
        ``usual`` (what comparable people get from others), ``q`` (false-discovery adjusted), ``n_people``,
        ``n_ratings``, ``n_aside`` (of shares: people on the smaller side, who ever or who not always got such
        a level; of what tells people or dimensions apart: who not always got the rater's commonest one; else
        null), ``against``
        (``people``: what is usual is known of the same people, most of whom others rated too; ``company``),
        ``reading`` (`READINGS`; ``severity``: would stand out, but is how softly they rate once more),
        ``flag`` and ``reason`` (`REASONS`, null unless the reading is ``cannot_tell``).
    company
        One row per habit: ``habit``, ``usual`` (mean over raters), ``band_low`` and ``band_high`` (where 8
        of 10 raters told lie, as differences to their usual), ``n_raters`` told, ``n_flagged``, ``n_people``,
        ``matters`` (the size worth a talk; of correlations on Fisher's scale).
    likeness
        One row per rater, sorted: ``rater_id``, ``department_id``, ``to_company`` and ``to_department``
        (1-Wasserstein distance in levels between what the rater gave and what the same people would get from
        the company, or from the others of the department), ``by_chance`` and ``by_chance_department``
        (distance chance alone would make), ``n_people``, ``n_ratings``, ``kind`` (`KINDS`): like the
        company, a custom of the department, the rater's own way.
    departments
        One row per department, sorted: ``department_id``, ``distance`` to the company, ``by_chance``,
        ``q``, ``n_raters``, ``n_people``, ``n_alike``, ``n_custom``, ``n_own``, and ``custom`` (whether its
        raters share a way of their own).
    points
        Rating points of one standard deviation of ratings on the scale most used; null without ratings.
    self_d, self_d_low, self_d_high, self_r
        Self less manager in standard deviations, and the correlation of the two, in the whole company; to
        hold against `SELF_LENIENCY` and `SELF_CORRELATION`. Null without self-ratings.
    recency
        Weight of late less early goal progress over all raters with its interval: ``estimate``, ``low``,
        ``high``, ``n_people``; no row without goals.
    n_ratings, n_raters, n_ratees
        What all of it rests on.
    """

    habits: pl.DataFrame
    company: pl.DataFrame
    likeness: pl.DataFrame
    departments: pl.DataFrame
    recency: pl.DataFrame
    points: float | None
    self_d: float | None
    self_d_low: float | None
    self_d_high: float | None
    self_r: float | None
    n_ratings: int
    n_raters: int
    n_ratees: int

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            frame="habits",
            group="rater_id",
            people="n_people",
            # That too few people were rated is what a hidden row says anyway.
            values=(
                "estimate",
                "low",
                "high",
                "usual",
                "q",
                "n_people",
                "n_ratings",
                "n_aside",
                "against",
                "reading",
                "flag",
            ),
            within=("habit",),
            additive=False,
        ),
        Cells(
            frame="likeness",
            group="rater_id",
            people="n_people",
            values=(
                "to_company",
                "to_department",
                "by_chance",
                "by_chance_department",
                "n_people",
                "n_ratings",
                "kind",
            ),
            additive=False,
        ),
        Cells(
            frame="departments",
            group="department_id",
            people="n_people",
            values=(
                "distance",
                "by_chance",
                "q",
                "n_raters",
                "n_people",
                "n_alike",
                "n_custom",
                "n_own",
                "custom",
            ),
            additive=False,
        ),
        Cells(
            frame="company",
            group="habit",
            people="n_people",
            values=("usual", "band_low", "band_high", "n_raters", "n_flagged", "n_people"),
            additive=False,
        ),
    )


def profiles(
    ratings: pl.DataFrame,
    *,
    dimensions: pl.DataFrame | None = None,
    own: pl.DataFrame | None = None,
    progress: pl.DataFrame | None = None,
    severity: pl.DataFrame | None = None,
) -> Profiles:
    """Describe how each rater uses the rating scale, with intervals and flags.

    Parameters
    ----------
    ratings
        One row per overall rating by somebody else: ``cycle_id``, ``ratee_id``, ``rater_id``, ``source``,
        ``department_id`` (the ratee's), ``score`` in rating points, ``level`` (1 the lowest, null on a
        continuous scale), ``scale_id``. Self-ratings among them are left out.
    dimensions
        The same columns and ``dimension``, for what was judged one by one. None: not kept.
    own
        Self-ratings with the columns of ``ratings``. None: not kept.
    progress
        ``cycle_id``, ``ratee_id``, ``early`` and ``late``: progress of their goals in the first and second
        half of the cycle, as known then (see `analytics.severity.habits.progress`). None: not kept.
    severity
        ``rater_id``, ``severity`` in rating points (> 0 is lenient; null where it cannot be told) with
        ``standard_error``, and ``verdict``, of the same ratings. None: not known.

    Returns
    -------
    Profiles
        All raters, also those about whom nothing can be said.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    _check(ratings, dimensions, own, progress, severity)
    placed = comparable(ratings, dimensions=dimensions)
    rows, raters = placed.rows, placed.raters
    size = raters.height
    overall = rows.filter(pl.col("dimension") == OVERALL)
    points = _points(overall)
    gap = _gap(overall, own, raters, severity, points)
    late = _recency(overall, progress, size)
    told = size >= MINIMUM_LINKED_RATERS.value
    found = [
        _share("middle", rows, size),
        _share("ends", rows, size),
        _spread(rows, size),
        _contrast(rows, size),
        *_halo(rows, size),
        gap.habit.times(points),
        late.habit,
    ]
    habits = (
        pl.concat([_read(habit, raters, told=told) for habit in found])
        .join(_aside(rows), on=["rater_id", "habit"], how="left")
        .join(_against(overall), on="rater_id", how="left")
        .select(*_IDENTITY, *_NUMBERS, "n_people", "n_ratings", "n_aside", "against", *_READ)
        .sort("rater_id", pl.col("habit").cast(pl.Enum(HABITS)))
    )
    alike, departments = likeness(overall, raters, told=told)
    return Profiles(
        habits=habits,
        company=_company(habits, rows, points),
        likeness=alike,
        departments=departments,
        recency=late.company,
        points=points,
        self_d=gap.d,
        self_d_low=gap.low,
        self_d_high=gap.high,
        self_r=gap.r,
        n_ratings=rows.height,
        n_raters=size,
        n_ratees=rows["ratee_id"].n_unique(),
    )


def without_single_ratings(found: Profiles) -> Profiles:
    """The same for readers who may not see individual ratings.

    A share near all or nothing says what nearly everybody was given, and so does every measure of spread:
    where fewer people than a group needs lie on the smaller side, it is not told.
    """
    close = (pl.col("n_aside") < int(MINIMUM_GROUP.value)) & pl.col("estimate").is_not_null()
    blank = {name: pl.lit(None) for name in (*_NUMBERS, "n_aside")}
    told = {"reading": pl.lit("cannot_tell"), "flag": pl.lit(value=False), "reason": pl.lit("too_close")}
    return replace(
        found,
        habits=found.habits.with_columns(close.fill_null(value=False).alias("_close"))
        .with_columns(
            pl.when("_close").then(value).otherwise(pl.col(name)).alias(name)
            for name, value in {**blank, **told}.items()
        )
        .drop("_close"),
    )


def _check(
    ratings: pl.DataFrame,
    dimensions: pl.DataFrame | None,
    own: pl.DataFrame | None,
    progress: pl.DataFrame | None,
    severity: pl.DataFrame | None,
) -> None:
    needed: tuple[tuple[str, pl.DataFrame | None, Sequence[str]], ...] = (
        ("ratings", ratings, COLUMNS),
        ("dimensions", dimensions, (*COLUMNS, "dimension")),
        ("own", own, ("cycle_id", "ratee_id", "score", "scale_id")),
        ("progress", progress, ("cycle_id", "ratee_id", "early", "late")),
        ("severity", severity, ("rater_id", "severity", "standard_error", "verdict")),
    )
    for name, frame, columns in needed:
        missing = [] if frame is None else [column for column in columns if column not in frame.columns]
        if missing:
            raise ValueError(
                f"{name} must have the columns {', '.join(columns)}; missing {', '.join(missing)}"
            )


def _points(overall: pl.DataFrame) -> float | None:
    """Rating points of one spread on the scale most used."""
    found = (
        overall.group_by("scale_id")
        .agg(pl.col("score").std().alias("sd"), pl.len().alias("n"))
        .sort("n", "scale_id", descending=[True, False])
    )
    return None if found.is_empty() or not found["sd"][0] else float(found["sd"][0])


@dataclass(frozen=True)
class _Habit:
    """One habit of all raters by number; nan where there is nothing to say it from.

    ``less`` and ``more`` are one-sided p-values of lying below and above the usual; ``matters`` says where
    the size is one to talk about, ``explained`` where it is how softly the rater rates once more.
    """

    name: str
    estimate: Floats
    low: Floats
    high: Floats
    usual: Floats
    less: Floats
    more: Floats
    matters: np.ndarray[Any, np.dtype[np.bool_]]
    people: Ints
    ratings: Ints
    explained: np.ndarray[Any, np.dtype[np.bool_]] | None = None

    @classmethod
    def unknown(cls, name: str, size: int) -> _Habit:
        """Nothing to say it from, for anybody."""
        nothing, none = np.full(size, np.nan), np.zeros(size, dtype=np.int64)
        numbers = (nothing, nothing, nothing, nothing, nothing, nothing)
        return cls(name, *numbers, none > 0, none, none)

    def times(self, factor: float | None) -> _Habit:
        """The same habit in another unit."""
        by = 1.0 if factor is None else factor
        return replace(
            self,
            estimate=self.estimate * by,
            low=self.low * by,
            high=self.high * by,
            usual=self.usual * by,
        )


def _aside(rows: pl.DataFrame) -> pl.DataFrame:
    """People on the smaller side of each habit that could give their ratings away, by rater."""
    # Whoever gives nearly everybody one level says so in every measure of spread.
    commonest = pl.col("level").mode().sort().first().over("rater_id", "scale_id", "dimension")
    sides = {
        "middle": (pl.col("middle") == 1, pl.col("middle") == 0),
        "ends": (pl.col("ends") == 1, pl.col("ends") == 0),
        **dict.fromkeys(_OF_SPREAD, (pl.col("level").is_not_null(), pl.col("level") != pl.col("_commonest"))),
    }
    known = rows.filter(pl.col("level").is_not_null()).with_columns(commonest.alias("_commonest"))
    return pl.concat(
        known.group_by("rater_id").agg(
            pl.lit(habit).alias("habit"),
            pl.min_horizontal(pl.col("ratee_id").filter(side).n_unique() for side in both)
            .cast(pl.Int64)
            .alias("n_aside"),
        )
        for habit, both in sides.items()
    )


def _against(overall: pl.DataFrame) -> pl.DataFrame:
    """Whether what is usual is known of a rater's own people, or only of the company."""
    shared = pl.col("ratee_id").filter(pl.col("n_others") > 0).n_unique()
    return overall.group_by("rater_id").agg(
        pl.when(2 * shared >= pl.col("ratee_id").n_unique())
        .then(pl.lit("people"))
        .otherwise(pl.lit("company"))
        .alias("against")
    )


def _share(name: str, rows: pl.DataFrame, size: int) -> _Habit:
    """Share of the middle or end levels beside the share the same people would get from others."""
    rows = rows.filter(pl.col(name).is_not_null() & pl.col(f"usual_{name}").is_not_null())
    gathered = Gathered.of(rows, size)
    hit, usual = rows[name].to_numpy(), rows[f"usual_{name}"].to_numpy()
    share, expected = gathered.mean(hit), gathered.mean(usual)
    # As in all habits, the median rater is as usual: a few with a strong habit must not shift the others.
    expected = np.clip(expected + _median(share - expected, gathered), 0.0, 1.0)
    worth = ratio(gathered.n, gathered.design(hit - usual))
    low, high = wilson(share, np.nan_to_num(worth), confidence=CONFIDENCE.value)
    # Rare levels make shares skewed: the tail is Jeffreys', not the normal one.
    hits = share * worth + 0.5
    more = np.asarray(special.betainc(hits, worth + 1.0 - hits, expected), dtype=np.float64)
    return _Habit(
        name,
        share,
        low,
        high,
        expected,
        1.0 - more,
        more,
        np.abs(share - expected) >= HABIT_SHARE.value,
        gathered.people.astype(np.int64),
        gathered.n.astype(np.int64),
    )


def _median(values: Floats, gathered: Gathered) -> float:
    """Median over raters of enough people; nought without any."""
    told = values[(gathered.people >= MINIMUM_HABIT_RATEES.value) & np.isfinite(values)]
    return float(np.median(told)) if told.size else 0.0


def _spread(rows: pl.DataFrame, size: int) -> _Habit:
    """Spread over people within a dimension beside the spread the same people would get from others."""
    rows = rows.filter(pl.col("usual_y").is_not_null())
    gathered = Gathered.of(rows, size)
    y, place = rows["y"].to_numpy(), rows["usual_y"].to_numpy()
    noise = np.maximum(rows["usual_square"].to_numpy() - place**2, 0.0)
    inside = (
        rows.select(pl.struct("rater", "dimension").rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()
    )
    count = np.bincount(inside).astype(float)

    def deviation(values: Floats) -> Floats:
        return np.asarray(values - (np.bincount(inside, values) / count)[inside])

    # The mean taken out of n ratings takes with it as much as the ratings of one person agree.
    times = rows.select(pl.len().over("rater", "dimension", "ratee_id")).to_series().to_numpy().astype(float)
    design = 1.0 + (np.bincount(inside, times) / count - 1.0) * gathered.alike(y - place)
    lost = np.bincount(inside, noise) / count * design / count
    expected = np.maximum(noise + deviation(place) ** 2 - lost[inside], 0.0)
    squares = deviation(y) ** 2
    return _variance_habit("spread", squares, expected, gathered)


def _variance_habit(name: str, squares: Floats, expected: Floats, gathered: Gathered) -> _Habit:
    """A ratio of observed to expected squares per rater, as a ratio of standard deviations.

    Its degrees of freedom are those with which a χ² varies as much as the squares of this company do.
    """
    found = ratio(gathered.total(squares), gathered.total(expected))
    typical_ratio = _median(found, gathered) or 1.0
    expected, found = expected * typical_ratio, found / typical_ratio
    enough = gathered.people >= MINIMUM_HABIT_RATEES.value
    typical = ratio(gathered.total(expected), gathered.n)
    # In units of the expected square; raters of few people would only add noise.
    relative = (
        ratio(squares, typical[gathered.rater])
        - ratio(expected, typical[gathered.rater]) * found[gathered.rater]
    )
    relative = np.where(enough[gathered.rater], relative, np.nan)
    design = gathered.design(relative)
    spare = float(np.maximum(gathered.n - design, 0.0)[enough].sum())
    varying = float(np.nansum(relative**2)) / max(spare, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = 2.0 * gathered.n / (varying * design)
        freedom = np.where(freedom > 0, freedom, np.nan)
        # The median of a χ² lies below its mean (Wilson & Hilferty 1931).
        found = found / (_median(found / (1 - 2 / (9 * freedom)) ** 3, gathered) or 1.0)
        tail = (1 - CONFIDENCE.value) / 2
        low = np.sqrt(found * freedom / stats.chi2.ppf(1 - tail, freedom))
        # One more square as usual: however alike few ratings are, they do not make that certain.
        beyond = found + typical / gathered.total(expected)
        high = np.sqrt(beyond * freedom / stats.chi2.ppf(tail, freedom))
        less = np.asarray(stats.chi2.cdf(found * freedom, freedom))
        more = np.asarray(stats.chi2.sf(found * freedom, freedom))
        deviation = np.sqrt(found)
        matters = (deviation <= HABIT_RATIO.value) | (deviation >= 1 / HABIT_RATIO.value)
    return _Habit(
        name,
        deviation,
        low,
        high,
        np.where(np.isfinite(deviation), 1.0, np.nan),
        less,
        more,
        matters,
        gathered.people.astype(np.int64),
        gathered.n.astype(np.int64),
    )


def _contrast(rows: pl.DataFrame, size: int) -> _Habit:
    """Correlation over people of what is left of a rating with what others would give them."""
    by_person = (
        rows.filter((pl.col("stratum") > 0) & pl.col("usual_y").is_not_null())
        .group_by("rater", "ratee_id")
        .agg(
            (pl.col("y") - pl.col("usual_y")).mean().alias("left"),
            pl.col("usual_y").mean().alias("expected"),
            pl.len().alias("n"),
        )
        .sort("rater", "ratee_id")
    )
    rater = by_person["rater"].to_numpy()
    n = sums(rater, np.ones(rater.size), size)

    def around(values: Floats) -> Floats:
        return np.asarray(values - ratio(sums(rater, values, size), n)[rater])

    a, b = around(by_person["left"].to_numpy()), around(by_person["expected"].to_numpy())
    va, vb = sums(rater, a * a, size), sums(rater, b * b, size)
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.where((va > 1e-9) & (vb > 1e-9), sums(rater, a * b, size) / np.sqrt(va * vb), np.nan)
    counted = by_person["n"].cast(pl.Int64).to_numpy()
    return _correlation_habit("contrast", r, 1.0 / np.maximum(n - 3, 1e-9), n, sums(rater, counted, size))


def _correlation_habit(
    name: str, r: Floats, variance: Floats, people: Floats, ratings: Floats, *, together: int = 2
) -> _Habit:
    """A correlation of ``together`` variables beside the median rater's, on Fisher's scale."""
    z = _fisher(r, together)
    counts = np.isfinite(z) & (people >= MINIMUM_HABIT_RATEES.value)
    usual = float(np.median(z[counts])) if counts.any() else np.nan
    error = np.sqrt(variance)
    half = float(special.ndtri(0.5 + CONFIDENCE.value / 2)) * error
    away = (z - usual) / error
    return _Habit(
        name,
        r,
        _correlation(z - half, together),
        _correlation(z + half, together),
        np.where(np.isfinite(r), _correlation(np.asarray(usual), together), np.nan),
        special.ndtr(away),
        special.ndtr(-away),
        np.abs(z - usual) >= HABIT_CORRELATION.value,
        people.astype(np.int64),
        ratings.astype(np.int64),
    )


def _fisher(r: Floats, together: int) -> Floats:
    """Fisher's z of an intraclass correlation of several variables; of two, the usual z."""
    bound = np.clip(r, -1 / (together - 1) + 1e-6, 1 - 1e-6)
    return np.asarray(0.5 * np.log((1 + (together - 1) * bound) / (1 - bound)))


def _correlation(z: Floats, together: int) -> Floats:
    grown = np.exp(np.clip(2 * z, -50, 50))
    return np.asarray((grown - 1) / (grown + together - 1))


def _halo(rows: pl.DataFrame, size: int) -> tuple[_Habit, _Habit]:
    """How alike the dimensions of one person are rated, as a correlation and as a spread."""
    key = ["rater", "ratee_id", "cycle_id", "source", "scale_id"]
    overall = (
        rows.filter(pl.col("dimension") == OVERALL).group_by(key).agg(pl.col("level").max().alias("given"))
    )
    judged = rows.filter(pl.col("dimension") != OVERALL)
    wide = judged.group_by(*key, "rater_id").agg(pl.col("raw").var(ddof=1).alias("w"), pl.len().alias("n"))
    complete = max(wide["n"].to_list(), default=0)
    wide = wide.filter((pl.col("n") == complete) & (complete >= 2)).sort(key)
    if wide.is_empty():
        return _Habit.unknown("halo_correlation", size), _Habit.unknown("halo_spread", size)

    wide = wide.join(overall, on=key, how="left", maintain_order="left")
    # Near the ends of the scale all dimensions are near the end: only ratings of the same level compare.
    keys = ["scale_id", "given"]
    everybody = [pl.col("w").sum().over(keys), pl.len().over(keys).cast(pl.Int64)]
    mine = [pl.col("w").sum().over(*keys, "rater"), pl.len().over(*keys, "rater").cast(pl.Int64)]
    wide = wide.with_columns(
        pl.when(everybody[1] > mine[1])
        .then((everybody[0] - mine[0]) / (everybody[1] - mine[1]))
        .otherwise(pl.col("w").mean())
        .alias("usual_w")
    )
    gathered = Gathered.of(wide, size)
    spread = _variance_habit("halo_spread", wide["w"].to_numpy(), wide["usual_w"].to_numpy(), gathered)

    numbered = wide.with_row_index("row").select(*key, "row")
    long = judged.join(numbered, on=key).sort("row", "dimension")
    x = long["raw"].to_numpy().reshape(wide.height, complete)
    of = gathered.rater
    x = x - np.column_stack([gathered.mean(column)[of] for column in x.T])
    variances = np.column_stack([gathered.total(column**2) for column in x.T])
    whole, single = gathered.total(x.sum(axis=1) ** 2), variances.sum(axis=1)
    deviations = np.sqrt(variances)
    products = deviations.sum(axis=1) ** 2 - single
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.where(products > 1e-9, (whole - single) / products, np.nan)
    influence = x.sum(axis=1) ** 2 - (x**2).sum(axis=1) * (1 + (complete - 1) * np.nan_to_num(r)[of])
    worth = ratio(gathered.n, gathered.design(influence))
    variance = complete / (2 * (complete - 1) * np.maximum(worth - 2, 1e-9))
    correlation = _correlation_habit(
        "halo_correlation", r, variance, gathered.people, gathered.n, together=complete
    )
    return correlation, spread


@dataclass(frozen=True)
class _Gap:
    """Self less manager per rater in spreads of the scale, and in the whole company."""

    habit: _Habit
    d: float | None = None
    low: float | None = None
    high: float | None = None
    r: float | None = None


def _gap(
    overall: pl.DataFrame,
    own: pl.DataFrame | None,
    raters: pl.DataFrame,
    severity: pl.DataFrame | None,
    points: float | None,
) -> _Gap:
    """How far people are rated above what they give themselves, by manager."""
    size = raters.height
    empty = _Habit.unknown("self_gap", size)
    if own is None or own.is_empty():
        return _Gap(empty)
    deviation = overall.group_by("scale_id").agg(pl.col("score").std().alias("_sd"))
    mine = own.group_by("cycle_id", "ratee_id", "scale_id").agg(pl.col("score").mean().alias("_self"))
    both = (
        overall.filter(pl.col("source") == "manager")
        .join(mine, on=["cycle_id", "ratee_id", "scale_id"], maintain_order="left")
        .join(deviation, on="scale_id", maintain_order="left")
        .filter(pl.col("_sd") > 1e-9)
        .with_columns(
            ((pl.col("score") - pl.col("_self")) / pl.col("_sd")).alias("gap"),
            ((pl.col("_self") - pl.col("_self").mean().over("scale_id", "cycle_id")) / pl.col("_sd")).alias(
                "s"
            ),
        )
    )
    by_person = both.group_by("rater", "ratee_id").agg(pl.col("gap").mean(), pl.len().alias("n"))
    by_person = by_person.sort("rater", "ratee_id")
    if by_person.height < 2:
        return _Gap(empty)
    rater, gap = by_person["rater"].to_numpy(), by_person["gap"].to_numpy()
    n = sums(rater, np.ones(rater.size), size)
    mean = ratio(sums(rater, gap, size), n)
    left = sums(rater, (gap - mean[rater]) ** 2, size)
    # The spread between people is pooled: eight people alone say little about it.
    freedom = float(np.maximum(n - 1, 0).sum())
    error = np.sqrt(ratio(np.full(size, left.sum() / max(freedom, 1.0)), n))
    usual = float(gap.mean())
    reach = float(stats.t.ppf(0.5 + CONFIDENCE.value / 2, max(freedom, 1.0)))
    half = reach * error
    with np.errstate(divide="ignore", invalid="ignore"):
        away = (mean - usual) / error
    counted = sums(rater, by_person["n"].cast(pl.Float64).to_numpy(), size)
    habit = _Habit(
        "self_gap",
        mean,
        mean - half,
        mean + half,
        np.where(np.isfinite(mean), usual, np.nan),
        special.ndtr(away),
        special.ndtr(-away),
        np.abs(mean - usual) >= HABIT_GAP.value,
        n.astype(np.int64),
        counted.astype(np.int64),
        _leniency_again(mean - usual, error, reach, raters=raters, severity=severity, points=points),
    )
    # Teams, not people, are the unit of the company's figure: a manager's severity is in every gap.
    influence = sums(rater, gap - usual, size)
    spread = math.sqrt(float((influence**2).sum())) / gap.size
    reach = float(special.ndtri(0.5 + CONFIDENCE.value / 2)) * spread
    r = both.select(pl.corr("s", "y")).item()
    return _Gap(
        habit, -usual, -usual - reach, -usual + reach, None if r is None or math.isnan(r) else float(r)
    )


def _leniency_again(
    away: Floats,
    error: Floats,
    reach: float,
    *,
    raters: pl.DataFrame,
    severity: pl.DataFrame | None,
    points: float | None,
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Where a gap to self-ratings is no more than how softly the rater rates, or a second word for it."""
    if severity is None or not points:
        return np.zeros(raters.height, dtype=np.bool_)
    known = raters.select("rater_id").join(severity, on="rater_id", how="left", maintain_order="left")

    def column(name: str) -> Floats:
        return known[name].cast(pl.Float64).fill_null(0.0).to_numpy() / points

    beyond = away - column("severity")
    verdict = known["verdict"].cast(pl.String).fill_null("").to_numpy()
    same = ((verdict == "lenient") & (away > 0)) | ((verdict == "severe") & (away < 0))
    wide = reach * np.sqrt(error**2 + column("standard_error") ** 2)
    alike = np.sign(beyond) == np.sign(away)
    goes_on = alike & (np.abs(beyond) > wide) & (np.abs(beyond) >= HABIT_GAP.value)
    return np.asarray(same | (known["severity"].is_not_null().to_numpy() & ~goes_on))


@dataclass(frozen=True)
class _Recency:
    habit: _Habit
    company: pl.DataFrame


_NO_RECENCY: Final = pl.DataFrame(
    schema={"estimate": pl.Float64, "low": pl.Float64, "high": pl.Float64, "n_people": pl.Int64}
)


def _recency(overall: pl.DataFrame, progress: pl.DataFrame | None, size: int) -> _Recency:
    """Whether ratings follow what was reached late in the cycle more than what was reached early.

    Within each rater, the rating (in spreads) is regressed on early and late progress (in spreads); the
    difference of the two weights is drawn towards that of all raters, because one rater rates few people.
    """
    empty = _Habit.unknown("recency", size)
    if progress is None or progress.is_empty():
        return _Recency(empty, _NO_RECENCY.clone())
    known = progress.filter(pl.col("early").is_finite() & pl.col("late").is_finite())
    rows = overall.filter(pl.col("source") == "manager").join(
        known.select("cycle_id", "ratee_id", "early", "late"),
        on=["cycle_id", "ratee_id"],
        maintain_order="left",
    )
    if rows.is_empty():
        return _Recency(empty, _NO_RECENCY.clone())
    # Goals are begun earlier in some cycles than in others: only differences within a cycle compare.
    rows = rows.with_columns(
        pl.col(part) - pl.col(part).mean().over("cycle_id") for part in ("early", "late")
    )
    gathered = Gathered.of(rows, size)

    def within(name: str) -> Floats:
        values = rows[name].to_numpy()
        return np.asarray(values - gathered.mean(values)[gathered.rater])

    early, late, y = within("early"), within("late"), within("y")
    early, late = (part / max(float(part.std()), 1e-9) for part in (early, late))
    ee, ll, el = gathered.total(early**2), gathered.total(late**2), gathered.total(early * late)
    ey, ly = gathered.total(early * y), gathered.total(late * y)
    determinant = ee * ll - el**2
    usable = (gathered.people >= MINIMUM_HABIT_RATEES.value) & (determinant > 0.05 * ee * ll) & (ee * ll > 0)
    if not usable.any() or float(np.abs(y).max()) < 1e-9:
        return _Recency(empty, _NO_RECENCY.clone())
    with np.errstate(divide="ignore", invalid="ignore"):
        weight_early = np.where(usable, (ll * ey - el * ly) / determinant, np.nan)
        weight_late = np.where(usable, (ee * ly - el * ey) / determinant, np.nan)
        # c'S⁻¹c for c = (−1, 1), and each rating's influence c'S⁻¹x on the difference.
        leverage = (ee + ll + 2 * el) / determinant
        influence = ((late * (ee + el)[gathered.rater]) - early * (ll + el)[gathered.rater]) / determinant[
            gathered.rater
        ]
    raw = weight_late - weight_early
    inside = usable[gathered.rater]
    explained = np.nan_to_num(weight_early)[gathered.rater] * early
    explained = explained + np.nan_to_num(weight_late)[gathered.rater] * late
    left = np.where(inside, y - explained, 0.0)
    freedom = float((gathered.n - 3)[usable & (gathered.n > 3)].sum())
    noise = float((left**2).sum()) / max(freedom, 1.0)
    design = gathered.design(np.where(inside, np.nan_to_num(influence) * left, 0.0))
    variance = np.where(usable, noise * leverage * design, np.nan)
    mean, mean_variance, between = _pooled(raw[usable], variance[usable])
    kept = between / (between + variance)
    estimate = mean + kept * (raw - mean)
    error = np.sqrt(kept * variance + (1 - kept) ** 2 * mean_variance)
    reach = float(special.ndtri(0.5 + CONFIDENCE.value / 2))
    away = (raw - mean) / np.sqrt(variance)
    habit = _Habit(
        "recency",
        estimate,
        estimate - reach * error,
        estimate + reach * error,
        np.where(usable, mean, np.nan),
        special.ndtr(away),
        special.ndtr(-away),
        np.abs(estimate - mean) >= SMALL_DIFFERENCE.value,
        gathered.people.astype(np.int64),
        gathered.n.astype(np.int64),
    )
    half = reach * math.sqrt(mean_variance)
    company = pl.DataFrame(
        {
            "estimate": [mean],
            "low": [mean - half],
            "high": [mean + half],
            "n_people": [rows["ratee_id"].n_unique()],
        }
    )
    return _Recency(habit, company)


def _pooled(values: Floats, variances: Floats) -> tuple[float, float, float]:
    """Random-effects mean, its variance, and the variance between (DerSimonian & Laird 1986).

    The variance between is at least its own standard error under nought: where nought is but the best guess,
    intervals as if it were known would be too short.
    """
    w = 1.0 / variances
    fixed = float((w * values).sum() / w.sum())
    excess = float((w * (values - fixed) ** 2).sum()) - (values.size - 1)
    scale = float(w.sum() - (w**2).sum() / w.sum())
    between = max(excess, math.sqrt(2.0 * (values.size - 1))) / scale if scale > 0 else 0.0
    w = 1.0 / (variances + between)
    return float((w * values).sum() / w.sum()), float(1.0 / w.sum()), between


def _read(habit: _Habit, raters: pl.DataFrame, *, told: bool) -> pl.DataFrame:
    """A habit as rows: who is flagged, who is as usual, about whom nothing can be said and why."""
    few = habit.people < MINIMUM_HABIT_RATEES.value
    finite = np.isfinite(habit.estimate) & np.isfinite(habit.low) & np.isfinite(habit.high)
    finite &= np.isfinite(habit.usual)
    usable = finite & ~few & told
    sides = FLAGGED_SIDES[habit.name]
    p = (
        np.minimum(1.0, 2 * np.minimum(habit.less, habit.more))
        if len(sides) == 2
        else (habit.more if sides == ("more",) else habit.less)
    )
    q = benjamini_hochberg(np.where(usable, p, np.nan))
    above = habit.estimate > habit.usual
    outside = (habit.low > habit.usual) | (habit.high < habit.usual)
    of_concern = np.where(above, "more" in sides, "less" in sides)
    flag = (
        usable & of_concern & habit.matters & outside & (np.nan_to_num(q, nan=1.0) <= FALSE_DISCOVERY.value)
    )
    again = flag & (False if habit.explained is None else habit.explained)
    flag = flag & ~again
    reading = np.select(
        [flag & above, flag, again, usable & of_concern & habit.matters, usable],
        ["more", "less", "severity", "unsure", "usual"],
        "cannot_tell",
    )
    reason = np.select(
        [usable, np.full(few.shape, not told), habit.ratings == 0, few],
        ["", "few_raters", "not_rated", "few_people"],
        "no_variation",
    )

    def shown(values: Floats) -> pl.Series:
        return pl.Series(np.where(usable, values, np.nan)).fill_nan(None)

    return raters.select("rater_id", "department_id").with_columns(
        pl.lit(habit.name).alias("habit"),
        shown(habit.estimate).alias("estimate"),
        shown(habit.low).alias("low"),
        shown(habit.high).alias("high"),
        shown(habit.usual).alias("usual"),
        shown(q).alias("q"),
        pl.Series("n_people", habit.people),
        pl.Series("n_ratings", habit.ratings),
        pl.Series("reading", reading.astype(np.str_)),
        pl.Series("flag", flag),
        pl.Series("reason", reason.astype(np.str_)).replace({"": None}),
    )


def _company(habits: pl.DataFrame, rows: pl.DataFrame, points: float | None) -> pl.DataFrame:
    """What is usual of each habit and how much raters differ in it."""
    matters = {
        "middle": HABIT_SHARE.value,
        "ends": HABIT_SHARE.value,
        "spread": 1 - HABIT_RATIO.value,
        "halo_spread": 1 - HABIT_RATIO.value,
        "contrast": HABIT_CORRELATION.value,
        "halo_correlation": HABIT_CORRELATION.value,
        "self_gap": HABIT_GAP.value * (points or 1.0),
        "recency": SMALL_DIFFERENCE.value,
    }
    difference = pl.col("estimate") - pl.col("usual")
    people = rows["ratee_id"].n_unique()
    return (
        habits.group_by("habit")
        .agg(
            pl.col("usual").mean(),
            difference.quantile(0.1, "linear").alias("band_low"),
            difference.quantile(0.9, "linear").alias("band_high"),
            pl.col("estimate").count().cast(pl.Int64).alias("n_raters"),
            pl.col("flag").sum().cast(pl.Int64).alias("n_flagged"),
            pl.when(pl.col("estimate").count() > 0).then(pl.lit(people, dtype=pl.Int64)).alias("n_people"),
        )
        .with_columns(pl.col("habit").replace_strict(matters, return_dtype=pl.Float64).alias("matters"))
        .sort(pl.col("habit").cast(pl.Enum(HABITS)))
    )
