"""How much more leniently does each rater rate, where ratings are ordered levels and not numbers?

Reads    what the linear model reads, and the ``level`` (from the lowest) and ``scale_id`` of each rating.
Returns  per rater and department the severity in logits (> 0 is lenient) with interval, local false sign
         rate and a verdict, and what it comes to in rating points and in levels; where the linear model
         says otherwise, and likely why.

The design is the linear one: cycles, sources, islands and departments are fixed, ratees, raters, standards
and pairs random (see `analytics.severity.linear`). But a level is where a latent judgement falls among the
thresholds of its scale: no step counts as long as another, nobody can be rated above the top, and a lenient
rater has less room there. Ratings on continuous scales have no levels and do not enter.

A severity in logits says little to a reader, so it is carried over to the population of ratings: the fixed
part of each rating as it is, and ratees and pairs drawn as the model says they spread. Then ``points`` is the
average difference of the expected score under this rater to that under an average rater, ``levels`` that of
the expected level, and ``moved`` the share of an average rater's ratings that this rater would place on
another level. All three rise with the severity, so intervals carry over by their ends.

Thresholds and coefficients are known only as well as the ratings tell, and so the standard errors say;
variances are taken as known, as in the linear model. What all of a rater's ratings of one cycle share (a
mood) is a part of its own only in companies whose moods fit into the dense block. In larger ones, where the
linear model finds moods to speak of, intervals by levels are too short, and `disagreements` says so.
Laplace's approximation finds too little spread in effects of which each is seen once or twice, such as the
pairs; the severities it gives are then somewhat too small in logits and right in rating points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse, special, stats

from analytics.disclosure import Cells
from analytics.policy import CONFIDENCE, MINIMUM_RATEES, MOST_ISLANDS, PRACTICAL_SEVERITY
from analytics.severity.design import (
    DEFAULTS,
    SOURCES,
    Refusal,
    check_ratings,
    coded,
    counts,
    crossing_borders,
    entering_ratings,
    fixed_columns,
    home_matrix,
    linked_raters,
    mood_levels,
    pairs,
    random_parts,
    told_once,
    why_refused,
)
from analytics.severity.engines.crossed import Modes, NotEstimable
from analytics.severity.engines.ordinal import OrdinalFit, fit_ordinal
from analytics.severity.linear import Severity
from analytics.severity.linkage.graph import linkage
from analytics.severity.verdicts import (
    Bar,
    chance_of_gain,
    department_counts,
    judged_departments,
    judged_raters,
    mean_of,
    strata,
    unjudged_departments,
    unjudged_raters,
)

REFERENCE: Final = (
    "Christensen (2019), ordinal: Regression Models for Ordinal Data, R package; "
    "McCullagh (1980), J. R. Stat. Soc. B 42(2). doi:10.1111/j.2517-6161.1980.tb01109.x; "
    "Stephens (2017), Biostatistics 18(2). doi:10.1093/biostatistics/kxw041"
)

WHYS: Final = (
    "near_the_bar",  # the two sizes are alike: one is a hair over the bar, the other a hair under it
    "end_of_scale",  # most of the rater's ratings are on the highest or lowest level
    "few_levels",  # three levels or fewer in use: a number says little more than an order
    "uneven_steps",  # some steps of the scale are much longer than others
    "other",
)

Floats = npt.NDArray[np.float64]

_MOST_DENSE: Final = 4_000  # levels in the dense block: 1.3 GB and half a minute
_LOGISTIC: Final = math.pi**2 / 3.0  # variance of the logistic distribution
_MOST_MOODS: Final = 2_000  # levels in the dense block up to which moods are a part: some seconds
_NODES: Final = 21  # of the quadrature over ratees and pairs
_FINE: Final = 0.05  # logits to which the fixed part of a rating is rounded for carrying over
_WIDEST: Final = 1_000  # from the lowest to the highest number of a level; beyond, numbers are codes
_STEPS: Final = 161  # of the severities that are carried over; between them straight lines
_FEW_LEVELS: Final = 3
_UNEVEN: Final = 2.0  # longest step over shortest from which steps are called uneven
_AT_END: Final = 0.5  # share of ratings on an end of the scale from which that is called the reason
_ALIKE: Final = 0.5  # standard errors the two sizes may differ by to be alike
_CARRIED: Final = ("points", "points_low", "points_high", "levels", "moved")
_COUNTED: Final = (
    "n_ratings",
    "n_ratees",
    "n_shared",
    "component",
    "hangs_on_one",
    "verdict",
    "reason",
)


@dataclass(frozen=True)
class LevelModel:
    """The ordinal model of a company's ratings: for computing with, never for showing.

    Attributes
    ----------
    rows
        One row per rating that enters, sorted by cycle, ratee, rater, source: ``cycle_id``, ``ratee_id``,
        ``rater_id``, ``source``, ``department_id`` (the ratee's), ``home`` (the rater's), ``component``,
        ``scale_id``, ``level``, ``score``, ``predictor`` (logits, everything at its mode),
        ``without_rater`` (the same without what the rater and the rater's department always add; a mood
        stays in it), ``rater_effect`` and ``rater_error`` (what they add, and its standard error).
    ratees
        One row per ratee, sorted: ``effect``, ``conditional_sd``, ``standard_error``, in logits. Row k is
        level k of the factor ``ratee`` in ``fit.contrasts``.
    raters
        One row per rater that enters, sorted: linkage as in ``Severity.raters``, and ``effect``,
        ``conditional_sd``, ``standard_error`` of rater and standard together.
    thresholds
        One row per scale and level, sorted: ``threshold`` (its upper bound in logits, infinite above the
        highest used level), ``standard_error`` and ``score`` (points of the level; null if never used).
    fit
        The fit; None when refused. Its factors are ``ratee``, ``rater`` and, where ratings speak of them,
        ``standard`` or ``department``, ``mood`` and ``pair``.
    chance
        How often chance alone would make raters differ this much.
    refusal
        Why there is no fit.
    """

    rows: pl.DataFrame
    ratees: pl.DataFrame
    raters: pl.DataFrame
    thresholds: pl.DataFrame
    fit: OrdinalFit | None
    chance: float | None
    refusal: Refusal | None
    left_out: Mapping[str, int]
    _kept: pl.DataFrame
    _people: pl.DataFrame
    _components: pl.DataFrame


@dataclass(frozen=True)
class LevelSeverity:
    """How leniently each rater and each department rates, by ordered levels.

    Attributes
    ----------
    raters
        As ``Severity.raters``, ``severity``, ``standard_error``, ``low`` and ``high`` in logits; and
        ``points`` with ``points_low`` and ``points_high`` in rating points, ``levels`` (levels up or down),
        ``moved`` (share of ratings, 0 to 1) and ``at_end`` (share of the rater's ratings on the highest or
        lowest level in use).
    departments
        As ``Severity.departments``, ``difference`` in logits; and ``points``, ``points_low``,
        ``points_high``, ``levels``, ``moved``.
    components, fixed, variances
        As those of `Severity`, in logits; the residual variance is that of the logistic distribution.
    thresholds
        As in `LevelModel`, with ``scale_id`` and ``level``.
    n_ratings, n_raters, n_ratees, left_out
        As those of `Severity`; left out are also ratings with ``no_levels``.
    criterion
        Minus twice the log likelihood (Laplace); null when refused.
    converged
        Whether the search ended where nothing more could be gained.
    spread
        Standard deviation of the latent judgement behind one rating, in logits.
    practical, practical_points
        Severity that matters, in logits, and what it comes to in rating points.
    separated
        Fixed parts that push their ratings to one end of the scale whatever their size.
    chance, expected_false_flags, reliability, separation, strata, refusal
        As those of `Severity`.
    """

    raters: pl.DataFrame
    departments: pl.DataFrame
    components: pl.DataFrame
    fixed: pl.DataFrame
    variances: pl.DataFrame
    thresholds: pl.DataFrame
    n_ratings: int
    n_raters: int
    n_ratees: int
    left_out: Mapping[str, int]
    criterion: float | None = None
    converged: bool = False
    spread: float | None = None
    practical: float | None = None
    practical_points: float | None = None
    separated: tuple[str, ...] = ()
    chance: float | None = None
    expected_false_flags: float = 0.0
    reliability: float | None = None
    separation: float | None = None
    strata: float | None = None
    refusal: Refusal | None = field(default=None)

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            frame="raters",
            group="rater_id",
            people="n_ratees",
            values=(*Severity.cells[0].values, *_CARRIED, "at_end"),
            additive=False,
        ),
        Cells(
            frame="departments",
            group="department_id",
            people="n_people",
            values=(*Severity.cells[1].values, *_CARRIED),
            additive=False,
        ),
    )

    @property
    def identified(self) -> bool:
        """Whether anybody's severity can be told."""
        return self.refusal is None


