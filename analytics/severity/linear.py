"""How much more leniently does each rater rate than an average rater, and can we tell?

Reads    one row per rating: cycle_id, ratee_id, rater_id, source, department_id (the ratee's), score (rating
         points) and chosen covariates.
Returns  per rater the severity (rating points, > 0 is lenient) with interval, local false sign rate,
         reliability and a verdict; the same per department; what was compared, and what refused.

The model is ``score = cycle + source + covariates + department + ratee + rater + standard + pair + error``.
Ratee, rater and standard (of the department whose people a rater mostly rates: how its raters rate, whomever
they rate) are random and crossed. So is the pair, what one rater thinks of one ratee time and again: most of
what differs between raters' scores is of that kind (Scullen, Mount & Goff 2000), and without it a manager's
lasting liking of some reports, counted anew every cycle, would pass for a habit of rating everybody so. It
is part of the model as soon as enough ratings repeat a pair. The severity of a rater is the rater's own
effect and the standard of the rater's department together. What the people of a department get whoever rates
them is fixed, not drawn from a distribution: otherwise better work in one department would be shared out
between the work and the standard wherever ratings hardly cross its border. So only ratings across departments
(reviews from outside, people who moved) speak about standards: where there are few the interval is wide, and
where there are none no department is said to rate more leniently. Without standards the department is random,
as in the textbooks.

Intervals use the full standard error of the mixed-model equations against the average rater, which knows
that cycle means and the like are estimated; ``reliability`` uses the conditional one, as is customary.
Self-ratings are nobody's severity and never enter. Groups of raters that share no ratee get a mean of their
own, so that severity is relative to the average rater of the group; a rater who shares ratees with nobody
does not enter. What all of a rater's ratings of one cycle share is a mood: random, part of the model as soon
as enough raters rated several people in several cycles, and no part of the severity, which lasts. Without it
a bad quarter would pass for a habit. Where few levels are compared the fit is exact (`crossed`) and chance is
judged by likelihoods; where many, the same model is fitted by `iterative` and chance judged by how far the
variances are from nought.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse, stats

from analytics.disclosure import Cells
from analytics.policy import (
    CHANCE_SPREAD,
    CONFIDENCE,
    FALSE_SIGN_RATE,
    MINIMUM_LINKED_RATERS,
    MINIMUM_MOODS,
    MINIMUM_RATEES,
    MINIMUM_REPEATS,
    MOST_ISLANDS,
    PRACTICAL_SEVERITY,
)
from analytics.severity.engines.crossed import CrossedFit, ExactFit, Modes, NotEstimable, fit_crossed
from analytics.severity.engines.iterative import Classes, IterativeFit, fit_iterative
from analytics.severity.linkage.graph import Linkage, linkage

REFERENCE: Final = (
    "Bates et al. (2015), J. Stat. Softw. 67(1). doi:10.18637/jss.v067.i01; "
    "Stephens (2017), Biostatistics 18(2). doi:10.1093/biostatistics/kxw041; "
    "Scullen, Mount & Goff (2000), J. Appl. Psychol. 85(6). doi:10.1037/0021-9010.85.6.956; "
    "Wright & Masters (1982), Rating Scale Analysis (separation, strata)"
)

SOURCES: Final = ("manager", "skip_level", "peer", "cross_department", "direct_report")
"""Sources that count unless others are chosen: all but self and customer."""

VERDICTS: Final = ("lenient", "severe", "unremarkable", "cannot_tell")
REASONS: Final = (
    "few_ratees",  # cannot tell: rated fewer people than it takes
    "alone",  # cannot tell: nobody else ever rated any of the same people
    "island",  # cannot tell: linked only to a few raters apart from all others
    "refused",  # cannot tell: nobody's severity can be had from these ratings
    "no_spread",  # unremarkable: raters as a whole do not differ beyond chance
    "small",  # unremarkable: surely or probably within what matters
    "unsure",  # unremarkable: might matter, but may point either way
    "no_outside_ratings",  # cannot tell, of a department: no ratings across departments
    "no_rater_told",  # cannot tell, of a department: none of its raters can be told
)
REFUSALS: Final = (
    "empty",
    "no_links",
    "few_linked_raters",
    "one_ratee_each",
    "all_equal",
    "no_residual",
    "too_large",
)

Floats = npt.NDArray[np.float64]

_DEFAULTS: Final = {"cycle_id": "all", "source": "manager", "department_id": None}
_COLUMNS: Final = ("cycle_id", "ratee_id", "rater_id", "source", "department_id", "score")
_MOST_EXACT: Final = 700  # levels in one dense block; beyond, iterating is as good and much faster
MOST_DEPARTMENTS: Final = 120  # each costs a coefficient
_MOST_SMALL: Final = (
    400  # random departments beside very many raters; of more the ratees' variance takes care
)
_NUMBERS: Final = ("severity", "standard_error", "low", "high", "false_sign_rate", "reliability")
_DEPARTMENTS: Final = (
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
    "n_accounting",
    "n_flagged",
    "n_cannot_tell",
)


@dataclass(frozen=True)
class Refusal:
    """Why nobody's severity can be told.

    Attributes
    ----------
    kind
        One of `REFUSALS`.
    values
        What a sentence about it needs: ``n_ratings``, ``n_raters``, ``n_ratees``, ``n_cycles``, ``n_linked``.
    """

    kind: str
    values: Mapping[str, int]


@dataclass(frozen=True)
class Held:
    """What further questions about the same ratings need; never shown.

    Attributes
    ----------
    fit
        The fitted model. Its levels are those of the sorted ids.
    raters
        One row per compared rater, sorted by ``rater_id``: ``home``, the department of its standard.
    moods
        One row per rater and cycle, in the order of the levels of the moods: ``rater_id``, ``cycle_id``,
        ``n_ratings``, ``n_ratees``.
    """

    fit: CrossedFit
    raters: pl.DataFrame
    moods: pl.DataFrame


@dataclass(frozen=True)
class Severity:
    """How leniently each rater and each department rates.

    Attributes
    ----------
    raters
        One row per rater, sorted by ``rater_id``: ``department_id`` (that of most of their ratees),
        ``severity`` with ``standard_error``, ``low``, ``high``, ``false_sign_rate`` and ``reliability``
        (all null where the verdict is ``cannot_tell``), ``n_ratings``, ``n_ratees``, ``n_shared``,
        ``component``, ``hangs_on_one``, ``verdict`` (`VERDICTS`) and ``reason`` (`REASONS`, null for flags).
    departments
        One row per department, sorted: ``difference`` of its rating standard to the company's (average
        severity of its raters by number of ratings), ``standard_error``, ``low``, ``high``,
        ``false_sign_rate``, ``verdict``, ``reason``, ``n_raters``, ``n_people``, ``n_ratings``,
        ``n_outside`` (ratings that cross its border), ``n_accounting`` (its raters flagged the same way),
        ``n_flagged`` and ``n_cannot_tell``.
    components
        One row per group of raters that share ratees: ``component``, ``n_raters``, ``n_ratees``,
        ``n_ratings``, ``compared``.
    fixed
        ``term``, ``estimate``, ``standard_error`` of cycles, sources, islands, departments, covariates.
    variances
        ``part`` (ratee, rater, residual; where ratings speak of them standard or department, mood and pair),
        ``variance``, ``share``, largest first.
    n_ratings, n_raters, n_ratees
        What the model rests on.
    left_out
        Ratings that do not enter, by why: ``self``, ``source``, ``incomplete``, ``alone``, ``island``.
    criterion
        Minus twice the restricted log likelihood, the constant of lme4; null when refused or not computed.
    converged
        Whether the search for the variances ended where nothing more could be gained.
    spread
        Standard deviation of one rating, in rating points.
    practical
        Severity that matters, in rating points.
    chance
        How often chance alone would make raters differ this much (boundary mixture; likelihood ratio of an
        exact fit, Wald of an iterative one).
    expected_false_flags
        Of the flags on raters, how many are expected to point the wrong way.
    reliability, separation, strata
        How well raters can be told apart: mean reliability R, G = sqrt(R / (1 - R)) and (4 G + 1) / 3.
    identified
        Whether anybody's severity can be told.
    refusal
        Why not, if not.
    """

    raters: pl.DataFrame
    departments: pl.DataFrame
    components: pl.DataFrame
    fixed: pl.DataFrame
    variances: pl.DataFrame
    n_ratings: int
    n_raters: int
    n_ratees: int
    left_out: Mapping[str, int]
    criterion: float | None = None
    converged: bool = False
    spread: float | None = None
    practical: float | None = None
    chance: float | None = None
    expected_false_flags: float = 0.0
    reliability: float | None = None
    separation: float | None = None
    strata: float | None = None
    refusal: Refusal | None = field(default=None)
    _held: Held | None = field(default=None, repr=False, compare=False)

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            frame="raters",
            group="rater_id",
            people="n_ratees",
            values=(*_NUMBERS, "n_ratings", "n_ratees", "n_shared", "verdict", "reason"),
            additive=False,
        ),
        Cells(
            frame="departments",
            group="department_id",
            people="n_people",
            values=_DEPARTMENTS[1:],
            additive=False,
        ),
    )

    @property
    def identified(self) -> bool:
        """Whether anybody's severity can be told."""
        return self.refusal is None


