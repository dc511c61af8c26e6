"""How are ratings spread, and do groups differ by more than chance, and by enough to matter?

Reads    one row per rating: ratee_id, score (rating points, higher is better), level (null on a
         continuous scale) and the column to group by (department rolled up by the caller, rater, job
         level, location, cycle, source); and the levels of the scale.
Returns  per group: people, ratings, mean, median, SD, difference of the mean to everybody else and the
         probability of superiority over them; per group and level: count, share and interval; the same
         for all; tests with effect sizes.
A person is the unit: intervals and tests know that two ratings of one person are not two people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import numpy as np
import polars as pl
from scipy import stats

from analytics.disclosure import Cells
from analytics.distribution.uncertainty import (
    Booleans,
    Floats,
    Ints,
    benjamini_hochberg,
    contrast,
    effective_n,
    sums,
    t_interval,
    wilson,
)
from analytics.policy import CONFIDENCE, FALSE_DISCOVERY, MINIMUM_GROUP, NEGLIGIBLE_VARIANCE

REFERENCE: Final = (
    "Kruskal & Wallis (1952), JASA 47(260), with Tomczak & Tomczak (2014), Trends Sport Sci. 1(21), for "
    "epsilon squared and eta squared; Bergsma (2013), J. Korean Stat. Soc. 42(3). "
    "doi:10.1016/j.jkss.2012.10.002, for Cramér's V; Rao & Scott (1981), JASA 76(374), for its test; "
    "Searle, Casella & McCulloch (1992), Variance Components, ch. 5, for the share of variance; "
    "Vargha & Delaney (2000), J. Educ. Behav. Stat. 25(2), for superiority; "
    "intervals: analytics.distribution.uncertainty"
)

ALL: Final = "all"
NEEDED: Final = ("ratee_id", "score", "level")
MOST_LEVELS: Final = 100
MOST_VALUES: Final = 16
"""Above so many different scores, the variance (not the value) of superiority treats neighbours as ties."""

Verdict = Literal["cannot_tell", "chance", "negligible", "difference"]


@dataclass(frozen=True)
class Distribution:
    """How ratings are spread over the levels, by group.

    Attributes
    ----------
    by
        The grouping column.
    levels
        level (1 the lowest), label, low, high: the ends are those of a bin on a continuous scale (low
        included; high too in the last one) and null on a scale of levels.
    groups
        One row per group: group; people; ratings; mean, mean_low, mean_high; median; sd (rating
        points); difference to everybody else with difference_low, difference_high, p and q (false-discovery
        adjusted over the groups); superiority (chance that a rating of this group is higher than one of
        everybody else, ties counted half) with superiority_low, superiority_high. Null: not defined for so
        few.
    shares
        One row per group and level: group, level, people and ratings of the group, count (ratings at the
        level), share, low, high.
    total, total_shares
        The same for all groups together (``scope`` is "all"); ``left_out`` ratings have no group.
    tests
        One row per question: test, unit, statistic, df, p, effect (its name), size, groups and people
        compared, verdict. Compared are the groups of at least ``minimum`` people. Empty where nothing can
        be compared, or where that leaves some groups out and fewer than three in: then the tests could
        tell about those left out.
    confidence
        Of every interval.
    continuous
        Whether the levels are bins.
    """

    by: str
    levels: pl.DataFrame
    groups: pl.DataFrame
    shares: pl.DataFrame
    total: pl.DataFrame
    total_shares: pl.DataFrame
    tests: pl.DataFrame
    confidence: float
    continuous: bool

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            "groups",
            "group",
            "people",
            (
                "people",
                "ratings",
                "mean",
                "mean_low",
                "mean_high",
                "median",
                "sd",
                "difference",
                "difference_low",
                "difference_high",
                "p",
                "q",
                "superiority",
                "superiority_low",
                "superiority_high",
            ),
        ),
        Cells("shares", "group", "people", ("people", "ratings", "count", "share", "low", "high")),
        Cells(
            "total",
            "scope",
            "people",
            ("people", "ratings", "left_out", "mean", "mean_low", "mean_high", "median", "sd"),
            additive=False,
        ),
        Cells(
            "total_shares",
            "scope",
            "people",
            ("people", "ratings", "count", "share", "low", "high"),
            additive=False,
        ),
        Cells(
            "tests",
            "test",
            "people",
            ("statistic", "df", "p", "size", "groups", "people", "verdict"),
            within=("unit",),
            additive=False,
        ),
    )


def distribution(
    ratings: pl.DataFrame,
    *,
    scale: pl.DataFrame,
    by: str,
    edges: Sequence[float] | None = None,
    minimum: int = int(MINIMUM_GROUP.value),
    confidence: float = CONFIDENCE.value,
) -> Distribution:
    """Spread of ratings by group.

    Parameters
    ----------
    ratings
        One row per rating: ratee_id, score, level and the column ``by``. Rows whose group is null are
        left out and counted.
    scale
        Levels of the scale: level, label. May be empty if all levels are null.
    by
        Column to group by.
    edges
        Rising ends of the bins of a continuous scale, in rating points; by default five to ten bins of
        a round width. They must span all scores.
    minimum
        Fewest people a group needs to take part in the tests (the chi-square approximations want five).
    confidence
        Of every interval, between 0 and 1.

    Returns
    -------
    Distribution
        Frames sorted by group and level, not by result: a hidden group's place would tell its mean.

    Raises
    ------
    ValueError
        If a column is missing, a score is not a number, some but not all levels are null, a level is not
        on the scale, or ``edges`` do not rise or do not span the scores.
    """
    table = tabulate(ratings, scale=scale, by=by, edges=edges, confidence=confidence)
    if minimum < 2:
        raise ValueError(f"minimum must be at least 2; got {minimum}")
    groups = _groups(table, confidence=confidence)
    return Distribution(
        by=by,
        levels=table.levels,
        groups=groups,
        shares=table.shares(confidence=confidence),
        total=_total(table, confidence=confidence),
        total_shares=table.pooled().shares(confidence=confidence).rename({"group": "scope"}),
        tests=_tests(table, minimum=minimum),
        confidence=confidence,
        continuous=table.continuous,
    )


@dataclass(frozen=True)
class Table:
    """Ratings counted once: rows (ratings) within pairs (one person in one group).

    Attributes
    ----------
    names
        Group names, sorted.
    levels
        As in `Distribution`.
    group, person
        (pairs,): indices of the pairs.
    row_pair, score
        (ratings,): pair and score of each rating.
    counts
        (pairs, levels): ratings of the person in the group by level.
    n, total
        (pairs,): number and sum of the ratings.
    left_out
        Ratings without a group.
    continuous
        Whether the levels are bins.
    """

    names: tuple[str, ...]
    levels: pl.DataFrame
    group: Ints
    person: Ints
    row_pair: Ints
    score: Floats
    counts: Floats
    n: Floats
    total: Floats
    left_out: int
    continuous: bool

    @property
    def people(self) -> Floats:
        """People by group."""
        return np.bincount(self.group, minlength=len(self.names)).astype(float)

    @property
    def ratings(self) -> Floats:
        """Ratings by group."""
        return sums(self.group, self.n, len(self.names))

    @property
    def means(self) -> Floats:
        """Mean rating by group."""
        return sums(self.group, self.total, len(self.names)) / self.ratings

    def by_group(self, of_pairs: Floats) -> Floats:
        """Sums over the pairs of each group: (pairs, k) → (groups, k)."""
        columns = [sums(self.group, column, len(self.names)) for column in of_pairs.T]
        return np.stack(columns, axis=1) if columns else np.zeros((len(self.names), 0))

    def by_person(self, of_pairs: Floats) -> Floats:
        """Sums over the pairs of each person: (pairs, k) → (people, k)."""
        size = int(self.person.max()) + 1 if self.person.size else 0
        return np.stack([sums(self.person, column, size) for column in of_pairs.T], axis=1)

    def share_variances(self) -> tuple[Floats, Floats]:
        """Shares by group and level, and their person-clustered variances: two (groups, levels)."""
        ratings = self.ratings[:, None]
        share = self.by_group(self.counts) / ratings
        influence = self.counts - share[self.group] * self.n[:, None]
        people = self.people[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = self.by_group(influence**2) / ratings**2 * people / (people - 1)
        return share, variance

    def shares(self, *, confidence: float) -> pl.DataFrame:
        """One row per group and level: counts, shares and their intervals."""
        share, variance = self.share_variances()
        ratings = np.broadcast_to(self.ratings[:, None], share.shape)
        people = np.broadcast_to(self.people[:, None], share.shape)
        worth = effective_n(share, variance, ratings=ratings, people=people)
        low, high = wilson(share, worth, confidence=confidence)
        k = self.levels.height
        return pl.DataFrame(
            {
                "group": np.repeat(np.array(self.names, dtype=object), k).tolist(),
                "level": np.tile(self.levels["level"].to_numpy(), len(self.names)),
                "people": people.ravel().astype(np.int64),
                "ratings": np.rint(ratings).ravel().astype(np.int64),
                "count": np.rint(self.by_group(self.counts)).ravel().astype(np.int64),
                "share": share.ravel(),
                "low": low.ravel(),
                "high": high.ravel(),
            },
            schema_overrides={"group": pl.String, "level": pl.Int64},
        ).sort("group", "level")

    def pooled(self) -> Table:
        """Everybody as one group."""
        size = int(self.person.max()) + 1 if self.person.size else 0
        n = self.by_person(self.n[:, None])[:, 0] if size else self.n
        return Table(
            names=(ALL,) if size else (),
            levels=self.levels,
            group=np.zeros(size, dtype=np.int64),
            person=np.arange(size, dtype=np.int64),
            row_pair=self.person[self.row_pair],
            score=self.score,
            counts=self.by_person(self.counts) if size else self.counts,
            n=n,
            total=self.by_person(self.total[:, None])[:, 0] if size else self.total,
            left_out=self.left_out,
            continuous=self.continuous,
        )

    def only(self, keep: Booleans) -> Table:
        """The groups where ``keep`` is true."""
        pairs = keep[self.group]
        rows = pairs[self.row_pair]
        place = np.cumsum(keep) - 1
        return Table(
            names=tuple(name for name, kept in zip(self.names, keep, strict=True) if kept),
            levels=self.levels,
            group=place[self.group[pairs]],
            person=np.unique(self.person[pairs], return_inverse=True)[1].astype(np.int64),
            row_pair=(np.cumsum(pairs) - 1)[self.row_pair[rows]],
            score=self.score[rows],
            counts=self.counts[pairs],
            n=self.n[pairs],
            total=self.total[pairs],
            left_out=self.left_out,
            continuous=self.continuous,
        )


def tabulate(
    ratings: pl.DataFrame,
    *,
    scale: pl.DataFrame,
    by: str,
    edges: Sequence[float] | None = None,
    confidence: float = CONFIDENCE.value,
) -> Table:
    """Check the input and count it; parameters and errors as in `distribution`."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence}")
    missing = [name for name in (*NEEDED, by) if name not in ratings.columns]
    if missing:
        raise ValueError(f"ratings lack the columns {', '.join(missing)}; they have {ratings.columns}")
    rows = ratings.select(
        pl.col(by).cast(pl.String).alias("group"),
        pl.col("ratee_id").alias("person"),
        pl.col("score").cast(pl.Float64),
        pl.col("level").cast(pl.Int64),
    )
    kept = rows.filter(pl.col("group").is_not_null())
    if kept.select((pl.col("score").is_null() | ~pl.col("score").is_finite()).any()).item():
        raise ValueError("score must be a finite number in every row; drop or correct the others first")
    if kept["person"].null_count():
        raise ValueError("ratee_id must not be null")
    ready = kept.select(
        (pl.col("group").rank("dense") - 1).cast(pl.Int64).alias("g"),
        (pl.col("person").rank("dense") - 1).cast(pl.Int64).alias("i"),
        "score",
        "level",
    )
    score = ready["score"].to_numpy()
    levels, index, continuous = _levels(ready["level"], score, scale=scale, edges=edges)

    person = ready["i"].to_numpy()
    people = int(person.max()) + 1 if person.size else 0
    pairs, row_pair = np.unique(ready["g"].to_numpy() * max(people, 1) + person, return_inverse=True)
    k = levels.height
    cells = np.bincount(row_pair * k + index, minlength=pairs.size * k)
    return Table(
        names=tuple(kept["group"].unique().sort().to_list()),
        levels=levels,
        group=pairs // max(people, 1),
        person=pairs % max(people, 1),
        row_pair=row_pair,
        score=score,
        counts=cells.reshape(pairs.size, k).astype(np.float64),
        n=np.bincount(row_pair, minlength=pairs.size).astype(float),
        total=sums(row_pair, score, pairs.size),
        left_out=rows.height - kept.height,
        continuous=continuous,
    )


