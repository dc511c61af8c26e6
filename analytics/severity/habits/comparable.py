"""What would comparable people get from others?

Reads    judgements of people by others: overall, and where there are any by dimension.
Returns  the same rows, each with the place its ratee has by what all other raters say of them (in any cycle)
         and how softly its rater rates, and with what everybody else gives at that place.

Ratings at the same place whose ratees are known about equally well, given by anybody else, say what is
usual there: how often the middle level, how wide a spread. So neither a strong team nor a soft hand passes
for a habit. Where hardly anybody else rated a person, the average stands in for what is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from analytics.distribution.uncertainty import Floats, Ints, sums

REFERENCE: Final = (
    "Wolfe (2004), J. Appl. Meas. 5(1); Snedecor & Cochran (1989), Statistical Methods, 8th ed. (intraclass)"
)

COLUMNS: Final = (
    "cycle_id",
    "ratee_id",
    "rater_id",
    "source",
    "department_id",
    "score",
    "level",
    "scale_id",
)
OVERALL: Final = "overall"

_CELL: Final = 100
"""Ratings it takes for a place of its own to say what is usual there."""
_PLACES: Final = 10
_STRATA: Final = (1, 3, 6)
"""Ratings by others from which on a ratee is known better."""


@dataclass(frozen=True)
class Comparable:
    """Judgements with what is usual for them.

    Attributes
    ----------
    rows
        One row per judgement: the columns given, ``dimension``, ``rater`` (its number), ``y`` (in standard
        deviations of its scale around the mean of its cycle, source and dimension), ``raw`` (the same around
        nought), ``middle`` and ``ends``
        (1 at such a level, 0 elsewhere, null where the scale has none), ``highest`` (level of the scale),
        ``n_others`` and ``stratum`` (how well others know the ratee), ``merit`` (what others say of them),
        ``lean`` (how softly the rater rates), ``place`` (both), and ``usual_middle``, ``usual_ends``,
        ``usual_y``, ``usual_square``: means at that place without the rater's own (null if there are none).
    raters
        One row per rater, sorted by ``rater_id``: ``rater`` (from 0), ``rater_id``, ``department_id`` (of
        most of their ratees).
    """

    rows: pl.DataFrame
    raters: pl.DataFrame


def comparable(ratings: pl.DataFrame, *, dimensions: pl.DataFrame | None = None) -> Comparable:
    """Place every judgement among comparable ones.

    Parameters
    ----------
    ratings
        One row per overall rating with `COLUMNS`; self-ratings and incomplete rows are left out.
    dimensions
        The same columns and ``dimension``, for what was judged one by one. None: not kept.
    """
    rows = _placed(_rows(ratings, dimensions))
    raters = _raters(rows)
    rows = rows.join(raters.select("rater_id", "rater"), on="rater_id", maintain_order="left")
    return Comparable(rows, raters)


def usual_at(rows: pl.DataFrame, place: str, features: dict[str, pl.Expr]) -> pl.DataFrame:
    """What everybody else gives at the same place: features, the rater's own ratings left out.

    Adds ``usual_<feature>``. Cells are tenths (fewer where there are few ratings) of the ratings of one scale
    and dimension whose ratees are known about equally well. A cell says the mean of the others and, along its
    own line, what follows for a place off their mean: the outermost cells are wide. Where nobody else rated
    there, the whole scale and dimension serve.
    """
    kind = ["scale_id", "dimension", "stratum"]
    cells = (pl.len().over(kind) // _CELL).clip(1, _PLACES)
    rank = (pl.col(place).round(9).rank("average").over(kind) - 0.5) / pl.len().over(kind)
    named = {"_f_": pl.col(place), **{f"_f_{name}": feature for name, feature in features.items()}}
    rows = rows.with_columns(
        (rank * cells).floor().cast(pl.Int64).alias("_cell"),
        *(feature.alias(name) for name, feature in named.items()),
    )
    fine = [*kind, "_cell"]
    spread = pl.col("_f_").var(ddof=0)
    lines = rows.group_by(fine).agg(
        pl.when(spread > 1e-9)
        .then(pl.cov(name, "_f_", ddof=0) / spread)
        .otherwise(0.0)
        .fill_nan(0.0)
        .fill_null(0.0)
        .alias(f"_line{name}")
        for name in named
    )
    rows = rows.join(lines, on=fine, how="left", maintain_order="left")
    for level, keys in (("fine", fine), ("coarse", ["scale_id", "dimension"])):
        rows = rows.join(
            _others(rows, level, keys, list(named)), on=[*keys, "rater_id"], how="left", maintain_order="left"
        )
    away = (pl.col("_f_") - pl.col("_fine_f_")).fill_null(0.0)
    return rows.with_columns(
        pl.coalesce(
            (pl.col(f"_fine_f_{name}") + pl.col(f"_line_f_{name}") * away).clip(
                pl.col(f"_f_{name}").min(), pl.col(f"_f_{name}").max()
            ),
            f"_coarse_f_{name}",
        ).alias(f"usual_{name}")
        for name in features
    ).drop(pl.selectors.starts_with("_fine", "_coarse", "_line", "_f_", "_cell"))


def _others(rows: pl.DataFrame, level: str, keys: list[str], names: list[str]) -> pl.DataFrame:
    """Means of columns over everybody but each rater; null where there is nobody else."""
    mine = rows.group_by([*keys, "rater_id"]).agg(
        *(pl.col(name).sum() for name in names),
        *(pl.col(name).count().cast(pl.Int64).alias(f"{name}_n") for name in names),
    )
    rest = {
        name: (pl.col(name).sum().over(keys) - pl.col(name))
        / (pl.col(f"{name}_n").sum().over(keys) - pl.col(f"{name}_n"))
        for name in names
    }
    return mine.select(
        *keys, "rater_id", *(rest[name].fill_nan(None).alias(f"_{level}{name}") for name in names)
    )


@dataclass(frozen=True)
class Gathered:
    """Rows of one habit by rater and person: what the design effect and the counts need."""

    rater: Ints
    pair: Ints
    of_pair: Ints
    n: Floats
    people: Floats
    squares: Floats

    @classmethod
    def of(cls, rows: pl.DataFrame, size: int) -> Gathered:
        """Number the pairs of rater and ratee."""
        pairs = rows.select("rater", "ratee_id").unique(maintain_order=True).with_row_index("pair")
        rater = rows["rater"].to_numpy()
        pair = (
            rows.select("rater", "ratee_id")
            .join(pairs, on=["rater", "ratee_id"], how="left", maintain_order="left")["pair"]
            .cast(pl.Int64)
            .to_numpy()
        )
        of_pair = pairs["rater"].to_numpy()
        times = np.bincount(pair, minlength=pairs.height).astype(float)
        return cls(
            rater=rater,
            pair=pair,
            of_pair=of_pair,
            n=sums(rater, np.ones(rater.size), size),
            people=sums(of_pair, np.ones(of_pair.size), size),
            squares=sums(of_pair, times**2, size),
        )

    def total(self, values: Floats) -> Floats:
        """Sums by rater."""
        return sums(self.rater, values, self.n.size)

    def mean(self, values: Floats) -> Floats:
        """Means by rater."""
        return ratio(self.total(values), self.n)

    def alike(self, values: Floats) -> float:
        """Correlation of what one rater gave one person, pooled over raters (analysis of variance).

        Raters with a value that is nan stay out.
        """
        known = np.isfinite(self.total(values)) & (self.n > 0)
        residual = np.where(known[self.rater], values - self.mean(values)[self.rater], 0.0)
        times = np.where(known[self.of_pair], np.bincount(self.pair, minlength=self.of_pair.size), 0.0)
        by_pair = np.bincount(self.pair, residual, minlength=self.of_pair.size) / np.maximum(times, 1.0)
        between = float((times * by_pair**2).sum())
        within = float(((residual - by_pair[self.pair]) ** 2)[known[self.rater]].sum())
        free_between = float((self.people - 1)[known].sum())
        free_within = float(np.maximum(times - 1, 0).sum())
        if free_between <= 0 or free_within <= 0:
            return 0.0
        # How many ratings of a pair count, on average within raters (Snedecor & Cochran).
        times_each = float((self.n - ratio(self.squares, self.n, empty=0.0))[known].sum()) / free_between
        a, b = between / free_between, within / free_within
        return float(np.clip((a - b) / max(a + (times_each - 1) * b, 1e-12), 0.0, 1.0))

    def design(self, values: Floats) -> Floats:
        """By rater, how many ratings count as one."""
        return 1.0 + (ratio(self.squares, self.n, empty=1.0) - 1.0) * self.alike(values)


def ratio(above: Floats, below: Floats, *, empty: float = np.nan) -> Floats:
    """Quotients, ``empty`` where there is nothing to divide by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(below) > 1e-12, above / below, empty)


