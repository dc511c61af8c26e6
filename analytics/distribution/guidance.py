"""Does a group's distribution fit the guidance, and could chance alone explain it if not?

Reads    one row per rating: ratee_id, level and the column to group by; the levels of the scale; a
         guidance (target shares or ranges for levels or groups of levels); optionally the tree of groups.
Returns  per group, or per pool of groups too small for the guidance: the counts, the whole numbers the
         guidance asks for, the range that chance gives for so many people, an exact p, and the fewest
         people who would have to move.
20/70/10 on six people is arithmetic nonsense: no whole numbers meet it. Such groups are pooled with the
other small ones under the same parent, and further up until the guidance makes sense.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from math import ceil, comb, floor
from typing import ClassVar, Final, Literal

import numpy as np
import polars as pl
from scipy import special, stats

from analytics.disclosure import Cells
from analytics.distribution.uncertainty import Floats, Ints, benjamini_hochberg
from analytics.policy import CONFIDENCE, FALSE_DISCOVERY, GUIDANCE_TOLERANCE, MINIMUM_GROUP

REFERENCE: Final = (
    "Exact tests: Clopper & Pearson (1934), Biometrika 26(4), for tails of one level; Read & Cressie "
    "(1988), Goodness-of-Fit Statistics for Discrete Multivariate Data, ch. 8, for the exact multinomial "
    "test; Benjamini & Hochberg (1995), J. R. Stat. Soc. B 57(1), over groups"
)

Reference = Literal["guidance", "company"]
MOST_OUTCOMES: Final = 20_000
"""Exact tests of the whole list at most so many tables; larger groups use the smallest band's exact p."""


@dataclass(frozen=True)
class Band:
    """What guidance asks of one level or of several together.

    Attributes
    ----------
    levels
        Levels of the scale, 1 the lowest.
    least, most
        Shares that still meet the guidance.
    target
        The share aimed at; None where only a range is given.
    """

    levels: tuple[int, ...]
    least: float = 0.0
    most: float = 1.0
    target: float | None = None

    def __post_init__(self) -> None:
        if not self.levels or list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels must be rising and not empty; got {self.levels}")
        if not 0 <= self.least <= self.most <= 1:
            raise ValueError(f"shares must satisfy 0 ≤ least ≤ most ≤ 1; got {self.least} and {self.most}")
        if self.target is not None and not self.least <= self.target <= self.most:
            raise ValueError(f"target must lie within {self.least} to {self.most}; got {self.target}")


@dataclass(frozen=True)
class Guidance:
    """A distribution guidance on one scale.

    Attributes
    ----------
    key
        Name of the preset, or ``custom``.
    bands
        Disjoint groups of levels, lowest first; levels in none of them are free.
    since, source, why
        From when this product offers it, on whose authority, and what it means in plain words.
    """

    key: str
    bands: tuple[Band, ...]
    since: date = date(2026, 11, 22)
    source: str = "Set by the company"
    why: str = "The company's own guidance."

    def __post_init__(self) -> None:
        levels = [level for band in self.bands for level in band.levels]
        if not levels or len(levels) != len(set(levels)):
            raise ValueError(f"bands must be disjoint and not empty; got levels {levels}")
        if [band.levels for band in self.bands] != sorted(band.levels for band in self.bands):
            raise ValueError("bands must be in order, lowest levels first")
        targets = [band.target for band in self.bands if band.target is not None]
        if sum(targets) > 1 + 1e-9:
            raise ValueError(f"targets must not add up to more than 1; got {targets}")
        if sum(band.least for band in self.bands) > 1 + 1e-9:
            raise ValueError("the least shares must not add up to more than 1")

    @property
    def every_band_has_a_target(self) -> bool:
        """Whether the guidance names one distribution, which chance can be computed from."""
        return all(band.target is not None for band in self.bands)


