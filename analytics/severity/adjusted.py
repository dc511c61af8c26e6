"""What would an average rater have given?

Reads    the ratings with their levels, and the severity that `linear.severity` found in them.
Returns  per rating the chance of each level on an average rater's yardstick, the most likely level, its range
         and the chance that it would have been another one.

Advisory: for the talk in a meeting. Nothing is written back.

Behind a level lies a judgement on a line; the level says between which two thresholds it fell. The judgement
is ``work + severity + chance``. What is taken out is the rater's severity, with all the doubt about it; the
work, what this rater thinks of this person beyond it, and chance stay as they were. It is the same judgement
read with an average yardstick, not what another person would have said. A rater of no severity at all
therefore changes nothing, and doubt about a severity alone can already make another level likely.

The line is normal, its thresholds those that give the shares of levels of the whole scale. Severity and work
come in rating points; a point is ``1 / c`` of the line with ``c`` the covariance of points and judgements,
because the covariance of any part of a normal judgement with its points is ``c`` times that part's variance
(Stein's lemma). What of the line's variance no part of the model has is chance. Given the severities, the
work of a person is normal in closed form; the severity of the rater in question is then integrated over.
Where the model has moods, a rater's severity here is that of the cycle: the lasting one and the mood.

Why the product rests on the severity in points and not on the model of levels: it is the same number for a
rater as on every other page, and it is there as soon as severity is, at any size, moods included; the model
of levels knows moods in small companies only, and without them chances are overstated. In simulations both
are as well calibrated and within two per cent as sharp (log score), also where thresholds are skewed or
chance is logistic. `adjusted_by_levels` gives the other answer, to compare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse, special, stats

from analytics.disclosure import Cells
from analytics.policy import ADJUSTED_RANGE, MINIMUM_RATEES
from analytics.severity.design import DEFAULTS, SOURCES, Refusal, on_one_scale, told_once
from analytics.severity.engines.crossed import CrossedFit
from analytics.severity.engines.ordinal import OrdinalFit
from analytics.severity.levels import LevelModel
from analytics.severity.linear import Severity

REFERENCE: Final = (
    "McCullagh (1980), J. R. Stat. Soc. B 42(2), a line behind the levels. "
    "doi:10.1111/j.2517-6161.1980.tb01109.x; Stein (1981), Ann. Stat. 9(6). doi:10.1214/aos/1176345632"
)

REASONS: Final = (
    "few_ratees",  # the data cannot tell about the rater, as in linear.REASONS
    "alone",
    "island",
    "refused",
    "no_level",  # the scale has no levels, or points that do not rise with them
    "one_level",  # nobody was ever given another level
    "other_scale",  # not the scale of most ratings, in whose points severity is
)

Floats = npt.NDArray[np.float64]
Curve = Callable[[Any], Any]
"""The area under a curve below each of several places."""

_KEYS: Final = ("cycle_id", "ratee_id", "rater_id", "source")
_NODES: Final = 5  # for work
_GRID: Final = 41  # for severity
_REACH: Final = 4.0  # deviations of it
_LEAST_CHANCE: Final = 0.05
"""Of the variance of a judgement at least this much is chance, whatever the parts add up to."""


@dataclass(frozen=True)
class Adjusted:
    """Ratings on an average rater's yardstick.

    Attributes
    ----------
    ratings
        One row per rating, sorted by cycle, ratee, rater, source: ``department_id``, ``scale_id``, ``level``
        and ``score`` as given; ``expected`` (mean rating points under an average rater), ``likely`` (most
        likely level), ``low`` and ``high`` (the fewest neighbouring levels that hold it with the chance of
        `policy.ADJUSTED_RANGE` at least), ``flip`` (chance of another level than the given one), ``higher``
        and ``lower`` (its two parts), ``chances`` (by level of the scale, lowest first); ``severity`` of the
        rater in points. All null where nothing can be said, and ``why`` (one of `REASONS`) then says why.
        ``flagged``: whether the rater is found to rate softer or harder by an amount that matters; null
        where it is not known.
        A record of single people: access decides who reads it.
    departments
        One row per department of ratees, sorted: ``n_people``, ``n_ratings``, ``n_told`` (of which something
        can be said), and how many of those an average rater is expected to have given another level
        (``flips``, a sum of chances), a ``higher`` or a ``lower`` one; of how many a higher or a lower level
        is likelier than the one given (``likelier_higher``, ``likelier_lower``).
    levels
        The levels in use: ``scale_id``, ``level``, ``score``, ``share`` of all ratings; sorted.
    refusal
        Why nobody's severity can be told; null if it can.
    """

    ratings: pl.DataFrame
    departments: pl.DataFrame
    levels: pl.DataFrame
    refusal: Refusal | None = None

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            "departments",
            "department_id",
            "n_people",
            (
                "n_people",
                "n_ratings",
                "n_told",
                "flips",
                "higher",
                "lower",
                "likelier_higher",
                "likelier_lower",
            ),
            additive=False,
        ),
    )

    def only(self, which: pl.Expr) -> Adjusted:
        """The same about the ratings an expression over them chooses."""
        ratings = self.ratings.filter(which)
        return replace(self, ratings=ratings, departments=_departments(ratings))


def adjusted(
    ratings: pl.DataFrame,
    found: Severity,
    *,
    sources: Sequence[str] = SOURCES,
    cycle_id: str | None = None,
) -> Adjusted:
    """Read every rating with an average rater's yardstick.

    Parameters
    ----------
    ratings
        The ratings ``found`` rests on: ``cycle_id``, ``ratee_id``, ``rater_id``, ``source``,
        ``department_id``, ``score``, and ``scale_id`` and ``level`` (null on a continuous scale). Missing
        columns mean the same as in `linear.severity`, and one scale.
    found
        What `linear.severity` made of them.
    sources
        Sources it compared.
    cycle_id
        Only ratings of this cycle are returned; all if None.

    Returns
    -------
    Adjusted
        One row per rating.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    rows = placed_ratings(ratings, found, sources)
    levels = _levels(rows.with_columns(pl.col("given").alias("score")))
    # Points that do not rise with the levels measure something else.
    rising = levels.group_by("scale_id").agg((pl.col("score").diff().drop_nulls() > 0).all().alias("rising"))
    chosen = (
        rows.filter(True if cycle_id is None else pl.col("cycle_id") == cycle_id)
        .with_columns(pl.col("given").alias("score"))
        .join(rising, on="scale_id", how="left", maintain_order="left")
        .with_columns(pl.coalesce("why", pl.when(~pl.col("rising")).then(pl.lit("no_level"))).alias("why"))
    )
    if found.refusal is not None:
        said = _said(chosen.with_columns(pl.lit("refused").alias("why")), {})
        return Adjusted(said, _departments(said), levels, found.refusal)
    chosen = (
        _with_moods(chosen, found)
        .join(_work(rows, found), on=["ratee_id", "rater_id"], how="left", maintain_order="left")
        .with_columns(
            (pl.col("context") + pl.col("merit") + pl.col("beside")).alias("work"),
            (pl.col("falls") * _carried(pl.col("steady"), pl.col("doubt"), pl.col("n"))).alias("falls"),
        )
        .with_row_index("row")
    )
    parts = [
        _on_average_yardstick(part, levels.filter(pl.col("scale_id") == scale), rows, found)
        for (scale,), part in chosen.filter(pl.col("why").is_null()).group_by("scale_id", maintain_order=True)
    ]
    told: dict[str, pl.DataFrame] = {"told": pl.concat(parts)} if parts else {}
    said = _said(chosen, told)
    return Adjusted(said, _departments(said), levels)


