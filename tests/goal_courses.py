"""Goals whose courses are drawn by a known law, as exports would have them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

FIRST = date(2022, 1, 3)


@dataclass(frozen=True)
class Courses:
    goals: pl.DataFrame
    check_ins: pl.DataFrame
    changes: pl.DataFrame

    def only(self, ids: list[str]) -> Courses:
        wanted = pl.col("goal_id").is_in(ids)
        return Courses(self.goals.filter(wanted), self.check_ins.filter(wanted), self.changes.filter(wanted))


def courses(n: int, *, seed: int, years: float = 4.0) -> Courses:
    """Goals from 0 to 100 that begin all along the years; each moves at a pace of its own, unevenly.

    One in eight stalls for good half way; one in eight has its target raised by a quarter half way; one in
    twenty is given up before it is due; of those that miss, half are struck off a month later. What is late
    may still arrive. Updated every fortnight, nine times in ten.
    """
    rng = np.random.default_rng(seed)
    goals, check_ins, changes = [], [], []
    for at in range(n):
        goal = f"g{at:05d}"
        length = int(rng.integers(8, 27)) * 7
        start = FIRST + timedelta(days=int(rng.integers(0, round(365 * years))))
        due = start + timedelta(days=length)
        weeks = 2 * length // 7
        pace = max(rng.normal(1.15, 0.3), 0.15)
        steps = pace * rng.gamma(2.0, 0.5, weeks) * 7 / length
        stall, raised = rng.random() < 0.125, rng.random() < 0.125
        half = weeks // 4
        if stall:
            steps[half:] = 0
        value = np.round(100 * steps.cumsum(), 1)
        target = np.where(raised & (np.arange(weeks) >= half), 125.0, 100.0)
        reached = np.flatnonzero(value >= target)
        stop = int(reached[0]) if reached.size else weeks
        given_up = rng.random() < 0.05
        struck = rng.random() < 0.5
        last = stop
        status, completed, closed = ("done", start + timedelta(days=7 * (stop + 1)), None)
        if given_up and weeks // 3 < stop:
            last, status, completed = weeks // 3, "abandoned", None
            closed = start + timedelta(days=7 * (last + 1))
        elif struck and stop > length // 7 + 4:
            last, status, completed = length // 7 + 4, "abandoned", None
            closed = start + timedelta(days=7 * (last + 1))
        elif stop == weeks:
            status, completed = "active", None
        told = rng.random(weeks) < 0.9
        for week in range(min(last + 1, weeks)):
            if (week % 2 == 1 and told[week]) or (week == stop and status == "done"):
                day = start + timedelta(days=7 * (week + 1))
                check_ins.append(
                    (goal, day, min(float(value[week]), 2 * float(target[week])), float(target[week]))
                )
        if raised and half <= min(last, weeks - 1):
            changes.append((goal, start + timedelta(days=7 * (half + 1)), "target", "100.0", "125.0"))
        if closed is not None:
            changes.append((goal, closed, "status", "active", "abandoned"))
        now = 125.0 if raised and half <= min(last, weeks - 1) else 100.0
        goals.append((goal, "reach", 0.0, now, start, due, status, completed, 14))
    return Courses(
        pl.DataFrame(goals, schema=GOALS, orient="row"),
        pl.DataFrame(check_ins, schema=CHECK_INS, orient="row").with_columns(
            pl.col("checked_at").cast(pl.Datetime)
        ),
        pl.DataFrame(changes, schema=CHANGES, orient="row").with_columns(
            pl.col("changed_at").cast(pl.Datetime)
        ),
    )


GOALS = {
    "goal_id": pl.String,
    "kind": pl.String,
    "baseline": pl.Float64,
    "target": pl.Float64,
    "start_on": pl.Date,
    "due_on": pl.Date,
    "status": pl.String,
    "completed_on": pl.Date,
    "cadence_days": pl.Int64,
}
CHECK_INS = {"goal_id": pl.String, "checked_at": pl.Date, "value": pl.Float64, "target": pl.Float64}
CHANGES = {
    "goal_id": pl.String,
    "changed_at": pl.Date,
    "field": pl.String,
    "old_value": pl.String,
    "new_value": pl.String,
}