@dataclass(frozen=True)
class Preset:
    """Guidance by place from the top, to be laid on a scale of any number of levels.

    Attributes
    ----------
    key
        Stable name.
    fewest_levels, most_levels
        Scales it can be laid on.
    top, bottom
        Target or range of the best and the worst level: (least, target or None, most); ``reach`` levels
        belong to the top band. The rest is the middle.
    shares
        Or one target per level, lowest first.
    """

    key: str
    fewest_levels: int
    most_levels: int
    since: date
    source: str
    why: str
    shares: tuple[float, ...] = ()
    reach: int = 1
    top_target: float | None = None
    bottom_target: float | None = None
    top_most: float | None = None
    bottom_least: float | None = None

    def fits(self, levels: int) -> bool:
        """Whether the preset can be laid on a scale of so many levels."""
        return self.fewest_levels <= levels <= self.most_levels

    def on(self, levels: int, *, tolerance: float = GUIDANCE_TOLERANCE.value) -> Guidance:
        """The guidance on a scale of ``levels`` levels.

        Parameters
        ----------
        levels
            Number of levels of the scale.
        tolerance
            How far a share may lie from its target and still meet it, .05 = five percentage points.
        """
        if not self.fits(levels):
            raise ValueError(
                f"{self.key} needs {self.fewest_levels} to {self.most_levels} levels; the scale has {levels}"
            )
        if not 0 <= tolerance <= 0.5:
            raise ValueError(f"tolerance must lie between 0 and .5; got {tolerance}")
        top = tuple(range(levels - self.reach + 1, levels + 1))
        middle = tuple(range(2, levels - self.reach + 1))
        if self.shares:
            bands = [around((i,), share, tolerance) for i, share in enumerate(self.shares, start=1)]
        elif self.top_target is not None and self.bottom_target is not None:
            bands = [
                around((1,), self.bottom_target, tolerance),
                around(middle, 1 - self.bottom_target - self.top_target, tolerance),
                around(top, self.top_target, tolerance),
            ]
        else:
            bands = [Band((1,), least=self.bottom_least)] if self.bottom_least is not None else []
            bands += [Band(top, most=self.top_most)] if self.top_most is not None else []
        return Guidance(self.key, tuple(bands), self.since, self.source, self.why)


def around(levels: tuple[int, ...], target: float, tolerance: float) -> Band:
    """A band that aims at a share and is met within the tolerance."""
    target = round(target, 9)
    return Band(
        levels,
        least=max(0.0, round(target - tolerance, 9)),
        most=min(1.0, round(target + tolerance, 9)),
        target=target,
    )


_SINCE: Final = date(2026, 11, 22)
MOST_LEVELS: Final = 9
PRESETS: Final = (
    Preset(
        "2-7-1",
        3,
        MOST_LEVELS,
        _SINCE,
        "Welch & Byrne (2001), Jack: Straight from the Gut (the vitality curve); in China known as 2-7-1. "
        "Custom, no norm",
        "Best level 20 %, worst level 10 %, everybody else 70 %.",
        top_target=0.20,
        bottom_target=0.10,
    ),
    Preset(
        "s-to-d",
        5,
        5,
        _SINCE,
        "Customary in Chinese firms with S/A/B/C/D levels; shares vary, no norm prescribes them",
        "S 10 %, A 20 %, B 50 %, C 15 %, D 5 %.",
        shares=(0.05, 0.15, 0.50, 0.20, 0.10),
    ),
    Preset(
        "ranges",
        3,
        MOST_LEVELS,
        _SINCE,
        "Customary where guidance only suggests: a ceiling on the best level, a floor on the worst; no norm",
        "Best level at most 20 %, worst level at least 5 %.",
        top_most=0.20,
        bottom_least=0.05,
    ),
    Preset(
        "top-two",
        4,
        MOST_LEVELS,
        _SINCE,
        "Customary with S/A/B/C/D levels: one ceiling for S and A together; no norm",
        "The two best levels together at most 30 %.",
        reach=2,
        top_most=0.30,
    ),
)


