"""A company of owners whose promises and habits are known, for tests of who over-promises."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

AS_OF = date(2026, 1, 1)
START = date(2024, 1, 1)
DUE = START + timedelta(days=182)


def promising_company(
    seed: int,
    *,
    owners: int = 300,
    cycles: int = 4,
    goals: int = 2,
    unusual: float = 0.1,
    size: float = 0.5,
    swing: float = 0.1,
    everybody: float = 0.0,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """What was seen at half time, the check-ins, the goals, and the truth about each owner.

    An owner states 50 to 90 % and lands as many less ``everybody``. Of a share ``unusual`` of them, half
    promise ``size`` too much and half too little. ``swing`` is the spread of luck that an owner's goals of
    one cycle share. ``truth`` holds ``owner_id`` and ``habit``, in the long run stated − landed.
    """
    rng = np.random.default_rng(seed)
    side = rng.choice([0, 1, -1], owners, p=[1.0 - unusual, unusual / 2, unusual / 2])
    owner = np.repeat(np.arange(owners), cycles * goals)
    cycle = np.tile(np.repeat(np.arange(cycles), goals), owners)
    stated = rng.uniform(0.5, 0.9, owner.size)
    stated = np.where(side[owner] == 1, 0.92, np.where(side[owner] == -1, 0.35, stated))
    habit = np.where(side == 0, everybody, side * size)
    luck = rng.normal(0.0, swing, (owners, cycles))[owner, cycle]
    missed = rng.random(owner.size) > np.clip(stated - habit[owner] + luck, 0.0, 1.0)
    frame = pl.DataFrame(
        {
            "goal_id": [f"G{at:05}" for at in range(owner.size)],
            "owner_id": [f"E{one:04}" for one in owner],
            "cycle_id": [f"C{one}" for one in cycle],
            "confidence": stated,
            "missed": missed,
        }
    )
    seen = frame.select(
        "goal_id", pl.lit(START + timedelta(84)).alias("seen_on"), pl.lit(0.46).alias("elapsed"),
        pl.lit(DUE).alias("due_on"), "missed",
    )  # fmt: skip
    check_ins = frame.select("goal_id", pl.lit(datetime(2024, 3, 11, 9)).alias("checked_at"), "confidence")
    landed_on = pl.when(~pl.col("missed")).then(pl.lit(START + timedelta(150)))
    whose = frame.select(
        "goal_id", "owner_id", "cycle_id", pl.lit(START).alias("start_on"), landed_on.alias("completed_on")
    )
    truth = pl.DataFrame({"owner_id": [f"E{one:04}" for one in range(owners)], "habit": habit, "side": side})
    return seen, check_ins, whose, truth
