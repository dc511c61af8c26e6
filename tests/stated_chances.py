"""Goals whose true chance of missing is known on every day, for tests of what stated chances are worth."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from scipy.stats import norm

AS_OF = date(2026, 12, 31)


def stated_chances(
    seed: int,
    *,
    goals: int = 400,
    owners: int = 80,
    teams: int = 20,
    shift: float = 0.0,
    owner_share: float = 0.0,
    team_share: float = 0.0,
    days: int = 8,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What a perfect probability would have said, moved by ``shift``, and whose goals they are.

    A goal's fortune is a random walk and misses if it ends above the goal's own mark, so that the chance on
    each day is known exactly. ``owner_share`` and ``team_share`` are shares of the walk's variance that goals
    of one owner and of one team have in common. Goals that are as good as landed are not looked at any more.
    """
    rng = np.random.default_rng(seed)
    owner = rng.integers(0, owners, goals)
    team = rng.integers(0, teams, owners)[owner]
    steps = rng.normal(size=(goals, days)) * np.sqrt((1.0 - owner_share - team_share) / days)
    steps += (rng.normal(size=(owners, days)) * np.sqrt(owner_share / days))[owner]
    steps += (rng.normal(size=(teams, days)) * np.sqrt(team_share / days))[team]
    walk = np.cumsum(steps, axis=1)
    mark = rng.normal(0.4, 0.5, goals)[:, None]
    missed = walk[:, -1] > mark[:, 0]
    elapsed = np.arange(days) / days
    so_far = np.concatenate([np.zeros((goals, 1)), walk[:, :-1]], axis=1)
    chance = norm.cdf((so_far - mark) / np.sqrt(1.0 - elapsed))
    landed = np.maximum.accumulate(chance < 0.05, axis=1)
    looked = ~np.concatenate([np.zeros((goals, 1), dtype=np.bool_), landed[:, :-1]], axis=1)
    goal, day = np.nonzero(looked)
    start = rng.integers(0, 300, goals)[goal]
    delay = np.clip(chance[goal, day] + shift, 0.0, 1.0)
    names = pl.Series("goal_id", [f"G{at}" for at in range(goals)])
    said = pl.DataFrame(
        {
            "goal_id": names.gather(goal),
            "elapsed": elapsed[day],
            "days_left": 14 * (days - day),
            "delay": delay,
            "pace_delay": np.clip(0.5 + 0.3 * (delay - 0.5) + rng.normal(0, 0.1, len(goal)), 0, 1),
            "base_delay": np.full(len(goal), missed.mean()),
            "rung": np.where(day < 2, "pace", "logistic"),
            "missed": missed[goal],
            "_start": start,
            "_day": day,
        }
    ).with_columns(
        (pl.lit(date(2025, 1, 1)) + pl.duration(days=pl.col("_start") + 14 * pl.col("_day"))).alias(
            "seen_on"
        ),
        (pl.lit(date(2025, 1, 1)) + pl.duration(days=pl.col("_start") + 14 * days)).alias("due_on"),
    )
    whose = pl.DataFrame(
        {
            "goal_id": names,
            "owner_id": [f"E{one}" for one in owner],
            "team_id": [f"T{one}" for one in team],
            "department_id": [f"D{one % 4}" for one in team],
        }
    )
    return said.drop("_start", "_day"), whose
