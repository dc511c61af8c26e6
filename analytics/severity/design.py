"""Which ratings speak about raters, who is linked to whom by them, and which parts can a model of them have?

Reads    ratings as `analytics.severity.linear` describes them.
Returns  the ratings that enter, the raters that share ratees, why nothing can be told if so; and the parts of
         a model: levels of the random factors, columns of the fixed ones. The linear and the ordinal model
         are built from the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from analytics.policy import MINIMUM_CROSSING, MINIMUM_LINKED_RATERS, MINIMUM_MOODS, MINIMUM_REPEATS
from analytics.severity.engines.iterative import Classes
from analytics.severity.linkage.graph import Linkage

SOURCES: Final = ("manager", "skip_level", "peer", "cross_department", "direct_report")
"""Sources that count unless others are chosen: all but self and customer."""
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
DEFAULTS: Final = {"cycle_id": "all", "source": "manager", "department_id": None}
COLUMNS: Final = ("cycle_id", "ratee_id", "rater_id", "source", "department_id", "score")
MOST_DEPARTMENTS: Final = 120  # each costs a coefficient


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


def check_ratings(ratings: pl.DataFrame, sources: Sequence[str], covariates: Sequence[str]) -> None:
    if not sources or "self" in sources:
        raise ValueError(
            f"sources must name at least one source and never 'self'; got {', '.join(sources) or 'none'}"
        )
    required = [name for name in (*COLUMNS, *covariates) if name not in DEFAULTS]
    missing = [name for name in required if name not in ratings.columns]
    if missing:
        raise ValueError(
            f"ratings must have the columns {', '.join(required)}; missing {', '.join(missing)} "
            f"({', '.join(DEFAULTS)} are optional)"
        )
    for name in ("score", *covariates):
        if not ratings.schema[name].is_numeric() and ratings.schema[name] != pl.Null:
            raise ValueError(f"{name} must be numeric; got {ratings.schema[name]}")


def entering_ratings(
    ratings: pl.DataFrame, sources: Sequence[str], covariates: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The ratings that may enter, on one scale and in an order of their own, and how many do not."""
    texts = (*COLUMNS[:-1], *(("scale_id",) if "scale_id" in ratings.columns else ()))
    frame = ratings.select(
        *(pl.col(name).cast(pl.String) for name in texts),
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
    kept = on_one_scale(frame.filter(~own & wanted & whole))
    kept = kept.sort([*texts[:5], "score", *covariates, *texts[5:]], nulls_last=True)
    return kept, {name: int(n) for name, n in counts.items()}


def usual_scale(ratings: pl.DataFrame) -> tuple[str | None, int]:
    """The scale of most ratings that differ on it, and how many scales there are."""
    if "scale_id" not in ratings.columns or ratings.is_empty():
        return None, 1
    scales = _spreads(ratings)
    return scales["scale_id"][0], scales.height


def on_one_scale(ratings: pl.DataFrame) -> pl.DataFrame:
    """Carry scores to the scale of most ratings, where there are several.

    The mean of each scale's scores becomes that of the usual scale, and so does their standard deviation
    within cycles: a point says as little on another scale as a degree does on another thermometer. Cycles
    have coefficients of their own, so that only the spread matters where each has one scale. A scale on
    which nothing differs says nothing.

    Parameters
    ----------
    ratings
        ``score``, and where they are known ``scale_id`` and ``cycle_id``. The ratings that enter a model.

    Returns
    -------
    polars.DataFrame
        The same rows with ``score`` in points of the usual scale.
    """
    if usual_scale(ratings)[1] < 2:
        return ratings
    scales = _spreads(ratings)
    usual = scales.row(0, named=True)
    known = scales.select(
        "scale_id",
        pl.col("mean").alias("_mean"),
        pl.when(pl.col("spread") > 0)
        .then((usual["spread"] or 0.0) / pl.col("spread"))
        .otherwise(0.0)
        .alias("_longer"),
    )
    carried = (pl.col("score") - pl.col("_mean")) * pl.col("_longer") + usual["mean"]
    return (
        ratings.join(known, on="scale_id", how="left", nulls_equal=True, maintain_order="left")
        .with_columns(
            pl.when(pl.col("scale_id").eq_missing(pl.lit(usual["scale_id"])))
            .then("score")
            .otherwise(carried)
            .alias("score")
        )
        .select(ratings.columns)
    )


def _spreads(ratings: pl.DataFrame) -> pl.DataFrame:
    """By scale the mean score and the standard deviation within cycles, the usual scale first."""
    cycle = ["scale_id", *(("cycle_id",) if "cycle_id" in ratings.columns else ())]
    score = pl.col("score")
    return (
        ratings.group_by("scale_id", maintain_order=True)
        .agg(pl.len().alias("n"), score.mean().alias("mean"))
        .join(
            ratings.select("scale_id", (score - score.mean().over(cycle)).alias("apart"))
            .group_by("scale_id")
            .agg(pl.col("apart").std().fill_null(0.0).alias("spread")),
            on="scale_id",
            nulls_equal=True,
        )
        .sort([pl.col("spread") > 1e-12, "n", "scale_id"], descending=[True, True, False], nulls_last=True)
    )


def linked_raters(kept: pl.DataFrame, links: Linkage) -> pl.DataFrame:
    """One row per rater: linkage, and the department most of their ratees are in (ties: the first)."""
    home = (
        kept.group_by("rater_id", "department_id")
        .agg(pl.col("ratee_id").n_unique().alias("n"))
        .sort("rater_id", pl.col("department_id").is_null(), -pl.col("n").cast(pl.Int64), "department_id")
        .group_by("rater_id", maintain_order=True)
        .agg(pl.col("department_id").first())
    )
    return links.raters.join(home, on="rater_id", how="left").sort("rater_id")


def counts(kept: pl.DataFrame, entering: pl.DataFrame) -> Mapping[str, int]:
    return MappingProxyType(
        {
            "n_ratings": kept.height,
            "n_raters": kept["rater_id"].n_unique(),
            "n_ratees": kept["ratee_id"].n_unique(),
            "n_cycles": kept["cycle_id"].n_unique(),
            "n_linked": entering.height,
        }
    )


def why_refused(kept: pl.DataFrame, rows: pl.DataFrame, entering: pl.DataFrame) -> Refusal | None:
    """Why nothing can be told from these ratings, if so."""
    kind, score = None, pl.col("score")
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
    elif not rows.select((score.max().over("rater_id") > score.min().over("rater_id")).any()).item():
        kind = "no_residual"  # every rater gives everybody the same
    return None if kind is None else Refusal(kind, counts(kept, entering))


def random_parts(rows: pl.DataFrame, *, standards: bool) -> dict[str, npt.NDArray[np.int64]]:
    """The random parts that these ratings can have."""
    levels = {"ratee": coded(rows["ratee_id"]), "rater": coded(rows["rater_id"])}
    departments = rows["department_id"].n_unique()
    if standards and speak_of_standards(rows) and departments <= MOST_DEPARTMENTS:
        levels["standard"] = coded(rows["home"])
    elif departments > 1:
        levels["department"] = coded(rows["department_id"])
    return levels


def speak_of_standards(rows: pl.DataFrame) -> bool:
    """Whether ratings say anything of how departments rate.

    Raters of one home have one standard, which is the mean; and a handful of ratings abroad say so little
    of standards that every severity would hang on how that handful came out.
    """
    abroad = rows.filter(pl.col("home").ne_missing(pl.col("department_id")))
    return rows["home"].n_unique() > 1 and abroad["ratee_id"].n_unique() >= MINIMUM_CROSSING.value


def told_once(rows: pl.DataFrame) -> pl.DataFrame:
    """One rating per pair where no rater ever says anything else of anybody than the time before.

    Such repetitions leave nothing to estimate a residual from, and they tell nothing new.
    """
    pair = ["ratee_id", "rater_id"]
    if rows.select((pl.col("score").max().over(pair) > pl.col("score").min().over(pair)).any()).item():
        return rows
    return rows.unique(pair, keep="first", maintain_order=True)


def pairs(rows: pl.DataFrame) -> npt.NDArray[np.int64] | None:
    """Who rated whom, if enough ratings repeat it to tell what lasts from what does not."""
    rater = coded(rows["rater_id"])
    cells, pair = np.unique(
        coded(rows["ratee_id"]) * (int(rater.max()) + 1) + rater,
        return_inverse=True,
    )
    return pair if rows.height - cells.size >= MINIMUM_REPEATS.value else None


def mood_levels(rows: pl.DataFrame) -> npt.NDArray[np.int64] | None:
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
    cycle = coded(rows["cycle_id"])
    _, mood = np.unique(coded(rows["rater_id"]) * (int(cycle.max()) + 1) + cycle, return_inverse=True)
    return np.asarray(mood, dtype=np.int64)


def fixed_classes(rows: pl.DataFrame, *, departments: bool) -> list[Classes]:
    """Cycles, sources, islands and departments, with a coefficient for each but the first."""
    parts = [("cycle_id", "cycle"), ("source", "source"), ("component", "island")]
    if departments:
        parts.append(("department_id", "department"))
    found = []
    for name, label in parts:
        known = rows[name].unique().sort(nulls_last=True).to_list()
        if len(known) > 1:
            found.append(Classes(tuple(f"{label} {level}" for level in known[1:]), coded(rows[name])))
    return found


def fixed_columns(rows: pl.DataFrame, covariates: Sequence[str], *, departments: bool) -> dict[str, Floats]:
    """The same as columns, and the covariates."""
    columns: dict[str, Floats] = {}
    for part in fixed_classes(rows, departments=departments):
        for level, name in enumerate(part.names, start=1):
            columns[name] = (part.codes == level).astype(np.float64)
    for name in covariates:
        columns[name] = rows[name].to_numpy()
    return columns


def crossing_borders(rows: pl.DataFrame) -> pl.DataFrame:
    """Ratings that cross a department's border, in or out."""
    crossing = rows.filter(pl.col("home").ne_missing(pl.col("department_id")))
    return (
        pl.concat([crossing.select("department_id"), crossing.select(pl.col("home").alias("department_id"))])
        .group_by("department_id")
        .agg(pl.len().cast(pl.Int64).alias("n_outside"))
    )


def home_matrix(rows: pl.DataFrame) -> sparse.csr_matrix:
    """Which rater belongs to which department, shape (raters, departments)."""
    rater, home = coded(rows["rater_id"]), coded(rows["home"])
    place = np.empty(int(rater.max()) + 1, dtype=np.int64)
    place[rater] = home
    return sparse.csr_matrix((np.ones(place.size), (np.arange(place.size), place)))


def coded(column: pl.Series) -> npt.NDArray[np.int64]:
    """Levels in sorted order as 0, 1, ...; null is a level of its own, the last."""
    if column.dtype == pl.String:
        # Looking names up is several times faster than ranking all of them.
        names = column.drop_nulls().unique().sort()
        known = column.cast(pl.Enum(names)).to_physical().cast(pl.Int64)
        return np.asarray(known.fill_null(names.len()).to_numpy(), dtype=np.int64)
    known = column.rank("dense").cast(pl.Int64) - 1
    last = 0 if known.max() is None else int(known.max()) + 1  # type: ignore[arg-type]
    return np.asarray(known.fill_null(last).to_numpy(), dtype=np.int64)