@dataclass(frozen=True)
class Disagreements:
    """Where the two models say something else of a rater.

    Attributes
    ----------
    raters
        One row per rater whose verdicts differ, largest difference first: ``rater_id``, ``department_id``,
        ``n_ratees``, ``verdict`` and ``verdict_by_levels``, ``severity`` and ``points`` (rating points, by
        the linear model and by levels), ``difference`` and ``why`` (`WHYS`).
    n_both
        Raters that both models can tell about.
    n_same
        Those of them with the same verdict.
    n_opposite
        Those that one model flags as lenient and the other as severe.
    correlation
        Of severities over the raters both can tell about; null for fewer than three.
    moods
        Standard deviation of raters' moods (what a rater's ratings of one cycle share) to that of the
        residual, by the linear model; 0 where it found none, or levels take them out as well.
    """

    raters: pl.DataFrame
    n_both: int
    n_same: int
    n_opposite: int
    correlation: float | None
    moods: float

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            frame="raters",
            group="rater_id",
            people="n_ratees",
            values=("n_ratees", "verdict", "verdict_by_levels", "severity", "points", "difference", "why"),
            additive=False,
        ),
    )


def severity_by_levels(
    ratings: pl.DataFrame,
    *,
    sources: Sequence[str] = SOURCES,
    covariates: Sequence[str] = (),
    standards: bool = True,
) -> LevelSeverity:
    """Estimate how much more leniently each rater rates than an average rater would, by ordered levels.

    Parameters
    ----------
    ratings
        What `linear.severity` reads, and ``level`` (whole numbers that rise with the score, counted through
        where they span a thousand and more; null on a continuous scale) and ``scale_id`` (else all are on
        one scale). Rows in any order.
    sources, covariates, standards
        As in `linear.severity`.

    Returns
    -------
    LevelSeverity
        Estimates with intervals and verdicts, or a refusal.

    Raises
    ------
    ValueError
        As `linear.severity`, and if ``level`` holds something else than whole numbers.
    """
    return judged(level_model(ratings, sources=sources, covariates=covariates, standards=standards))