@dataclass(frozen=True)
class GuidanceFit:
    """How well groups fit the guidance.

    Attributes
    ----------
    by
        The grouping column.
    guidance
        What was asked.
    reference
        Whether chance draws from the guidance's own shares or from everybody's ratings.
    levels
        level, label.
    units
        One row per unit judged: unit (the group, or the parent whose small groups are pooled); pooled;
        people; feasible (whether any whole numbers meet the guidance); inside (whether these do); moves
        (fewest people who would have to change band to meet it) and moves_chance (… to get inside the range
        of chance); p, method (how p was had: multinomial, hypergeometric or bonferroni), q
        (false-discovery adjusted over units), flagged. Units share nobody. p is null where the guidance
        makes no sense for so few people.
    bands
        One row per unit and band: unit, band (its place in `all_bands`, from 1), people, count, share,
        asked_low and asked_high (whole numbers meeting the guidance; low above high: there are none),
        chance_low and chance_high (range chance gives for so many people), p, outside (of chance), change
        (people too few, +, or too many, −, for the guidance; null where infeasible).
    members
        One row per group: group, people, unit it is judged in (null: nowhere), pooled.
    total
        One row per band for everybody: scope, band, people, count, share.
    several
        People with more than one rating in a group; they count once, at their lower median level.
    confidence, discovery
        Of the ranges of chance; the share of false flags accepted.
    """

    by: str
    guidance: Guidance
    reference: Reference
    levels: pl.DataFrame
    units: pl.DataFrame
    bands: pl.DataFrame
    members: pl.DataFrame
    total: pl.DataFrame
    several: int
    confidence: float
    discovery: float

    @property
    def all_bands(self) -> tuple[Band, ...]:
        """The guidance's bands and, where they leave levels free, one last band of those."""
        return _with_rest(self.guidance, self.levels["level"].to_list())

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            "units",
            "unit",
            "people",
            ("people", "feasible", "inside", "moves", "moves_chance", "p", "method", "q", "flagged"),
        ),
        Cells(
            "bands",
            "unit",
            "people",
            (
                "people",
                "count",
                "share",
                "asked_low",
                "asked_high",
                "chance_low",
                "chance_high",
                "p",
                "outside",
                "change",
            ),
        ),
        Cells("members", "group", "people", ("people",)),
        Cells("total", "scope", "people", ("people", "count", "share"), additive=False),
    )


