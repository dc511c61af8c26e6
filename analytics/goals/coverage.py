"""Who has taken up the strategy, and where does it have holes?

Reads    the pace of every goal of the company (`analytics.goals.pace`), with the alignments, and the goals as
         their contract has them.
Returns  one row per open strategic goal: how many goals and departments serve it; one row per strategic goal
         and department; what open goals lack; owners whose weights do not add up to 100 per cent; branches
         nobody updates; circles.

A strategic goal has been taken up where anything but a draft or an abandoned goal is part of it or serves it
through an alignment. Whether anybody has taken it up is looked at in the whole company; by department, and
goal by goal, only what the viewer reaches is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final

import polars as pl

from analytics.disclosure import Cells
from analytics.goals.pace import GoalPace
from analytics.goals.rollup import branches as silent_or_not
from analytics.goals.tree import tree
from analytics.policy import WEIGHT_TOLERANCE
from data.contracts.goals import PERSPECTIVES

LACKS: Final = (
    "no_owner",
    "no_metric",
    "no_target",
    "no_data_source",
    "no_cadence",
    "no_cycle",
    "orphan",
    "parent_missing",
)
_WHOLE: Final = 100.0
_SINGLE: Final = "individual"


@dataclass(frozen=True)
class Coverage:
    """How the strategy is covered, and its holes.

    Attributes
    ----------
    strategy
        One row per open strategic goal, by perspective (as the contract orders them, none last) and title:
        ``goal_id``, ``title``, ``perspective``, ``owner_id``, ``due_on``; in the whole company ``goals``
        (drafts and abandoned ones left out), ``aligned`` (those of them that serve it only through an
        alignment), ``departments`` (different ones), ``taken_up``.
    uptake
        One row per strategic goal and department that serves it within reach, sorted by both:
        ``strategic_id``, ``department_id``, ``own`` (goals of the department and its teams), ``individual``
        (goals of single people), ``owners`` (different ones of those), ``aligned`` (all of it only through an
        alignment).
    departments
        One row per department with open goals within reach, the strategic ones left out, sorted:
        ``department_id``, ``strategic`` (how many strategic goals it serves).
    goals
        One row per open goal within reach, sorted by ``goal_id``: ``goal_id``, ``title``, ``scope``,
        ``owner_id``, ``department_id``, ``due_on``, ``lacks`` (what its record lacks, of `LACKS`).
    weights
        One row per owner, scope and cycle with open goals whose weights do not add up, sorted by those:
        ``owner_id``, ``scope``, ``cycle_id``, ``department_id`` (of their first goal), ``goals``, ``total``
        (per cent), ``unweighted`` (goals without a weight beside goals that have one).
    weighted
        Number of owners, scopes and cycles with open goals that have any weight.
    silent
        One row per branch below an open strategic goal within reach in which everything that runs is stale,
        longest silence first: ``goal_id``, ``title``, ``strategic_id``, ``department_id``, ``goals``,
        ``silent_days``.
    circles
        Goals within reach that lie on a circle: ``circle``, ``goal_id``, ``title``.
    whole
        Whether every goal of the company is within reach.
    as_of
        The day the goals are looked at.
    """

    strategy: pl.DataFrame
    uptake: pl.DataFrame
    departments: pl.DataFrame
    goals: pl.DataFrame
    weights: pl.DataFrame
    weighted: int
    silent: pl.DataFrame
    circles: pl.DataFrame
    whole: bool
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells("uptake", "department_id", "owners", ("individual", "owners"), within=("strategic_id",)),
    )


def coverage(
    goals: pl.DataFrame,
    found: GoalPace,
    *,
    branches: Mapping[str, str],
    reached: frozenset[str] | None = None,
) -> Coverage:
    """Set the strategy against what has been taken up, and list what is missing.

    Parameters
    ----------
    goals
        All goals of the company, as the contract has them.
    found
        Their pace, with the alignments it was given.
    branches
        Department → the department it is counted under; goals of others are in no row of ``uptake``.
    reached
        Goals that may be looked at one by one; None: all.

    Returns
    -------
    Coverage
        Frames may be empty.
    """
    hung = tree(found.goals, found.alignments)
    branch = pl.col("department_id").replace_strict(branches, default=None, return_dtype=pl.String)
    placed = found.goals.join(
        hung.goals.select("goal_id", "strategic_id"), on="goal_id", maintain_order="left"
    ).with_columns(branch.alias("branch_id"))
    top = pl.col("goal_id").eq_missing(pl.col("strategic_id"))
    strategic = placed.filter("open", top)
    alive = placed.filter(~pl.col("status").cast(pl.String).is_in(["draft", "abandoned"]))
    serving = hung.serves.join(
        strategic.select(pl.col("goal_id").alias("strategic_id")), on="strategic_id", how="semi"
    ).join(alive.select("goal_id", "scope", "owner_id", "branch_id"), on="goal_id")
    mine = pl.lit(value=True) if reached is None else pl.col("goal_id").is_in(list(reached))
    uptake = _uptake(serving.filter(mine))
    weights, weighted = _weights(goals, found.goals.with_columns(mine.alias("_mine")))
    return Coverage(
        strategy=_strategy(strategic, serving),
        uptake=uptake,
        departments=_departments(placed.filter("open", mine, ~top), uptake),
        goals=_lacking(goals, found.goals.filter("open", mine)),
        weights=weights,
        weighted=weighted,
        silent=silent_or_not(found, hung)
        .filter("silent", mine)
        .drop("silent")
        .sort("silent_days", "goal_id", descending=[True, False]),
        circles=hung.circles.filter(mine)
        .join(found.goals.select("goal_id", "title"), on="goal_id", how="left")
        .sort("circle", "goal_id"),
        whole=reached is None or reached.issuperset(found.goals["goal_id"]),
        as_of=found.as_of,
    )


def _strategy(strategic: pl.DataFrame, serving: pl.DataFrame) -> pl.DataFrame:
    counts = serving.group_by("strategic_id").agg(
        pl.len().cast(pl.Int64).alias("goals"),
        pl.col("aligned").sum().cast(pl.Int64),
        pl.col("branch_id").drop_nulls().n_unique().cast(pl.Int64).alias("departments"),
    )
    return (
        strategic.select("goal_id", "title", "perspective", "owner_id", "due_on")
        .join(counts, left_on="goal_id", right_on="strategic_id", how="left")
        .with_columns(
            pl.col("perspective").cast(pl.Enum(PERSPECTIVES)),
            pl.col("goals", "aligned", "departments").fill_null(0),
        )
        .with_columns((pl.col("goals") > 0).alias("taken_up"))
        .sort("perspective", "title", "goal_id", nulls_last=True)
    )


def _uptake(serving: pl.DataFrame) -> pl.DataFrame:
    single = pl.col("scope") == _SINGLE
    return (
        serving.drop_nulls("branch_id")
        .group_by("strategic_id", pl.col("branch_id").alias("department_id"))
        .agg(
            (~single).sum().cast(pl.Int64).alias("own"),
            single.sum().cast(pl.Int64).alias("individual"),
            pl.col("owner_id").filter(single).drop_nulls().n_unique().cast(pl.Int64).alias("owners"),
            pl.col("aligned").all(),
        )
        .sort("strategic_id", "department_id")
    )


def _departments(running: pl.DataFrame, uptake: pl.DataFrame) -> pl.DataFrame:
    served = uptake.group_by("department_id").agg(pl.len().cast(pl.Int64).alias("strategic"))
    return (
        running.select(pl.col("branch_id").alias("department_id"))
        .drop_nulls()
        .unique()
        .join(served, on="department_id", how="left")
        .with_columns(pl.col("strategic").fill_null(0))
        .sort("department_id")
    )


def _lacking(goals: pl.DataFrame, running: pl.DataFrame) -> pl.DataFrame:
    """What the record of each open goal lacks."""
    written = goals.select("goal_id", "metric", "cycle_id")
    facts = {
        "no_owner": pl.col("owner_id").is_null(),
        "no_metric": unnamed("metric"),
        # A first measurement has no target, and a goal may be summed up from those below it.
        "no_target": pl.col("target").is_null()
        & pl.col("kind").ne_missing("baseline")
        & ~pl.col("from_below"),
        "no_data_source": pl.col("no_data_source"),
        "no_cadence": pl.col("no_cadence"),
        "no_cycle": pl.col("cycle_id").is_null(),
        "orphan": pl.col("orphan"),
        "parent_missing": pl.col("parent_missing"),
    }
    lacks = pl.concat_list(pl.when(facts[lack]).then(pl.lit(lack)) for lack in LACKS).list.drop_nulls()
    return (
        running.join(written, on="goal_id", how="left")
        .select("goal_id", "title", "scope", "owner_id", "department_id", "due_on", lacks.alias("lacks"))
        .sort("goal_id")
    )


def unnamed(column: str) -> pl.Expr:
    """Whether a text says nothing."""
    return pl.col(column).is_null() | (pl.col(column).str.strip_chars() == "")


def _weights(goals: pl.DataFrame, paced: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Owners whose weights in one scope and cycle do not add up, and how many there are with weights at all.

    What was given up may have had its weight handed on or not: weights that add up with or without it are in
    order. Of goals that are not all within reach nothing is said: the rest of their weights is elsewhere.
    """
    states = paced.select(
        "goal_id", "open", (pl.col("status") == "abandoned").alias("_given_up"), "status", "_mine"
    )
    known = (
        goals.select(
            "goal_id", "owner_id", pl.col("scope").cast(pl.String), "cycle_id", "department_id", "weight"
        )
        .drop_nulls("owner_id")
        .join(states, on="goal_id")
        .filter(pl.col("status") != "draft")
    )
    kept = ~pl.col("_given_up")
    sums = (
        known.sort("goal_id")
        .group_by("owner_id", "scope", "cycle_id", maintain_order=True)
        .agg(
            pl.col("open").any().alias("_runs"),
            pl.col("weight").is_not_null().any().alias("_any"),
            pl.col("_mine").all(),
            pl.col("department_id").first(),
            kept.sum().cast(pl.Int64).alias("goals"),
            pl.col("weight").filter(kept).sum().alias("total"),
            pl.col("weight").sum().alias("_with_all"),
            (kept & pl.col("weight").is_null()).sum().cast(pl.Int64).alias("unweighted"),
        )
        .filter("_runs", "_any", "_mine")
    )
    off = [
        (pl.col(total) - _WHOLE).abs().round(6) > WEIGHT_TOLERANCE.value for total in ("total", "_with_all")
    ]
    return (
        sums.filter((off[0] & off[1]) | (pl.col("unweighted") > 0))
        .select("owner_id", "scope", "cycle_id", "department_id", "goals", "total", "unweighted")
        .sort("owner_id", "scope", "cycle_id", nulls_last=True),
        sums.height,
    )