def level_model(
    ratings: pl.DataFrame,
    *,
    sources: Sequence[str] = SOURCES,
    covariates: Sequence[str] = (),
    standards: bool = True,
) -> LevelModel:
    """Fit the ordinal model that `judged` and adjusted ratings rest on.

    Parameters
    ----------
    ratings, sources, covariates, standards
        As in `severity_by_levels`.

    Returns
    -------
    LevelModel
        The fit with what it says of each rating, or a refusal.
    """
    ratings = ratings.with_columns(
        pl.lit(value, dtype=pl.String).alias(name)
        for name, value in {**DEFAULTS, "scale_id": "only"}.items()
        if name not in ratings.columns
    )
    check_ratings(ratings, sources, covariates)
    _check_levels(ratings)
    # The level travels with the covariates, which are numbers that no rating may lack.
    steps = pl.col("level").is_not_null() & pl.col("scale_id").is_not_null()
    kept, left_out = entering_ratings(ratings.filter(steps), sources, (*covariates, "level"))
    continuous, _ = entering_ratings(ratings.filter(~steps), sources, covariates)
    kept = kept.with_columns(_without_wide_gaps(pl.col("level").cast(pl.Int64)))
    links = linkage(kept)
    compared = links.components.filter(pl.col("n_raters") > 1).head(int(MOST_ISLANDS.value))
    people = linked_raters(kept, links)
    entering = people.filter(pl.col("component").is_in(compared["component"].implode()))
    rows = kept.join(
        entering.select("rater_id", "component", pl.col("department_id").alias("home")),
        on="rater_id",
        maintain_order="left",
    )
    alone = people.join(links.components, on="component").filter(pl.col("n_raters") == 1)["n_ratings"].sum()
    refusal = why_refused(kept, rows, entering)
    if kept.is_empty() and continuous.height:
        refusal = Refusal("no_levels", counts(continuous, entering))
    fit: OrdinalFit | None = None
    chance: float | None = None
    if refusal is None:
        once = told_once(rows)
        levels = random_parts(once, standards=standards)
        moods = mood_levels(once)
        if moods is not None and _dense({**levels, "mood": moods}) <= _MOST_MOODS:
            levels["mood"] = moods
        if _dense(levels) > _MOST_DENSE:
            refusal = Refusal("too_large", counts(kept, entering))
        else:
            rows = once
            try:
                fit, chance = _fitted(
                    rows, levels, fixed_columns(rows, covariates, departments="standard" in levels)
                )
            except NotEstimable:
                refusal = Refusal("no_residual", counts(kept, entering))
    raters, ratees = _estimates_none(entering), _RATEES.clone()
    if fit is not None:
        raters = entering.with_columns(**_columns(_rater_modes(fit, rows)))
        ratees = pl.DataFrame({"ratee_id": rows["ratee_id"].unique().sort(), **_columns(fit.modes["ratee"])})
        rows = _seen(rows, raters, fit)
    return LevelModel(
        rows=rows,
        ratees=ratees,
        raters=raters,
        thresholds=_thresholds(rows, fit),
        fit=fit,
        chance=chance,
        refusal=refusal,
        left_out=MappingProxyType(
            {
                **left_out,
                "alone": int(alone),
                "island": kept.height - int(entering["n_ratings"].sum()) - int(alone),
                "no_levels": continuous.height,
            }
        ),
        _kept=kept,
        _people=people,
        _components=links.components.with_columns(
            pl.col("component").is_in(compared["component"].implode()).alias("compared")
        ),
    )