def adjusted_by_levels(model: LevelModel, *, cycle_id: str | None = None) -> Adjusted:
    """The same from the model of levels: exact thresholds, logistic chance, moods where that model has them.

    Parameters
    ----------
    model
        What `levels.level_model` fitted.
    cycle_id
        Only ratings of this cycle are returned; all if None.

    Returns
    -------
    Adjusted
        One row per rating that entered the model; ``severity`` is in logits.
    """
    few = pl.col("n_ratees") < MINIMUM_RATEES.value
    rows = model.rows.join(
        model.raters.select("rater_id", "n_ratees"), on="rater_id", how="left"
    ).with_columns(
        pl.when(pl.lit(model.fit is None))
        .then(pl.lit("refused"))
        .when(few)
        .then(pl.lit("few_ratees"))
        .alias("why"),
        pl.lit(None, dtype=pl.Boolean).alias("flagged"),
    )
    used = _levels(rows)
    chosen = rows if cycle_id is None else rows.filter(pl.col("cycle_id") == cycle_id)
    if model.fit is None:
        said = _said(chosen.with_columns(pl.lit(None, dtype=pl.Float64).alias("severity")), {})
        return Adjusted(said, _departments(said), used, model.refusal)
    steps = {scale: part for (scale,), part in model.thresholds.sort("level").group_by("scale_id")}
    seen = pl.concat([_information(part, steps[scale]) for (scale,), part in rows.group_by("scale_id")])
    pair = model.fit.variances.get("pair", 0.0)
    pairs = seen.group_by("ratee_id", "rater_id").agg(
        (1.0 / (pair + 1.0 / pl.col("information").sum())).alias("tells"),
        (pl.col("rater_error").first() ** 2).alias("doubt"),
        pl.len().cast(pl.Int64).alias("n"),
    )
    person = sum(model.fit.variances.get(part, 0.0) for part in _PARTS["person"])
    doubts = _doubts(pairs, person=person, pair=pair).drop("doubt")
    chosen = (
        _moods_by_levels(chosen, model, model.fit)
        .join(doubts, on=["ratee_id", "rater_id"], how="left", maintain_order="left")
        .with_columns(
            (pl.col("falls") * _carried(pl.col("steady"), pl.col("doubt"), pl.col("n"))).alias("falls")
        )
        .with_row_index("row")
    )
    parts = []
    for (scale,), part in chosen.filter(pl.col("why").is_null()).group_by("scale_id", maintain_order=True):
        levels = steps[scale]
        names = levels["level"].to_numpy()
        known = levels.drop_nulls("score")
        chances = _chances(
            np.searchsorted(names, part["level"].to_numpy()),
            levels["threshold"].to_numpy()[:-1],
            work=part["work"].to_numpy(),
            variance=part["variance"].to_numpy(),
            falls=part["falls"].to_numpy(),
            severity=part["severity"].to_numpy(),
            doubt=part["doubt"].to_numpy(),
            chance=1.0,
            below=special.expit,
        )
        # A level that nobody used lies between its neighbours.
        points = np.interp(names, known["level"].to_numpy(), known["score"].to_numpy())
        parts.append(_in_words(part, chances, names=names, points=points))
    said = _said(chosen, {"told": pl.concat(parts)} if parts else {})
    return Adjusted(said, _departments(said), used)


