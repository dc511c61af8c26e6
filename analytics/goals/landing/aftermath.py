"""What becomes of goals that miss their due date, and how long before it do the others land?

Reads    snapshots of goals (`analytics.goals.risk.panel`), what was said of them, and goals as they stand.
Returns  how much of the work left a miss still brings, how many that missed land later, how early others
         land; and from these the chance that a goal comes too late for the goal above it.

Goals are due on different days than the goal they serve. One that is due earlier may miss its date and still
arrive in time for the goal above; one that is due later, or whose due date was moved, may arrive in time for
itself and too late for the goal above. A goal that was given up never arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.policy import AFTER_A_MISS, MINIMUM_MISSES

REFERENCE: Final = "Kaplan & Meier (1958), J. Am. Stat. Assoc. 53(282). doi:10.1080/01621459.1958.10501452"

DAYS_LATE: Final = (0, 7, 14, 28, 42, 56, 84, 112)
_TENTHS: Final = np.linspace(0.0, 1.0, 11)

Floats = npt.NDArray[np.float64]
Quantiles = Sequence[tuple[float, Sequence[float]]]


@dataclass(frozen=True)
class Aftermath:
    """What was learnt of goals whose outcome is known.

    Attributes
    ----------
    brings
        Share of a goal's time passed → quantiles, evenly spaced from 0 to 1, of the share of the work left
        that a goal which misses still does by its due date.
    late
        Share of the goals that missed which land within each of `DAYS_LATE` after their due date.
    early
        Share of the goals that landed in time which did so before each tenth of the time that was left.
    misses
        Number of misses behind ``late``; 0: too few, and none is taken to land later.
    landings
        Number of landings behind ``early``; 0: too few, and they are taken to land at any time alike.
    """

    brings: Quantiles = AFTER_A_MISS
    late: Sequence[float] = (0.0,) * len(DAYS_LATE)
    early: Sequence[float] = tuple(_TENTHS)
    misses: int = 0
    landings: int = 0

    def landed_late(self, days: Floats) -> Floats:
        """Share of misses that land within some days after their due date; level beyond the last known."""
        share: Floats = np.interp(days, DAYS_LATE, self.late)
        return share

    def landed_early(self, share: Floats) -> Floats:
        """Share of timely landings within a share of the time that was left."""
        landed: Floats = np.interp(share, _TENTHS, self.early)
        return landed


def aftermath(snapshots: pl.DataFrame, *, known_by: date) -> Aftermath:
    """Learn from the past what becomes of goals around their due date.

    Parameters
    ----------
    snapshots
        ``goal_id``, ``seen_on``, ``due_on`` (in force that day), ``days_left``, ``elapsed``, ``progress``,
        ``landed_on``, ``missed``, ``known_on``, as `analytics.goals.risk.panel` has them.
    known_by
        The last day anything is known of; goals not due by then are left out, those that landed early too.

    Returns
    -------
    Aftermath
        Where too few are known, what `analytics.policy` says.
    """
    due = snapshots.lazy().filter(pl.col("due_on") <= known_by, pl.col("missed").is_not_null())
    landed = pl.when(pl.col("landed_on") <= known_by).then("landed_on")
    late, misses = _late(due.with_columns(landed.alias("landed_on")), known_by)
    early, landings = _early(due)
    return Aftermath(_brings(due), late, early, misses, landings)


def too_late(standing: pl.DataFrame, chances: pl.DataFrame, past: Aftermath, *, on: date) -> pl.DataFrame:
    """Chance that each goal is not done by the day the goal above it is due.

    Parameters
    ----------
    standing
        One row per goal: ``goal_id``, ``parent_id``, ``state``, ``due_on`` (in force that day), ``given_up``.
    chances
        ``goal_id``, ``delay``, and where known ``delay_low``, ``delay_high``.
    past
        As of `aftermath`.
    on
        The day.

    Returns
    -------
    pl.DataFrame
        ``chances`` with ``late``, ``late_low``, ``late_high`` (those of which there are delays), one row per
        goal that is not settled: open, or overdue and perhaps still to come.
    """
    names = [name for name in ("delay", "delay_low", "delay_high") if name in chances.columns]
    above = standing.select(pl.col("goal_id").alias("parent_id"), pl.col("due_on").alias("_above"))
    rows = (
        standing.filter((pl.col("state") == "open") | ((pl.col("state") == "missed") & ~pl.col("given_up")))
        .join(above, on="parent_id", how="left", maintain_order="left")
        .join(chances.select("goal_id", *names), on="goal_id", how="left", maintain_order="left")
    )
    rest = (pl.coalesce("_above", "due_on") - pl.col("due_on")).dt.total_days().cast(pl.Float64)
    left = (pl.col("due_on") - pl.lit(on)).dt.total_days().cast(pl.Float64)
    told = rows.select(rest.alias("rest"), left.alias("left"))
    gap, days = told["rest"].to_numpy(), told["left"].to_numpy()
    overdue = (rows["state"] == "missed").to_numpy()
    # Of those that have not come so many days after their due date, the share that still will by then.
    since, until = past.landed_late(-days), past.landed_late(gap)
    comes = np.clip((until - since) / np.maximum(1.0 - since, 1e-9), 0.0, 1.0)
    share = np.clip((days + gap) / np.maximum(days, 1.0), 0.0, 1.0)
    in_time = past.landed_early(share)
    columns = []
    for name in names:
        delay = np.where(overdue, 1.0, rows[name].fill_null(np.nan).to_numpy())
        later, earlier = delay * (1.0 - until), 1.0 - (1.0 - delay) * in_time
        chance = np.where(overdue, 1.0 - comes, np.where(gap >= 0, later, earlier))
        columns.append(pl.Series(name.replace("delay", "late"), chance).fill_nan(None))
    return rows.select("goal_id", *names, *columns)


def _brings(due: pl.LazyFrame) -> Quantiles:
    """How much of the work left goals brought that missed, by the share of their time that had passed."""
    ended = (
        due.filter("missed")
        .select("goal_id", "seen_on", "elapsed", pl.col("progress").clip(0.0, 1.0))
        .sort("goal_id", "seen_on")
        .with_columns(pl.col("progress").last().over("goal_id").alias("_final"))
        .filter(pl.col("seen_on") < pl.col("seen_on").last().over("goal_id"), pl.col("progress") < 1.0)
        .select(
            "elapsed", ((pl.col("_final") - pl.col("progress")) / (1.0 - pl.col("progress"))).alias("_share")
        )
        .with_columns(pl.col("_share").clip(0.0, 1.0))
        .collect()
    )
    stages = [since for since, _ in AFTER_A_MISS]
    found = []
    for (since, usual), until in zip(AFTER_A_MISS, [*stages[1:], np.inf], strict=True):
        mine = ended.filter(pl.col("elapsed").is_between(since, until, closed="left"))["_share"]
        enough = len(mine) >= MINIMUM_MISSES.value
        found.append((since, tuple(np.quantile(mine.to_numpy(), _TENTHS).tolist()) if enough else usual))
    return tuple(found)


def _late(due: pl.LazyFrame, known_by: date) -> tuple[Sequence[float], int]:
    """Share of misses that had landed so many days after their due date, of those that long ago due."""
    missed = (
        due.filter("missed")
        .sort("goal_id", "seen_on")
        .group_by("goal_id", maintain_order=True)
        .last()
        # What was given up before it was due is known never to come, and is not asked about.
        .filter(pl.col("known_on") >= pl.col("due_on"))
        .select(
            (pl.col("landed_on") - pl.col("due_on")).dt.total_days().alias("_after"),
            (pl.lit(known_by) - pl.col("due_on")).dt.total_days().alias("_since"),
        )
        .collect()
    )
    if missed.height < MINIMUM_MISSES.value:
        return Aftermath().late, 0
    share, found = 0.0, []
    for before, days in zip((0, *DAYS_LATE), DAYS_LATE, strict=False):
        waiting = missed.filter(pl.col("_since") >= days, (pl.col("_after") > before).fill_null(value=True))
        came = waiting.filter(pl.col("_after") <= days).height
        share += (1.0 - share) * came / max(waiting.height, 1)
        found.append(share)
    return tuple(found), missed.height


def _early(due: pl.LazyFrame) -> tuple[Sequence[float], int]:
    """How much of the time that was left timely goals took, a goal counting once over all its days."""
    landed = (
        due.filter(~pl.col("missed"), pl.col("days_left") > 0)
        .select(
            "goal_id",
            ((pl.col("landed_on") - pl.col("seen_on")).dt.total_days() / pl.col("days_left")).alias("_took"),
        )
        .collect()
    )
    goals = landed["goal_id"].n_unique()
    if goals < MINIMUM_MISSES.value:
        return Aftermath().early, 0
    took = np.sort(landed["_took"].drop_nulls().to_numpy())
    shares = np.searchsorted(took, _TENTHS, side="right") / len(took)
    return (0.0, *shares[1:-1].tolist(), 1.0), goals