def judged(model: LevelModel) -> LevelSeverity:
    """Say of each rater and department whether it rates leniently, by the rules of the linear model.

    Parameters
    ----------
    model
        What `level_model` found.

    Returns
    -------
    LevelSeverity
        Estimates with intervals and verdicts, or the refusal of the model.
    """
    kept, people, fit = model._kept, model._people, model.fit
    outside = crossing_borders(model.rows)
    if fit is None or model.chance is None:
        raters = unjudged_raters(people)
        return LevelSeverity(
            raters=_carried(raters, kept, None),
            departments=_in_table(
                unjudged_departments(department_counts(kept, raters, outside)), "difference", None
            ),
            fixed=_FIXED.clone(),
            variances=_VARIANCES.clone(),
            refusal=model.refusal,
            components=model._components,
            thresholds=model.thresholds,
            n_ratings=model.rows.height,
            n_raters=model.raters.height,
            n_ratees=model.rows["ratee_id"].n_unique(),
            left_out=model.left_out,
        )
    parts = {**fit.variances, "residual": _LOGISTIC}
    total = sum(parts.values())
    spread = math.sqrt(total)
    practical = PRACTICAL_SEVERITY.value * spread
    bar = Bar(practical, model.chance)
    table = _Table.of(model, reach=_reach(model, practical))
    enough = (model.raters["n_ratees"] >= MINIMUM_RATEES.value).to_numpy()
    modes = Modes(
        *(model.raters[name].to_numpy()[enough] for name in ("effect", "conditional_sd", "standard_error"))
    )
    prior = fit.variances["rater"] + fit.variances.get("standard", 0.0)
    entering = model.raters.select(people.columns)
    raters = judged_raters(people, entering, entering.filter(enough), modes, prior=prior, bar=bar)
    told = raters.filter(pl.col("severity").is_not_null())
    reliability = mean_of(told["reliability"])
    separation = None if reliability is None else math.sqrt(reliability / max(1.0 - reliability, 1e-12))
    flags = raters.filter(pl.col("verdict").is_in(["lenient", "severe"]))
    # Of a fit no more is asked there than variances and contrasts.
    departments = judged_departments(fit, model.rows, department_counts(kept, raters, outside), bar)
    return LevelSeverity(
        raters=_carried(raters, kept, table),
        departments=_in_table(departments, "difference", table),
        fixed=pl.DataFrame(
            {
                "term": list(fit.coefficients),
                "estimate": list(fit.coefficients.values()),
                "standard_error": list(fit.coefficient_errors.values()),
            },
            schema=_FIXED.schema,
        ),
        variances=pl.DataFrame(
            {
                "part": list(parts),
                "variance": list(parts.values()),
                "share": [variance / total for variance in parts.values()],
            }
        ).sort(["variance", "part"], descending=[True, False]),
        criterion=fit.criterion,
        converged=fit.converged,
        spread=spread,
        practical=practical,
        practical_points=float(table.points(np.array([practical]))[0]),
        separated=fit.separated,
        chance=model.chance,
        expected_false_flags=float(flags["false_sign_rate"].sum()),
        reliability=reliability,
        separation=separation,
        strata=None if separation is None else strata(separation),
        components=model._components,
        thresholds=model.thresholds,
        n_ratings=model.rows.height,
        n_raters=model.raters.height,
        n_ratees=model.rows["ratee_id"].n_unique(),
        left_out=model.left_out,
    )