def guidance_fit(
    ratings: pl.DataFrame,
    *,
    scale: pl.DataFrame,
    by: str,
    guidance: Guidance,
    reference: Reference = "guidance",
    tree: Mapping[str, str | None] | None = None,
    minimum: int = int(MINIMUM_GROUP.value),
    confidence: float = CONFIDENCE.value,
    discovery: float = FALSE_DISCOVERY.value,
) -> GuidanceFit:
    """Counts of every group against the guidance and against chance.

    Parameters
    ----------
    ratings
        One row per rating: ratee_id, level, the column ``by``. One rating per person and group is meant;
        people with several count once, at their lower median level. Rows without a group are left out.
    scale
        Levels of the scale: level, label.
    by
        Column to group by. Each person should be in one group.
    guidance
        What is asked.
    reference
        ``guidance``: chance draws people independently with the guidance's shares (binomial,
        multinomial). ``company``: it deals everybody's ratings at random among the groups
        (hypergeometric); this asks whether a group differs from the whole, whatever the guidance.
    tree
        Parent of each group and of each parent; null at the top. None: nothing is pooled.
    minimum
        Fewest people a unit has.
    confidence
        Of the range of chance.
    discovery
        Accepted share of false flags among the flags.

    Returns
    -------
    GuidanceFit
        Frames sorted by unit and band.

    Raises
    ------
    ValueError
        If a column is missing, a level is null or not on the scale, the guidance names levels the scale
        does not have, ``reference`` is unknown, or the tree has a loop.
    """
    if reference not in ("guidance", "company"):
        raise ValueError(f"reference must be guidance or company; got {reference!r}")
    for name, value in (("confidence", confidence), ("discovery", discovery)):
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1; got {value}")
    if minimum < 1:
        raise ValueError(f"minimum must be at least 1; got {minimum}")
    levels = _levels(scale, guidance)
    people = _people(ratings, by=by, levels=levels)
    wide, several = people.drop("ratings"), int((people["ratings"] > 1).sum())

    bands = _with_rest(guidance, levels["level"].to_list())
    band_of = {level: place for place, band in enumerate(bands) for level in band.levels}
    names = wide["group"].unique().sort().to_list()
    counts = np.zeros((len(names), len(bands)), dtype=np.int64)
    place = {name: i for i, name in enumerate(names)}
    for group, level, n in wide.group_by("group", "level").len().iter_rows():
        counts[place[group], band_of[level]] += n
    unit_of, pooled = _pool(dict(zip(names, counts, strict=True)), bands, tree=tree, minimum=minimum)

    units = sorted({unit for unit in unit_of.values() if unit is not None} | _alone(unit_of))
    key = {unit: i for i, unit in enumerate(units)}
    tally = np.zeros((len(units), len(bands)), dtype=np.int64)
    for group, row in zip(names, counts, strict=True):
        tally[key[unit_of[group] or group]] += row
    company = counts.sum(axis=0)
    judged = _judge(
        tally,
        bands,
        company=company if reference == "company" else None,
        alpha=1 - confidence,
        minimum=minimum,
    )
    q = benjamini_hochberg(judged.p)
    # Free levels have no guidance of their own, but their count completes the bar.
    size = int(company.sum())
    return GuidanceFit(
        by=by,
        guidance=guidance,
        reference=reference,
        levels=levels,
        units=pl.DataFrame(
            {
                "unit": units,
                "pooled": [unit in pooled for unit in units],
                "people": tally.sum(axis=1),
                "feasible": judged.feasible,
                "inside": judged.inside,
                "moves": judged.moves,
                "moves_chance": judged.moves_chance,
                "p": judged.p,
                "method": judged.method,
                "q": q,
                "flagged": [bool(np.isfinite(value) and value <= discovery) for value in q],
            },
            schema={
                "unit": pl.String,
                "pooled": pl.Boolean,
                "people": pl.Int64,
                "feasible": pl.Boolean,
                "inside": pl.Boolean,
                "moves": pl.Int64,
                "moves_chance": pl.Int64,
                "p": pl.Float64,
                "method": pl.String,
                "q": pl.Float64,
                "flagged": pl.Boolean,
            },
        )
        .with_columns(pl.col("p", "q").fill_nan(None))
        .sort("unit"),
        bands=_band_rows(units, tally, judged),
        members=pl.DataFrame(
            {
                "group": names,
                "people": counts.sum(axis=1),
                "unit": [unit_of[name] for name in names],
                "pooled": [unit_of[name] in pooled for name in names],
            },
            schema={"group": pl.String, "people": pl.Int64, "unit": pl.String, "pooled": pl.Boolean},
        ).sort("group"),
        total=pl.DataFrame(
            {
                "scope": ["all"] * len(bands),
                "band": range(1, len(bands) + 1),
                "people": [size] * len(bands),
                "count": company,
                "share": company / max(size, 1),
            },
            schema={
                "scope": pl.String,
                "band": pl.Int64,
                "people": pl.Int64,
                "count": pl.Int64,
                "share": pl.Float64,
            },
        ).sort("band"),
        several=several,
        confidence=confidence,
        discovery=discovery,
    )


def possible(guidance: Guidance, people: int, *, levels: int) -> bool:
    """Whether any whole-number counts of so many people on a scale of so many levels meet the guidance."""
    return _feasible(people, _with_rest(guidance, range(1, levels + 1)))