def _rows(ratings: pl.DataFrame, dimensions: pl.DataFrame | None) -> pl.DataFrame:
    """Every judgement of somebody else once, in spreads of its scale around the mean of its kind."""
    columns = (*COLUMNS, "dimension")
    frames = [ratings.with_columns(pl.lit(OVERALL).alias("dimension")).select(columns)]
    if dimensions is not None:
        frames.append(dimensions.select(columns))
    rows = pl.concat(
        [
            frame.with_columns(
                pl.col(
                    "cycle_id", "ratee_id", "rater_id", "source", "department_id", "scale_id", "dimension"
                ).cast(pl.String),
                pl.col("score").cast(pl.Float64),
                pl.col("level").cast(pl.Int64),
            )
            for frame in frames
        ]
    ).filter(
        pl.col("score").is_finite(),
        pl.col("rater_id") != pl.col("ratee_id"),
        pl.col("source") != "self",
        pl.all_horizontal(pl.col("cycle_id", "ratee_id", "rater_id", "scale_id").is_not_null()),
    )
    centred = pl.col("score") - pl.col("score").mean().over("scale_id", "cycle_id", "source", "dimension")
    highest = pl.col("level").max().over("scale_id")
    deviation = pl.col("_centred").std().over("scale_id")
    # An even number of levels has two in the middle; fewer than three have none.
    middle = (2 * pl.col("level") - highest - 1).abs() <= 1
    return (
        rows.sort(columns, nulls_last=True)
        .with_columns(centred.alias("_centred"))
        .with_columns(
            pl.when(deviation > 1e-9).then(pl.col("_centred") / deviation).otherwise(0.0).alias("y"),
            pl.when(deviation > 1e-9).then(pl.col("score") / deviation).otherwise(0.0).alias("raw"),
            pl.when(highest >= 3).then(middle.cast(pl.Float64)).alias("middle"),
            pl.when(highest >= 3)
            .then(((pl.col("level") == 1) | (pl.col("level") == highest)).cast(pl.Float64))
            .alias("ends"),
            highest.alias("highest"),
        )
        .drop("_centred")
    )