def in_points(found: LevelSeverity) -> Severity:
    """The same findings in rating points: what draws and tells a `Severity` does so for levels too.

    Parameters
    ----------
    found
        What `judged` returned.

    Returns
    -------
    Severity
        ``severity`` and ``difference`` with their intervals in rating points. Variances, fixed parts and
        the criterion stay in logits.
    """
    # Half the width of an interval, in the deviations of a normal one: the standard error to read beside it.
    reach = 2.0 * float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0))
    error = ((pl.col("points_high") - pl.col("points_low")) / reach).alias("standard_error")

    def turned(frame: pl.DataFrame, value: str, columns: Sequence[str]) -> pl.DataFrame:
        return frame.with_columns(
            pl.col("points").alias(value),
            error,
            pl.col("points_low").alias("low"),
            pl.col("points_high").alias("high"),
        ).select(columns)

    levels_only = (*_CARRIED, "at_end")
    share = None if found.spread is None or not found.practical else found.practical / found.spread
    return Severity(
        raters=turned(
            found.raters, "severity", [name for name in found.raters.columns if name not in levels_only]
        ),
        departments=turned(
            # A part of a difference is the same part of it in rating points, as nearly as matters.
            found.departments.with_columns(
                pl.col("difference_without") / pl.col("difference") * pl.col("points")
            ),
            "difference",
            [name for name in found.departments.columns if name not in levels_only],
        ),
        components=found.components,
        fixed=found.fixed,
        variances=found.variances,
        n_ratings=found.n_ratings,
        n_raters=found.n_raters,
        n_ratees=found.n_ratees,
        left_out=found.left_out,
        criterion=found.criterion,
        converged=found.converged,
        spread=None if share is None or found.practical_points is None else found.practical_points / share,
        practical=found.practical_points,
        chance=found.chance,
        expected_false_flags=found.expected_false_flags,
        reliability=found.reliability,
        separation=found.separation,
        strata=found.strata,
        refusal=found.refusal,
    )


def disagreements(linear: Severity, by_levels: LevelSeverity) -> Disagreements:
    """Raters of whom the two models say something else, and likely why.

    Parameters
    ----------
    linear
        What `linear.severity` found.
    by_levels
        What `judged` found in the same ratings.

    Returns
    -------
    Disagreements
        Empty where both say the same of everybody, or where one of them refused.
    """
    both = (
        linear.raters.filter(pl.col("severity").is_not_null())
        .select("rater_id", "department_id", "n_ratees", "verdict", "severity", "standard_error")
        .join(
            by_levels.raters.filter(pl.col("points").is_not_null()).select(
                "rater_id", pl.col("verdict").alias("verdict_by_levels"), "points", "at_end"
            ),
            on="rater_id",
        )
        .with_columns((pl.col("points") - pl.col("severity")).alias("difference"))
        .sort("rater_id")
    )
    differ = both.filter(pl.col("verdict") != pl.col("verdict_by_levels"))
    steps, uneven = _steps(by_levels.thresholds)
    why = (
        pl.when(pl.col("difference").abs() <= _ALIKE * pl.col("standard_error"))
        .then(pl.lit("near_the_bar"))
        .when(pl.col("at_end") >= _AT_END)
        .then(pl.lit("end_of_scale"))
        .when(pl.lit(steps < _FEW_LEVELS))
        .then(pl.lit("few_levels"))
        .when(pl.lit(uneven >= _UNEVEN))
        .then(pl.lit("uneven_steps"))
        .otherwise(pl.lit("other"))
    )
    flags = {"lenient", "severe"}
    opposite = differ.filter(pl.col("verdict").is_in(flags) & pl.col("verdict_by_levels").is_in(flags)).height
    correlation = None
    if both.height > 2 and both["severity"].n_unique() > 1 and both["points"].n_unique() > 1:
        correlation = float(np.corrcoef(both["severity"].to_numpy(), both["points"].to_numpy())[0, 1])
    return Disagreements(
        raters=differ.with_columns(why.alias("why"))
        .sort(pl.col("difference").abs(), "rater_id", descending=[True, False])
        .select(
            "rater_id",
            "department_id",
            "n_ratees",
            "verdict",
            "verdict_by_levels",
            "severity",
            "points",
            "difference",
            "why",
        ),
        n_both=both.height,
        n_same=both.height - differ.height,
        n_opposite=opposite,
        correlation=correlation,
        moods=0.0 if "mood" in by_levels.variances["part"] else _moodiness(linear),
    )