def _levels(
    level: pl.Series, score: Floats, *, scale: pl.DataFrame, edges: Sequence[float] | None
) -> tuple[pl.DataFrame, Ints, bool]:
    """The levels or bins, the index of each rating's among them, and whether they are bins."""
    unknown = level.null_count()
    if 0 < unknown < level.len():
        raise ValueError(
            f"level is null in {unknown} of {level.len()} ratings; it must be known for all (a scale of "
            "levels) or for none (a continuous scale)"
        )
    if unknown == level.len() and (level.len() > 0 or scale.is_empty()):
        ends = _edges(score, edges)
        index = np.clip(np.searchsorted(ends, score, side="right") - 1, 0, ends.size - 2)
        low, high = ends[:-1], ends[1:]
        labels = [f"{a:g}–{b:g}" for a, b in zip(low, high, strict=True)]
        return (
            pl.DataFrame({"level": np.arange(1, ends.size), "label": labels, "low": low, "high": high}),
            index.astype(np.int64),
            True,
        )
    if edges is not None:
        raise ValueError("edges are for continuous scales; these ratings have levels")
    if not {"level", "label"} <= set(scale.columns):
        raise ValueError(f"scale must have the columns level and label; it has {scale.columns}")
    levels = scale.select(
        pl.col("level").cast(pl.Int64),
        pl.col("label").cast(pl.String),
        pl.lit(None, pl.Float64).alias("low"),
        pl.lit(None, pl.Float64).alias("high"),
    ).sort("level")
    on_scale = levels["level"].to_numpy()
    given = level.to_numpy()
    if on_scale.size != np.unique(on_scale).size:
        raise ValueError("scale must name each level once; give the levels of one scale")
    foreign = np.setdiff1d(given, on_scale)
    if foreign.size:
        raise ValueError(f"levels {foreign.tolist()} are not on the scale {on_scale.tolist()}")
    return levels, np.searchsorted(on_scale, given).astype(np.int64), False


