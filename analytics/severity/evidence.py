"""Do ratings follow what else is known of the work, and what becomes of leniency beside it?

Reads    ratings as `linear.severity` reads them; beside them how far people's own goals had come when the
         cycle ended (`attainment`), and what sources that are not compared said of the same people.
Returns  per kind of evidence how much of the ratings it explains; per rating, rater and department the gap
         to what people with the same evidence got; per rater the severity with and without the evidence.

Expected of a person is what people with the same evidence got on average in the same cycle from the same
source: ``score = cycle x source + slope * evidence``. Evidence explains the share of the remaining variation
that the slope takes away.

Evidence about one person is uncertain: two goals, three peers. That flattens the slope, and a group whose
work is truly better would keep a gap for no other reason than that (Kelley's paradox). The mean of a group is
hardly uncertain, so groups are held against the slope divided by the reliability of the evidence, which is
known from how much the pieces of evidence about one person differ. A gap of a group is the mean over its
ratings; its interval counts people, not ratings, and takes the raters as they are.

Two kinds of evidence:

``goals``     weighted mean progress of the goals somebody owned in the cycle, each between nought and one,
              as known on the cycle's last day. Goals given up count with what had been reached; drafts and
              goals of unknown progress do not count. Without goals it is unknown, not nought.
``feedback``  mean of what sources that are not compared (peers and direct reports beside managers, say) gave
              the same person in the same cycle, each from the mean of its cycle and source, the rater's own
              left out. Ratings that are compared cannot be evidence about each other: given the person, the
              mean of the others falls where one's own rating rises.

Evidence can take out too much. Where a manager sets and scores the goals, attainment is made of the same
leniency that it would have to tell from good work, and a true severity shrinks; where the people asked share
a culture, so do their judgements. `Evidence.kinds` says how much of the evidence lies between raters' teams:
that part is better work or softer scoring, and the evidence alone cannot say which. The fit without evidence
therefore stays the answer, and the fit with it a question.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

import numpy as np
import polars as pl
from scipy import stats

from analytics.disclosure import Cells
from analytics.goals.pace import pace
from analytics.policy import (
    CONFIDENCE,
    FALSE_DISCOVERY,
    MINIMUM_RATEES,
    PRACTICAL_SEVERITY,
    TELLING_EVIDENCE,
)
from analytics.severity.design import Refusal, on_one_scale
from analytics.severity.linear import Severity, severity

REFERENCE: Final = (
    "Liang & Zeger (1986), Biometrika 73(1), intervals by person. doi:10.1093/biomet/73.1.13; "
    "Fuller (1987), Measurement Error Models, ch. 1, uncertain evidence. doi:10.1002/9780470316665; "
    "Elwert & Winship (2014), Annu. Rev. Sociol. 40, taking out too much. "
    "doi:10.1146/annurev-soc-071913-043455; Manski (1993), Rev. Econ. Stud. 60(3), others' outcomes as a "
    "covariate. doi:10.2307/2298123"
)

KINDS: Final = ("goals", "feedback")

NOT_TOLD: Final = ("none", "few", "constant")
"""Why evidence says nothing: nobody has any; too few people have; it is the same for all."""

_PEOPLE: Final = (
    "kind",
    "cycle_id",
    "ratee_id",
    "rater_id",
    "source",
    "department_id",
    "score",
    "evidence",
    "expected",
    "low",
    "high",
    "gap",
    "beyond",
)
_GAPS: Final = ("gap", "low", "high", "stands_out", "n_ratings", "n_people")
_BESIDE: Final = (
    "severity",
    "low",
    "high",
    "verdict",
    "severity_with",
    "low_with",
    "high_with",
    "verdict_with",
    "change",
    "moved",
    "n_ratees",
)
_FEWEST: Final = 30
"""People with evidence below whom a slope is not worth saying; as many as a variance takes."""
_NOISE: Final = 0.5
"""Share of its standard error within which a severity has not moved, on whichever side of a bar it lies."""
_LEAST_RELIABLE: Final = 0.3
"""A slope is at most divided by this: whatever is less reliable should not be stretched further."""


@dataclass(frozen=True)
class Evidence:
    """What ratings look like beside evidence about the work.

    Attributes
    ----------
    kinds
        One row per kind of evidence asked for, in the order of `KINDS`: ``kind``, ``n_ratings``, ``n_known``
        (ratings of people whose evidence is known), ``n_people`` (such people), ``why`` (one of `NOT_TOLD`,
        null where it says something), ``slope`` (rating points for a whole goal attained, or for a point of
        feedback) with ``slope_low``, ``slope_high``; ``reliability`` of the evidence about one person;
        ``explained`` (share of the variation within cycle and source, 0 to 1), ``telling`` (whether that is
        enough to say who is rated too high), ``spread`` (standard deviation of ratings of people with the
        same evidence), ``between`` (share of the evidence's variation that lies between raters' teams).
    people
        One row per rating whose evidence is known, sorted by kind, cycle, ratee, rater, source:
        ``score``, ``evidence``, ``expected``, the range ``low`` to ``high`` that 95 % of ratings of people
        with the same evidence lie in, ``gap`` (score less expected), ``beyond`` (outside the range). A record
        of single people: access decides who reads it.
    departments
        One row per kind and department of ratees, sorted: ``gap`` with ``low``, ``high``, ``stands_out``
        (beyond chance under false-discovery control, by an amount that matters, and beside evidence that
        is telling), ``n_ratings``,
        ``n_people``.
    raters
        The same per rater; null where fewer people were rated than it takes.
    beside
        One row per kind and rater, sorted: ``department_id``, ``severity`` without the evidence with ``low``,
        ``high`` and ``verdict``, the same with the evidence (``…_with``), ``change`` (with less without),
        ``moved`` (reads differently, and not because it lies just at a bar: by more than half its
        standard error), ``n_ratees``. Empty where the evidence says nothing or severity is refused.
    practical
        Gap that matters by kind, in rating points.
    refusal
        Why nobody's severity can be told, with or without evidence; null if it can.
    """

    kinds: pl.DataFrame
    people: pl.DataFrame
    departments: pl.DataFrame
    raters: pl.DataFrame
    beside: pl.DataFrame
    practical: Mapping[str, float]
    refusal: Refusal | None = None

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells("departments", "department_id", "n_people", _GAPS, within=("kind",), additive=False),
        Cells("raters", "rater_id", "n_people", _GAPS, within=("kind",), additive=False),
        Cells("beside", "rater_id", "n_ratees", _BESIDE, within=("kind",), additive=False),
    )


def attainment(
    goals: pl.DataFrame,
    check_ins: pl.DataFrame,
    cycles: pl.DataFrame,
    *,
    changes: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """How far everybody's own goals had come on the last day of each cycle.

    Parameters
    ----------
    goals
        As the contract of goals has them; titles and data sources may be missing. A goal belongs to the
        cycle it names, or else to the one it was due in.
    check_ins
        ``goal_id``, ``checked_at``, ``value``, ``target``, ``confidence``.
    cycles
        ``cycle_id``, ``starts_on``, ``ends_on``.
    changes
        As the contract of goal changes has them, so that what was changed later does not count.

    Returns
    -------
    polars.DataFrame
        One row per person and cycle with goals whose progress is known: ``cycle_id``, ``ratee_id``,
        ``attainment`` (0 to 1), ``n_goals`` (that count), ``n_unknown`` (goals that do not, for want of
        check-ins or a target), ``pieces`` (as many goals of equal weight would tell as much), ``inside``
        (variance between one person's goals, null for a single goal); sorted by cycle and ratee.
    """
    whole = goals.with_columns(
        pl.lit(None, dtype=pl.String).alias(name)
        for name in ("title", "data_source")
        if name not in goals.columns
    ).filter(pl.col("owner_id").is_not_null())
    frames = [_NOBODY]
    for cycle in cycles.sort("cycle_id").iter_rows(named=True):
        due = pl.col("due_on").is_between(cycle["starts_on"], cycle["ends_on"])
        named = (pl.col("cycle_id") == cycle["cycle_id"]).fill_null(due)
        own = whole.filter(named.fill_null(value=False))
        reported = check_ins.join(own.select("goal_id"), on="goal_id", how="semi")
        stood = pace(own, reported, as_of=cycle["ends_on"], changes=changes).goals
        done = pl.col("status") == "done"
        frames.append(
            stood.filter(pl.col("status") != "draft")
            .with_columns(
                pl.when(done & pl.col("progress").is_null())
                .then(1.0)
                .otherwise(pl.col("progress").clip(0.0, 1.0))
                .alias("reached")
            )
            .group_by(pl.col("owner_id").alias("ratee_id"))
            .agg(
                _weighted_mean(pl.col("reached"), pl.col("weight")).alias("attainment"),
                pl.col("reached").count().cast(pl.Int64).alias("n_goals"),
                pl.col("reached").null_count().cast(pl.Int64).alias("n_unknown"),
                _pieces(pl.col("reached"), pl.col("weight")).alias("pieces"),
                pl.col("reached").var().alias("inside"),
            )
            .filter(pl.col("n_goals") > 0)
            .select(pl.lit(cycle["cycle_id"]).alias("cycle_id"), *_NOBODY.columns[1:])
        )
    return pl.concat(frames).sort("cycle_id", "ratee_id")


def evidence(
    ratings: pl.DataFrame,
    *,
    attained: pl.DataFrame,
    others: pl.DataFrame,
    sources: Sequence[str],
    kinds: Sequence[str] = KINDS,
    without: Severity | None = None,
) -> Evidence:
    """Set ratings, raters and departments beside what else is known of the work.

    Parameters
    ----------
    ratings
        One row per rating as `linear.severity` reads them: ``cycle_id``, ``ratee_id``, ``rater_id``,
        ``source``, ``department_id``, ``score``.
    attained
        What `attainment` returns; empty where nobody has goals.
    others
        Ratings by further sources, with the same columns; those of ``sources`` and self-ratings are left out.
    sources
        Sources that are compared.
    kinds
        Which of `KINDS` to look at; each takes a fit of its own.
    without
        The severity of the same ratings without evidence, if it is at hand; fitted here if None.

    Returns
    -------
    Evidence
        The kinds side by side.

    Raises
    ------
    ValueError
        If ``sources`` is empty or holds ``self``, ``kinds`` names an unknown kind, or a column is missing.
    """
    _check(ratings, others, sources, kinds)
    rows = _compared(ratings, sources)
    plain = severity(rows, sources=sources) if without is None else without
    slopes: list[pl.DataFrame] = []
    people: list[pl.DataFrame] = []
    departments: list[pl.DataFrame] = []
    raters: list[pl.DataFrame] = []
    beside: list[pl.DataFrame] = []
    practical: dict[str, float] = {}
    for kind in (kind for kind in KINDS if kind in kinds):
        known = _beside_goals(rows, attained) if kind == "goals" else _beside_feedback(rows, others, sources)
        slope, told = _regressed(kind, known)
        slopes.append(slope)
        if slope["why"].item() is not None:
            continue
        practical[kind] = PRACTICAL_SEVERITY.value * float(slope["spread"].item())
        people.append(told.select(_PEOPLE))
        for by, frames in (("department_id", departments), ("rater_id", raters)):
            gaps = _gaps(told, by, practical[kind])
            telling = pl.lit(bool(slope["telling"].item()))
            stands = pl.when(pl.col("gap").is_not_null()).then(pl.col("stands_out") & telling)
            frames.append(gaps.with_columns(stands.alias("stands_out")))
        if plain.identified:
            beside.append(_side_by_side(kind, known, sources, plain))
    return Evidence(
        kinds=pl.concat(slopes),
        people=_stacked(people, _EMPTY_PEOPLE).sort(_PEOPLE[:5]),
        departments=_stacked(departments, _EMPTY_DEPARTMENTS).sort("kind", "department_id"),
        raters=_stacked(raters, _EMPTY_RATERS).sort("kind", "rater_id"),
        beside=_stacked(beside, _EMPTY_BESIDE).sort("kind", "rater_id"),
        practical=MappingProxyType(practical),
        refusal=plain.refusal,
    )


_TEXTS: Final = dict.fromkeys(_PEOPLE[:6], pl.String)
_NOBODY: Final = pl.DataFrame(
    schema={
        "cycle_id": pl.String,
        "ratee_id": pl.String,
        "attainment": pl.Float64,
        "n_goals": pl.Int64,
        "n_unknown": pl.Int64,
        "pieces": pl.Float64,
        "inside": pl.Float64,
    }
)
_EMPTY_PEOPLE: Final = pl.DataFrame(
    schema={name: _TEXTS.get(name, pl.Boolean if name == "beyond" else pl.Float64) for name in _PEOPLE}
)
_GAP_TYPES: Final = {
    "gap": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "stands_out": pl.Boolean,
    "n_ratings": pl.Int64,
    "n_people": pl.Int64,
}
_EMPTY_DEPARTMENTS: Final = pl.DataFrame(schema={"kind": pl.String, "department_id": pl.String, **_GAP_TYPES})
_EMPTY_RATERS: Final = pl.DataFrame(schema={"kind": pl.String, "rater_id": pl.String, **_GAP_TYPES})
_EMPTY_BESIDE: Final = pl.DataFrame(
    schema={
        "kind": pl.String,
        "rater_id": pl.String,
        "department_id": pl.String,
        **{
            name: {"verdict": pl.String, "moved": pl.Boolean, "n": pl.Int64}.get(
                name.split("_")[0], pl.Float64
            )
            for name in _BESIDE
        },
    }
)


def _stacked(frames: Sequence[pl.DataFrame], empty: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([empty, *(frame.select(empty.columns) for frame in frames)])


def _check(ratings: pl.DataFrame, others: pl.DataFrame, sources: Sequence[str], kinds: Sequence[str]) -> None:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown or not kinds:
        raise ValueError(
            f"kinds must be of {', '.join(KINDS)}, at least one; got {', '.join(unknown) or 'none'}"
        )
    if not sources or "self" in sources:
        raise ValueError(
            f"sources must name at least one source and never 'self'; got {', '.join(sources) or 'none'}"
        )
    needed = {"cycle_id", "ratee_id", "rater_id", "source", "department_id", "score"}
    for name, frame in (("ratings", ratings), ("others", others)):
        missing = sorted(needed - set(frame.columns))
        if missing:
            raise ValueError(f"{name} must have the columns {', '.join(sorted(needed))}; missing {missing}")


def _weighted_mean(values: pl.Expr, weights: pl.Expr) -> pl.Expr:
    """Mean of the known values by weight; of equal weights where one is missing or all are nought."""
    counted = weights.filter(values.is_not_null())
    weighted = (values * weights).sum() / counted.sum()
    return pl.when(_unweighted(counted)).then(values.mean()).otherwise(weighted)


def _pieces(values: pl.Expr, weights: pl.Expr) -> pl.Expr:
    """How many values of equal weight have a mean as certain as theirs."""
    counted = weights.filter(values.is_not_null())
    effective = counted.sum() ** 2 / (counted**2).sum()
    return pl.when(_unweighted(counted)).then(values.count().cast(pl.Float64)).otherwise(effective)


def _unweighted(counted: pl.Expr) -> pl.Expr:
    return counted.is_null().any() | (counted.sum() == 0)


def _compared(ratings: pl.DataFrame, sources: Sequence[str]) -> pl.DataFrame:
    """The ratings that are compared, in an order of their own."""
    own = (pl.col("source") == "self") | (pl.col("rater_id") == pl.col("ratee_id"))
    columns = ["cycle_id", "ratee_id", "rater_id", "source", "department_id"]
    scale = ["scale_id"] if "scale_id" in ratings.columns else []
    return (
        ratings.select(
            *(pl.col(name).cast(pl.String) for name in (*columns, *scale)), pl.col("score").cast(pl.Float64)
        )
        .filter(
            ~own.fill_null(value=False), pl.col("source").is_in(list(sources)), pl.col("score").is_finite()
        )
        .drop_nulls(columns[:4])
        .pipe(on_one_scale)
        .drop(scale)
        .sort(*columns, "score", nulls_last=True)
    )


def _beside_goals(rows: pl.DataFrame, attained: pl.DataFrame) -> pl.DataFrame:
    """Add how far the person's own goals had come."""
    evidence = pl.col("attainment").alias("evidence")
    return rows.join(
        attained.select("cycle_id", "ratee_id", evidence, "pieces", "inside"),
        on=["cycle_id", "ratee_id"],
        how="left",
    )


def _beside_feedback(rows: pl.DataFrame, others: pl.DataFrame, sources: Sequence[str]) -> pl.DataFrame:
    """Add what sources that are not compared gave the same person, without the rater's own."""
    person = ["cycle_id", "ratee_id"]
    scale = ["scale_id"] if "scale_id" in others.columns else []
    apart = (
        others.select(
            *(pl.col(name).cast(pl.String) for name in (*person, "rater_id", "source", *scale)),
            pl.col("score").cast(pl.Float64),
        )
        .filter(
            ~pl.col("source").is_in([*sources, "self"]),
            pl.col("rater_id") != pl.col("ratee_id"),
            pl.col("score").is_finite(),
        )
        .pipe(on_one_scale)
        .with_columns((pl.col("score") - pl.col("score").mean().over("cycle_id", "source")).alias("score"))
    )
    sums = {
        "sum": pl.col("score").sum(),
        "square": (pl.col("score") ** 2).sum(),
        "n": pl.len().cast(pl.Float64),
    }
    together = apart.group_by(person).agg(**sums)
    own = apart.group_by(*person, "rater_id").agg(**sums)
    total, square, n = (pl.col(name) - pl.col(f"{name}_right").fill_null(0.0) for name in sums)
    return (
        rows.join(together, on=person, how="left")
        .join(own, on=[*person, "rater_id"], how="left")
        .with_columns(pl.when(n > 0).then(n).alias("pieces"), total.alias("total"), square.alias("squares"))
        .with_columns(
            (pl.col("total") / pl.col("pieces")).alias("evidence"),
            pl.when(pl.col("pieces") > 1)
            .then((pl.col("squares") - pl.col("total") ** 2 / pl.col("pieces")) / (pl.col("pieces") - 1.0))
            .alias("inside"),
        )
        .drop(*sums, *(f"{name}_right" for name in sums), "total", "squares")
    )


def _regressed(kind: str, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The slope of the ratings on the evidence within cycle and source, and each rating's gap."""
    cell = ["cycle_id", "source"]
    told = rows.filter(pl.col("evidence").is_not_null()).with_columns(
        (pl.col("evidence") - pl.col("evidence").mean().over(cell)).alias("x"),
        (pl.col("score") - pl.col("score").mean().over(cell)).alias("y"),
    )
    n_people = told["ratee_id"].n_unique()
    x, y = told["x"].to_numpy(), told["y"].to_numpy()
    across, up = float(x @ x), float(y @ y)
    why = (
        "none"
        if told.is_empty()
        else "few"
        if n_people < _FEWEST
        else "constant"
        if across <= 1e-12 * told.height or up <= 1e-12 * told.height
        else None
    )
    found: dict[str, float | bool | None] = dict.fromkeys(
        ("slope", "slope_low", "slope_high", "reliability", "explained", "telling", "spread", "between")
    )
    if why is None:
        slope = float(x @ y) / across
        rest = y - slope * x
        freedom = max(told.height - told.select(pl.struct(cell).n_unique()).item() - 1, 1)
        spread = math.sqrt(float(rest @ rest) / freedom)
        error = math.sqrt(_by_person(told["ratee_id"], x * rest)) / across
        reach = float(stats.t.ppf(0.5 + CONFIDENCE.value / 2.0, n_people - 1)) * error
        explained = 1.0 - float(rest @ rest) / up
        reliability = _reliability(told, across / told.height)
        steeper = 1.0 / max(reliability, _LEAST_RELIABLE)
        found = {
            "slope": slope,
            "slope_low": slope - reach,
            "slope_high": slope + reach,
            "reliability": reliability,
            "explained": explained,
            # Evidence that lowers ratings explains, but not as evidence of good work.
            "telling": explained >= TELLING_EVIDENCE.value and slope - reach > 0,
            "spread": spread,
            "between": _between(told),
        }
        away = float(stats.norm.ppf(0.5 + CONFIDENCE.value / 2.0)) * spread
        told = told.with_columns(
            pl.lit(kind).alias("kind"),
            pl.Series("gap", rest),
            (pl.col("score") - pl.Series(rest)).alias("expected"),
        ).with_columns(
            (pl.col("expected") - away).alias("low"),
            (pl.col("expected") + away).alias("high"),
            (pl.col("gap").abs() > away).alias("beyond"),
            (pl.col("y") - slope * steeper * pl.col("x")).alias("beside"),
            (error * steeper * pl.col("x")).alias("unsure"),
        )
    said = pl.DataFrame(
        {
            "kind": kind,
            "n_ratings": rows.height,
            "n_known": told.height,
            "n_people": n_people,
            "why": why,
            **found,
        },
        schema={
            "kind": pl.String,
            "n_ratings": pl.Int64,
            "n_known": pl.Int64,
            "n_people": pl.Int64,
            "why": pl.String,
            "slope": pl.Float64,
            "slope_low": pl.Float64,
            "slope_high": pl.Float64,
            "reliability": pl.Float64,
            "explained": pl.Float64,
            "telling": pl.Boolean,
            "spread": pl.Float64,
            "between": pl.Float64,
        },
    )
    return said, told


def _by_person(person: pl.Series, scores: np.ndarray) -> float:
    """Variance of a sum whose terms of one person belong together."""
    sums = pl.DataFrame({"person": person, "score": scores}).group_by("person").agg(pl.col("score").sum())
    n = sums.height
    return float(sums.select((pl.col("score") ** 2).sum()).item()) * n / max(n - 1, 1)


def _reliability(told: pl.DataFrame, variance: float) -> float:
    """Share of the variance of the evidence that is about people and not about which pieces there were.

    Where nobody's evidence has two pieces, nothing is known of its uncertainty and none is assumed.
    """
    once = told.unique(["cycle_id", "ratee_id"])
    several = once.drop_nulls("inside").with_columns((pl.col("pieces") - 1.0).clip(1e-6).alias("freedom"))
    if several.is_empty():
        return 1.0
    inside = several.select((pl.col("inside") * pl.col("freedom")).sum() / pl.col("freedom").sum()).item()
    noise = told.select((float(inside) / pl.col("pieces")).mean()).item()
    return float(np.clip(1.0 - float(noise) / variance, 0.0, 1.0))


def _between(told: pl.DataFrame) -> float:
    """Share of the evidence's variation that lies between raters, one-way analysis of variance."""
    once = told.unique(["rater_id", "ratee_id", "cycle_id"])
    groups = once.group_by("rater_id").agg(
        pl.len().cast(pl.Float64).alias("n"),
        pl.col("x").mean().alias("mean"),
        ((pl.col("x") - pl.col("x").mean()) ** 2).sum().alias("inside"),
    )
    n, raters = float(once.height), groups.height
    if raters < 2 or n <= raters:
        return 0.0
    mean = float(once.select(pl.col("x").mean()).item())
    above = groups.select((pl.col("n") * (pl.col("mean") - mean) ** 2).sum()).item() / (raters - 1)
    inside = groups.select(pl.col("inside").sum()).item() / (n - raters)
    typical = (n - groups.select((pl.col("n") ** 2).sum()).item() / n) / (raters - 1)
    apart = max((above - inside) / typical, 0.0)
    return float(apart / (apart + inside)) if apart + inside > 0 else 0.0


def _gaps(told: pl.DataFrame, by: str, practical: float) -> pl.DataFrame:
    """Mean gap by group with an interval that counts people and how sure the slope is."""
    person = told.group_by("kind", by, "ratee_id").agg(
        pl.col("beside").sum().alias("sum"), pl.col("unsure").sum(), pl.len().cast(pl.Int64).alias("n")
    )
    mean = pl.col("sum").sum().over(by) / pl.col("n").sum().over(by)
    groups = (
        person.filter(pl.col(by).is_not_null())
        .with_columns((pl.col("sum") - pl.col("n") * mean).alias("off"))
        .group_by("kind", by)
        .agg(
            (pl.col("sum").sum() / pl.col("n").sum()).alias("gap"),
            pl.col("n").sum().alias("n_ratings"),
            pl.len().cast(pl.Int64).alias("n_people"),
            ((pl.col("off") ** 2).sum() / pl.col("n").sum() ** 2).alias("square"),
            (pl.col("unsure").sum() / pl.col("n").sum()).alias("unsure"),
        )
        .sort(by)
    )
    n = groups["n_people"].to_numpy().astype(np.float64)
    enough = n >= MINIMUM_RATEES.value
    error = np.sqrt(
        groups["square"].to_numpy() * n / np.maximum(n - 1.0, 1.0) + groups["unsure"].to_numpy() ** 2
    )
    gap = groups["gap"].to_numpy()
    reach = stats.t.ppf(0.5 + CONFIDENCE.value / 2.0, np.maximum(n - 1.0, 1.0)) * error
    chance = np.ones_like(gap)
    sure = enough & (error > 0)
    chance[sure] = 2.0 * stats.t.sf(np.abs(gap[sure]) / error[sure], n[sure] - 1.0)
    if enough.any():
        chance[enough] = stats.false_discovery_control(chance[enough])
    stands = (chance <= FALSE_DISCOVERY.value) & (np.abs(gap) >= practical)
    known = pl.Series(enough)
    return groups.with_columns(
        pl.when(known).then("gap").alias("gap"),
        pl.when(known).then(pl.Series(gap - reach)).alias("low"),
        pl.when(known).then(pl.Series(gap + reach)).alias("high"),
        pl.when(known).then(pl.Series(stands)).alias("stands_out"),
    ).select("kind", by, *_GAPS)


def _side_by_side(kind: str, rows: pl.DataFrame, sources: Sequence[str], without: Severity) -> pl.DataFrame:
    """Severity with the evidence beside severity without it.

    Who has no evidence stays: they count as having the mean, and whether it is known is a covariate too, so
    that the slope is that of the known and nobody's rater is judged by a guess.
    """
    centred = pl.col("evidence") - pl.col("evidence").mean().over("cycle_id")
    told = rows.with_columns(
        centred.fill_null(0.0).alias("evidence"),
        pl.col("evidence").is_null().cast(pl.Float64).alias("evidence_unknown"),
    )
    found = severity(told, sources=sources, covariates=("evidence", "evidence_unknown"))
    columns = ("severity", "low", "high", "verdict")
    after = found.raters.select("rater_id", *(pl.col(name).alias(f"{name}_with") for name in columns))
    return (
        without.raters.select("rater_id", "department_id", *columns, "n_ratees", "standard_error")
        .join(after, on="rater_id", how="left")
        .with_columns(
            pl.lit(kind).alias("kind"),
            (pl.col("severity_with") - pl.col("severity")).alias("change"),
        )
        .with_columns(
            (
                (pl.col("verdict") != pl.col("verdict_with"))
                & (pl.col("change").abs() > _NOISE * pl.col("standard_error"))
            ).alias("moved")
        )
        .select(_EMPTY_BESIDE.columns)
    )