_FIXED: Final = pl.DataFrame(schema={"term": pl.String, "estimate": pl.Float64, "standard_error": pl.Float64})
_VARIANCES: Final = pl.DataFrame(schema={"part": pl.String, "variance": pl.Float64, "share": pl.Float64})
_ESTIMATES: Final = {"effect": pl.Float64, "conditional_sd": pl.Float64, "standard_error": pl.Float64}
_RATEES: Final = pl.DataFrame(schema={"ratee_id": pl.String, **_ESTIMATES})


def _check_levels(ratings: pl.DataFrame) -> None:
    if "level" not in ratings.columns:
        raise ValueError("ratings must have the column level; missing level")
    kind = ratings.schema["level"]
    if not (kind.is_integer() or kind == pl.Null):
        raise ValueError(f"level must hold whole numbers, or null on a continuous scale; got {kind}")


def _without_wide_gaps(level: pl.Expr) -> pl.Expr:
    """Levels counted through where their numbers are codes, such as years or powers."""
    wide = level.max().over("scale_id") - level.min().over("scale_id") > _WIDEST
    return pl.when(wide).then(level.rank("dense").over("scale_id").cast(pl.Int64)).otherwise(level)


def _fitted(
    rows: pl.DataFrame, levels: dict[str, npt.NDArray[np.int64]], columns: dict[str, Floats]
) -> tuple[OrdinalFit, float]:
    """The fit, and how often chance alone would gain as much likelihood as letting raters differ.

    The reference is the mixture of chi-squares of the linear model (Self & Liang 1987).
    """
    scale = coded(rows["scale_id"])
    # Levels begin at nought on each scale, whatever number the lowest one bears.
    level = rows.select(pl.col("level") - pl.col("level").min().over("scale_id")).to_series().to_numpy()
    pair = pairs(rows)
    if pair is not None and "department" in levels:
        # The rows of a pair share all their levels: whom a rater rates in two departments is rated anew.
        _, pair = np.unique(
            pair * (int(levels["department"].max()) + 1) + levels["department"], return_inverse=True
        )
    fit = fit_ordinal(level, factors=levels, covariates=columns, pair=pair, scale=scale, restricted=True)
    rest = {name: codes for name, codes in levels.items() if name not in {"rater", "standard"}}
    without = fit_ordinal(level, factors=rest, covariates=columns, pair=pair, scale=scale)
    return fit, chance_of_gain(without.criterion - fit.criterion, 2 if "standard" in levels else 1)


def _dense(levels: dict[str, npt.NDArray[np.int64]]) -> int:
    """Levels that the ordinal model keeps in its dense block."""
    lasting = [codes for name, codes in levels.items() if name != "mood"]
    largest, second, *others = sorted(lasting, key=lambda codes: -int(codes.max()))
    others += [codes for name, codes in levels.items() if name == "mood"]
    # Who met one level of the largest factor only is eliminated with that meeting.
    met = np.unique(second * (int(largest.max()) + 1) + largest) // (int(largest.max()) + 1)
    return int((np.bincount(met) > 1).sum()) + sum(int(codes.max()) + 1 for codes in others)