def _levels(scale: pl.DataFrame, guidance: Guidance) -> pl.DataFrame:
    if not {"level", "label"} <= set(scale.columns):
        raise ValueError(f"scale must have the columns level and label; it has {scale.columns}")
    levels = scale.select(pl.col("level").cast(pl.Int64), pl.col("label").cast(pl.String)).sort("level")
    named = {level for band in guidance.bands for level in band.levels}
    foreign = sorted(named - set(levels["level"].to_list()))
    if foreign:
        raise ValueError(f"the guidance names levels {foreign}, which the scale does not have")
    return levels


def _people(ratings: pl.DataFrame, *, by: str, levels: pl.DataFrame) -> pl.DataFrame:
    """One row per person and group: group, person, level (lower median), ratings."""
    missing = [name for name in ("ratee_id", "level", by) if name not in ratings.columns]
    if missing:
        raise ValueError(f"ratings lack the columns {', '.join(missing)}; they have {ratings.columns}")
    rows = ratings.select(
        pl.col(by).cast(pl.String).alias("group"),
        pl.col("ratee_id").alias("person"),
        pl.col("level").cast(pl.Int64),
    ).filter(pl.col("group").is_not_null())
    if rows["level"].null_count():
        raise ValueError("level is null in some ratings; guidance is about levels, not continuous scores")
    foreign = sorted(set(rows["level"].unique().to_list()) - set(levels["level"].to_list()))
    if foreign:
        raise ValueError(f"levels {foreign} are not on the scale {levels['level'].to_list()}")
    return (
        rows.group_by("group", "person")
        .agg(
            pl.col("level").quantile(0.5, interpolation="lower").cast(pl.Int64),
            pl.len().cast(pl.Int64).alias("ratings"),
        )
        .sort("group", "person")
    )


def _with_rest(guidance: Guidance, levels: Sequence[int]) -> tuple[Band, ...]:
    """The bands and, where they leave levels free, one more band of those.

    Its share under the guidance is what the others leave, known only if they all have a target.
    """
    named = {level for band in guidance.bands for level in band.levels}
    rest = tuple(level for level in levels if level not in named)
    if not rest:
        return guidance.bands
    target = None
    if guidance.every_band_has_a_target:
        target = max(0.0, round(1 - sum(band.target or 0.0 for band in guidance.bands), 9))
    return (*guidance.bands, Band(rest, target=target))


def _asked(people: int, bands: Sequence[Band]) -> tuple[Ints, Ints]:
    """Whole numbers that meet each band; low above high where there are none."""
    low = np.array([ceil(round(people * band.least, 9)) for band in bands], dtype=np.int64)
    high = np.array([floor(round(people * band.most, 9)) for band in bands], dtype=np.int64)
    return low, high


def _feasible(people: int, bands: Sequence[Band]) -> bool:
    low, high = _asked(people, bands)
    return bool((low <= high).all() and low.sum() <= people <= high.sum())


def _pool(
    counts: Mapping[str, Ints],
    bands: Sequence[Band],
    *,
    tree: Mapping[str, str | None] | None,
    minimum: int,
) -> tuple[dict[str, str | None], set[str]]:
    """The unit each group is judged in (None: nowhere), and which units are pools.

    Only groups that cannot be judged themselves are pooled, so that no two units share anybody: a pool of
    the whole department beside its larger teams would give the smaller ones away by subtraction.
    """
    unit_of: dict[str, str | None] = {}
    pooled: set[str] = set()

    def makes_sense(people: int) -> bool:
        return people >= minimum and _feasible(people, bands)

    waiting: dict[str, list[str]] = {}
    for group, row in counts.items():
        if makes_sense(int(row.sum())):
            unit_of[group] = group
        else:
            unit_of[group] = None
            waiting.setdefault(group, []).append(group)
    if tree is None:
        return unit_of, pooled
    depth = {name: _depth(name, tree) for name in {*waiting, *tree}}
    while waiting:
        deepest = max(depth[name] for name in waiting)
        climbing: dict[str, list[str]] = {}
        for name in [name for name in waiting if depth[name] == deepest]:
            above = tree.get(name)
            groups = waiting.pop(name)
            if above is not None:
                climbing.setdefault(above, []).extend(groups)
        for parent, groups in climbing.items():
            mine = waiting.pop(parent, []) + groups
            depth.setdefault(parent, deepest - 1)
            # A parent judged on its own (people who sit in it directly) keeps its name for itself.
            free = unit_of.get(parent) != parent
            if free and makes_sense(sum(int(counts[group].sum()) for group in mine)):
                pooled.add(parent)
                unit_of.update(dict.fromkeys(mine, parent))
            else:
                waiting[parent] = mine
    return unit_of, pooled