def _moods_by_levels(rows: pl.DataFrame, model: LevelModel, fit: OrdinalFit) -> pl.DataFrame:
    """Severity in the cycle at hand, the work without it, and the doubts, in logits."""
    moods = model.rows.select("rater_id", "cycle_id").unique().sort("rater_id", "cycle_id")
    steady = rows.with_columns((pl.col("rater_error") ** 2).alias("steady"))
    if not fit.variances.get("mood"):
        return steady.with_columns(
            pl.col("rater_effect").alias("severity"),
            pl.col("without_rater").alias("work"),
            pl.col("steady").alias("doubt"),
        )
    raters = model.raters.select("rater_id", pl.col("department_id").alias("home"))
    known = moods.with_columns(pl.Series("mood", fit.modes["mood"].values))
    together = _together(rows, fit, raters=raters, moods=moods)
    cycle = ["rater_id", "cycle_id"]
    return (
        steady.join(known, on=cycle, how="left", maintain_order="left")
        .join(together, on=cycle, how="left", maintain_order="left")
        .with_columns(
            (pl.col("rater_effect") + pl.col("mood")).alias("severity"),
            (pl.col("without_rater") - pl.col("mood")).alias("work"),
            pl.col("together").alias("doubt"),
        )
    )


def _information(rows: pl.DataFrame, levels: pl.DataFrame) -> pl.DataFrame:
    """How much each rating on one scale tells of its judgement: the curvature of its likelihood."""
    edges = np.concatenate([[-np.inf], levels["threshold"].to_numpy()[:-1], [np.inf]])
    given = np.searchsorted(levels["level"].to_numpy(), rows["level"].to_numpy())
    at = rows["predictor"].to_numpy()
    ends = (special.expit(edges[given] - at), special.expit(edges[given + 1] - at))
    return rows.with_columns(pl.Series("information", sum(end * (1.0 - end) for end in ends)))


