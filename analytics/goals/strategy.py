"""Will each strategic goal land, and what has changed since an earlier day?

Reads    goals and their snapshots (`analytics.goals.risk.panel`), what was said of them on each day
         (`analytics.goals.risk.ladder`), who has taken up the strategy (`analytics.goals.coverage`), and what
         was learnt of past goals with goals below them (`analytics.goals.landing.backtest`).
Returns  the strategic goals with their holes; the chance of every goal today; the chances of the strategic
         goals on earlier days.

Today and the earlier days are rolled up in one way: goals as they stood, with what was honestly said of them
then. What goals share and which rules hold where nobody said one is what is known today, so that a change is
a change of the goals, not of what we have learnt.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Final

import polars as pl

from analytics.disclosure import Cells
from analytics.goals.coverage import Coverage
from analytics.goals.landing.aftermath import too_late
from analytics.goals.landing.backtest import ParentBacktest, chances, standing
from analytics.goals.landing.landing import HOLES, Landing, land
from analytics.goals.tree import tree
from analytics.policy import SNAPSHOT_DAYS

LACKING: Final = ("no_data_source", "no_cadence")
"""What is counted of the goals below a strategic goal."""
_MOST_CHOSEN: Final = 60
"""Goals below the strategic ones whose shared causes are told; each takes a column as long as all goals."""


@dataclass(frozen=True)
class Landed:
    """The strategy, rolled up.

    Attributes
    ----------
    strategic
        One row per open strategic goal, as `Coverage.strategy` orders them: ``goal_id``, ``perspective``,
        ``owner_id``, ``due_on``, ``overdue`` (before the as-of day), ``goals`` (that serve it, in the whole
        company), ``running`` (those of them that are open), and how many of the open ones have
        ``no_data_source`` and ``no_cadence``.
    holes
        One row per strategic goal and hole (one of `HOLES`), sorted: ``goal_id``, ``hole``.
    silent
        One row per branch directly below a strategic goal that nobody updates: ``goal_id``, ``strategic_id``,
        ``goals`` (the branch itself included), ``silent_days``.
    landing
        Chances of all goals today, with causes of the strategic goals and of those directly below them.
    chances
        The chance to go by for each goal today, as `analytics.goals.landing.backtest.chances` has them.
    before
        One row per earlier day and goal that had begun by then, of the strategic goals and of those judged
        by the goals below them: ``seen_on``, ``goal_id``, ``chance``.
    record
        What became of past goals with goals below them.
    as_of
        Today.
    """

    strategic: pl.DataFrame
    holes: pl.DataFrame
    silent: pl.DataFrame
    landing: Landing
    chances: pl.DataFrame
    before: pl.DataFrame
    record: ParentBacktest
    as_of: date

    cells: ClassVar[tuple[Cells, ...]] = ()  # Rows are goals, not statistics about people.


def landed(
    goals: pl.DataFrame,
    snapshots: pl.DataFrame,
    said: pl.DataFrame,
    covered: Coverage,
    record: ParentBacktest,
    *,
    branches: pl.DataFrame,
    as_of: date,
    since: Sequence[date],
    seed: int,
    alignments: pl.DataFrame | None = None,
) -> Landed:
    """Roll the strategy up, today and on earlier days.

    Parameters
    ----------
    goals
        All goals of the company, as the contract has them.
    snapshots
        As `analytics.goals.risk.panel` has them.
    said
        As ``Chances.said``.
    covered
        Who has taken up the strategy, in the whole company.
    record
        What was learnt of past goals with goals below them.
    branches
        What hangs directly below the strategic goals, as `analytics.goals.rollup.branches` has it.
    as_of
        Today: the last day anything is known of.
    since
        Earlier days.
    seed
        For the draws.
    alignments
        Further goals served: ``goal_id``, ``serves_goal_id``, ``share``.

    Returns
    -------
    Landed
        Frames may be empty.

    Raises
    ------
    ValueError
        If a day of ``since`` does not lie before ``as_of``.
    """
    if late := [day for day in since if day >= as_of]:
        raise ValueError(f"since must be days before {as_of}; got {', '.join(map(str, late))}")
    top = covered.strategy["goal_id"]
    parents = goals.filter(pl.col("goal_id").is_in(goals["parent_id"].implode()))
    below = parents.filter(pl.col("parent_id").is_in(top.implode()))["goal_id"].sort().head(_MOST_CHOSEN)

    def on(day: date, chosen: Collection[str]) -> Landing:
        then = standing(goals, snapshots, on=day)
        return land(
            then,
            too_late(then, _latest(said, day), record.past, on=day),
            parts=record.shared.parts,
            seed=seed,
            unstated=record.unstated,
            chosen=chosen,
            alignments=alignments,
            after_a_miss=record.past.brings,
        )

    today = on(as_of, [*top, *below])
    earlier = [
        chances(on(day, ()), record)
        .filter(pl.col("goal_id").is_in(top.implode()) | (pl.col("method") != "own"))
        .select(pl.lit(day).alias("seen_on"), "goal_id", "chance")
        for day in since
    ]
    nothing = pl.DataFrame(schema={"seen_on": pl.Date, "goal_id": pl.String, "chance": pl.Float64})
    return Landed(
        _strategic(goals, covered, alignments, as_of),
        _holes(goals, covered, branches),
        branches.filter("silent")
        .select("goal_id", "strategic_id", "goals", "silent_days")
        .sort("strategic_id", "goal_id"),
        today,
        chances(today, record),
        pl.concat([nothing, *earlier]),
        record,
        as_of,
    )


def _latest(said: pl.DataFrame, day: date) -> pl.DataFrame:
    """What was last said of each goal in the fortnight up to a day."""
    since = day - timedelta(days=int(SNAPSHOT_DAYS.value))
    return (
        said.filter(pl.col("seen_on") > since, pl.col("seen_on") <= day)
        .sort("goal_id", "seen_on")
        .group_by("goal_id", maintain_order=True)
        .last()
        .select("goal_id", "delay", "delay_low", "delay_high")
    )


def _strategic(
    goals: pl.DataFrame, covered: Coverage, alignments: pl.DataFrame | None, as_of: date
) -> pl.DataFrame:
    serving = tree(goals, alignments).serves.join(
        covered.goals.select("goal_id", "lacks"), on="goal_id", how="inner"
    )
    counts = serving.group_by("strategic_id").agg(
        pl.len().cast(pl.Int64).alias("running"),
        *(pl.col("lacks").list.contains(lack).sum().cast(pl.Int64).alias(lack) for lack in LACKING),
    )
    return (
        covered.strategy.select(
            "goal_id",
            pl.col("perspective").cast(pl.String),
            "owner_id",
            "due_on",
            (pl.col("due_on") < as_of).alias("overdue"),
            "goals",
        )
        .join(counts, left_on="goal_id", right_on="strategic_id", how="left", maintain_order="left")
        .with_columns(pl.col("running", *LACKING).fill_null(0))
    )


def _holes(goals: pl.DataFrame, covered: Coverage, branches: pl.DataFrame) -> pl.DataFrame:
    """What the strategic goals themselves lack, and those below which nobody updates any branch that runs."""
    running = branches.drop_nulls("silent_days").group_by("strategic_id").agg(pl.col("silent").all())
    strategic = covered.strategy.select("goal_id", "owner_id")
    lacking = (
        covered.goals.join(strategic, on="goal_id", how="semi")
        .select("goal_id", pl.col("lacks").alias("hole"))
        .explode("hole")
        .filter(pl.col("hole").is_in(HOLES))
    )
    weighing = strategic.join(goals.select("goal_id", "cycle_id"), on="goal_id").join(
        covered.weights.filter(scope="company").select("owner_id", "cycle_id"),
        on=["owner_id", "cycle_id"],
        how="semi",
        nulls_equal=True,
    )
    found = (
        covered.strategy.filter(~pl.col("taken_up")).select("goal_id", pl.lit("not_taken_up").alias("hole")),
        running.filter("silent").select(
            pl.col("strategic_id").alias("goal_id"), pl.lit("silent").alias("hole")
        ),
        weighing.select("goal_id", pl.lit("weights").alias("hole")),
        lacking,
    )
    return pl.concat(found).unique().sort("goal_id", "hole")
