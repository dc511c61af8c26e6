"""Does a rater use the same yardstick for everybody: does one rate some group softer than other raters do?

Reads    one row per rating: cycle_id, ratee_id, rater_id, source, department_id (the ratee's), score (rating
         points), and a column that says which group the person rated belonged to.
Returns  per rater and group how much softer the rater rates the group, against the rest, than other raters
         do, with interval, local false sign rate and a flag under false-discovery control; per group the
         difference that runs through the whole company, which is nobody's in particular.

The model is that of linear severity, ``score = cycle + source + department + group + ratee + rater + pair +
error`` with ratee, rater and pair random, and a slope of its own for every rater: what the rater gives the
group beyond the rest, measured from the company's difference. The slopes' own likelihood is exact given the
variances of the rest: everything else is projected out, which leaves for every rater an estimate with its
standard error. A rater whose ratees nobody else rated can be told only as far as chance allows work in a team
to differ between groups; the standard error knows that.

Slopes come from a mixture of normals that may hold many exact noughts (adaptive shrinkage, Stephens 2017):
most raters use one yardstick, a few may not, and one bell for all would hide those few. From it come the
estimate and the local false sign rate; the interval is what fits the rater's own ratings, whatever others do.
A flag takes three things: survival under Benjamini-Hochberg over all raters and groups tested, a false sign
rate as for other flags, and a size that matters.

That a group is rated lower by everybody is not a rater's doing and no rater is flagged for it; it may be a
matter of work, of goals, or of fairness between groups, and is looked at there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import linalg, sparse, stats
from threadpoolctl import threadpool_limits

from analytics.disclosure import Cells
from analytics.policy import (
    CONFIDENCE,
    FALSE_DISCOVERY,
    FALSE_SIGN_RATE,
    MINIMUM_GROUP,
    MINIMUM_LINKED_RATERS,
    MINIMUM_REPEATS,
    PRACTICAL_SEVERITY,
)
from analytics.severity.design import SOURCES, Refusal, on_one_scale, told_once
from analytics.severity.engines.crossed import PAIR, NotEstimable, fit_crossed
from analytics.severity.linkage.graph import linkage

REFERENCE: Final = (
    "Myford & Wolfe (2003, 2004), differential severity, J. Appl. Meas. 4(4), 5(2); Stephens (2017), "
    "Biostatistics 18(2). doi:10.1093/biostatistics/kxw041; Benjamini & Hochberg (1995), J. R. Stat. Soc. B "
    "57(1). doi:10.1111/j.2517-6161.1995.tb02031.x"
)

VERDICTS: Final = ("softer", "harder", "unremarkable")
REFUSALS: Final = (
    "empty",
    "unknown_group",  # there are ratings, but of nobody is known which group
    "incomplete",  # there are ratings, but none with points, or without saying of whom
    "all_equal",
    "no_links",
    "few_linked_raters",
    "one_group",
    "nobody_told",
    "no_residual",
)

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_COLUMNS: Final = ("cycle_id", "ratee_id", "rater_id", "source", "department_id", "score")
_NUMBERS: Final = (
    "difference",
    "alone",
    "standard_error",
    "low",
    "high",
    "false_sign_rate",
    "discovery_rate",
)
_GAP: Final = ("gap", "standard_error", "low", "high", "spread")
_NULL_WEIGHT: Final = 10.0  # raters' worth of belief that a slope is nought, the default of ashr
_MOST_DEPARTMENTS: Final = 120


@dataclass(frozen=True)
class Differential:
    """How differently raters rate groups.

    Attributes
    ----------
    raters
        One row per group and rater who rated enough people of the group and of the rest, sorted:
        ``group``, ``rater_id``, ``department_id`` (that of most of their ratees), ``difference`` (rating
        points, > 0: rates the group softer, against the rest, than other raters do; shrunken by what is known
        of such differences), ``alone`` (what the rater's own ratings say, unshrunken) with
        ``standard_error``, ``low`` and ``high``, ``false_sign_rate``, ``discovery_rate`` (Benjamini-Hochberg
        adjusted), ``verdict`` (`VERDICTS`), ``n_group``, ``n_rest`` (people) and ``n_fewest`` (of the two).
    groups
        One row per group compared, sorted: ``group``, ``gap`` (how much higher it is rated than the rest by
        everybody, beyond cycle, source and department, in rating points; null where these already say who
        belongs to the group) with ``standard_error``, ``low``,
        ``high``; ``spread`` (how much raters differ in it: standard deviation of the true slopes),
        ``n_people``, ``n_rest``, ``n_fewest``, ``n_raters`` (tested) and ``n_flagged``.
    n_ratings, n_raters, n_ratees
        What the model rests on.
    n_untold
        Raters who rated too few people of every group, or of its rest, to tell.
    left_out
        Ratings that do not enter, by why: ``self``, ``source``, ``incomplete``, ``unknown`` (no group),
        ``unlinked``.
    spread
        Standard deviation of one rating, in rating points.
    practical
        Difference that matters, in rating points.
    noticeable
        Difference that would have been flagged in four of five typical raters, in rating points.
    expected_false_flags
        Of the flags, how many are expected to point the wrong way.
    refusal
        Why nothing can be told, if so.
    """

    raters: pl.DataFrame
    groups: pl.DataFrame
    n_ratings: int
    n_raters: int
    n_ratees: int
    n_untold: int
    left_out: Mapping[str, int]
    spread: float | None = None
    practical: float | None = None
    noticeable: float | None = None
    expected_false_flags: float = 0.0
    refusal: Refusal | None = None

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            frame="raters",
            group="rater_id",
            people="n_fewest",
            values=(*_NUMBERS, "verdict", "n_group", "n_rest", "n_fewest"),
            within=("group",),
            additive=False,
        ),
        Cells(
            frame="groups",
            group="group",
            people="n_fewest",
            values=(*_GAP, "n_people", "n_rest", "n_fewest", "n_raters", "n_flagged"),
            additive=False,
        ),
    )

    @property
    def identified(self) -> bool:
        """Whether anything can be told."""
        return self.refusal is None


def differential(
    ratings: pl.DataFrame,
    *,
    by: str,
    sources: Sequence[str] = SOURCES,
    unknown: Sequence[str] = (),
    minimum: int = int(MINIMUM_GROUP.value),
) -> Differential:
    """Estimate for every rater and group how much softer the rater rates the group than others do.

    Parameters
    ----------
    ratings
        One row per rating with the columns named above and ``by``, in any order.
    by
        Column of the groups; null is unknown. With two groups the first in sorted order is compared with the
        second; with more, each with all others.
    sources
        Sources to compare; never ``self``.
    unknown
        Values of ``by`` that say that the group is not known.
    minimum
        Fewest people of the group, and of the rest, that a rater must have rated.

    Returns
    -------
    Differential
        Estimates with flags, or a refusal.

    Raises
    ------
    ValueError
        If a column is missing, ``minimum`` is below two, or ``sources`` holds ``self`` or nothing.
    """
    _check(ratings, by, sources, minimum)
    kept, left_out = _kept(ratings, by, sources, unknown)
    rows = _linked(kept)
    left_out = {**left_out, "unlinked": kept.height - rows.height}
    once = told_once(rows)
    groups = _compared(rows)
    told = _told(rows, groups, minimum)
    refusal = _refusal(kept, rows, groups, told, left_out)
    projection: _Projection | None = None
    if refusal is None:
        try:
            projection = _Projection.of(once)
        except NotEstimable:
            refusal = Refusal("no_residual", _counts(kept, rows))
    found = Differential(
        raters=_RATERS.clone(),
        groups=_GROUPS.clone(),
        n_ratings=rows.height,
        n_raters=rows["rater_id"].n_unique(),
        n_ratees=rows["ratee_id"].n_unique(),
        n_untold=rows["rater_id"].n_unique() - told["rater_id"].n_unique(),
        left_out=MappingProxyType(left_out),
        refusal=refusal,
    )
    if projection is None:
        return found
    practical = PRACTICAL_SEVERITY.value * projection.spread
    slopes = {
        group: projection.slopes(once, group, told.filter(pl.col("group") == group)) for group in groups
    }
    raters = _judged([slopes[group][0] for group in groups], practical)
    return replace(
        found,
        raters=raters.select(_RATERS.columns).sort("group", "rater_id"),
        groups=_gaps(rows, raters, {group: gap for group, (_, gap) in slopes.items()}),
        spread=projection.spread,
        practical=practical,
        noticeable=_noticeable(raters),
        expected_false_flags=float(
            raters.filter(pl.col("verdict") != "unremarkable")["false_sign_rate"].sum()
        ),
    )


# --- what enters ------------------------------------------------------------------------------------------


def _check(ratings: pl.DataFrame, by: str, sources: Sequence[str], minimum: int) -> None:
    if not sources or "self" in sources:
        raise ValueError(
            f"sources must name at least one source and never 'self'; got {', '.join(sources) or 'none'}"
        )
    if minimum < 2:
        raise ValueError(f"minimum must be at least 2; got {minimum}")
    missing = [name for name in (*_COLUMNS, by) if name not in ratings.columns]
    if missing:
        raise ValueError(
            f"ratings must have the columns {', '.join((*_COLUMNS, by))}; missing {', '.join(missing)}"
        )


def _kept(
    ratings: pl.DataFrame, by: str, sources: Sequence[str], unknown: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The ratings that may enter, in an order of their own, and how many do not."""
    scale = ["scale_id"] if "scale_id" in ratings.columns else []
    frame = ratings.select(
        *(pl.col(name).cast(pl.String) for name in (*_COLUMNS[:-1], *scale)),
        pl.col("score").cast(pl.Float64),
        pl.col(by).cast(pl.String).alias("group"),
    )
    own = ((pl.col("source") == "self") | (pl.col("rater_id") == pl.col("ratee_id"))).fill_null(value=False)
    wanted = pl.col("source").is_in(list(sources)).fill_null(value=False)
    whole = pl.all_horizontal(
        pl.col("score").is_finite().fill_null(value=False),
        *(pl.col(name).is_not_null() for name in ("cycle_id", "ratee_id", "rater_id", "source")),
    )
    known = pl.col("group").is_not_null() & pl.col("group").is_in(list(unknown)).not_()
    counts = frame.select(
        own.sum().alias("self"),
        (~own & ~wanted).sum().alias("source"),
        (~own & wanted & ~whole).sum().alias("incomplete"),
        (~own & wanted & whole & ~known.fill_null(value=False)).sum().alias("unknown"),
    ).row(0, named=True)
    kept = on_one_scale(frame.filter(~own & wanted & whole & known)).drop(scale)
    kept = kept.sort(*_COLUMNS, "group", nulls_last=True)
    return kept, {name: int(n) for name, n in counts.items()}


def _linked(kept: pl.DataFrame) -> pl.DataFrame:
    """The ratings of the largest group of raters that shared ratees connect."""
    if kept.is_empty():
        return kept
    largest = linkage(kept).raters.filter(pl.col("component") == 1)
    return kept.join(largest.select("rater_id"), on="rater_id", how="semi", maintain_order="left")


def _compared(rows: pl.DataFrame) -> list[str]:
    """The groups that are compared with the rest: of two only the first, the other is its mirror image."""
    found: list[str] = rows["group"].unique().sort().to_list()
    return found[:1] if len(found) == 2 else found if len(found) > 2 else []


def _told(rows: pl.DataFrame, groups: Sequence[str], minimum: int) -> pl.DataFrame:
    """Raters by group who rated enough people of it and of the rest: group, rater_id, n_group, n_rest.

    Somebody who moved between groups counts in both.
    """
    people = rows.select("rater_id", "group", "ratee_id").unique()
    frames = [
        people.group_by("rater_id")
        .agg(
            pl.col("ratee_id").filter(pl.col("group") == group).n_unique().cast(pl.Int64).alias("n_group"),
            pl.col("ratee_id").filter(pl.col("group") != group).n_unique().cast(pl.Int64).alias("n_rest"),
        )
        .select(pl.lit(group).alias("group"), "rater_id", "n_group", "n_rest")
        for group in groups
    ]
    return (
        pl.concat([_TOLD, *frames])
        .filter((pl.col("n_group") >= minimum) & (pl.col("n_rest") >= minimum))
        .with_columns(pl.min_horizontal("n_group", "n_rest").alias("n_fewest"))
        .sort("group", "rater_id")
    )


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


def _refusal(
    kept: pl.DataFrame,
    rows: pl.DataFrame,
    groups: Sequence[str],
    told: pl.DataFrame,
    left_out: Mapping[str, int],
) -> Refusal | None:
    linked = rows["rater_id"].n_unique()
    kind = None
    if kept.is_empty() and left_out["unknown"]:
        kind = "unknown_group"
    elif kept.is_empty():
        kind = "incomplete" if left_out["incomplete"] else "empty"
    elif kept.height > 1 and kept["score"].n_unique() == 1:
        kind = "all_equal"
    elif linked < 2:
        kind = "no_links"
    elif linked < MINIMUM_LINKED_RATERS.value:
        kind = "few_linked_raters"
    elif not groups:
        kind = "one_group"
    elif told.is_empty():
        kind = "nobody_told"
    return None if kind is None else Refusal(kind, _counts(kept, rows))


# --- slopes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Projection:
    """What is left of anything once ratees, pairs, raters and fixed effects are taken out.

    Pairs are eliminated in closed form, then ratees (their block is diagonal), then raters and fixed effects
    by one dense factorisation.
    """

    spread: float
    score: Floats
    pairs: sparse.csr_matrix
    pair_share: Floats  # by row of a pair: how much of its sum goes with the pair
    residual: float
    ratee: sparse.csr_matrix
    ratee_held: Floats
    rest: sparse.csr_matrix  # fixed effects and raters
    lower: Floats  # Cholesky factor of their block

    @classmethod
    def of(cls, rows: pl.DataFrame) -> _Projection:
        codes = {name: _code(rows[f"{name}_id"]) for name in ("ratee", "rater")}
        size = int(codes["rater"].max()) + 1
        cells, pair = np.unique(codes["ratee"] * size + codes["rater"], return_inverse=True)
        several = rows.height - cells.size >= MINIMUM_REPEATS.value
        columns = _columns(rows)
        score = rows["score"].to_numpy()
        fit = fit_crossed(score, factors=codes, covariates=columns, pair=pair if several else None)
        lasting = fit.variances.get(PAIR, 0.0) / fit.residual
        times = np.bincount(pair).astype(np.float64)
        share = (lasting / (1.0 + lasting * times))[pair]
        ratee = _indicator(codes["ratee"])
        weight = np.bincount(codes["ratee"], 1.0 - share * times[pair], ratee.shape[1]) / fit.residual
        variance = fit.variances["ratee"]
        fixed = np.stack(
            [np.ones(rows.height), *(columns[name] for name in columns if name not in fit.dropped)], axis=1
        )
        rest = sparse.csr_matrix(sparse.hstack([sparse.csr_matrix(fixed), _indicator(codes["rater"])]))
        ridge = np.zeros(rest.shape[1])
        ridge[fixed.shape[1] :] = 1.0 / max(fit.variances["rater"], 1e-9 * fit.residual)
        found = cls(
            spread=math.sqrt(sum(fit.variances.values()) + fit.residual),
            score=score,
            pairs=_indicator(pair),
            pair_share=share,
            residual=fit.residual,
            ratee=ratee,
            ratee_held=variance / (1.0 + variance * weight),
            rest=rest,
            lower=np.zeros((0, 0)),
        )
        block = found._met(rest, rest)
        block[np.diag_indices_from(block)] += ridge
        with threadpool_limits(limits=1, user_api="blas"):
            return replace(found, lower=linalg.cholesky(block, lower=True, check_finite=False))

    def inner(self, columns: sparse.csr_matrix) -> Floats:
        """Inner products of columns with all else projected out, shape (columns, columns)."""
        with threadpool_limits(limits=1, user_api="blas"):
            across = linalg.solve_triangular(
                self.lower, self._met(self.rest, columns), lower=True, check_finite=False
            )
            return np.asarray(self._met(columns, columns) - across.T @ across)

    def _met(self, left: sparse.csr_matrix, right: sparse.csr_matrix) -> Floats:
        """Inner products through the inverse covariance of errors, pairs and ratees."""
        weighed = self._weighed(right)
        same = weighed if left is right else self._weighed(left)
        ratees = sparse.diags_array(self.ratee_held) @ (self.ratee.T @ weighed)
        whole = left.T @ weighed - (self.ratee.T @ same).T @ ratees
        return np.asarray(sparse.csr_matrix(whole).toarray())

    def _weighed(self, columns: sparse.csr_matrix) -> sparse.csr_matrix:
        """Inverse covariance of errors and pairs times columns."""
        shared = self.pairs @ sparse.csr_matrix(self.pairs.T @ columns)
        return sparse.csr_matrix((columns - sparse.diags_array(self.pair_share) @ shared) / self.residual)

    def slopes(self, rows: pl.DataFrame, group: str, told: pl.DataFrame) -> tuple[pl.DataFrame, _Gap | None]:
        """Each told rater's own slope with its standard error, and the difference through the company.

        The latter is None where sources or departments already say who belongs to the group.
        """
        inside = (rows["group"] == group).to_numpy().astype(np.float64)
        rater = _code(rows["rater_id"])
        # Against the rater's own mean, so that a slope says nothing about how soft the rater is overall.
        apart = inside - (np.bincount(rater, inside) / np.bincount(rater))[rater]
        chosen = rows["rater_id"].unique().sort().is_in(told["rater_id"].implode()).to_numpy()
        place = np.cumsum(chosen) - 1
        mine = np.flatnonzero(chosen[rater])
        columns = sparse.csr_matrix(
            sparse.hstack(
                [
                    sparse.csr_matrix(inside[:, None]),
                    sparse.csr_matrix(
                        (apart[mine], (mine, place[rater[mine]])), shape=(rows.height, told.height)
                    ),
                    sparse.csr_matrix(self.score[:, None]),
                ]
            )
        )
        known = self.inner(columns)
        through, left, gap = float(known[0, 0]), known[1:, 1:], None
        if through > 1e-6 * float(inside.var()) * inside.size / self.residual:
            shares = known[0, 1:-1] / through
            gap = _Gap(float(known[0, -1]) / through, 1.0 / through, float(shares @ shares))
            left = left - np.outer(known[1:, 0], known[0, 1:]) / through
        information = np.diag(left)[:-1]
        usable = information > 1e-9 * float(np.max(information, initial=0.0))
        found = told.filter(pl.Series(usable)).join(
            _homes(rows), on="rater_id", how="left", maintain_order="left"
        )
        return found.with_columns(
            pl.Series("alone", left[:-1, -1][usable] / information[usable]),
            pl.Series("standard_error", 1.0 / np.sqrt(information[usable])),
        ), gap


@dataclass(frozen=True)
class _Gap:
    """How much higher a group is rated than the rest by everybody.

    Where raters differ in it, their average is less sure than the ratings make it: ``variance`` grows by
    their variance times ``shares``, the sum of the squares of what each contributes.
    """

    value: float
    variance: float
    shares: float


def _columns(rows: pl.DataFrame) -> dict[str, Floats]:
    """Columns for cycles, sources and departments but the first of each."""
    parts = ["cycle_id", "source"]
    if rows["department_id"].n_unique() <= _MOST_DEPARTMENTS:
        parts.append("department_id")
    return {
        f"{name} {level}": rows[name].eq_missing(level).to_numpy().astype(np.float64)
        for name in parts
        for level in rows[name].unique().sort().to_list()[1:]
    }


def _homes(rows: pl.DataFrame) -> pl.DataFrame:
    """The department most of a rater's ratees are in (ties: the first)."""
    return (
        rows.group_by("rater_id", "department_id")
        .agg(pl.col("ratee_id").n_unique().alias("n"))
        .sort("rater_id", pl.col("department_id").is_null(), -pl.col("n").cast(pl.Int64), "department_id")
        .group_by("rater_id", maintain_order=True)
        .agg(pl.col("department_id").first())
    )


def _code(column: pl.Series) -> Integers:
    """Values in sorted order as 0, 1, ..."""
    return np.asarray(column.rank("dense").cast(pl.Int64).to_numpy() - 1, dtype=np.int64)


def _indicator(codes: Integers) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(codes.size), (np.arange(codes.size), codes)))