def placed_ratings(ratings: pl.DataFrame, found: Severity, sources: Sequence[str]) -> pl.DataFrame:
    """The ratings with what the model says of their cycle, source and department, and of their rater.

    ``score`` is in points of the usual scale, ``given`` what was given.
    """
    needed = ("ratee_id", "rater_id", "score")
    missing = [name for name in needed if name not in ratings.columns]
    if missing:
        raise ValueError(f"ratings must have the columns {', '.join(needed)}; missing {', '.join(missing)}")
    defaults = {**DEFAULTS, "scale_id": "all", "level": None}
    ratings = ratings.with_columns(
        pl.lit(value).alias(name) for name, value in defaults.items() if name not in ratings.columns
    )
    own = (pl.col("source") == "self") | (pl.col("rater_id") == pl.col("ratee_id"))
    terms = dict(found.fixed.select("term", "estimate").iter_rows())
    parts = _parts(found)

    def coefficient(column: str, label: str) -> pl.Expr:
        known = {name.removeprefix(label): value for name, value in terms.items() if name.startswith(label)}
        return (
            pl.col(column).cast(pl.String).replace_strict(known, default=0.0, return_dtype=pl.Float64)
            if known
            else pl.lit(0.0)
        )

    raters = found.raters.select(
        "rater_id",
        pl.col("department_id").alias("home"),
        "severity",
        "standard_error",
        "component",
        pl.when(pl.col("severity").is_null()).then("reason").alias("untold"),
        pl.col("verdict").is_in(["lenient", "severe"]).alias("flagged"),
    )
    return (
        ratings.select(
            *(pl.col(name).cast(pl.String) for name in (*_KEYS, "department_id", "scale_id")),
            pl.col("level").cast(pl.Int64),
            pl.col("score").cast(pl.Float64),
            pl.col("score").cast(pl.Float64).alias("given"),
        )
        .filter(
            ~own.fill_null(value=False), pl.col("source").is_in(list(sources)), pl.col("score").is_finite()
        )
        .drop_nulls(list(_KEYS))
        .pipe(on_one_scale)
        .join(raters, on="rater_id", how="inner")
        .join(_moods(found), on=["rater_id", "cycle_id"], how="left")
        .with_columns(
            (
                pl.lit(terms.get("intercept", 0.0))
                + coefficient("cycle_id", "cycle ")
                + coefficient("source", "source ")
                + coefficient("component", "island ")
            ).alias("context"),
            coefficient("department_id", "department ").alias("merit"),
            pl.when(pl.col("untold").is_not_null())
            .then("untold")
            .when(pl.col("level").is_null() | pl.col("scale_id").is_null())
            .then(pl.lit("no_level"))
            .when(pl.lit(found.n_scales > 1) & pl.col("scale_id").ne_missing(pl.lit(found.scale)))
            .then(pl.lit("other_scale"))
            .when(pl.col("level").n_unique().over("scale_id") < 2)
            .then(pl.lit("one_level"))
            .alias("why"),
            # Whom nothing is known of may be anybody.
            (pl.col("severity").fill_null(0.0) + pl.col("mood").fill_null(0.0)).alias("taken"),
            (pl.col("standard_error") ** 2).fill_null(parts["rater"]).alias("doubt"),
            (pl.col("mood_error") ** 2).fill_null(parts["mood"]).alias("mood_doubt"),
        )
        .sort(*_KEYS, "score", nulls_last=True)
    )


_PARTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "person": ("ratee", "department"),
        "rater": ("rater", "standard"),
        "mood": ("mood",),
        "pair": ("pair",),
        "residual": ("residual",),
    }
)


def _parts(found: Severity) -> dict[str, float]:
    """Variances by whom they belong to, in squared rating points."""
    variances = dict(found.variances.select("part", "variance").iter_rows())
    return {name: sum(variances.get(part, 0.0) for part in parts) for name, parts in _PARTS.items()}


def _moods(found: Severity) -> pl.DataFrame:
    """What is known of raters' moods; empty where the model has none."""
    columns: dict[str, Floats] = {"mood": np.empty(0), "mood_error": np.empty(0)}
    who = pl.DataFrame(schema={"rater_id": pl.String, "cycle_id": pl.String})
    held = found._held
    if held is not None and held.fit.variances.get("mood"):
        modes, who = held.fit.modes["mood"], held.moods.select("rater_id", "cycle_id")
        columns = {"mood": modes.values, "mood_error": modes.standard_error}
    return who.with_columns(pl.Series(name, values, dtype=pl.Float64) for name, values in columns.items())


def _with_moods(rows: pl.DataFrame, found: Severity) -> pl.DataFrame:
    """The doubt about severity in the cycle at hand; ``steady`` is that about the lasting part alone.

    The lasting severity and the mood are known together: what one is too high the other is too low.
    """
    held = found._held
    if held is None or not held.fit.variances.get("mood"):
        return rows.with_columns(pl.col("doubt").alias("steady"))
    together = _together(rows, held.fit, raters=held.raters, moods=held.moods)
    return rows.join(together, on=["rater_id", "cycle_id"], how="left", maintain_order="left").with_columns(
        pl.coalesce("together", pl.col("doubt") + pl.col("mood_doubt")).alias("doubt"),
        pl.col("doubt").alias("steady"),
    )


def _together(
    rows: pl.DataFrame, fit: CrossedFit | OrdinalFit, *, raters: pl.DataFrame, moods: pl.DataFrame
) -> pl.DataFrame:
    """Variance of the error of a rater's severity in a cycle: rater, standard and mood together.

    ``raters`` (with their ``home``) and ``moods`` (rater and cycle) come in the order of the fit's levels.
    """
    homes = raters["home"].unique().sort(nulls_last=True).to_list()
    asked = (
        moods.with_row_index("of_mood")
        .join(rows.select("rater_id", "cycle_id").unique(), on=["rater_id", "cycle_id"], how="semi")
        .join(raters.with_row_index("of_rater"), on="rater_id", how="left")
        .sort("of_mood")
    )
    places = {
        "mood": (asked["of_mood"], moods.height),
        "rater": (asked["of_rater"], raters.height),
        "standard": (pl.Series([homes.index(home) for home in asked["home"]], dtype=pl.Int64), len(homes)),
    }
    error = fit.contrasts(
        {
            name: sparse.csr_matrix(
                (np.ones(asked.height), (np.arange(asked.height), place.to_numpy())),
                shape=(asked.height, size),
            )
            for name, (place, size) in places.items()
            if name in fit.variances
        }
    ).standard_error
    return asked.select("rater_id", "cycle_id").with_columns(pl.Series("together", error**2))