def _rater_modes(fit: OrdinalFit, rows: pl.DataFrame) -> Modes:
    """What each rater and the rater's department add together."""
    if not fit.variances.get("standard"):
        return fit.modes["rater"]
    homes = home_matrix(rows)
    return fit.contrasts({"rater": sparse.csr_matrix(sparse.eye_array(homes.shape[0])), "standard": homes})


def _columns(modes: Modes) -> dict[str, pl.Series]:
    return {
        name: pl.Series(name, column)
        for name, column in (
            ("effect", modes.values),
            ("conditional_sd", modes.conditional_sd),
            ("standard_error", modes.standard_error),
        )
    }


def _estimates_none(entering: pl.DataFrame) -> pl.DataFrame:
    return entering.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in _ESTIMATES.items())


def _seen(rows: pl.DataFrame, raters: pl.DataFrame, fit: OrdinalFit) -> pl.DataFrame:
    """The ratings with what the model says of each."""
    return (
        rows.with_columns(pl.Series("predictor", fit.predictor))
        .join(
            raters.select(
                "rater_id",
                pl.col("effect").alias("rater_effect"),
                pl.col("standard_error").alias("rater_error"),
            ),
            on="rater_id",
            maintain_order="left",
        )
        .with_columns((pl.col("predictor") - pl.col("rater_effect")).alias("without_rater"))
    )


def _thresholds(rows: pl.DataFrame, fit: OrdinalFit | None) -> pl.DataFrame:
    """One row per scale and level, from the lowest level that anybody used to the highest."""
    frames = []
    for number, scale in enumerate(rows["scale_id"].unique().sort().to_list()):
        of_scale = rows.filter(pl.col("scale_id") == scale)
        first, last = of_scale.select(
            pl.col("level").min().alias("first"), pl.col("level").max().alias("last")
        ).row(0)
        many = last - first + 1
        bounds = np.full(many, math.nan if fit is None else math.inf)
        errors = np.full(many, math.nan)
        if fit is not None:
            bounds[:-1] = fit.thresholds[number]
            errors[:-1] = fit.threshold_errors[number]
        points = of_scale.group_by("level").agg(pl.col("score").mean())
        frames.append(
            pl.DataFrame(
                {
                    "scale_id": [scale] * many,
                    "level": np.arange(first, last + 1),
                    "threshold": bounds,
                    "standard_error": errors,
                }
            )
            .with_columns(pl.col("threshold", "standard_error").fill_nan(None))
            .join(points, on="level", how="left")
            .sort("level")
        )
    empty = pl.DataFrame(
        schema={
            "scale_id": pl.String,
            "level": pl.Int64,
            "threshold": pl.Float64,
            "standard_error": pl.Float64,
            "score": pl.Float64,
        }
    )
    return pl.concat([empty, *frames])


def _at_end(kept: pl.DataFrame) -> pl.DataFrame:
    """By rater the share of ratings on the highest or lowest level in use."""
    end = (pl.col("level") == pl.col("level").min().over("scale_id")) | (
        pl.col("level") == pl.col("level").max().over("scale_id")
    )
    return kept.with_columns(end.alias("end")).group_by("rater_id").agg(pl.col("end").mean().alias("at_end"))


def _moodiness(linear: Severity) -> float:
    """How much raters' moods vary beside the residual, as standard deviations."""
    parts = dict(linear.variances.select("part", "variance").iter_rows())
    residual = parts.get("residual", 0.0)
    return math.sqrt(parts.get("mood", 0.0) / residual) if residual > 0 else 0.0


def _steps(thresholds: pl.DataFrame) -> tuple[int, float]:
    """Most thresholds of any scale, and the longest step over the shortest of any scale."""
    most, uneven = 0, 1.0
    for _, of_scale in thresholds.group_by("scale_id"):
        bounds = of_scale.filter(pl.col("threshold").is_finite())["threshold"].unique().sort().to_numpy()
        most = max(most, bounds.size)
        if bounds.size > 2:
            lengths = np.diff(bounds)
            uneven = max(uneven, float(lengths.max() / lengths.min()))
    return most, uneven


