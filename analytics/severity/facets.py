"""Which dimensions and sources are rated harder, by whom, and does the scale work as a ladder?

Reads    one row per judgement: cycle_id, ratee_id, rater_id, source, department_id (the ratee's), dimension,
         level (1 = lowest) with its rating points (score), scale_id. Overall ratings are a dimension like
         any other.
Returns  per rater, dimension, source and cycle a measure on one ruler (logits, > 0: judged higher) with
         interval, the rating an average person would get there (fair average), and how predictable it is;
         per facet whether its elements differ at all; the steps of the scale; what was left out and why.

The model is the many-facet rating scale model: ``ln P(k) / P(k - 1) = ability of the ratee + rater + source +
dimension + cycle + what the rater thought of that person this time - step k``. Signs are those of the other
severity results: a rater above nought is *lenient*. The Rasch literature has it the other way round; what it
calls severity or difficulty is minus the measure.

A rater's answers about one person on one occasion are not independent given that person's work: they share
an impression (halo). Taken as independent they would be counted as so many witnesses, and standard errors
would be much too small. Therefore the impression is part of the model, and ``halo_sd`` says how large it is.
The standard errors reported are never smaller than those of a sandwich over the people rated, which also
allows for a liking that outlasts the occasion. Being ratees' own, abilities last over cycles.

Only raters of the largest group linked by shared ratees are on the ruler; for others the data cannot tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from analytics.disclosure import Cells
from analytics.policy import (
    CONFIDENCE,
    FALSE_DISCOVERY,
    MINIMUM_LINKED_RATERS,
    MINIMUM_RATEES,
    MISFIT_HIGH,
    MISFIT_LOW,
    PRACTICAL_SEVERITY,
)
from analytics.severity.design import SOURCES, Refusal
from analytics.severity.engines.rating_scale import NotEstimable, RatingScaleFit, fit_rating_scale
from analytics.severity.linkage.graph import linkage
from analytics.severity.verdicts import strata

REFERENCE: Final = (
    "Linacre (1989), Many-Facet Rasch Measurement; Myford & Wolfe (2003, 2004), J. Appl. Meas. 4(4), 5(2); "
    "Wang & Wilson (2005), Appl. Psychol. Meas. 29. doi:10.1177/0146621604271053"
)

OVERALL: Final = "overall"
FACETS: Final = ("rater", "source", "dimension", "cycle")
FITS: Final = ("as_expected", "unpredictable", "mechanical")
VERDICTS: Final = ("higher", "lower", "unremarkable")
REFUSALS: Final = (
    "empty",
    "incomplete",  # there are judgements, but none at a level of a scale
    "all_equal",
    "few_comparable",  # too few raters of enough people who share some and use several levels
    "no_links",
    "few_linked_raters",
    "too_large",
    "no_residual",
)
REASONS: Final = (
    "few_ratees",  # rated fewer people than it takes
    "alone",  # nobody else ever rated any of the same people
    "island",  # linked only to raters apart from most others
    "one_level",  # gave everybody the lowest level, or everybody the highest
    "refused",  # nothing can be told from these ratings
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_COLUMNS: Final = (
    "cycle_id",
    "ratee_id",
    "rater_id",
    "source",
    "department_id",
    "dimension",
    "level",
    "score",
    "scale_id",
)
_KEYS: Final = {"rater": "rater_id", "source": "source", "dimension": "dimension", "cycle": "cycle_id"}
_MOST_RATERS: Final = 8_000
_NUMBERS: Final = (
    "measure",
    "standard_error",
    "low",
    "high",
    "fair_average",
    "fair_low",
    "fair_high",
    "difference",
    "infit",
    "outfit",
    "fit",
)


@dataclass(frozen=True)
class Facets:
    """Raters, dimensions, sources and cycles on one ruler.

    Attributes
    ----------
    raters
        One row per rater, sorted by ``rater_id``: ``department_id`` (that of most of their ratees),
        ``measure`` (logits, > 0 is lenient), ``standard_error``, ``low``, ``high``, ``fair_average`` (rating
        points an average person would get from this rater) with ``fair_low`` and ``fair_high``,
        ``difference`` (to the average rater, points),
        ``infit``, ``outfit``, ``fit`` (`FITS`), ``n_ratings``, ``n_ratees``, ``reason`` (`REASONS`; then all
        numbers are null).
    elements
        One row per dimension, source and cycle, sorted by ``facet`` and ``element``: the same numbers,
        ``verdict`` (`VERDICTS`), ``n_ratings``, ``n_ratees``.
    facets
        One row per facet in the model, in the order of `FACETS`: ``facet``, ``n_elements``, ``chi_square``,
        ``freedom``, ``chance`` (that alike elements would differ so), ``rmse``, ``true_sd``, ``separation``,
        ``strata``, ``reliability``, ``reach`` (rating points between an element that only one in ten lies
        below and one that only one in ten lies above, chance taken out).
    steps
        One row per level used, lowest first: ``level``, ``points``, ``n_ratings``, ``share``, ``step`` (the
        logits above which it is likelier than the level below; null for the lowest), ``standard_error``, and
        ``disordered`` (its step lies below the one before: the level is nowhere the likeliest).
    entangled
        Facets left out of the model because they cannot be told from others: a source of which every rater
        is a source of their own, say.
    average
        Rating points an average person gets on average.
    spread
        Standard deviation of one rating, in rating points.
    practical
        Difference that matters, in rating points.
    ability_mean, ability_sd, halo_sd
        Logits: the average person above the middle of the scale, how much people differ, and how much a
        rater's impression of a person moves all answers about them.
    n_ratings, n_raters, n_ratees
        What the model rests on.
    left_out
        Ratings that do not enter, by why: ``self``, ``source``, ``incomplete``, ``other_scale``,
        ``few_ratees``, ``unlinked``, ``one_level``.
    log_likelihood, converged
        Of the fit; null and false when refused.
    refusal
        Why nothing can be told, if so.
    """

    raters: pl.DataFrame
    elements: pl.DataFrame
    facets: pl.DataFrame
    steps: pl.DataFrame
    n_ratings: int
    n_raters: int
    n_ratees: int
    left_out: Mapping[str, int]
    entangled: tuple[str, ...] = ()
    average: float | None = None
    spread: float | None = None
    practical: float | None = None
    ability_mean: float | None = None
    ability_sd: float | None = None
    halo_sd: float | None = None
    log_likelihood: float | None = None
    converged: bool = False
    refusal: Refusal | None = None

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            frame="raters",
            group="rater_id",
            people="n_ratees",
            values=(*_NUMBERS, "n_ratings", "n_ratees", "reason"),
            additive=False,
        ),
        Cells(
            frame="elements",
            group="element",
            people="n_ratees",
            values=(*_NUMBERS, "verdict", "n_ratings", "n_ratees"),
            within=("facet",),
            additive=False,
        ),
    )

    @property
    def identified(self) -> bool:
        """Whether anything can be told."""
        return self.refusal is None


class Differences(NamedTuple):
    """Whether the elements of a facet differ, and how well they can be told apart."""

    chi_square: float
    freedom: int
    chance: float
    rmse: float
    true_sd: float
    separation: float
    strata: float
    reliability: float


def facets(ratings: pl.DataFrame, *, sources: Sequence[str] = SOURCES) -> Facets:
    """Put raters, dimensions, sources and cycles on one ruler.

    Parameters
    ----------
    ratings
        One row per judgement with the columns named above, in any order. Rows on another scale than most, and
        rows without a level, are left out and counted.
    sources
        Sources to compare; never ``self``.

    Returns
    -------
    Facets
        Measures with intervals and fit, or a refusal.

    Raises
    ------
    ValueError
        If a column is missing or ``sources`` holds ``self`` or nothing.
    """
    _check(ratings, sources)
    kept, left_out = _kept(ratings, sources)
    rows, raters, dropped = _comparable(kept)
    left_out = {**left_out, **dropped}
    refusal = _refusal(kept, rows, left_out)
    fit: RatingScaleFit | None = None
    parts, entangled = _parts(rows) if refusal is None else ([], ())
    if refusal is None:
        try:
            fit = _fitted(rows, parts)
        except NotEstimable:
            fit = None
        if fit is None or not fit.converged:
            # So few or so uniform ratings that some measure has no bound.
            fit, refusal = None, Refusal("no_residual", _counts(kept, rows))
    if fit is None:
        return Facets(
            raters=_unknown(raters, refused=True),
            elements=_ELEMENTS.clone(),
            facets=_STATISTICS.clone(),
            steps=_STEPS.clone(),
            n_ratings=rows.height,
            n_raters=rows["rater_id"].n_unique(),
            n_ratees=rows["ratee_id"].n_unique(),
            left_out=MappingProxyType(left_out),
            refusal=refusal,
        )
    points = rows.group_by("level").agg(pl.col("score").mean()).sort("level")["score"].to_numpy()
    spread = float(np.std(rows["score"].to_numpy()))
    practical = PRACTICAL_SEVERITY.value * spread
    average = float(_fair(fit, np.zeros(1), points)[0])
    surprise = _surprise(fit, rows, parts)
    told = {name: _element_rows(fit, name, points, surprise) for name in parts}
    elements = pl.concat(
        [_ELEMENTS, *(_judged(told[name], name, practical) for name in parts if name != "rater")]
    )
    numbers = told["rater"].select(pl.col("element").alias("rater_id"), *_NUMBERS)
    return Facets(
        raters=_unknown(raters, refused=False)
        .drop(_NUMBERS)
        .join(numbers, on="rater_id", how="left")
        .select(_RATERS.columns)
        .sort("rater_id"),
        elements=elements.sort("facet", "element"),
        facets=pl.concat([_STATISTICS, *(_statistics(name, told[name], fit, points) for name in parts)]),
        steps=_steps(fit, rows, points),
        n_ratings=rows.height,
        n_raters=rows["rater_id"].n_unique(),
        n_ratees=rows["ratee_id"].n_unique(),
        left_out=MappingProxyType(left_out),
        entangled=entangled,
        average=average,
        spread=spread,
        practical=practical,
        ability_mean=fit.ability_mean,
        ability_sd=fit.ability_sd,
        halo_sd=fit.halo_sd,
        log_likelihood=fit.log_likelihood,
        converged=fit.converged,
    )


def differences(measures: npt.ArrayLike, errors: npt.ArrayLike) -> Differences:
    """Whether elements differ beyond chance, and in how many bands they fall.

    The fixed chi-square is ``sum w b^2 - (sum w b)^2 / sum w`` with w = 1 / error^2 on L - 1 degrees of
    freedom; separation is the true standard deviation over the root mean square error (Wright & Masters
    1982).

    Parameters
    ----------
    measures, errors
        Measures of at least two elements and their standard errors, shape (elements,).
    """
    b, error = np.asarray(measures, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if b.shape != error.shape or b.ndim != 1 or b.size < 2 or not (error > 0).all():
        raise ValueError("measures and errors must be two columns of the same length, errors above nought")
    weight = 1.0 / error**2
    chi_square = max(float(weight @ b**2 - (weight @ b) ** 2 / weight.sum()), 0.0)
    mean_square = float((error**2).mean())
    true_variance = max(float(b.var(ddof=1)) - mean_square, 0.0)
    rmse, true_sd = math.sqrt(mean_square), math.sqrt(true_variance)
    separation = true_sd / rmse
    return Differences(
        chi_square=chi_square,
        freedom=b.size - 1,
        chance=float(stats.chi2.sf(chi_square, b.size - 1)),
        rmse=rmse,
        true_sd=true_sd,
        separation=separation,
        strata=strata(separation),
        reliability=separation**2 / (1.0 + separation**2),
    )


# --- what enters ------------------------------------------------------------------------------------------


def _check(ratings: pl.DataFrame, sources: Sequence[str]) -> None:
    if not sources or "self" in sources:
        raise ValueError(
            f"sources must name at least one source and never 'self'; got {', '.join(sources) or 'none'}"
        )
    missing = [name for name in _COLUMNS if name not in ratings.columns]
    if missing:
        raise ValueError(f"ratings must have the columns {', '.join(_COLUMNS)}; missing {', '.join(missing)}")


def _kept(ratings: pl.DataFrame, sources: Sequence[str]) -> tuple[pl.DataFrame, dict[str, int]]:
    """The judgements that may enter, in an order of their own, and how many do not."""
    texts = ("cycle_id", "ratee_id", "rater_id", "source", "department_id", "dimension", "scale_id")
    frame = ratings.select(
        *(pl.col(name).cast(pl.String) for name in texts),
        pl.col("level").cast(pl.Int64),
        pl.col("score").cast(pl.Float64),
    )
    own = ((pl.col("source") == "self") | (pl.col("rater_id") == pl.col("ratee_id"))).fill_null(value=False)
    wanted = pl.col("source").is_in(list(sources)).fill_null(value=False)
    needed = ("cycle_id", "ratee_id", "rater_id", "source", "dimension", "scale_id", "level", "score")
    whole = pl.all_horizontal(*(pl.col(name).is_not_null() for name in needed))
    entering = own.not_() & wanted & whole
    usual = (
        frame.filter(entering)
        .group_by("scale_id")
        .len()
        .sort(["len", "scale_id"], descending=[True, False])["scale_id"]
        .head(1)
    )
    scale = pl.col("scale_id").is_in(usual.implode())
    counts = frame.select(
        own.sum().alias("self"),
        (~own & ~wanted).sum().alias("source"),
        (~own & wanted & ~whole).sum().alias("incomplete"),
        (entering & ~scale).sum().alias("other_scale"),
    ).row(0, named=True)
    kept = (
        frame.filter(entering & scale)
        .unique(["cycle_id", "ratee_id", "rater_id", "source", "dimension"], maintain_order=True)
        .sort("ratee_id", "rater_id", "cycle_id", "source", "dimension")
    )
    return kept, {name: int(n) for name, n in counts.items()}


def _comparable(kept: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    """What can be put on one ruler; every rater with why not; and how many ratings that leaves out."""
    raters = _raters(kept)
    why: dict[str, str] = {}
    dropped = {"few_ratees": 0, "unlinked": 0, "one_level": 0}
    rows = kept
    while True:
        before = rows.height
        few = pl.col("ratee_id").n_unique().over("rater_id") < int(MINIMUM_RATEES.value)
        rows = _without(rows, rows.select(few.alias("out"))["out"], "few_ratees", why, dropped)
        rows = _linked(rows, why, dropped)
        for facet in FACETS:
            key = _KEYS[facet]
            low, high = pl.col("level").min().over(key), pl.col("level").max().over(key)
            ends = ((high == pl.col("level").min()) | (low == pl.col("level").max())) & (
                pl.col("level").n_unique() > 1
            )
            rows = _without(rows, rows.select(ends.alias("out"))["out"], "one_level", why, dropped)
        if rows.height == before:
            break
    present = set(rows["rater_id"])
    reasons = [None if rater in present else why.get(rater, "one_level") for rater in raters["rater_id"]]
    return rows, raters.with_columns(pl.Series("reason", reasons, dtype=pl.String)), dropped


def _without(
    rows: pl.DataFrame, out: pl.Series, reason: str, why: dict[str, str], dropped: dict[str, int]
) -> pl.DataFrame:
    """The rows that stay; why the others do not is noted."""
    gone = rows.filter(out)
    dropped[reason] += gone.height
    for rater in gone["rater_id"].unique():
        why[rater] = reason
    return rows.filter(~out)


def _linked(rows: pl.DataFrame, why: dict[str, str], dropped: dict[str, int]) -> pl.DataFrame:
    """The rows of the largest group of linked raters."""
    if rows.is_empty():
        return rows
    links = linkage(rows)
    apart = links.raters.filter(pl.col("component") > 1).join(
        links.components.select("component", "n_raters"), on="component"
    )
    for rater, many in apart.select("rater_id", "n_raters").iter_rows():
        why[rater] = "alone" if many == 1 else "island"
    stays = rows.join(apart, on="rater_id", how="anti", maintain_order="left")
    dropped["unlinked"] += rows.height - stays.height
    return stays


def _raters(kept: pl.DataFrame) -> pl.DataFrame:
    """One row per rater: the department most of their ratees are in (ties: the first), and how many."""
    home = (
        kept.group_by("rater_id", "department_id")
        .agg(pl.col("ratee_id").n_unique().alias("n"))
        .sort("rater_id", pl.col("department_id").is_null(), -pl.col("n").cast(pl.Int64), "department_id")
        .group_by("rater_id", maintain_order=True)
        .agg(pl.col("department_id").first())
    )
    counted = kept.group_by("rater_id").agg(
        pl.len().cast(pl.Int64).alias("n_ratings"),
        pl.col("ratee_id").n_unique().cast(pl.Int64).alias("n_ratees"),
    )
    return home.join(counted, on="rater_id").sort("rater_id")


def _counts(kept: pl.DataFrame, rows: pl.DataFrame) -> Mapping[str, int]:
    return MappingProxyType(
        {
            "n_ratings": kept.height,
            "n_raters": kept["rater_id"].n_unique(),
            "n_ratees": kept["ratee_id"].n_unique(),
            "n_cycles": kept["cycle_id"].n_unique(),
            "n_linked": rows["rater_id"].n_unique(),
        }
    )


def _refusal(kept: pl.DataFrame, rows: pl.DataFrame, left_out: Mapping[str, int]) -> Refusal | None:
    """Why nothing can be told from these judgements, if so."""
    linked = rows["rater_id"].n_unique()
    kind = None
    if kept.is_empty():
        kind = "incomplete" if left_out["incomplete"] else "empty"
    elif kept.height > 1 and kept["level"].n_unique() == 1:
        kind = "all_equal"
    elif linked < MINIMUM_LINKED_RATERS.value and left_out["few_ratees"] + left_out["one_level"]:
        kind = "few_comparable"
    elif linked < 2:
        kind = "no_links"
    elif linked < MINIMUM_LINKED_RATERS.value:
        kind = "few_linked_raters"
    elif rows["level"].n_unique() == 1:
        kind = "all_equal"
    elif linked > _MOST_RATERS:
        kind = "too_large"
    return None if kind is None else Refusal(kind, _counts(kept, rows))


def _parts(rows: pl.DataFrame) -> tuple[list[str], tuple[str, ...]]:
    """The facets that can be told apart, and those that cannot.

    A facet adds to the ones before it only as far as it varies within raters: one by one, it must add as many
    independent contrasts as it has elements but one.
    """
    rater = _code(rows["rater_id"])
    size = int(rater.max()) + 1
    many = np.bincount(rater, minlength=size).astype(np.float64)
    parts, entangled, columns = ["rater"], [], np.zeros((rows.height, 0))
    for name in FACETS[1:]:
        codes = _code(rows[_KEYS[name]])
        elements = int(codes.max()) + 1
        if elements < 2:
            continue
        apart = (codes[:, None] == np.arange(1, elements)).astype(np.float64)
        means = np.stack([np.bincount(rater, column, size) for column in apart.T], axis=1) / many[:, None]
        tried = np.concatenate([columns, apart - means[rater]], axis=1)
        values = np.linalg.eigvalsh(tried.T @ tried)
        if values[0] > 1e-9 * values[-1]:
            parts.append(name)
            columns = tried
        else:
            entangled.append(name)
    return parts, tuple(entangled)


def _fitted(rows: pl.DataFrame, parts: Sequence[str]) -> RatingScaleFit:
    codes = {name: _code(rows[_KEYS[name]]) for name in parts}
    within = {"dimension": codes.pop("dimension")} if "dimension" in codes else None
    testlet = rows.select(
        (pl.struct("ratee_id", "rater_id", "cycle_id", "source").rle_id()).cast(pl.Int64).alias("testlet")
    )["testlet"]
    return fit_rating_scale(
        _code(rows["level"]),
        person=_code(rows["ratee_id"]),
        between=codes,
        within=within,
        testlet=testlet.to_numpy(),
    )


def _code(column: pl.Series) -> Integers:
    """Values in sorted order as 0, 1, ..."""
    return np.asarray(column.rank("dense").cast(pl.Int64).to_numpy() - 1, dtype=np.int64)


# --- what comes out -----------------------------------------------------------------------------------------


_NUMBER_TYPES: Final = dict.fromkeys(_NUMBERS[:-1], pl.Float64) | {"fit": pl.String}
_RATERS: Final = pl.DataFrame(
    schema={
        "rater_id": pl.String,
        "department_id": pl.String,
        **_NUMBER_TYPES,
        "n_ratings": pl.Int64,
        "n_ratees": pl.Int64,
        "reason": pl.String,
    }
)
_ELEMENTS: Final = pl.DataFrame(
    schema={
        "facet": pl.String,
        "element": pl.String,
        **_NUMBER_TYPES,
        "verdict": pl.String,
        "n_ratings": pl.Int64,
        "n_ratees": pl.Int64,
    }
)
_STATISTICS: Final = pl.DataFrame(
    schema={
        "facet": pl.String,
        "n_elements": pl.Int64,
        "chi_square": pl.Float64,
        "freedom": pl.Int64,
        **dict.fromkeys(
            ("chance", "rmse", "true_sd", "separation", "strata", "reliability", "reach"), pl.Float64
        ),
    }
)
_STEPS: Final = pl.DataFrame(
    schema={
        "level": pl.Int64,
        "points": pl.Float64,
        "n_ratings": pl.Int64,
        "share": pl.Float64,
        "step": pl.Float64,
        "standard_error": pl.Float64,
        "disordered": pl.Boolean,
    }
)


def _unknown(raters: pl.DataFrame, *, refused: bool) -> pl.DataFrame:
    """All raters without numbers, with the reason."""
    reason = pl.lit("refused") if refused else pl.col("reason")
    return raters.with_columns(
        *(pl.lit(None, dtype=kind).alias(name) for name, kind in _NUMBER_TYPES.items()),
        reason.alias("reason"),
    ).select(_RATERS.columns)


def _fair(fit: RatingScaleFit, measure: Floats, points: Floats) -> Floats:
    """Rating points an average person gets where all else is average."""
    place = fit.ability_mean + measure
    logs = place[:, None] * np.arange(points.size) - np.concatenate([[0.0], np.cumsum(fit.steps)])
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weights @ points / weights.sum(axis=1))


def _surprise(fit: RatingScaleFit, rows: pl.DataFrame, parts: Sequence[str]) -> pl.DataFrame:
    """By judgement: squared residual, its expectation, and their ratio, over what is known of the ability.

    What the rater thought of the person is averaged out, so that an impression larger than usual shows. With
    abilities drawn from their posterior the expectation of the ratio is 1 if the model holds.
    """
    person = _code(rows["ratee_id"])
    shift = np.zeros(rows.height)
    for name in parts:
        shift += fit.facets[name].values[_code(rows[_KEYS[name]])]
    mean, variance = fit.expected(fit.nodes[person] + shift[:, None], halo=True)
    square = (_code(rows["level"])[:, None] - mean) ** 2
    weight = fit.weights[person]
    return rows.select("ratee_id", *_KEYS.values()).with_columns(
        pl.Series("square", (weight * square).sum(axis=1)),
        pl.Series("variance", (weight * variance).sum(axis=1)),
        pl.Series("ratio", (weight * square / variance).sum(axis=1)),
    )


def _element_rows(fit: RatingScaleFit, name: str, points: Floats, surprise: pl.DataFrame) -> pl.DataFrame:
    """One facet: element, measure with interval, fair average, fit and counts, sorted by element."""
    key = _KEYS[name]
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0))
    found = fit.facets[name]
    by_person = surprise.group_by(key, "ratee_id").agg(pl.col("square", "variance", "ratio").sum(), pl.len())
    fits = (
        by_person.group_by(key)
        .agg(
            (pl.col("square").sum() / pl.col("variance").sum()).alias("infit"),
            (pl.col("ratio").sum() / pl.col("len").sum()).alias("outfit"),
            pl.len().cast(pl.Int64).alias("n_ratees"),
            pl.col("len").sum().cast(pl.Int64).alias("n_ratings"),
            # How far the mean square would swing with other people rated.
            (
                (pl.col("square") - pl.col("variance") * pl.col("square").sum() / pl.col("variance").sum())
                .pow(2)
                .sum()
                .sqrt()
                / pl.col("variance").sum()
            ).alias("swing"),
        )
        .sort(key)
    )
    people = fits["n_ratees"].to_numpy().astype(np.float64)
    few = np.sqrt(people / np.maximum(people - 1.0, 1.0))
    error = np.maximum(found.standard_error, found.robust_error * few)
    low, high = found.values - reach * error, found.values + reach * error
    fair = _fair(fit, found.values, points)
    swing = reach * pl.col("swing")
    odd = (
        pl.when((pl.col("infit") >= MISFIT_HIGH.value) & (pl.col("infit") - swing > 1.0))
        .then(pl.lit("unpredictable"))
        .when((pl.col("infit") <= MISFIT_LOW.value) & (pl.col("infit") + swing < 1.0))
        .then(pl.lit("mechanical"))
        .otherwise(pl.lit("as_expected"))
    )
    return fits.select(
        pl.col(key).alias("element"),
        pl.Series("measure", found.values),
        pl.Series("standard_error", error),
        pl.Series("low", low),
        pl.Series("high", high),
        pl.Series("fair_average", fair),
        pl.Series("fair_low", _fair(fit, low, points)),
        pl.Series("fair_high", _fair(fit, high, points)),
        pl.Series("difference", fair - float(_fair(fit, np.zeros(1), points)[0])),
        "infit",
        "outfit",
        odd.alias("fit"),
        "n_ratings",
        "n_ratees",
    )


def _judged(told: pl.DataFrame, facet: str, practical: float) -> pl.DataFrame:
    """Elements with verdicts: beyond chance among all of the facet, and large enough to matter."""
    size = (pl.col("measure") / pl.col("standard_error")).abs()
    p = 2.0 * stats.norm.sf(told.select(size.alias("size"))["size"].to_numpy())
    q = stats.false_discovery_control(p) if p.size else p
    sure = pl.Series("sure", q <= FALSE_DISCOVERY.value) & (told["difference"].abs() >= practical)
    verdict = (
        pl.when(sure & (pl.col("measure") > 0))
        .then(pl.lit("higher"))
        .when(sure)
        .then(pl.lit("lower"))
        .otherwise(pl.lit("unremarkable"))
    )
    return told.with_columns(facet=pl.lit(facet), verdict=verdict).select(_ELEMENTS.columns)


def _statistics(facet: str, told: pl.DataFrame, fit: RatingScaleFit, points: Floats) -> pl.DataFrame:
    found = differences(told["measure"].to_numpy(), told["standard_error"].to_numpy())
    tenth = found.true_sd * float(stats.norm.ppf(0.9))
    reach = float(np.diff(_fair(fit, np.array([-tenth, tenth]), points))[0])
    return pl.DataFrame(
        {
            "facet": [facet],
            "n_elements": [told.height],
            **{k: [v] for k, v in found._asdict().items()},
            "reach": [reach],
        },
        schema=_STATISTICS.schema,
    )


def _steps(fit: RatingScaleFit, rows: pl.DataFrame, points: Floats) -> pl.DataFrame:
    used = rows.group_by("level").len().sort("level")
    return pl.DataFrame(
        {
            "level": used["level"],
            "points": points,
            "n_ratings": used["len"].cast(pl.Int64),
            "share": used["len"] / rows.height,
            "step": [None, *fit.steps.tolist()],
            "standard_error": [None, *fit.step_errors.tolist()],
            "disordered": [False, False, *(np.diff(fit.steps) < 0).tolist()],
        },
        schema=_STEPS.schema,
    )
