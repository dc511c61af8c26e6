"""When is a rater or a department called lenient or severe, and when can nobody tell?

Reads    estimates with standard errors, and who was rated by whom.
Returns  intervals, local false sign rates, verdicts and reasons, by the same rules for every model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse, stats

from analytics.policy import CHANCE_SPREAD, CONFIDENCE, FALSE_SIGN_RATE, MINIMUM_RATEES
from analytics.severity.design import coded, home_matrix, speak_of_standards
from analytics.severity.engines.crossed import Modes, Weights

REFERENCE: Final = (
    "Stephens (2017), Biostatistics 18(2). doi:10.1093/biostatistics/kxw041; "
    "Self & Liang (1987), JASA 82(398). doi:10.1080/01621459.1987.10478472; "
    "Wright & Masters (1982), Rating Scale Analysis (separation, strata)"
)

Floats = npt.NDArray[np.float64]


class Fit(Protocol):
    """What is asked of a fitted model: its variances, and weighted sums of its effects."""

    @property
    def variances(self) -> Mapping[str, float]: ...

    def contrasts(self, weights: Mapping[str, Weights]) -> Modes: ...


VERDICTS: Final = ("lenient", "severe", "unremarkable", "cannot_tell")
REASONS: Final = (
    "few_ratees",  # cannot tell: rated fewer people than it takes
    "alone",  # cannot tell: nobody else ever rated any of the same people
    "island",  # cannot tell: linked only to a few raters apart from all others
    "refused",  # cannot tell: nobody's severity can be had from these ratings
    "no_spread",  # unremarkable: raters as a whole do not differ beyond chance
    "small",  # unremarkable: surely or probably within what matters
    "unsure",  # unremarkable: might matter, but may point either way
    "no_outside_ratings",  # cannot tell, of a department: no or hardly any ratings across departments
    "no_rater_told",  # cannot tell, of a department: none of its raters can be told
)
NUMBERS: Final = ("severity", "standard_error", "low", "high", "false_sign_rate", "reliability")
DEPARTMENTS: Final = (
    "department_id",
    "difference",
    "standard_error",
    "low",
    "high",
    "false_sign_rate",
    "verdict",
    "reason",
    "n_raters",
    "n_people",
    "n_ratings",
    "n_outside",
    "difference_without",
    "n_accounting",
    "n_flagged",
    "n_cannot_tell",
)
RATERS: Final = (
    "rater_id",
    "department_id",
    *NUMBERS,
    "n_ratings",
    "n_ratees",
    "n_shared",
    "component",
    "hangs_on_one",
    "verdict",
    "reason",
)


class Bar(NamedTuple):
    """What a flag must reach: a size that matters, and raters who differ at all."""

    practical: float
    chance: float


def verdict_and_reason(bar: Bar, value: str) -> tuple[pl.Expr, pl.Expr]:
    """Verdict and reason from a value that is null where nothing can be told."""
    practical, chance = bar
    # The same bound twice but for the last bit: a flag and an interval that reaches nought never meet.
    sure = (pl.col("false_sign_rate") <= FALSE_SIGN_RATE.value) & (pl.col("low") * pl.col("high") > 0)
    flagged = sure & (chance <= CHANCE_SPREAD.value) & (pl.col(value).abs() >= practical)
    verdict = (
        pl.when(pl.col(value).is_null())
        .then(pl.lit("cannot_tell"))
        .when(flagged & (pl.col(value) > 0))
        .then(pl.lit("lenient"))
        .when(flagged)
        .then(pl.lit("severe"))
        .otherwise(pl.lit("unremarkable"))
    )
    reason = (
        pl.when(pl.col(value).is_null() | flagged)
        .then(None)
        .when(pl.lit(chance > CHANCE_SPREAD.value))
        .then(pl.lit("no_spread"))
        .when(pl.col(value).abs() < practical)
        .then(pl.lit("small"))
        .otherwise(pl.lit("unsure"))
    )
    return verdict, reason


def with_intervals(modes: Modes, value: str) -> dict[str, Floats]:
    """A value with its interval and local false sign rate."""
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0))
    error = modes.standard_error
    # Without any spread the estimate is nought for sure, and its sign a coin's.
    ratio = np.divide(np.abs(modes.values), error, out=np.zeros_like(error), where=error > 0)
    return {
        value: modes.values,
        "standard_error": error,
        "low": modes.values - reach * error,
        "high": modes.values + reach * error,
        "false_sign_rate": stats.norm.sf(ratio),
    }


def judged_raters(
    people: pl.DataFrame,
    entering: pl.DataFrame,
    judged: pl.DataFrame,
    modes: Modes,
    *,
    prior: float,
    bar: Bar,
) -> pl.DataFrame:
    """The raters with estimates and verdicts; nothing but the reason for those who cannot be judged."""
    known = modes.conditional_sd**2 / prior if prior > 0 else np.ones_like(modes.values)
    told = judged.select("rater_id").with_columns(
        *(pl.Series(name, column) for name, column in with_intervals(modes, "severity").items()),
        pl.Series("reliability", np.clip(1.0 - known, 0.0, 1.0)),
    )
    entered = entering.select("rater_id", pl.lit(value=True).alias("entered"))
    many = people.group_by("component").agg(pl.len().alias("together"))
    frame = (
        people.join(told, on="rater_id", how="left")
        .join(entered, on="rater_id", how="left")
        .join(many, on="component", how="left")
        .with_columns(
            pl.when(pl.col("together") == 1)
            .then(pl.lit("alone"))
            .when(pl.col("entered").is_null())
            .then(pl.lit("island"))
            .when(pl.col("n_ratees") < MINIMUM_RATEES.value)
            .then(pl.lit("few_ratees"))
            .alias("why")
        )
    )
    verdict, reason = verdict_and_reason(bar, "severity")
    return (
        frame.with_columns(verdict.alias("verdict"), pl.coalesce("why", reason).alias("reason"))
        .select(RATERS)
        .sort("rater_id")
    )


def unjudged_raters(people: pl.DataFrame) -> pl.DataFrame:
    many = people.group_by("component").agg(pl.len().alias("together"))
    return (
        people.join(many, on="component", how="left")
        .with_columns(
            *(pl.lit(None, dtype=pl.Float64).alias(name) for name in NUMBERS),
            pl.lit("cannot_tell").alias("verdict"),
            pl.when(pl.col("together") == 1)
            .then(pl.lit("alone"))
            .otherwise(pl.lit("refused"))
            .alias("reason"),
        )
        .select(RATERS)
        .sort("rater_id")
    )


def department_counts(kept: pl.DataFrame, raters: pl.DataFrame, outside: pl.DataFrame) -> pl.DataFrame:
    """One row per known department: its people, ratings and raters."""
    people = (
        kept.filter(pl.col("department_id").is_not_null())
        .group_by("department_id")
        .agg(
            pl.col("ratee_id").n_unique().cast(pl.Int64).alias("n_people"),
            pl.len().cast(pl.Int64).alias("n_ratings"),
        )
    )
    own = raters.group_by("department_id").agg(
        pl.len().cast(pl.Int64).alias("n_raters"),
        (pl.col("verdict") == "lenient").sum().cast(pl.Int64).alias("n_lenient"),
        (pl.col("verdict") == "severe").sum().cast(pl.Int64).alias("n_severe"),
        (pl.col("verdict") == "cannot_tell").sum().cast(pl.Int64).alias("n_cannot_tell"),
        pl.col("rater_id").filter(pl.col("verdict") == "lenient").alias("lenient"),
        pl.col("rater_id").filter(pl.col("verdict") == "severe").alias("severe"),
    )
    numbers = ("n_raters", "n_lenient", "n_severe", "n_cannot_tell", "n_outside")
    return (
        people.join(own, on="department_id", how="left")
        .join(outside, on="department_id", how="left")
        .with_columns(pl.col(name).fill_null(0) for name in numbers)
        .with_columns((pl.col("n_lenient") + pl.col("n_severe")).alias("n_flagged"))
        .sort("department_id")
    )


def judged_departments(
    fit: Fit,
    rows: pl.DataFrame,
    counts: pl.DataFrame,
    bar: Bar,
) -> pl.DataFrame:
    """How each department's raters rate on average, and how those not flagged the same way do."""
    if not speak_of_standards(rows):
        return unjudged_departments(counts).with_columns(pl.lit("no_outside_ratings").alias("reason"))
    homes = rows["home"].unique().sort(nulls_last=True)
    owner = home_matrix(rows)
    times = np.bincount(coded(rows["rater_id"]), minlength=owner.shape[0]).astype(np.float64)
    average = sparse.csr_matrix(owner.T.multiply(times))
    modes = _averages(fit, average)
    told = pl.DataFrame({"department_id": homes, **with_intervals(modes, "difference")})
    same_way = pl.DataFrame({"department_id": homes, "difference": modes.values}).join(
        counts, on="department_id"
    )
    flagged = same_way.select(
        pl.when(pl.col("difference") > 0).then("lenient").otherwise("severe").explode(empty_as_null=True)
    ).to_series()
    others = ~rows["rater_id"].unique().sort().is_in(flagged.drop_nulls().to_list()).to_numpy()
    rest = sparse.csr_matrix(average.multiply(others))
    some = np.asarray(rest.sum(axis=1)).ravel() > 0
    without = np.full(some.size, np.nan)
    if some.any():
        without[some] = _averages(fit, rest, some).values
    told = told.with_columns(pl.Series("difference_without", without).fill_nan(None))
    numbers = ("difference", "standard_error", "low", "high", "false_sign_rate", "difference_without")
    why = (
        pl.when(pl.col("n_outside") == 0)
        .then(pl.lit("no_outside_ratings"))
        .when(pl.col("n_people") < MINIMUM_RATEES.value)
        .then(pl.lit("few_ratees"))
        .when(pl.col("n_raters") == pl.col("n_cannot_tell"))
        .then(pl.lit("no_rater_told"))
    )
    verdict, reason = verdict_and_reason(bar, "difference")
    return (
        counts.join(told, on="department_id", how="left")
        .with_columns(why.alias("why"))
        .with_columns(pl.when(pl.col("why").is_null()).then(pl.col(name)).alias(name) for name in numbers)
        .with_columns(
            verdict.alias("verdict"),
            pl.coalesce("why", reason).alias("reason"),
            pl.when(pl.col("difference") > 0)
            .then("n_lenient")
            .when(pl.col("difference") < 0)
            .then("n_severe")
            .otherwise(0)
            .alias("n_accounting"),
        )
        .select(DEPARTMENTS)
        .sort("department_id")
    )