def _carried(steady: pl.Expr, doubt: pl.Expr, n: pl.Expr) -> pl.Expr:
    """By how much the mean severity of a pair's n ratings moves with that of one of them.

    The lasting part is in all of them, the mood in one.
    """
    shared = steady + (doubt - steady).clip(0.0) / n
    return pl.when(doubt > 0).then((shared / doubt).clip(0.0, 1.0)).otherwise(1.0)


def known_work(rows: pl.DataFrame, found: Severity) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Everybody's work given the severities: per pair what it says, per person what follows.

    Given severities ``b``, the mean of a pair's n ratings less cycle, source, department and ``b`` is the
    person's effect plus noise of variance ``pair + residual / n``; the person's effect is then normal.
    """
    parts = _parts(found)
    times = rows.group_by("ratee_id").agg(pl.len().cast(pl.Int64).alias("n_ratings"))
    left = pl.col("score") - pl.col("context") - pl.col("merit") - pl.col("taken")
    pairs = (
        told_once(rows)
        .group_by("ratee_id", "rater_id")
        .agg(
            left.mean().alias("mean"),
            pl.len().cast(pl.Int64).alias("n"),
            (pl.col("doubt").first() + pl.col("mood_doubt").mean() / pl.len()).alias("doubt"),
            pl.col("home").first(),
        )
        .with_columns((1.0 / (parts["pair"] + parts["residual"] / pl.col("n"))).alias("tells"))
        .sort("ratee_id", "rater_id")
    )
    people = (
        pairs.group_by("ratee_id")
        .agg(
            pl.col("tells").sum().alias("told"),
            (pl.col("tells") * pl.col("mean")).sum().alias("sum"),
            pl.len().cast(pl.Int64).alias("n_raters"),
        )
        .join(times, on="ratee_id")
        .with_columns((1.0 / (1.0 / max(parts["person"], 1e-12) + pl.col("told"))).alias("variance"))
        .with_columns((pl.col("sum") * pl.col("variance")).alias("effect"))
        .sort("ratee_id")
    )
    return pairs, people


def _work(rows: pl.DataFrame, found: Severity) -> pl.DataFrame:
    """Per pair: what the rater sees in the person beyond cycle, source and department.

    ``beside`` is its mean at the rater's likeliest severity, ``variance`` its variance given that severity,
    and it falls by ``falls`` for every point that severity is higher.
    """
    pairs, people = known_work(rows, found)
    effects = people.select("ratee_id", "effect")
    return (
        _doubts(pairs, person=_parts(found)["person"], pair=_parts(found)["pair"])
        .join(effects, on="ratee_id", maintain_order="left")
        .with_columns(
            (pl.col("effect") + pl.col("keeps") * (pl.col("mean") - pl.col("effect"))).alias("beside")
        )
        .select("ratee_id", "rater_id", "n", "beside", "variance", "falls")
    )


def _doubts(pairs: pl.DataFrame, *, person: float, pair: float) -> pl.DataFrame:
    """Per pair how sure it is what the rater sees in the person, and how that goes with the severity.

    Reads per pair what it ``tells`` of the person (a precision) and the ``doubt`` about its severity; adds
    ``keeps`` (share of what the pair shows that is lastingly between the two), ``variance`` and ``falls``.
    """
    told = pl.col("tells").sum().over("ratee_id")
    return (
        pairs.with_columns(
            (pair * pl.col("tells")).alias("keeps"),
            (1.0 / (1.0 / max(person, 1e-12) + told)).alias("of_person"),
        )
        .with_columns((pl.col("tells") * pl.col("of_person")).alias("weight"))
        .with_columns((pl.col("weight") ** 2 * pl.col("doubt")).alias("carried"))
        .with_columns(
            (
                pair * (1.0 - pl.col("keeps"))
                + (1.0 - pl.col("keeps")) ** 2
                * (pl.col("of_person") + pl.col("carried").sum().over("ratee_id") - pl.col("carried"))
            ).alias("variance"),
            (pl.col("keeps") + (1.0 - pl.col("keeps")) * pl.col("weight")).alias("falls"),
        )
    )


def _levels(rows: pl.DataFrame) -> pl.DataFrame:
    """The levels in use and how often."""
    return (
        rows.drop_nulls(["scale_id", "level"])
        .group_by("scale_id", "level")
        .agg(pl.col("score").mean(), pl.len().alias("n"))
        .with_columns((pl.col("n") / pl.col("n").sum().over("scale_id")).alias("share"))
        .drop("n")
        .sort("scale_id", "level")
    )


def _on_average_yardstick(
    part: pl.DataFrame, levels: pl.DataFrame, rows: pl.DataFrame, found: Severity
) -> pl.DataFrame:
    """Chances of the levels of one scale for each of its ratings."""
    share, points = levels["share"].to_numpy(), levels["score"].to_numpy()
    thresholds = special.ndtri(np.cumsum(share)[:-1])
    # Covariance of points and judgement: every step of the points counts with the density at its threshold.
    unit = float(np.diff(points) @ stats.norm.pdf(thresholds))

    parts = _parts(found)
    fixed = (
        rows.filter(pl.col("scale_id") == levels["scale_id"][0])
        .select((pl.col("context") + pl.col("merit")).alias("fixed"))
        .to_series()
    )
    between = sum(parts.values()) - parts["residual"] + float(fixed.var() or 0.0)  # type: ignore[arg-type]
    chance = math.sqrt(max(1.0 - between / unit**2, _LEAST_CHANCE))
    middle = float(fixed.mean() or 0.0)  # type: ignore[arg-type]
    given = np.searchsorted(levels["level"].to_numpy(), part["level"].to_numpy())
    chances = _chances(
        given,
        thresholds,
        work=(part["work"].to_numpy() - middle) / unit,
        variance=part["variance"].to_numpy() / unit**2,
        falls=part["falls"].to_numpy(),
        severity=part["taken"].to_numpy() / unit,
        doubt=part["doubt"].to_numpy() / unit**2,
        chance=chance,
    )
    return _in_words(part, chances, names=levels["level"].to_numpy(), points=points)


def _in_words(
    part: pl.DataFrame, chances: Floats, *, names: npt.NDArray[np.int64], points: Floats
) -> pl.DataFrame:
    """What the chances of the levels come to."""
    given = np.searchsorted(names, part["level"].to_numpy())
    low, high = _range(chances, ADJUSTED_RANGE.value)
    rank = np.arange(names.size)
    return part.select("row").with_columns(
        pl.Series("expected", chances @ points),
        pl.Series("likely", names[np.argmax(chances, axis=1)]),
        pl.Series("low", names[low]),
        pl.Series("high", names[high]),
        pl.Series("flip", 1.0 - chances[np.arange(given.size), given]),
        pl.Series("higher", (chances * (rank > given[:, None])).sum(axis=1)),
        pl.Series("lower", (chances * (rank < given[:, None])).sum(axis=1)),
        pl.Series("chances", chances.tolist(), dtype=pl.List(pl.Float64)),
    )


def _chances(
    given: npt.NDArray[np.int64],
    thresholds: Floats,
    *,
    work: Floats,
    variance: Floats,
    falls: Floats,
    severity: Floats,
    doubt: Floats,
    chance: float,
    below: Curve = special.ndtr,
) -> Floats:
    """Chance of each level once severity is taken out, shape (ratings, levels), all in units of the line.

    With severity ``b`` and work ``w`` known, the judgement lies about ``w + b`` between the thresholds of the
    given level, and what is asked is where it lies less ``b``: nothing but areas under a curve. Both are
    then averaged over: work by Gauss and Hermite's rule; severity, at nought of which the answer has a bend,
    by a fine grid.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    grid = np.linspace(-_REACH, _REACH, _GRID)
    dense = np.exp(-0.5 * grid**2)
    dense /= dense.sum()
    edges = np.concatenate([[-np.inf], thresholds, [np.inf]])
    low, high = edges[given][:, None], edges[given + 1][:, None]
    reached = np.zeros((given.size, thresholds.size))
    for node, of_severity in zip(grid, dense, strict=True):
        off = np.sqrt(doubt) * node
        taken = (severity + off)[:, None]
        at = np.clip(thresholds[None, :] + taken, low, high)
        for other, of_work in zip(nodes, weights, strict=True):
            centre = (work - falls * off + np.sqrt(variance) * other)[:, None] + taken
            first, here, last = ((edge - centre) / chance for edge in (low, at, high))
            reached += of_severity * of_work * _share(first, here, last, below)
    return np.asarray(np.diff(reached, axis=1, prepend=0.0, append=1.0).clip(0.0, 1.0))


