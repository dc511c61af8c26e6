"""How does one goal stand, how likely was it to miss on each day, and what was changed on the way?

Reads    one goal as its contract has it, its check-ins, what was said of it on each day
         (`analytics.goals.risk.ladder.Chances`), its changes (`analytics.goals.adjustment`) and the limits of
         early warnings (`analytics.goals.warning`).
Returns  its state in one word, its delay probability today with what raises and lowers it, the same over
         time, the owner's confidence over time, and every change.

A goal may be a draft, not yet begun, overdue, done or given up: then there is no chance left to state, and
its state says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final

import polars as pl

from analytics.disclosure import Cells

_NOT_ROLLED: Final = pl.DataFrame(schema={"seen_on": pl.Date, "delay": pl.Float64})
STATES: Final = ("draft", "not_begun", "open", "overdue", "landed", "landed_late", "given_up")


@dataclass(frozen=True)
class Outlook:
    """What is known of one goal.

    Attributes
    ----------
    goal
        One row: ``goal_id``, ``title``, ``scope``, ``perspective``, ``owner_id``, ``department_id``,
        ``start_on``, ``due_on``, ``target``, ``cadence_days``; ``state`` (one of `STATES`), ``ended_on``
        (when it was done or given up; null: open, or no day is on record), ``days`` (from the due date to
        the end, or to the as-of day while it is open; negative: before); ``delay``, ``delay_low``,
        ``delay_high`` (today; null: nothing is said); ``confidence`` (the owner's latest, 0 to 1) and
        ``confidence_on``.
    raising, lowering
        Drivers of the delay probability, strongest first.
    said
        One row per look, sorted: ``seen_on``, ``delay``, ``delay_low``, ``delay_high``.
    rolled
        The same judged by the goals below it, on the days that was looked at: ``seen_on``, ``delay``. Empty
        where it is not, or nothing hangs below.
    confidence
        One row per check-in with a confidence, sorted: ``checked_on``, ``confidence``.
    steps
        One row per change, newest first, as in `analytics.goals.adjustment.Adjustment`.
    limits
        From where on a delay probability raises a warning: ``from_on``, ``on``.
    as_of
        The day the goal is looked at.
    """

    goal: pl.DataFrame
    raising: tuple[str, ...]
    lowering: tuple[str, ...]
    said: pl.DataFrame
    rolled: pl.DataFrame
    confidence: pl.DataFrame
    steps: pl.DataFrame
    limits: pl.DataFrame
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = ()  # A goal is a record of its owner; access decides who reads it.


def outlook(
    goal: pl.DataFrame,
    check_ins: pl.DataFrame,
    *,
    said: pl.DataFrame,
    now: pl.DataFrame,
    steps: pl.DataFrame,
    limits: pl.DataFrame,
    as_of: date,
    rolled: pl.DataFrame | None = None,
) -> Outlook:
    """Gather what is known of one goal.

    Parameters
    ----------
    goal
        Its row, as the contract has it.
    check_ins
        Its check-ins: ``checked_at``, ``confidence``.
    said, now
        Its rows of ``Chances.said`` and ``Chances.now``.
    steps
        Its rows of ``Adjustment.steps``.
    limits
        As in ``EarlyWarnings.limits``.
    as_of
        The day to look at; nothing later counts.
    rolled
        Chances of landing judged by the goals below it: ``seen_on``, ``chance``. None: not looked at.

    Returns
    -------
    Outlook
        Frames other than ``goal`` may be empty.

    Raises
    ------
    ValueError
        If there is not one row for the goal.
    """
    if goal.height != 1:
        raise ValueError(f"goal must have one row; got {goal.height}")
    confidence = (
        check_ins.select(pl.col("checked_at").cast(pl.Date).alias("checked_on"), "confidence")
        .filter(pl.col("checked_on") <= as_of)
        .drop_nulls()
        .sort("checked_on", maintain_order=True)
        .unique("checked_on", keep="last", maintain_order=True)
    )
    latest = confidence.tail(1).select("confidence", pl.col("checked_on").alias("confidence_on"))
    today = now.select("delay", "delay_low", "delay_high")
    row = _placed(goal, steps, as_of)
    for beside in (today, latest):
        # A row of nulls where nothing is said.
        row = pl.concat([row, beside if beside.height else beside.clear(1)], how="horizontal")
    drivers = now.select("raising", "lowering").rows()
    raising, lowering = drivers[0] if drivers else ((), ())
    return Outlook(
        row,
        tuple(raising or ()),
        tuple(lowering or ()),
        said.select("seen_on", "delay", "delay_low", "delay_high")
        .filter(pl.col("seen_on") <= as_of)
        .sort("seen_on"),
        _NOT_ROLLED
        if rolled is None
        else rolled.select("seen_on", (1.0 - pl.col("chance")).alias("delay")).sort("seen_on"),
        confidence,
        steps,
        limits.select("from_on", "on").sort("from_on"),
        as_of,
    )


def family(goals: pl.DataFrame, goal_id: str) -> list[str]:
    """A goal and all that hangs below it by parents; each once, circles followed once around."""
    found = {goal_id}
    ring = [goal_id]
    while ring:
        below = goals.filter(pl.col("parent_id").is_in(ring))["goal_id"]
        ring = [one for one in below if one not in found]
        found.update(ring)
    return sorted(found)


def _placed(goal: pl.DataFrame, steps: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """The goal with its state, when it ended, and how far that was from its due date."""
    status = pl.col("status").cast(pl.String)
    ends = steps.filter(pl.col("direction") == "ended")["changed_on"]
    given_up = pl.lit(ends.max(), dtype=pl.Date)
    done = (status == "done") & (pl.col("completed_on") <= as_of).fill_null(value=True)
    state = (
        pl.when(status == "draft")
        .then(pl.lit("draft"))
        .when(status == "abandoned")
        .then(pl.lit("given_up"))
        .when(done & (pl.col("completed_on") > pl.col("due_on")))
        .then(pl.lit("landed_late"))
        .when(done)
        .then(pl.lit("landed"))
        .when(pl.col("start_on") > as_of)
        .then(pl.lit("not_begun"))
        .when(pl.col("due_on") < as_of)
        .then(pl.lit("overdue"))
        .otherwise(pl.lit("open"))
    )
    ended = (
        pl.when(pl.col("state").is_in(["landed", "landed_late"]))
        .then("completed_on")
        .when(pl.col("state") == "given_up")
        .then(given_up)
    )
    unended = ~pl.col("state").is_in(["landed", "landed_late", "given_up"])
    until = pl.coalesce("ended_on", pl.when(unended).then(pl.lit(as_of)))
    return (
        goal.with_columns(pl.col("scope", "perspective").cast(pl.String), state.alias("state"))
        .with_columns(ended.alias("ended_on"))
        .with_columns((until - pl.col("due_on")).dt.total_days().alias("days"))
        .select(
            *("goal_id", "title", "scope", "perspective", "owner_id", "department_id"),
            *("start_on", "due_on", "target", "cadence_days", "state", "ended_on", "days"),
        )
    )