def _raters(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per rater with a number, and the department most of their ratees are in (ties: the first)."""
    return (
        rows.group_by("rater_id", "department_id")
        .agg(pl.col("ratee_id").n_unique().alias("n"))
        .sort("rater_id", pl.col("department_id").is_null(), -pl.col("n").cast(pl.Int64), "department_id")
        .group_by("rater_id", maintain_order=True)
        .agg(pl.col("department_id").first())
        .with_row_index("rater")
        .with_columns(pl.col("rater").cast(pl.Int64))
    )


def _placed(rows: pl.DataFrame) -> pl.DataFrame:
    """Where others put each ratee, how softly the rater rates, and what is usual at that place."""
    placed = _leaning(_merit(rows.with_columns(pl.lit(0.0).alias("lean"))))
    # What others say counts without their own softness, once that is known.
    placed = _leaning(_merit(placed)).with_columns((pl.col("merit") + pl.col("lean")).alias("place"))
    return usual_at(
        placed,
        "place",
        {
            "middle": pl.col("middle"),
            "ends": pl.col("ends"),
            "y": pl.col("y"),
            "square": pl.col("y") ** 2,
        },
    )


def _merit(rows: pl.DataFrame) -> pl.DataFrame:
    """What to expect of each ratee by the overall ratings of all others, less how softly those rate."""
    given = (
        rows.filter(pl.col("dimension") == OVERALL)
        .group_by("ratee_id", "rater_id")
        .agg((pl.col("y") - pl.col("lean")).sum().alias("_y"), pl.len().cast(pl.Int64).alias("_n"))
    )
    n_others = pl.col("_n").sum().over("ratee_id") - pl.col("_n")
    others = given.select(
        "ratee_id",
        "rater_id",
        n_others.alias("n_others"),
        pl.when(n_others > 0)
        .then((pl.col("_y").sum().over("ratee_id") - pl.col("_y")) / n_others)
        .otherwise(0.0)
        .alias("_others"),
    )
    rows = (
        rows.drop("n_others", "stratum", "merit", strict=False)
        .join(others, on=["ratee_id", "rater_id"], how="left", maintain_order="left")
        .with_columns(pl.col("n_others").fill_null(0), pl.col("_others").fill_null(0.0))
        .with_columns(
            pl.sum_horizontal((pl.col("n_others") >= least).cast(pl.Int8) for least in _STRATA).alias(
                "stratum"
            ),
            (pl.col("y") - pl.col("lean")).alias("_own"),
        )
    )
    mean_y, mean_x = (pl.col(name).mean().over("stratum") for name in ("_own", "_others"))
    spread_x = pl.col("_others").var(ddof=0).over("stratum")
    both = ((pl.col("_own") - mean_y) * (pl.col("_others") - mean_x)).mean().over("stratum")
    # Where all know the same few people, who gave much leaves little to the others: never a reason to
    # expect less of those whom others rate high.
    slope = pl.when(spread_x > 1e-12).then((both / spread_x).clip(lower_bound=0.0)).otherwise(0.0)
    merit = mean_y + slope * (pl.col("_others") - mean_x)
    return rows.with_columns(merit.alias("merit")).drop("_own", "_others")


def _leaning(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.drop("lean").join(_lean(rows), on="rater_id", maintain_order="left")


def _lean(rows: pl.DataFrame) -> pl.DataFrame:
    """How softly each rater rates, drawn towards the average the less is known (methods of moments)."""
    by_person = rows.group_by("rater_id", "ratee_id").agg((pl.col("y") - pl.col("merit")).mean().alias("r"))
    found = by_person.group_by("rater_id").agg(
        pl.col("r").mean(), pl.col("r").var(ddof=1).alias("v"), pl.len().cast(pl.Float64).alias("n")
    )
    within = (
        found.filter(pl.col("n") > 1)
        .select((pl.col("v") * (pl.col("n") - 1)).sum() / (pl.col("n") - 1).sum())
        .item()
    )
    within = 1.0 if within is None or not math.isfinite(within) else within
    between = found.select(
        ((pl.col("r") ** 2 - within / pl.col("n")) * pl.col("n")).sum() / pl.col("n").sum()
    )
    spread = max(float(between.item() or 0.0), 0.0)
    kept = spread / (spread + within / pl.col("n")) if spread > 0 else pl.lit(0.0)
    return found.select("rater_id", (kept * pl.col("r")).alias("lean"))