# --- from slopes to flags ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shrunk:
    """Estimates after what all together say about how large such things are.

    Attributes
    ----------
    mean
        Posterior mean, shape (estimates,).
    false_sign_rate
        Chance that the sign of the mean is wrong, a true nought included.
    weights, scales
        The mixture of normals around nought: weights and standard deviations; the first scale is nought.
    """

    mean: Floats
    false_sign_rate: Floats
    weights: Floats
    scales: Floats


def shrink(estimates: npt.ArrayLike, errors: npt.ArrayLike) -> Shrunk:
    """Adaptive shrinkage: normal estimates of effects that are a mixture of normals around nought.

    Parameters
    ----------
    estimates, errors
        Shape (estimates,), errors above nought.

    Returns
    -------
    Shrunk
        As ``ashr::ash`` with ``mixcompdist = "normal"`` would, its penalty towards nought included.
    """
    x, error = np.asarray(estimates, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if x.shape != error.shape or x.ndim != 1 or not x.size or not (error > 0).all():
        raise ValueError("estimates and errors must be two columns of the same length, errors above nought")
    smallest = float(error.min()) / 10.0
    beyond = x**2 - error**2
    most = max(beyond.tolist())
    largest = 2.0 * math.sqrt(most) if most > 0 else 8.0 * smallest
    steps = max(1, math.ceil(2.0 * math.log2(max(largest / smallest, 1.0))))
    scales = np.concatenate([[0.0], largest * 2.0 ** (-0.5 * np.arange(steps, -1, -1))])
    spread = np.sqrt(scales**2 + error[:, None] ** 2)
    logs = np.asarray(stats.norm.logpdf(x[:, None], scale=spread))
    likelihood = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights = _mixture(likelihood)
    share = weights * likelihood
    share /= share.sum(axis=1, keepdims=True)
    keep = scales**2 / spread**2
    means, sds = keep * x[:, None], np.sqrt(keep) * error[:, None]
    at_nought = share[:, 0]
    safe = np.where(sds > 0, sds, 1.0)
    below = at_nought + (share[:, 1:] * stats.norm.cdf(0.0, means[:, 1:], safe[:, 1:])).sum(axis=1)
    above = at_nought + (share[:, 1:] * stats.norm.sf(0.0, means[:, 1:], safe[:, 1:])).sum(axis=1)
    return Shrunk(
        mean=(share * means).sum(axis=1),
        false_sign_rate=np.minimum(below, above),
        weights=weights,
        scales=scales,
    )


def _mixture(likelihood: Floats) -> Floats:
    """Weights of the components that make the estimates likeliest, with a belief in noughts."""
    many = likelihood.shape[1]
    prior = np.zeros(many)
    prior[0] = _NULL_WEIGHT - 1.0
    weights = np.full(many, 1.0 / many)
    before = -math.inf
    for _ in range(5_000):
        mixed = likelihood @ weights
        now = float(np.log(mixed).sum() + prior[0] * math.log(max(weights[0], 1e-300)))
        if now - before < 1e-7:
            break
        before = now
        counted = weights * (likelihood / mixed[:, None]).sum(axis=0) + prior
        weights = counted / counted.sum()
    return weights


_TOLD: Final = pl.DataFrame(
    schema={"group": pl.String, "rater_id": pl.String, "n_group": pl.Int64, "n_rest": pl.Int64}
)
_RATERS: Final = pl.DataFrame(
    schema={
        "group": pl.String,
        "rater_id": pl.String,
        "department_id": pl.String,
        **dict.fromkeys(_NUMBERS, pl.Float64),
        "verdict": pl.String,
        "n_group": pl.Int64,
        "n_rest": pl.Int64,
        "n_fewest": pl.Int64,
    }
)
_GROUPS: Final = pl.DataFrame(
    schema={
        "group": pl.String,
        "gap": pl.Float64,
        "standard_error": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "spread": pl.Float64,
        "n_people": pl.Int64,
        "n_rest": pl.Int64,
        "n_fewest": pl.Int64,
        "n_raters": pl.Int64,
        "n_flagged": pl.Int64,
    }
)


def _judged(found: Sequence[pl.DataFrame], practical: float) -> pl.DataFrame:
    """All raters of all groups with shrunken estimates and verdicts."""
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0))
    frames = []
    for frame in found:
        if frame.is_empty():
            continue
        alone, error = frame["alone"].to_numpy(), frame["standard_error"].to_numpy()
        after = shrink(alone, error)
        frames.append(
            frame.with_columns(
                pl.Series("difference", after.mean),
                pl.Series("low", alone - reach * error),
                pl.Series("high", alone + reach * error),
                pl.Series("false_sign_rate", after.false_sign_rate),
                pl.lit(float(np.sqrt(after.weights @ after.scales**2))).alias("spread"),
            )
        )
    together = pl.concat(frames)
    size = (together["alone"] / together["standard_error"]).abs().to_numpy()
    together = together.with_columns(
        pl.Series("discovery_rate", stats.false_discovery_control(2.0 * stats.norm.sf(size)))
    )
    flagged = (
        (pl.col("discovery_rate") <= FALSE_DISCOVERY.value)
        & (pl.col("false_sign_rate") <= FALSE_SIGN_RATE.value)
        & (pl.col("difference").abs() >= practical)
    )
    verdict = (
        pl.when(flagged & (pl.col("difference") > 0))
        .then(pl.lit("softer"))
        .when(flagged)
        .then(pl.lit("harder"))
        .otherwise(pl.lit("unremarkable"))
    )
    return together.with_columns(verdict.alias("verdict"))