def severity(
    ratings: pl.DataFrame,
    *,
    sources: Sequence[str] = SOURCES,
    covariates: Sequence[str] = (),
    standards: bool = True,
) -> Severity:
    """Estimate how much more leniently each rater rates than an average rater would.

    Parameters
    ----------
    ratings
        One row per rating: ``ratee_id``, ``rater_id``, ``score`` in rating points, and the covariates; where
        they are known ``cycle_id`` (else all ratings are of one cycle), ``source`` (else all are by managers)
        and ``department_id`` (the ratee's, null if unknown; else all are unknown). Rows in any order.
    sources
        Sources to compare raters by; never ``self``.
    covariates
        Numeric columns whose effect is taken out, such as years in the job.
    standards
        Whether raters of one department may share a standard. Without, the model is the textbook's
        random ``ratee + rater + department``, and a habit that a whole department shares is partly taken
        for the work of its people. Ratings that never cross departments, or too many departments to have
        a coefficient each (`MOST_DEPARTMENTS`), leave standards out by themselves.

    Returns
    -------
    Severity
        Estimates with intervals and verdicts, or a refusal: one cycle with one manager each says nothing
        about managers, however many ratings there are.

    Raises
    ------
    ValueError
        If a column is missing, a covariate is not numeric, or ``sources`` holds ``self`` or nothing.
    """
    ratings = ratings.with_columns(
        pl.lit(value, dtype=pl.String).alias(name)
        for name, value in _DEFAULTS.items()
        if name not in ratings.columns
    )
    _check(ratings, sources, covariates)
    kept, left_out = _kept(ratings, sources, covariates)
    links = linkage(kept)
    compared = links.components.filter(pl.col("n_raters") > 1).head(int(MOST_ISLANDS.value))
    components = links.components.with_columns(
        pl.col("component").is_in(compared["component"].implode()).alias("compared")
    )
    people = _people(kept, links)
    entering = people.filter(pl.col("component").is_in(compared["component"].implode()))
    rows = kept.join(
        entering.select("rater_id", "component", pl.col("department_id").alias("home")),
        on="rater_id",
        maintain_order="left",
    )
    alone = people.join(links.components, on="component").filter(pl.col("n_raters") == 1)["n_ratings"].sum()
    left_out = {**left_out, "alone": int(alone), "island": kept.height - rows.height - int(alone)}
    outside = _outside(rows)

    refusal = _refusal(kept, rows, entering)
    fit: CrossedFit | None = None
    if refusal is None:
        told_once = _told_once(rows)
        levels = _factors(told_once, standards=standards)
        moods = _moods(told_once)
        if moods is not None:
            levels["mood"] = moods
        try:
            fit, chance = _fitted(told_once, levels, covariates)
        except NotEstimable:
            refusal = Refusal("no_residual", _counts(kept, entering))
    if fit is None:
        raters = _judged_none(people)
        return Severity(
            raters=raters,
            departments=_departments_none(_department_counts(kept, raters, outside)),
            components=components,
            fixed=_FIXED.clone(),
            variances=_VARIANCES.clone(),
            n_ratings=rows.height,
            n_raters=entering.height,
            n_ratees=rows["ratee_id"].n_unique(),
            left_out=MappingProxyType(left_out),
            refusal=refusal,
        )

    variances = _variances(fit)
    spread = math.sqrt(sum(variances["variance"].to_list()))
    practical = PRACTICAL_SEVERITY.value * spread
    judged, modes, prior = _effects(fit, rows, entering)
    bar = _Bar(practical, chance)
    raters = _judged(people, entering, judged, modes, prior=prior, bar=bar)
    told = raters.filter(pl.col("severity").is_not_null())
    reliability = _mean(told["reliability"])
    separation = None if reliability is None else math.sqrt(reliability / max(1.0 - reliability, 1e-12))
    flags = raters.filter(pl.col("verdict").is_in(["lenient", "severe"]))
    return Severity(
        raters=raters,
        departments=_departments(fit, rows, _department_counts(kept, raters, outside), bar),
        components=components,
        fixed=pl.DataFrame(
            {
                "term": list(fit.coefficients),
                "estimate": list(fit.coefficients.values()),
                "standard_error": list(fit.coefficient_errors.values()),
            }
        ),
        variances=variances,
        n_ratings=rows.height,
        n_raters=entering.height,
        n_ratees=rows["ratee_id"].n_unique(),
        left_out=MappingProxyType(left_out),
        criterion=fit.criterion,
        converged=fit.converged,
        spread=spread,
        practical=practical,
        chance=chance,
        expected_false_flags=float(flags["false_sign_rate"].sum()),
        reliability=reliability,
        separation=separation,
        strata=None if separation is None else strata(separation),
        _held=_hold(fit, rows),
    )