def _edges(score: Floats, edges: Sequence[float] | None) -> Floats:
    if edges is not None:
        ends = np.asarray(edges, dtype=float)
        if not 2 <= ends.size <= MOST_LEVELS + 1 or not (np.diff(ends) > 0).all():
            raise ValueError(f"edges must rise and make 1 to {MOST_LEVELS} bins; got {list(edges)}")
        if score.size and (score.min() < ends[0] or score.max() > ends[-1]):
            raise ValueError(f"edges must span all scores; got {ends[0]:g} to {ends[-1]:g}")
        return ends
    if score.size == 0:
        return np.array([0.0, 1.0])
    # Round ends: the lowest and the highest score themselves would each tell about one person.
    lowest, highest = float(score.min()), float(score.max())
    span = max(highest - lowest, 1e-6)
    magnitude = 10.0 ** np.floor(np.log10(span / 5))
    step = next(float(s * magnitude) for s in (1, 2, 5, 10) if span / (s * magnitude) <= 9)
    first, last = int(np.floor(lowest / step)), int(np.ceil(highest / step))
    return np.round(np.arange(first, max(last, first + 1) + 1) * step, 9)


def _groups(table: Table, *, confidence: float) -> pl.DataFrame:
    k = len(table.names)
    people, ratings = table.people, table.ratings
    mean, mean_variance = _mean(table)
    mean_low, mean_high, _ = t_interval(mean, mean_variance, people - 1, confidence=confidence)
    difference, difference_low, difference_high, p = _difference(table, confidence=confidence)
    superiority, superiority_low, superiority_high = _superiority(table, confidence=confidence)
    spread = (
        pl.DataFrame({"g": table.group[table.row_pair], "score": table.score})
        .group_by("g")
        .agg(pl.col("score").median().alias("median"), pl.col("score").std().alias("sd"))
        .sort("g")
    )
    return (
        pl.DataFrame(
            {
                "group": pl.Series(list(table.names), dtype=pl.String),
                "people": people.astype(np.int64),
                "ratings": np.rint(ratings).astype(np.int64),
                "mean": mean,
                "mean_low": mean_low,
                "mean_high": mean_high,
                "median": spread["median"] if k else pl.Series([], dtype=pl.Float64),
                "sd": spread["sd"] if k else pl.Series([], dtype=pl.Float64),
                "difference": difference,
                "difference_low": difference_low,
                "difference_high": difference_high,
                "p": p,
                "q": benjamini_hochberg(p),
                "superiority": superiority,
                "superiority_low": superiority_low,
                "superiority_high": superiority_high,
            }
        )
        .with_columns(pl.selectors.float().fill_nan(None))
        .sort("group")
    )