def _depth(name: str, tree: Mapping[str, str | None]) -> int:
    seen = {name}
    above = tree.get(name)
    while above is not None:
        if above in seen:
            raise ValueError(f"the tree of groups has a loop at {above!r}")
        seen.add(above)
        above = tree.get(above)
    return len(seen)


def _alone(unit_of: Mapping[str, str | None]) -> set[str]:
    """Groups that no pool could take; they stay units of their own, marked infeasible."""
    return {group for group, unit in unit_of.items() if unit is None}


@dataclass(frozen=True)
class _Judged:
    """What is found for each unit, in the order of the units: (units,) or (units, bands)."""

    feasible: list[bool]
    inside: list[bool]
    moves: list[int | None]
    moves_chance: list[int | None]
    p: Floats
    method: list[str | None]
    asked_low: Ints
    asked_high: Ints
    chance_low: Ints
    chance_high: Ints
    band_p: Floats


def _judge(
    tally: Ints, bands: Sequence[Band], *, company: Ints | None, alpha: float, minimum: int
) -> _Judged:
    n = tally.sum(axis=1)
    asked = [_asked(int(size), bands) for size in n]
    low = np.array([a[0] for a in asked], dtype=np.int64).reshape(tally.shape)
    high = np.array([a[1] for a in asked], dtype=np.int64).reshape(tally.shape)
    feasible = [_feasible(int(size), bands) for size in n]
    chance_low, chance_high, band_p = _chance(tally, bands, company=company, alpha=alpha)
    judged = [ok and int(size) >= minimum for ok, size in zip(feasible, n, strict=True)]
    p, method = _whole_p(tally, bands, band_p, company=company, judged=judged)
    return _Judged(
        feasible=feasible,
        inside=[bool(((row >= a) & (row <= b)).all()) for row, a, b in zip(tally, low, high, strict=True)],
        moves=[
            fewest_moves(row, a, b) if ok else None
            for row, a, b, ok in zip(tally, low, high, feasible, strict=True)
        ],
        moves_chance=[
            fewest_moves(row, a, b) if a.sum() <= row.sum() <= b.sum() else None
            for row, a, b in zip(tally, chance_low, chance_high, strict=True)
        ],
        p=p,
        method=method,
        asked_low=low,
        asked_high=high,
        chance_low=chance_low,
        chance_high=chance_high,
        band_p=band_p,
    )


def fewest_moves(counts: Ints, low: Ints, high: Ints) -> int:
    """Fewest people who change band so that all counts lie in their ranges.

    Each move can take one person out of a band that is too full and put them into one that is too empty,
    so the larger of the two sums is enough, and needed. The ranges must admit the number of people.
    """
    too_full = int(np.maximum(counts - high, 0).sum())
    too_empty = int(np.maximum(low - counts, 0).sum())
    return max(too_full, too_empty)