def strata(separation: float) -> float:
    """Statistically distinct bands of raters, ``(4 G + 1) / 3`` (Wright & Masters 1982)."""
    return (4.0 * separation + 1.0) / 3.0


_FIXED: Final = pl.DataFrame(schema={"term": pl.String, "estimate": pl.Float64, "standard_error": pl.Float64})
_VARIANCES: Final = pl.DataFrame(schema={"part": pl.String, "variance": pl.Float64, "share": pl.Float64})


def _check(ratings: pl.DataFrame, sources: Sequence[str], covariates: Sequence[str]) -> None:
    if not sources or "self" in sources:
        raise ValueError(
            f"sources must name at least one source and never 'self'; got {', '.join(sources) or 'none'}"
        )
    missing = [name for name in (*_COLUMNS, *covariates) if name not in ratings.columns]
    if missing:
        raise ValueError(
            f"ratings must have the columns {', '.join((*_COLUMNS, *covariates))}; "
            f"missing {', '.join(missing)}"
        )
    for name in ("score", *covariates):
        if not ratings.schema[name].is_numeric() and ratings.schema[name] != pl.Null:
            raise ValueError(f"{name} must be numeric; got {ratings.schema[name]}")


def _kept(
    ratings: pl.DataFrame, sources: Sequence[str], covariates: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The ratings that may enter, in an order of their own, and how many do not."""
    frame = ratings.select(
        *(pl.col(name).cast(pl.String) for name in _COLUMNS[:-1]),
        *(pl.col(name).cast(pl.Float64) for name in ("score", *covariates)),
    )
    whole = pl.all_horizontal(
        *(pl.col(name).is_finite().fill_null(value=False) for name in ("score", *covariates)),
        *(pl.col(name).is_not_null() for name in ("cycle_id", "ratee_id", "rater_id", "source")),
    )
    own = ((pl.col("source") == "self") | (pl.col("rater_id") == pl.col("ratee_id"))).fill_null(value=False)
    wanted = pl.col("source").is_in(list(sources)).fill_null(value=False)
    counts = frame.select(
        own.sum().alias("self"),
        (~own & ~wanted).sum().alias("source"),
        (~own & wanted & ~whole).sum().alias("incomplete"),
    ).row(0, named=True)
    kept = frame.filter(~own & wanted & whole).sort([*_COLUMNS, *covariates], nulls_last=True)
    return kept, {name: int(n) for name, n in counts.items()}


def _people(kept: pl.DataFrame, links: Linkage) -> pl.DataFrame:
    """One row per rater: linkage, and the department most of their ratees are in (ties: the first)."""
    home = (
        kept.group_by("rater_id", "department_id")
        .agg(pl.col("ratee_id").n_unique().alias("n"))
        .sort("rater_id", pl.col("department_id").is_null(), -pl.col("n").cast(pl.Int64), "department_id")
        .group_by("rater_id", maintain_order=True)
        .agg(pl.col("department_id").first())
    )
    return links.raters.join(home, on="rater_id", how="left").sort("rater_id")


def _counts(kept: pl.DataFrame, entering: pl.DataFrame) -> Mapping[str, int]:
    return MappingProxyType(
        {
            "n_ratings": kept.height,
            "n_raters": kept["rater_id"].n_unique(),
            "n_ratees": kept["ratee_id"].n_unique(),
            "n_cycles": kept["cycle_id"].n_unique(),
            "n_linked": entering.height,
        }
    )


def _refusal(kept: pl.DataFrame, rows: pl.DataFrame, entering: pl.DataFrame) -> Refusal | None:
    """Why nothing can be told from these ratings, if so."""
    kind = None
    if kept.is_empty():
        kind = "empty"
    elif kept.height > 1 and kept["score"].n_unique() == 1:
        kind = "all_equal"
    elif entering.is_empty():
        kind = "no_links"
    elif entering.height < MINIMUM_LINKED_RATERS.value:
        kind = "few_linked_raters"
    elif rows["score"].n_unique() == 1:
        kind = "all_equal"
    elif entering.select(pl.col("n_ratees").max()).item() < 2:
        kind = "one_ratee_each"
    return None if kind is None else Refusal(kind, _counts(kept, entering))


def _code(column: pl.Series) -> npt.NDArray[np.int64]:
    """Levels in sorted order as 0, 1, ...; null is a level of its own, the last."""
    if column.dtype == pl.String:
        # Looking names up is several times faster than ranking all of them.
        names = column.drop_nulls().unique().sort()
        known = column.cast(pl.Enum(names)).to_physical().cast(pl.Int64)
        return np.asarray(known.fill_null(names.len()).to_numpy(), dtype=np.int64)
    known = column.rank("dense").cast(pl.Int64) - 1
    last = 0 if known.max() is None else int(known.max()) + 1  # type: ignore[arg-type]
    return np.asarray(known.fill_null(last).to_numpy(), dtype=np.int64)


def _factors(rows: pl.DataFrame, *, standards: bool) -> dict[str, npt.NDArray[np.int64]]:
    """The random parts that these ratings can have."""
    levels = {"ratee": _code(rows["ratee_id"]), "rater": _code(rows["rater_id"])}
    departments = rows["department_id"].n_unique()
    crossing = not rows["home"].eq_missing(rows["department_id"]).all()
    if standards and crossing and departments <= MOST_DEPARTMENTS:
        levels["standard"] = _code(rows["home"])
    elif departments > 1:
        levels["department"] = _code(rows["department_id"])
    return levels


def _told_once(rows: pl.DataFrame) -> pl.DataFrame:
    """One rating per pair where no rater ever says anything else of anybody than the time before.

    Such repetitions leave nothing to estimate a residual from, and they tell nothing new.
    """
    pair = ["ratee_id", "rater_id"]
    if rows.select((pl.col("score").max().over(pair) > pl.col("score").min().over(pair)).any()).item():
        return rows
    return rows.unique(pair, keep="first", maintain_order=True)


def _pair(rows: pl.DataFrame) -> npt.NDArray[np.int64] | None:
    """Who rated whom, if enough ratings repeat it to tell what lasts from what does not."""
    rater = _code(rows["rater_id"])
    cells, pair = np.unique(
        _code(rows["ratee_id"]) * (int(rater.max()) + 1) + rater,
        return_inverse=True,
    )
    return pair if rows.height - cells.size >= MINIMUM_REPEATS.value else None


def _moods(rows: pl.DataFrame) -> npt.NDArray[np.int64] | None:
    """Which rater in which cycle, if enough raters rated several people in several cycles to tell moods."""
    told = (
        rows.group_by("rater_id", "cycle_id")
        .len()
        .filter(pl.col("len") > 1)
        .group_by("rater_id")
        .agg(pl.len().cast(pl.Int64).alias("cycles"))
    )
    if int((told["cycles"] - 1).sum()) < MINIMUM_MOODS.value:
        return None
    cycle = _code(rows["cycle_id"])
    _, mood = np.unique(_code(rows["rater_id"]) * (int(cycle.max()) + 1) + cycle, return_inverse=True)
    return np.asarray(mood, dtype=np.int64)


def _fitted(
    rows: pl.DataFrame, levels: Mapping[str, npt.NDArray[np.int64]], covariates: Sequence[str]
) -> tuple[CrossedFit, float]:
    """The fit, exact while one dense block holds the levels, and how often chance alone would do the same."""
    score = rows["score"].to_numpy()
    pair = _pair(rows)
    departments = "standard" in levels
    levels = dict(levels)
    # Raters of one ratee, and moods of one rating, are eliminated together with their meeting.
    raters = rows.group_by("rater_id").agg(pl.col("ratee_id").n_unique() > 1)
    dense = int(raters["ratee_id"].sum())
    if "department" in levels:
        dense += int(levels["department"].max()) + 1
    if "mood" in levels:
        dense += int((np.bincount(levels["mood"]) > 1).sum())
    if dense <= _MOST_EXACT:
        columns = _design(rows, covariates, departments=departments)
        exact = fit_crossed(score, factors=levels, covariates=columns, pair=pair)
        return exact, _chance(exact, score, levels, columns, pair)
    if "department" in levels and int(levels["department"].max()) >= _MOST_SMALL:
        del levels["department"]
    fit = fit_iterative(
        score,
        factors=levels,
        classes=_classes(rows, departments=departments),
        covariates={name: rows[name].to_numpy() for name in covariates},
        pair=pair is not None,
    )
    return fit, _chance_by_size(fit)


def _classes(rows: pl.DataFrame, *, departments: bool) -> list[Classes]:
    """Cycles, sources, islands and departments, with a coefficient for each but the first."""
    parts = [("cycle_id", "cycle"), ("source", "source"), ("component", "island")]
    if departments:
        parts.append(("department_id", "department"))
    found = []
    for name, label in parts:
        known = rows[name].unique().sort(nulls_last=True).to_list()
        if len(known) > 1:
            found.append(Classes(tuple(f"{label} {level}" for level in known[1:]), _code(rows[name])))
    return found


def _design(rows: pl.DataFrame, covariates: Sequence[str], *, departments: bool) -> dict[str, Floats]:
    """The same as columns, and the covariates."""
    columns: dict[str, Floats] = {}
    for part in _classes(rows, departments=departments):
        for level, name in enumerate(part.names, start=1):
            columns[name] = (part.codes == level).astype(np.float64)
    for name in covariates:
        columns[name] = rows[name].to_numpy()
    return columns


def _chance(
    fit: ExactFit,
    score: Floats,
    levels: Mapping[str, npt.NDArray[np.int64]],
    columns: Mapping[str, Floats],
    pair: npt.NDArray[np.int64] | None,
) -> float:
    """How often chance alone would gain as much likelihood as letting raters differ.

    Variances lie on the boundary under chance, so the reference is a mixture of chi-squares (Self & Liang
    1987): halves of 0 and 1 degrees of freedom for one variance; 1/4, 1/2, 1/4 of 0, 1, 2 for two.
    """
    rest = {name: codes for name, codes in levels.items() if name not in {"rater", "standard"}}
    without = fit_crossed(score, factors=rest, covariates=columns, pair=pair)
    return _mixture(without.criterion - fit.criterion, 2 if "standard" in levels else 1)


def _chance_by_size(fit: IterativeFit) -> float:
    """The same without likelihoods: by how many standard errors the variances exceed nought (Wald)."""
    names = [name for name in ("rater", "standard") if name in fit.ratios]
    place = [list(fit.ratios).index(name) for name in names]
    ratios = np.array([fit.ratios[name] for name in names])
    covariance = fit.ratio_covariance[np.ix_(place, place)]
    return _mixture(float(ratios @ np.linalg.pinv(covariance) @ ratios), len(names))


def _mixture(gain: float, variances: int) -> float:
    """Chance of a gain in twice the log likelihood when one or two variances are nought."""
    if gain < 1e-8:
        return 1.0
    if variances == 2:
        return float(0.5 * stats.chi2.sf(gain, 1) + 0.25 * stats.chi2.sf(gain, 2))
    return float(0.5 * stats.chi2.sf(gain, 1))


def _hold(fit: CrossedFit, rows: pl.DataFrame) -> Held:
    """What further questions need of the rows."""
    return Held(
        fit,
        raters=rows.group_by("rater_id").agg(pl.col("home").first()).sort("rater_id"),
        moods=rows.group_by("rater_id", "cycle_id")
        .agg(
            pl.len().cast(pl.Int64).alias("n_ratings"),
            pl.col("ratee_id").n_unique().cast(pl.Int64).alias("n_ratees"),
        )
        .sort("rater_id", "cycle_id"),
    )


def _effects(
    fit: CrossedFit, rows: pl.DataFrame, entering: pl.DataFrame
) -> tuple[pl.DataFrame, Modes, float]:
    """Raters who rated enough people, their severities, and its variance before seeing ratings.

    A severity is the rater's own effect and the standard of the rater's department together.
    """
    prior = fit.variances["rater"] + fit.variances.get("standard", 0.0)
    enough = (entering["n_ratees"] >= MINIMUM_RATEES.value).to_numpy()
    told = entering.filter(enough)
    if not fit.variances.get("standard") or told.is_empty():
        modes = fit.modes["rater"]
        return (
            told,
            Modes(modes.values[enough], modes.conditional_sd[enough], modes.standard_error[enough]),
            prior,
        )
    own = sparse.csr_matrix(sparse.eye_array(enough.size))[enough]
    return told, fit.contrasts({"rater": own, "standard": _homes(rows)[enough]}), prior


def _homes(rows: pl.DataFrame) -> sparse.csr_matrix:
    """Which rater belongs to which department, shape (raters, departments)."""
    pairs = np.unique(np.column_stack([_code(rows["rater_id"]), _code(rows["home"])]), axis=0)
    return sparse.csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])))


class _Bar(NamedTuple):
    """What a flag must reach: a size that matters, and raters who differ at all."""

    practical: float
    chance: float


def _verdict(bar: _Bar, value: str) -> tuple[pl.Expr, pl.Expr]:
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


def _estimates(modes: Modes, value: str) -> dict[str, Floats]:
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


_RATERS: Final = (
    "rater_id",
    "department_id",
    *_NUMBERS,
    "n_ratings",
    "n_ratees",
    "n_shared",
    "component",
    "hangs_on_one",
    "verdict",
    "reason",
)


def _judged(
    people: pl.DataFrame,
    entering: pl.DataFrame,
    judged: pl.DataFrame,
    modes: Modes,
    *,
    prior: float,
    bar: _Bar,
) -> pl.DataFrame:
    """The raters with estimates and verdicts; nothing but the reason for those who cannot be judged."""
    known = modes.conditional_sd**2 / prior if prior > 0 else np.ones_like(modes.values)
    told = judged.select("rater_id").with_columns(
        *(pl.Series(name, column) for name, column in _estimates(modes, "severity").items()),
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
    verdict, reason = _verdict(bar, "severity")
    return (
        frame.with_columns(verdict.alias("verdict"), pl.coalesce("why", reason).alias("reason"))
        .select(_RATERS)
        .sort("rater_id")
    )


def _judged_none(people: pl.DataFrame) -> pl.DataFrame:
    many = people.group_by("component").agg(pl.len().alias("together"))
    return (
        people.join(many, on="component", how="left")
        .with_columns(
            *(pl.lit(None, dtype=pl.Float64).alias(name) for name in _NUMBERS),
            pl.lit("cannot_tell").alias("verdict"),
            pl.when(pl.col("together") == 1)
            .then(pl.lit("alone"))
            .otherwise(pl.lit("refused"))
            .alias("reason"),
        )
        .select(_RATERS)
        .sort("rater_id")
    )


def _outside(rows: pl.DataFrame) -> pl.DataFrame:
    """Ratings that cross a department's border, in or out."""
    crossing = rows.filter(pl.col("home").ne_missing(pl.col("department_id")))
    return (
        pl.concat([crossing.select("department_id"), crossing.select(pl.col("home").alias("department_id"))])
        .group_by("department_id")
        .agg(pl.len().cast(pl.Int64).alias("n_outside"))
    )


def _department_counts(kept: pl.DataFrame, raters: pl.DataFrame, outside: pl.DataFrame) -> pl.DataFrame:
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
    )
    numbers = ("n_raters", "n_lenient", "n_severe", "n_cannot_tell", "n_outside")
    return (
        people.join(own, on="department_id", how="left")
        .join(outside, on="department_id", how="left")
        .with_columns(pl.col(name).fill_null(0) for name in numbers)
        .with_columns((pl.col("n_lenient") + pl.col("n_severe")).alias("n_flagged"))
        .sort("department_id")
    )