def _noticeable(raters: pl.DataFrame) -> float:
    """What the first flag takes under Benjamini-Hochberg, and the chance of four in five to get there."""
    bar = float(stats.norm.isf(0.5 * FALSE_DISCOVERY.value / raters.height) + stats.norm.ppf(0.8))
    return bar * float(np.median(raters["standard_error"].to_numpy()))


def _gaps(rows: pl.DataFrame, raters: pl.DataFrame, gaps: Mapping[str, _Gap | None]) -> pl.DataFrame:
    """One row per group: the difference that runs through the company, and how raters differ in it."""
    reach = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0))
    ends = ("low", "high")
    found = []
    for group, gap in gaps.items():
        mine = raters.filter(pl.col("group") == group)
        inside = rows.filter(pl.col("group") == group)["ratee_id"].n_unique()
        rest = rows.filter(pl.col("group") != group)["ratee_id"].n_unique()
        spread = float(mine["spread"][0]) if mine.height else None
        value = error = None
        if gap is not None:
            value = gap.value
            error = math.sqrt(gap.variance + gap.shares * (spread or 0.0) ** 2)
        found.append(
            {
                "group": group,
                "gap": value,
                "standard_error": error,
                "spread": spread,
                "n_people": inside,
                "n_rest": rest,
                "n_fewest": min(inside, rest),
                "n_raters": mine.height,
                "n_flagged": mine.filter(pl.col("verdict") != "unremarkable").height,
            }
        )
    return (
        pl.DataFrame(found, schema={name: kind for name, kind in _GROUPS.schema.items() if name not in ends})
        .with_columns(
            (pl.col("gap") - reach * pl.col("standard_error")).alias("low"),
            (pl.col("gap") + reach * pl.col("standard_error")).alias("high"),
        )
        .select(_GROUPS.columns)
        .sort("group")
    )