def _chance(
    tally: Ints, bands: Sequence[Band], *, company: Ints | None, alpha: float
) -> tuple[Ints, Ints, Floats]:
    """Range of chance and exact p per unit and band.

    A count is in the range if its p is above alpha. For a range (A ≤ 20 %) chance is computed at the edge
    that is hardest to exceed, one-sided where there is one edge, so p holds for every share within.
    """
    n = np.broadcast_to(tally.sum(axis=1, keepdims=True), tally.shape)
    if company is not None:
        dealt = [
            _hand(int(count), int(size), int(marked), int(company.sum()), alpha=alpha)
            for counts, sizes in zip(tally, n, strict=True)
            for count, size, marked in zip(counts, sizes, company, strict=True)
        ]
        ends = np.array([one[:2] for one in dealt], dtype=np.int64).reshape(*tally.shape, 2)
        p = np.array([one[2] for one in dealt]).reshape(tally.shape)
        return ends[..., 0], ends[..., 1], p
    shape = tally.shape
    p_low = np.broadcast_to([b.least if b.target is None else b.target for b in bands], shape)
    p_high = np.broadcast_to([b.most if b.target is None else b.target for b in bands], shape)
    sides = np.broadcast_to(
        [1 if b.target is None and (b.least <= 0 or b.most >= 1) else 2 for b in bands], shape
    )
    left = np.where(p_low > 0, stats.binom.cdf(tally, n, p_low), 1.0)
    right = np.where(p_high < 1, stats.binom.sf(tally - 1, n, p_high), 1.0)
    low = np.where(p_low > 0, stats.binom.ppf(alpha / sides, n, p_low), 0)
    high = np.where(p_high < 1, stats.binom.isf(alpha / sides, n, p_high), n)
    return low.astype(np.int64), high.astype(np.int64), np.minimum(1.0, sides * np.minimum(left, right))


def _hand(count: int, n: int, marked: int, whole: int, *, alpha: float) -> tuple[int, int, float]:
    """Range of chance and p of a count under the hypergeometric distribution.

    By its own running sums: scipy's take half a second for sixty groups of a hundred thousand people.
    """
    k = np.arange(max(0, n - (whole - marked)), min(n, marked) + 1)
    log = special.gammaln
    ways = log(marked + 1) - log(k + 1) - log(marked - k + 1)
    others = log(whole - marked + 1) - log(n - k + 1) - log(whole - marked - n + k + 1)
    every = log(whole + 1) - log(n + 1) - log(whole - n + 1)
    mass = np.exp(ways + others - every)
    at_most = np.cumsum(mass)
    at_least = np.cumsum(mass[::-1])[::-1]
    low = int(k[np.flatnonzero(at_most >= alpha / 2)[0]])
    high = int(k[np.flatnonzero(at_least > alpha / 2)[-1]])
    place = count - int(k[0])
    return low, high, float(min(1.0, 2 * min(at_most[place], at_least[place])))


def _whole_p(
    tally: Ints, bands: Sequence[Band], band_p: Floats, *, company: Ints | None, judged: Sequence[bool]
) -> tuple[Floats, list[str | None]]:
    """Exact p of all bands together, by unit, and how it was had; nan where guidance makes no sense."""
    width = len(bands)
    one_distribution = company is not None or all(band.target is not None for band in bands)
    binding = [
        company is not None or band.target is not None or band.least > 0 or band.most < 1 for band in bands
    ]
    p = np.full(tally.shape[0], np.nan)
    method: list[str | None] = [None] * tally.shape[0]
    for i, counts in enumerate(tally):
        n = int(counts.sum())
        if not judged[i]:
            continue
        if not one_distribution or comb(n + width - 1, width - 1) > MOST_OUTCOMES:
            # Bonferroni over exact tests holds for any dependence between the bands.
            p[i] = min(1.0, sum(binding) * float(band_p[i, binding].min(initial=1.0)))
            method[i] = "bonferroni"
        elif company is not None:
            whole = tuple(int(count) for count in company)
            p[i] = _as_unlikely(_log_dealt(counts[None, :], whole)[0], *_dealt(n, whole))
            method[i] = "hypergeometric"
        else:
            shares = tuple(float(band.target or 0.0) for band in bands)
            p[i] = _as_unlikely(_log_drawn(counts[None, :], shares)[0], *_drawn(n, shares))
            method[i] = "multinomial"
    return p, method