def _mean(table: Table) -> tuple[Floats, Floats]:
    """Means of groups and their person-clustered variances (s²/n where everybody has one rating)."""
    mean, people = table.means, table.people
    influence = table.total - mean[table.group] * table.n
    squares = sums(table.group, influence**2, people.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = squares / table.ratings**2 * people / (people - 1)
    return mean, np.where(people > 1, variance, np.nan)


def _difference(table: Table, *, confidence: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean of each group minus the mean of everybody else: value, interval, p."""
    n = table.ratings
    rest = n.sum() - n
    centre = table.total.sum() / max(n.sum(), 1.0)
    sums = np.stack([table.total - centre * table.n, table.n], axis=1)
    inside = table.by_group(sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = inside[:, 0] / n
        other = (inside[:, 0].sum() - inside[:, 0]) / rest
        weight_in = np.stack([1 / n, -mean / n], axis=1)
        weight_out = np.where(rest[:, None] > 0, np.stack([-1 / rest, other / rest], axis=1), 0.0)
    spread = contrast(
        sums,
        table.by_person(sums),
        group=table.group,
        person=table.person,
        weight_in=weight_in,
        weight_out=weight_out,
    )
    difference = np.where(rest > 0, mean - other, np.nan)
    low, high, p = t_interval(difference, spread.variance, spread.df, confidence=confidence)
    return difference, low, high, p


def _superiority(table: Table, *, confidence: float) -> tuple[Floats, Floats, Floats]:
    """P(rating in the group > rating elsewhere) + ½ P(equal), with a logit interval."""
    n = table.ratings
    rest = n.sum() - n
    values, value, counts = np.unique(table.score, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    rank_sums = sums(table.group[table.row_pair], ranks[value], n.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        theta = np.where(rest > 0, (rank_sums / n - (n + 1) / 2) / rest, np.nan)
    if values.size > MOST_VALUES:
        value = np.minimum((ranks[value] - 1) * MOST_VALUES // n.sum(), MOST_VALUES - 1).astype(np.int64)
    width = int(value.max()) + 1 if value.size else 1
    pairs = table.group.size
    counted = np.bincount(table.row_pair * width + value, minlength=pairs * width)
    per_pair: Floats = counted.reshape(pairs, width).astype(np.float64)
    inside = table.by_group(per_pair)
    outside = inside.sum(axis=0) - inside
    with np.errstate(divide="ignore", invalid="ignore"):
        below_in = (np.cumsum(inside, axis=1) - inside / 2) / n[:, None]
        below_out = (np.cumsum(outside, axis=1) - outside / 2) / rest[:, None]
        coarse = (inside * below_out).sum(axis=1, keepdims=True) / n[:, None]
        weight_in = (below_out - coarse) / n[:, None]
        weight_out = np.where(rest[:, None] > 0, (1 - below_in - coarse) / rest[:, None], 0.0)
        weight_out = np.nan_to_num(weight_out)
        spread = contrast(
            per_pair,
            table.by_person(per_pair),
            group=table.group,
            person=table.person,
            weight_in=np.nan_to_num(weight_in),
            weight_out=weight_out,
        )
        # On the logit scale an interval cannot leave 0 to 1; without any overlap it is not defined.
        logit = np.log(theta / (1 - theta))
        variance = spread.variance / (theta * (1 - theta)) ** 2
        inner = (theta > 0) & (theta < 1) & (spread.variance > 0)
        low, high, _ = t_interval(
            logit,
            np.where(inner, variance, np.nan),
            np.where(inner, spread.df, np.nan),
            confidence=confidence,
        )
        return theta, 1 / (1 + np.exp(-low)), 1 / (1 + np.exp(-high))


def _total(table: Table, *, confidence: float) -> pl.DataFrame:
    """One row: everybody who has a group (none if nobody has)."""
    whole = table.pooled()
    if not whole.names:
        schema = dict.fromkeys(("mean", "mean_low", "mean_high", "median", "sd"), pl.Float64())
        counts = dict.fromkeys(("people", "ratings", "left_out"), pl.Int64())
        return pl.DataFrame(schema={"scope": pl.String(), **counts, **schema})
    mean, variance = _mean(whole)
    low, high, _ = t_interval(mean, variance, whole.people - 1, confidence=confidence)
    return pl.DataFrame(
        {
            "scope": [ALL],
            "people": [int(whole.people[0])],
            "ratings": [int(whole.ratings[0])],
            "left_out": [whole.left_out],
            "mean": mean,
            "mean_low": low,
            "mean_high": high,
            "median": [float(np.median(whole.score))],
            "sd": [float(whole.score.std(ddof=1)) if whole.score.size > 1 else float("nan")],
        }
    ).with_columns(pl.selectors.float().fill_nan(None))


def _tests(table: Table, *, minimum: int) -> pl.DataFrame:
    compared = table.people >= minimum
    left_out = int((~compared).sum())
    small = table.only(compared)
    groups = len(small.names)
    # One equation about two groups, one of them known and the other hidden beside a small one, solves it.
    told = groups >= 2 and (left_out == 0 or groups >= 3)
    rows: list[tuple[str, str, str, float, float, float, float]] = []
    verdict: Verdict = "cannot_tell"
    if told and np.ptp(small.score) > 0:
        nan, k, n, people = float("nan"), groups - 1, small.score.size, small.group.size
        h, p_h = kruskal_wallis(small.group[small.row_pair], small.score)
        h_people, p_people = kruskal_wallis(small.group, small.total / small.n)
        adjusted = max(0.0, (h - k) / (n - groups)) if n > groups else nan
        chi2, df, p_chi2, v = _levels_test(small)
        between, variance_share = variance_shares(small)
        rows = [
            ("kruskal_wallis", "rating", "epsilon_squared", h, k, p_h, h / (n - 1)),
            ("kruskal_wallis", "person", "epsilon_squared", h_people, k, p_people, h_people / (people - 1)),
            ("kruskal_wallis_adjusted", "rating", "eta_squared_h", h, k, p_h, adjusted),
            ("levels", "person", "cramers_v", chi2, df, p_chi2, v),
            ("between", "rating", "eta_squared", nan, k, nan, between),
            ("variance", "person", "variance_share", nan, k, p_people, variance_share),
        ]
        verdict = _verdict(p_people, variance_share)
    return (
        pl.DataFrame(
            rows,
            schema={
                "test": pl.String,
                "unit": pl.String,
                "effect": pl.String,
                "statistic": pl.Float64,
                "df": pl.Float64,
                "p": pl.Float64,
                "size": pl.Float64,
            },
            orient="row",
        )
        .with_columns(
            pl.selectors.float().fill_nan(None),
            pl.lit(groups, pl.Int64).alias("groups"),
            pl.lit(int(np.unique(small.person).size), pl.Int64).alias("people"),
            pl.lit(verdict, pl.String).alias("verdict"),
        )
        .sort("test", "unit")
    )


def _verdict(p: float, variance_share: float) -> Verdict:
    """Effect before p: what is negligible stays so however small p is."""
    if not np.isfinite(p):
        return "cannot_tell"
    if p > FALSE_DISCOVERY.value:
        return "chance"
    return "negligible" if variance_share < NEGLIGIBLE_VARIANCE.value else "difference"


def kruskal_wallis(group: Ints, value: Floats) -> tuple[float, float]:
    """H with the correction for ties, and its chi-square p.

    Parameters
    ----------
    group
        Group of each value, 0 to k − 1, none empty.
    value
        What is compared.
    """
    _, place, counts = np.unique(np.round(value, 9), return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    size = np.bincount(group)
    n = value.size
    rank_sums = np.bincount(group, ranks[place])
    ties = 1 - float((counts.astype(float) ** 3 - counts).sum()) / (float(n) ** 3 - n)
    if ties <= 0 or size.size < 2:
        return float("nan"), float("nan")
    h = (12 / (n * (n + 1)) * float((rank_sums**2 / size).sum()) - 3 * (n + 1)) / ties
    return h, float(stats.chi2.sf(h, size.size - 1))


def _levels_test(table: Table) -> tuple[float, float, float, float]:
    """Are the shares of the levels the same? Pearson X², df, first-order Rao–Scott p, bias-corrected V."""
    counts = table.by_group(table.counts)
    used = counts.sum(axis=0) > 0
    counts = counts[:, used]
    r, c = counts.shape
    if c < 2:
        return float("nan"), float("nan"), float("nan"), float("nan")
    n = counts.sum()
    size, overall = counts.sum(axis=1), counts.sum(axis=0) / n
    expected = size[:, None] * overall
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    df = (r - 1) * (c - 1)
    share, variance = table.share_variances()
    share, variance = share[:, used], variance[:, used]
    with np.errstate(divide="ignore", invalid="ignore"):
        design = np.where(
            (share > 0) & (share < 1),
            variance / (share * (1 - share) / np.maximum(size[:, None] - 1, 1)),
            1.0,
        )
    mean_design = float(((1 - size[:, None] / n) * share * (1 - share) / overall * design).sum() / df)
    plain = float(((1 - size[:, None] / n) * share * (1 - share) / overall).sum() / df)
    # Relative to simple sampling with the same shares, so that one rating each changes nothing.
    correction = max(mean_design / plain, 1.0) if plain > 0 else 1.0
    phi2 = max(0.0, chi2 / n - df / (n - 1))
    narrow = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    v = float(np.sqrt(phi2 / narrow)) if narrow > 0 else float("nan")
    return chi2, float(df), float(stats.chi2.sf(chi2 / correction, df)), v


def variance_shares(table: Table) -> tuple[float, float]:
    """Eta squared of ratings, and the share of variance that belongs to groups.

    The second is the analysis-of-variance estimate for people within groups (unbalanced, nested), so that
    differences between the people a group happens to hold are not counted as the group's; at least 0.

    Parameters
    ----------
    table
        At least two groups.
    """
    centre = table.score.mean()
    k, s = table.n, table.total - centre * table.n
    groups, pairs, n = len(table.names), table.group.size, float(table.score.size)
    size = table.ratings
    group_sum = sums(table.group, s, groups)
    squares = float(((table.score - centre) ** 2).sum())
    among_people = float((s**2 / k).sum())
    among_groups = float((group_sum**2 / size).sum())
    error, person, group = squares - among_people, among_people - among_groups, among_groups
    eta = group / squares if squares > 0 else float("nan")
    a = float((k**2 / size[table.group]).sum())
    b = float((k**2).sum()) / n
    c = n - float((size**2).sum()) / n
    if n > pairs:
        error_part = error / (n - pairs)
        person_part = max(0.0, (person - (pairs - groups) * error_part) / (n - a)) if n > a else 0.0
    else:
        # One rating each: person and error cannot be told apart, and need not be.
        error_part, person_part = (person / (pairs - groups) if pairs > groups else float("nan")), 0.0
    group_part = max(0.0, (group - (groups - 1) * error_part - (a - b) * person_part) / c)
    whole = group_part + person_part + error_part
    return eta, group_part / whole if whole > 0 else float("nan")