def _range(chances: Floats, enough: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """First and last of the fewest neighbouring levels, from the likeliest on, that hold enough."""
    rows = np.arange(len(chances))
    padded = np.pad(chances, ((0, 0), (1, 1)), constant_values=-1.0)
    low = np.argmax(chances, axis=1)
    high = low.copy()
    held = chances[rows, low]
    for _ in range(chances.shape[1] - 1):
        before, after = padded[rows, low], padded[rows, high + 2]
        wanting = held < enough - 1e-9
        down = wanting & (before >= after)
        held = held + np.where(wanting, np.maximum(before, after), 0.0)
        low, high = low - down, high + (wanting & ~down)
    return low, high


def _share(low: Floats, at: Floats, high: Floats, below: Curve) -> Floats:
    """Share of the area between ``low`` and ``high`` under a curve even about nought that lies below ``at``.

    Where all lies in the upper tail the lower one is taken, which has the digits.
    """
    upper = low > 0
    first, last, here = (np.where(upper, -below(-edge), below(edge)) for edge in (low, high, at))
    area = last - first
    # So far out that nothing is left, all lies at the nearer end.
    nearer = np.where(upper, at > low, at >= high).astype(np.float64)
    return np.asarray(np.where(area > 0, (here - first) / np.where(area > 0, area, 1.0), nearer))


def _departments(ratings: pl.DataFrame) -> pl.DataFrame:
    """How many ratings an average rater is expected to have given otherwise, by department."""
    return (
        ratings.filter(pl.col("department_id").is_not_null())
        .group_by("department_id")
        .agg(
            pl.col("ratee_id").n_unique().cast(pl.Int64).alias("n_people"),
            pl.len().cast(pl.Int64).alias("n_ratings"),
            pl.col("flip").count().cast(pl.Int64).alias("n_told"),
            pl.col("flip").sum().alias("flips"),
            pl.col("higher").sum(),
            pl.col("lower").sum(),
            (pl.col("likely") > pl.col("level")).sum().cast(pl.Int64).alias("likelier_higher"),
            (pl.col("likely") < pl.col("level")).sum().cast(pl.Int64).alias("likelier_lower"),
        )
        .sort("department_id")
    )


def _said(chosen: pl.DataFrame, told: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The ratings as given beside what an average rater would have given."""
    columns: dict[str, pl.DataType | type[pl.DataType]] = {
        "expected": pl.Float64,
        "likely": pl.Int64,
        "low": pl.Int64,
        "high": pl.Int64,
        "flip": pl.Float64,
        "higher": pl.Float64,
        "lower": pl.Float64,
        "chances": pl.List(pl.Float64),
    }
    # By row and not by its keys: where cycles are not told apart, two ratings may share them.
    named = (*_KEYS, "department_id", "scale_id", "level", "score", "severity", "why", "flagged")
    base = chosen.select(*named, *(["row"] if told else []))
    if told:
        base = base.join(told["told"], on="row", how="left")
    else:
        base = base.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in columns.items())
    return base.select(
        *_KEYS, "department_id", "scale_id", "level", "score", *columns, "severity", "why", "flagged"
    ).sort(*_KEYS, "score", nulls_last=True)