def _as_unlikely(log_p: float, ordered: Floats, cumulative: Floats) -> float:
    """Probability of all tables no likelier than the one seen."""
    place = int(np.searchsorted(ordered, log_p + 1e-9, side="right"))
    return min(1.0, float(cumulative[place - 1])) if place else 0.0


def _tables(n: int, bands: int) -> Ints:
    """All ways to put n people into the bands: (outcomes, bands)."""
    rows = np.zeros((1, 0), dtype=np.int64)
    left = np.array([n], dtype=np.int64)
    for _ in range(bands - 1):
        repeat = left + 1
        index = np.repeat(np.arange(left.size), repeat)
        take = np.arange(index.size) - np.repeat(np.cumsum(repeat) - repeat, repeat)
        rows = np.column_stack([rows[index], take])
        left = left[index] - take
    return np.column_stack([rows, left])


def _log_drawn(tables: Ints, shares: tuple[float, ...]) -> Floats:
    """Log probability of tables under the multinomial."""
    ways = special.gammaln(tables.sum(axis=1) + 1) - special.gammaln(tables + 1).sum(axis=1)
    return np.asarray(ways + special.xlogy(tables, np.array(shares)).sum(axis=1))


def _log_dealt(tables: Ints, company: tuple[int, ...]) -> Floats:
    """Log probability of tables under the multivariate hypergeometric."""
    have, n = np.array(company), tables.sum(axis=1)
    taken = np.minimum(tables, have)
    ways = special.gammaln(have + 1) - special.gammaln(taken + 1) - special.gammaln(have - taken + 1)
    whole = int(have.sum())
    every = special.gammaln(whole + 1) - special.gammaln(n + 1) - special.gammaln(whole - n + 1)
    return np.where((tables <= have).all(axis=1), ways.sum(axis=1) - every, -np.inf)


@lru_cache(maxsize=64)
def _drawn(n: int, shares: tuple[float, ...]) -> tuple[Floats, Floats]:
    """Log probabilities of all multinomial tables, rising, and their running sum."""
    return _running(_log_drawn(_tables(n, len(shares)), shares))


@lru_cache(maxsize=64)
def _dealt(n: int, company: tuple[int, ...]) -> tuple[Floats, Floats]:
    """The same for the multivariate hypergeometric."""
    return _running(_log_dealt(_tables(n, len(company)), company))


def _running(log_p: Floats) -> tuple[Floats, Floats]:
    ordered = np.sort(log_p)
    return ordered, np.cumsum(np.exp(ordered))


def _band_rows(units: Sequence[str], tally: Ints, judged: _Judged) -> pl.DataFrame:
    n = np.broadcast_to(tally.sum(axis=1, keepdims=True), tally.shape)
    short = np.maximum(judged.asked_low - tally, 0) - np.maximum(tally - judged.asked_high, 0)
    feasible = np.broadcast_to(np.array(judged.feasible, dtype=bool)[:, None], tally.shape)
    columns = {
        "people": n,
        "count": tally,
        "asked_low": judged.asked_low,
        "asked_high": judged.asked_high,
        "chance_low": judged.chance_low,
        "chance_high": judged.chance_high,
        "p": judged.band_p,
        "outside": (tally < judged.chance_low) | (tally > judged.chance_high),
        "change": short,
        "feasible": feasible,
    }
    flat = {name: np.asarray(values).ravel() for name, values in columns.items()}
    return (
        pl.DataFrame(
            {
                "unit": pl.Series([unit for unit in units for _ in range(tally.shape[1])], dtype=pl.String),
                "band": pl.Series([i + 1 for _ in units for i in range(tally.shape[1])], dtype=pl.Int64),
                **flat,
            }
        )
        .with_columns(
            (pl.col("count") / pl.col("people")).alias("share"),
            pl.when(pl.col("feasible")).then(pl.col("change")).alias("change"),
        )
        .select(
            "unit",
            "band",
            "people",
            "count",
            "share",
            "asked_low",
            "asked_high",
            "chance_low",
            "chance_high",
            "p",
            "outside",
            "change",
        )
        .sort("unit", "band")
    )
