"""How much of their goals did people reach early in a cycle, and how much late?

Reads    goals and check-ins as the models read them, and the review cycles.
Returns  one row per cycle and person: progress made in the first and in the second half of the cycle, as it
         was known at the time.

Progress is what `analytics.goals.pace` says of a goal on a day, from nought to one. Only goals that are to
be reached count: those that are to hold a level make no progress. Without a check-in by then nothing is
known to have been reached; a goal without any by the end of the cycle says nothing.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import polars as pl

from analytics.goals.pace import pace

_HELD: Final = ("stay_above", "stay_below", "baseline")
_UNREAD: Final = ("title", "data_source")
_SCHEMA: Final = {
    "cycle_id": pl.String,
    "ratee_id": pl.String,
    "early": pl.Float64,
    "late": pl.Float64,
    "n_goals": pl.Int64,
}


def progress(
    goals: pl.DataFrame,
    check_ins: pl.DataFrame,
    cycles: pl.DataFrame,
    *,
    changes: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Progress of everybody's goals in the first and the second half of each cycle.

    Parameters
    ----------
    goals
        Goals with an owner as their contract has them; ``title`` and ``data_source`` may be missing.
    check_ins
        ``goal_id``, ``checked_at``, ``value``, ``target``, ``confidence``.
    cycles
        ``cycle_id``, ``starts_on``, ``ends_on``.
    changes
        Changes of goals, see `analytics.goals.pace.pace`. None: not kept.

    Returns
    -------
    polars.DataFrame
        ``cycle_id``, ``ratee_id``, ``early`` and ``late`` (mean over their goals, shares of the way), and
        ``n_goals``; sorted by cycle and person.
    """
    kept = goals.filter(
        ~pl.col("kind").cast(pl.String).is_in(_HELD).fill_null(value=False), pl.col("owner_id").is_not_null()
    ).with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in _UNREAD if name not in goals.columns)
    frames = [pl.DataFrame(schema=_SCHEMA)]
    for cycle_id, starts_on, ends_on in cycles.select("cycle_id", "starts_on", "ends_on").iter_rows():
        running = kept.filter(pl.col("start_on") <= ends_on, pl.col("due_on") >= starts_on)
        theirs = check_ins.join(running.select("goal_id"), on="goal_id", how="semi")
        middle = starts_on + (ends_on - starts_on) / 2
        days = (starts_on - timedelta(days=1), middle, ends_on)
        before, half, end = (_reached(running, theirs, changes, on) for on in days)
        both = (
            end.rename({"reached": "end"})
            .join(half.rename({"reached": "half"}), on=["goal_id", "owner_id"], how="left")
            .join(before.rename({"reached": "before"}), on=["goal_id", "owner_id"], how="left")
            .with_columns(pl.col("half", "before").fill_null(0.0))
        )
        frames.append(
            both.group_by(pl.col("owner_id").alias("ratee_id"))
            .agg(
                (pl.col("half") - pl.col("before")).mean().alias("early"),
                (pl.col("end") - pl.col("half")).mean().alias("late"),
                pl.len().cast(pl.Int64).alias("n_goals"),
            )
            .select(pl.lit(cycle_id).alias("cycle_id"), "ratee_id", "early", "late", "n_goals")
        )
    return pl.concat(frames).sort("cycle_id", "ratee_id")


def _reached(
    goals: pl.DataFrame, check_ins: pl.DataFrame, changes: pl.DataFrame | None, on: date
) -> pl.DataFrame:
    """Share of the way each goal had come on a day, where anything was known of it."""
    found = pace(goals, check_ins, as_of=on, changes=changes).goals
    return found.filter(pl.col("progress").is_not_null()).select(
        "goal_id", "owner_id", pl.col("progress").clip(0.0, 1.0).alias("reached")
    )