def _averages(fit: Fit, weights: sparse.csr_matrix, chosen: npt.NDArray[np.bool_] | None = None) -> Modes:
    """Averages of the raters' effects by number of ratings, one per chosen department, with its standard."""
    kept = np.ones(weights.shape[0], dtype=np.bool_) if chosen is None else chosen
    rows = weights[kept]
    raters = sparse.csr_matrix(rows.multiply(1.0 / np.asarray(rows.sum(axis=1)).reshape(-1, 1)))
    if "standard" not in fit.variances:
        return fit.contrasts({"rater": raters})
    standards = sparse.csr_matrix(sparse.eye_array(kept.size))[kept]
    return fit.contrasts({"rater": raters, "standard": standards})


def unjudged_departments(counts: pl.DataFrame) -> pl.DataFrame:
    """The departments when their standards cannot be told."""
    return (
        counts.with_columns(
            *(
                pl.lit(None, dtype=pl.Float64).alias(name)
                for name in (
                    "difference",
                    "standard_error",
                    "low",
                    "high",
                    "false_sign_rate",
                    "difference_without",
                )
            ),
            pl.lit("cannot_tell").alias("verdict"),
            pl.when(pl.col("n_outside") == 0)
            .then(pl.lit("no_outside_ratings"))
            .otherwise(pl.lit("refused"))
            .alias("reason"),
            pl.lit(0, dtype=pl.Int64).alias("n_accounting"),
        )
        .select(DEPARTMENTS)
        .sort("department_id")
    )


def chance_of_gain(gain: float, variances: int) -> float:
    """Chance of a gain in twice the log likelihood when one or two variances are nought."""
    if gain < 1e-8:
        return 1.0
    if variances == 2:
        return float(0.5 * stats.chi2.sf(gain, 1) + 0.25 * stats.chi2.sf(gain, 2))
    return float(0.5 * stats.chi2.sf(gain, 1))


def strata(separation: float) -> float:
    """Statistically distinct bands of raters, ``(4 G + 1) / 3`` (Wright & Masters 1982)."""
    return (4.0 * separation + 1.0) / 3.0


def mean_of(column: pl.Series) -> float | None:
    mean = column.mean()
    return float(mean) if isinstance(mean, float) else None