def _departments(
    fit: CrossedFit,
    rows: pl.DataFrame,
    counts: pl.DataFrame,
    bar: _Bar,
) -> pl.DataFrame:
    """How each department's raters rate on average, and who accounts for it."""
    if not (counts["n_outside"] > 0).any():
        return _departments_none(counts)
    homes = rows["home"].unique().sort(nulls_last=True)
    owner = _homes(rows)
    times = np.bincount(_code(rows["rater_id"]), minlength=owner.shape[0]).astype(np.float64)
    average = sparse.csr_matrix(owner.T.multiply(times))
    average = sparse.csr_matrix(average.multiply(1.0 / np.asarray(average.sum(axis=1)).reshape(-1, 1)))
    weights = {"rater": average}
    if "standard" in fit.variances:
        weights["standard"] = sparse.csr_matrix(sparse.eye_array(owner.shape[1]))
    modes = fit.contrasts(weights)
    told = pl.DataFrame({"department_id": homes, **_estimates(modes, "difference")})
    numbers = ("difference", "standard_error", "low", "high", "false_sign_rate")
    why = (
        pl.when(pl.col("n_outside") == 0)
        .then(pl.lit("no_outside_ratings"))
        .when(pl.col("n_people") < MINIMUM_RATEES.value)
        .then(pl.lit("few_ratees"))
        .when(pl.col("n_raters") == pl.col("n_cannot_tell"))
        .then(pl.lit("no_rater_told"))
    )
    verdict, reason = _verdict(bar, "difference")
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
        .select(_DEPARTMENTS)
        .sort("department_id")
    )


def _departments_none(counts: pl.DataFrame) -> pl.DataFrame:
    """The departments when their standards cannot be told."""
    return (
        counts.with_columns(
            *(
                pl.lit(None, dtype=pl.Float64).alias(name)
                for name in ("difference", "standard_error", "low", "high", "false_sign_rate")
            ),
            pl.lit("cannot_tell").alias("verdict"),
            pl.when(pl.col("n_outside") == 0)
            .then(pl.lit("no_outside_ratings"))
            .otherwise(pl.lit("refused"))
            .alias("reason"),
            pl.lit(0, dtype=pl.Int64).alias("n_accounting"),
        )
        .select(_DEPARTMENTS)
        .sort("department_id")
    )


def _variances(fit: CrossedFit) -> pl.DataFrame:
    """The parts of the variance of one rating, largest first."""
    parts = {**fit.variances, "residual": fit.residual}
    total = sum(parts.values())
    return pl.DataFrame(
        {
            "part": list(parts),
            "variance": list(parts.values()),
            "share": [variance / total for variance in parts.values()],
        }
    ).sort(["variance", "part"], descending=[True, False])


def _mean(column: pl.Series) -> float | None:
    mean = column.mean()
    return float(mean) if isinstance(mean, float) else None
