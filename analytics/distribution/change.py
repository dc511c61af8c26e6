"""How has each group's distribution changed since the cycle before?

Reads    one row per rating of two cycles: cycle_id, ratee_id, score, level and the column to group by.
Returns  per group: the means before and after and their difference; per group and level: the shift of
         the share; per group: the difference among those rated in it both times.
People rated in both cycles are paired with themselves; joiners and leavers count as they are. Both
cycles must use one scale: a change of scale is not a change of ratings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import polars as pl

from analytics.disclosure import Cells
from analytics.distribution.shares import NEEDED, Table, tabulate
from analytics.distribution.uncertainty import (
    Floats,
    Ints,
    benjamini_hochberg,
    effective_n,
    sums,
    t_interval,
    wilson,
)
from analytics.policy import CONFIDENCE

REFERENCE: Final = (
    "Zou & Donner (2008), Stat. Med. 27(10). doi:10.1002/sim.3095, for shifts of shares with people in "
    "both cycles; Welch (1947), Biometrika 34(1), for the degrees of freedom; otherwise "
    "analytics.distribution.uncertainty"
)


@dataclass(frozen=True)
class Change:
    """What changed between two cycles, by group.

    Attributes
    ----------
    by, before, after
        The grouping column and the two cycles.
    levels
        As in `analytics.distribution.shares.Distribution`.
    groups
        One row per group: group; people_before, people_after; mean_before, mean_after; difference (after
        minus before) with difference_low, difference_high, p and q (false-discovery adjusted); fewest
        (people in the smaller of its cycles: the group is as small as that).
    shares
        One row per group and level: group, level, fewest, share_before, share_after, shift, shift_low,
        shift_high.
    stayers
        One row per group: stayers_of (the group), people rated in it both times, difference among them
        with difference_low and difference_high, and fewest (people among stayers or, if anybody came or
        went, among those: the comparison with ``groups`` tells about them).
    total
        One row as in ``groups`` for all together (``scope`` is "all").
    confidence
        Of every interval.
    """

    by: str
    before: str
    after: str
    levels: pl.DataFrame
    groups: pl.DataFrame
    shares: pl.DataFrame
    stayers: pl.DataFrame
    total: pl.DataFrame
    confidence: float

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells(
            "groups",
            "group",
            "fewest",
            (
                "people_before",
                "people_after",
                "mean_before",
                "mean_after",
                "difference",
                "difference_low",
                "difference_high",
                "p",
                "q",
                "fewest",
            ),
        ),
        Cells(
            "shares",
            "group",
            "fewest",
            ("fewest", "share_before", "share_after", "shift", "shift_low", "shift_high"),
        ),
        Cells(
            "stayers",
            "stayers_of",
            "fewest",
            ("people", "difference", "difference_low", "difference_high", "fewest"),
            additive=False,
        ),
        Cells(
            "total",
            "scope",
            "fewest",
            (
                "people_before",
                "people_after",
                "mean_before",
                "mean_after",
                "difference",
                "difference_low",
                "difference_high",
                "p",
                "fewest",
            ),
            additive=False,
        ),
    )


def change(
    ratings: pl.DataFrame,
    *,
    scale: pl.DataFrame,
    by: str,
    before: str,
    after: str,
    confidence: float = CONFIDENCE.value,
) -> Change:
    """Change between two cycles by group.

    Parameters
    ----------
    ratings
        One row per rating: cycle_id, ratee_id, score, level and the column ``by``; other cycles are
        ignored. The group is the one of each cycle: who moved counts in one before, in another after.
    scale
        Levels of the scale both cycles use: level, label.
    by
        Column to group by.
    before, after
        The two cycles.
    confidence
        Of every interval.

    Returns
    -------
    Change
        Frames sorted by group. Groups of one cycle only have nulls for the other.

    Raises
    ------
    ValueError
        If a column is missing, ``before`` and ``after`` are the same, or as in
        `analytics.distribution.shares.distribution`.
    """
    if before == after:
        raise ValueError(f"before and after must be different cycles; got {before!r} twice")
    missing = [name for name in (*NEEDED, "cycle_id", by) if name not in ratings.columns]
    if missing:
        raise ValueError(f"ratings lack the columns {', '.join(missing)}; they have {ratings.columns}")
    two = ratings.select(
        *NEEDED,
        pl.col(by).cast(pl.String).alias("group"),
        pl.col("cycle_id").cast(pl.String).alias("cycle"),
    ).filter(pl.col("group").is_not_null() & pl.col("cycle").is_in([before, after]))
    # Groups in their order with both cycles each: index 2g is before, 2g + 1 after.
    names = two["group"].unique().sort().to_list()
    cells = two.with_columns(
        ((pl.col("group").rank("dense").cast(pl.Int64) - 1) * 2 + (pl.col("cycle") == after).cast(pl.Int64))
        .cast(pl.String)
        .str.zfill(12)
        .alias("cell")
    )
    table = tabulate(cells, scale=scale, by="cell", confidence=confidence)
    cell = np.array([int(name) for name in table.names], dtype=np.int64)
    side = cell[table.group] if table.group.size else table.group
    found = _compare(table, side // 2, side % 2, len(names))
    whole = _compare(table, np.zeros_like(side), side % 2, 1 if names else 0)
    return Change(
        by=by,
        before=before,
        after=after,
        levels=table.levels,
        groups=found.means("group", names, confidence=confidence)
        .with_columns(pl.Series("q", benjamini_hochberg(found.p(confidence))).fill_nan(None))
        .sort("group"),
        shares=found.shares(names, table.levels, confidence=confidence),
        stayers=found.stayers(names, confidence=confidence),
        total=whole.means("scope", ["all"] if names else [], confidence=confidence),
        confidence=confidence,
    )


@dataclass(frozen=True)
class _Sides:
    """Per group and person what they got before and after: (pairs, …) arrays."""

    group: Ints
    n: tuple[Floats, Floats]
    score: tuple[Floats, Floats]
    counts: tuple[Floats, Floats]
    groups: int

    def people(self, side: int) -> Floats:
        return sums(self.group, (self.n[side] > 0).astype(float), self.groups)

    def both(self) -> Floats:
        return sums(self.group, ((self.n[0] > 0) & (self.n[1] > 0)).astype(float), self.groups)

    def fewest(self) -> Floats:
        """People on the smaller side; on the only one where the other is empty."""
        a, b = self.people(0), self.people(1)
        return np.where((a > 0) & (b > 0), np.minimum(a, b), np.maximum(a, b))

    def contrast(self, values: tuple[Floats, Floats]) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Means of a value per rating before and after, their variances and covariance."""
        means, influences = [], []
        with np.errstate(divide="ignore", invalid="ignore"):
            for side in (0, 1):
                ratings = sums(self.group, self.n[side], self.groups)
                mean = sums(self.group, values[side], self.groups) / ratings
                means.append(mean)
                influence = (values[side] - mean[self.group] * self.n[side]) / ratings[self.group]
                people = self.people(side)
                influences.append(influence * np.sqrt(people / (people - 1))[self.group])
            first, second = (np.where(np.isfinite(i), i, 0.0) for i in influences)
            enough = [self.people(side) > 1 for side in (0, 1)]
            variances = [
                np.where(ok, sums(self.group, i**2, self.groups), np.nan)
                for ok, i in zip(enough, (first, second), strict=True)
            ]
            across = sums(self.group, first * second, self.groups)
        return means[0], means[1], variances[0], variances[1], across

    def _difference(self, confidence: float) -> tuple[Floats, ...]:
        before, after, v0, v1, across = self.contrast(self.score)
        a, b = self.people(0), self.people(1)
        variance = v0 + v1 - 2 * across
        with np.errstate(divide="ignore", invalid="ignore"):
            welch = (v0 + v1) ** 2 / (v0**2 / (a - 1) + v1**2 / (b - 1))
        # Where all stay, the differences of the people are one sample.
        df = np.where(self.both() >= np.maximum(a, b), a - 1, welch)
        low, high, p = t_interval(after - before, variance, df, confidence=confidence)
        return before, after, low, high, p

    def p(self, confidence: float) -> Floats:
        return self._difference(confidence)[4]

    def means(self, name: str, names: list[str], *, confidence: float) -> pl.DataFrame:
        before, after, low, high, p = self._difference(confidence)
        return pl.DataFrame(
            {
                name: pl.Series(names, dtype=pl.String),
                "fewest": self.fewest().astype(np.int64),
                "people_before": self.people(0).astype(np.int64),
                "people_after": self.people(1).astype(np.int64),
                "mean_before": before,
                "mean_after": after,
                "difference": after - before,
                "difference_low": low,
                "difference_high": high,
                "p": p,
            }
        ).with_columns(pl.selectors.float().fill_nan(None))

    def shares(self, names: list[str], levels: pl.DataFrame, *, confidence: float) -> pl.DataFrame:
        """Shift of each level's share; interval from the two Wilson intervals and the pairing (MOVER)."""
        frames = []
        for j, level in enumerate(levels["level"].to_list()):
            one = (self.counts[0][:, j], self.counts[1][:, j])
            p0, p1, v0, v1, across = self.contrast(one)
            ends = []
            for side, (share, variance) in enumerate(((p0, v0), (p1, v1))):
                n = sums(self.group, self.n[side], self.groups)
                worth = effective_n(share, variance, ratings=n, people=self.people(side))
                ends.append(wilson(share, worth, confidence=confidence))
            (l0, u0), (l1, u1) = ends
            with np.errstate(divide="ignore", invalid="ignore"):
                related = np.nan_to_num(across / np.sqrt(v0 * v1))
                related = np.clip(np.where(np.isfinite(related), related, 0.0), -1.0, 1.0)
            down, up = p1 - l1, u0 - p0
            low = p1 - p0 - np.sqrt(np.maximum(down**2 + up**2 - 2 * related * down * up, 0.0))
            down, up = p0 - l0, u1 - p1
            high = p1 - p0 + np.sqrt(np.maximum(down**2 + up**2 - 2 * related * down * up, 0.0))
            frames.append(
                pl.DataFrame(
                    {
                        "group": pl.Series(names, dtype=pl.String),
                        "level": pl.Series([level] * len(names), dtype=pl.Int64),
                        "fewest": self.fewest().astype(np.int64),
                        "share_before": p0,
                        "share_after": p1,
                        "shift": p1 - p0,
                        "shift_low": low,
                        "shift_high": high,
                    }
                )
            )
        return pl.concat(frames).with_columns(pl.selectors.float().fill_nan(None)).sort("group", "level")

    def stayers(self, names: list[str], *, confidence: float) -> pl.DataFrame:
        """Mean of the people's own differences, each person once."""
        stay = (self.n[0] > 0) & (self.n[1] > 0)
        group = self.group[stay]
        own = self.score[1][stay] / self.n[1][stay] - self.score[0][stay] / self.n[0][stay]
        people = self.both()
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = sums(group, own, self.groups) / people
            squares = sums(group, (own - mean[group]) ** 2, self.groups)
            variance = squares / (people - 1) / people
        low, high, _ = t_interval(mean, variance, people - 1, confidence=confidence)
        moved = self.people(0) + self.people(1) - 2 * people
        fewest = np.where(moved > 0, np.minimum(people, moved), people)
        return (
            pl.DataFrame(
                {
                    "stayers_of": pl.Series(names, dtype=pl.String),
                    "people": people.astype(np.int64),
                    "fewest": fewest.astype(np.int64),
                    "difference": mean,
                    "difference_low": low,
                    "difference_high": high,
                }
            )
            .with_columns(pl.selectors.float().fill_nan(None))
            .sort("stayers_of")
        )


def _compare(table: Table, group: Ints, side: Ints, groups: int) -> _Sides:
    """Pairs of (group, side) and person folded into one row per group and person."""
    people = int(table.person.max()) + 1 if table.person.size else 1
    keys, place = np.unique(group * people + table.person, return_inverse=True)
    halves = [side == 0, side == 1]

    def fold(values: Floats) -> tuple[Floats, Floats]:
        first, second = (sums(place[half], values[half], keys.size) for half in halves)
        return first, second

    folded = [fold(column) for column in table.counts.T]
    return _Sides(
        group=keys // people,
        n=fold(table.n),
        score=fold(table.total),
        counts=(
            np.stack([one[0] for one in folded], axis=1),
            np.stack([one[1] for one in folded], axis=1),
        ),
        groups=groups,
    )