@dataclass(frozen=True)
class _Table:
    """What severities in logits come to, at evenly spaced ones and by straight lines between."""

    severities: Floats
    by_points: Floats
    by_levels: Floats
    by_share: Floats

    @classmethod
    def of(cls, model: LevelModel, *, reach: float) -> _Table:
        fit = model.fit
        assert fit is not None
        spread = math.sqrt(
            sum(variance for name, variance in fit.variances.items() if name not in {"rater", "standard"})
        )
        nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
        weights = weights / weights.sum()
        severities = np.linspace(-reach, reach, _STEPS)
        points, levels, moved = (np.zeros(_STEPS) for _ in range(3))
        fixed = fit.fixed
        scales = model.rows["scale_id"]
        for scale in scales.unique().sort().to_list():
            own = np.round(fixed[(scales == scale).to_numpy()] / _FINE) * _FINE
            where, times = np.unique(own, return_counts=True)
            places = (where[:, None] + spread * nodes).ravel()
            shares = (times[:, None] * weights).ravel() / fixed.size
            used = model.thresholds.filter((pl.col("scale_id") == scale) & pl.col("score").is_not_null())
            bounds = used["threshold"].to_numpy()[:-1]
            if not np.isfinite(bounds).all() or not bounds.size:
                continue
            score, level = used["score"].to_numpy(), used["level"].to_numpy().astype(np.float64)
            lower = np.concatenate([[-math.inf], bounds[:-1]])
            for k, shift in enumerate(severities.tolist()):
                # A level is exceeded where the latent judgement lies above its bound.
                over = special.expit(places[:, None] + shift - bounds)
                points[k] += shares @ (over @ np.diff(score))
                levels[k] += shares @ (over @ np.diff(level))
                # An average rater's rating moves up by this much where the judgement lies that far
                # below a bound, and down where it lies above one.
                if shift >= 0:
                    start = np.maximum(bounds - shift, lower)
                    passed = special.expit(bounds - places[:, None]) - special.expit(start - places[:, None])
                else:
                    upper = np.concatenate([bounds[1:], [math.inf]])
                    stop = np.minimum(bounds - shift, upper)
                    passed = special.expit(stop - places[:, None]) - special.expit(bounds - places[:, None])
                moved[k] += shares @ passed.sum(axis=1)
        middle = _STEPS // 2
        return cls(severities, points - points[middle], levels - levels[middle], moved)

    def points(self, severities: Floats) -> Floats:
        """Rating points above what an average rater would give."""
        return np.asarray(np.interp(severities, self.severities, self.by_points))

    def levels(self, severities: Floats) -> Floats:
        """Levels above."""
        return np.asarray(np.interp(severities, self.severities, self.by_levels))

    def moved(self, severities: Floats) -> Floats:
        """Share of an average rater's ratings that would lie on another level."""
        return np.asarray(np.interp(severities, self.severities, self.by_share))


def _reach(model: LevelModel, practical: float) -> float:
    """The largest severity or bound of an interval that is to be carried over."""
    error = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0)) * model.raters["standard_error"].to_numpy()
    return max(float((np.abs(model.raters["effect"].to_numpy()) + error).max(initial=0.0)), 2.0 * practical)


def _carried(raters: pl.DataFrame, kept: pl.DataFrame, table: _Table | None) -> pl.DataFrame:
    """The raters with what their severities come to, and how often they rate at an end of the scale."""
    told = pl.col("severity").is_not_null()
    return (
        _in_table(raters, "severity", table)
        .join(_at_end(kept), on="rater_id", how="left", maintain_order="left")
        .with_columns(pl.when(told).then(pl.col("at_end")).alias("at_end"))
        .select(*raters.columns[: raters.columns.index("n_ratings")], *_CARRIED, "at_end", *_COUNTED)
    )


def _in_table(frame: pl.DataFrame, value: str, table: _Table | None) -> pl.DataFrame:
    """The frame with the columns `_CARRIED`; null where the value is."""
    if table is None:
        return frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in _CARRIED)
    columns = {
        "points": (value, table.points),
        "points_low": ("low", table.points),
        "points_high": ("high", table.points),
        "levels": (value, table.levels),
        "moved": (value, table.moved),
    }
    return frame.with_columns(
        pl.Series(name, carry(frame[of].cast(pl.Float64).fill_null(math.nan).to_numpy())).fill_nan(None)
        for name, (of, carry) in columns.items()
    )
