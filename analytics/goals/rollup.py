"""Will the strategy land, judging by what hangs below each strategy goal?

Reads    the pace of every goal (`analytics.goals.pace`) and the goal tree (`analytics.goals.tree`).
Returns  one row per strategic goal, per branch directly below one, per perspective and per department:
         goals by status, the worst status, progress by weight, what nobody took up and nobody updates.

The strategy is what is open on the day: strategic goals that were done or given up are history, and so are
closed goals of past periods. Only goals that are part of a strategic goal count for it; a goal that serves it
from elsewhere, through an alignment, takes it up but is counted where it belongs. Drafts count nowhere. A
strategy goal's own word is its owner's or its metric's; what is shown here is what carries it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final

import polars as pl

from analytics.disclosure import Cells
from analytics.goals.pace import STATUSES, GoalPace, weighted_mean
from analytics.goals.tree import GoalTree, below, downwards, tree
from data.contracts.goals import PERSPECTIVES

COUNTED: Final = tuple(status for status in STATUSES if status != "draft")
_WORST: Final = ("done", "to_close", "not_started", "on_track", "cannot_tell", "behind", "at_risk")


@dataclass(frozen=True)
class RollUp:
    """What hangs below the strategy goals, and the same goals by perspective and department.

    Each frame has ``goals`` (drafts left out), ``owners`` (different people) and a count for each of
    `COUNTED`.

    Attributes
    ----------
    strategy
        One row per open strategic goal, by perspective (as the contract orders them, none last) and title:
        ``goal_id``, ``title``, ``perspective``, ``owner_id``, ``due_on``, ``status`` (its own), the
        counts of the goals below it; ``worst`` (worst status below; null if there is nothing), ``progress``
        (mean of what hangs below by weight, level by level, each goal between 0 and 1; its own where
        nothing hangs below), ``taken_up`` (anything but drafts and abandoned goals hangs below), ``silent``
        (goals run below it and every one of them is stale).
    branches
        One row per goal directly below an open strategic goal, sorted by ``strategic_id`` and ``goal_id``:
        ``goal_id``, ``title``, ``strategic_id``, ``department_id``, ``goals`` (itself included),
        ``silent_days`` (since anything in it was updated; null if nothing in it runs), ``silent``.
    perspectives
        One row per balanced-scorecard perspective of the goals that have or inherit one: open ones, those
        below an open strategic goal, and those closed ahead of a due date yet to come.
    departments
        One row per department that owns such goals, whatever they serve; small ones are hidden.
    loops
        ``goal_id``, ``loop``: goals caught in or hanging below a loop, which count for no strategic goal.
    circles
        ``circle``, ``goal_id``: goals on a circle of parents and alignments; no alignment counts within one.
    preset
        Name of the rule behind the statuses.
    as_of
        The day the goals are looked at.
    whole
        Whether all goals of the company were counted. If not, every count, status and silence is about those
        that were; ``taken_up`` is about the company nevertheless.
    """

    strategy: pl.DataFrame
    branches: pl.DataFrame
    perspectives: pl.DataFrame
    departments: pl.DataFrame
    loops: pl.DataFrame
    circles: pl.DataFrame
    preset: str
    as_of: date
    whole: bool = True

    cells: ClassVar[tuple[Cells, ...]] = (
        Cells("departments", "department_id", "owners", ("goals", "owners", *COUNTED)),
        Cells("perspectives", "perspective", "owners", ("goals", "owners", *COUNTED)),
    )


def rollup(found: GoalPace, *, taken_up: frozenset[str] | None = None) -> RollUp:
    """Sum statuses up to strategy goals, perspectives and departments.

    Parameters
    ----------
    found
        Result of `analytics.goals.pace.pace`.
    taken_up
        Strategic goals that somebody in the company has taken up, where ``found`` holds but a part of its
        goals; None: it holds them all.

    Returns
    -------
    RollUp
        Frames may be empty; a goal in a loop is listed in ``loops`` and counts for its department only.
    """
    hung = tree(found.goals, found.alignments)
    goals = _placed(found, hung)
    perspective = goals.select(pl.col("goal_id").alias("strategic_id"), pl.col("perspective").alias("_above"))
    goals = goals.join(perspective, on="strategic_id", how="left", maintain_order="left").with_columns(
        pl.coalesce("perspective", "_above").cast(pl.Enum(PERSPECTIVES)).alias("perspective")
    )
    strategic = goals.filter("open", pl.col("goal_id") == pl.col("strategic_id"))
    counted = goals.filter(
        pl.col("status") != "draft", pl.col("open") | pl.col("in_force") | (pl.col("due_on") >= found.as_of)
    )
    under = _under(goals)
    strategy = _strategy(strategic, under, _from_elsewhere(hung, goals), _progress(found.goals))
    if taken_up is not None:
        strategy = strategy.with_columns(pl.col("goal_id").is_in(list(taken_up)).alias("taken_up"))
    return RollUp(
        strategy,
        _branches(goals, under),
        _counts(counted.drop_nulls("perspective"), "perspective").sort("perspective"),
        _counts(counted.drop_nulls("department_id"), "department_id").sort("department_id"),
        goals.drop_nulls("loop").select("goal_id", "loop").sort("loop", "goal_id"),
        hung.circles,
        found.preset,
        found.as_of,
        whole=taken_up is None,
    )


def branches(found: GoalPace, hung: GoalTree) -> pl.DataFrame:
    """What hangs directly below open strategic goals, as `RollUp` has it in ``branches``.

    Parameters
    ----------
    found
        Result of `analytics.goals.pace.pace`.
    hung
        The tree of its goals.
    """
    goals = _placed(found, hung)
    return _branches(goals, _under(goals))


def _placed(found: GoalPace, hung: GoalTree) -> pl.DataFrame:
    """Goals with their place, and whether they are part of an open strategic goal."""
    goals = found.goals.join(
        hung.goals.select("goal_id", "depth", "path", "strategic_id", "loop"),
        on="goal_id",
        how="left",
        maintain_order="left",
    )
    strategic = goals.filter("open", pl.col("goal_id") == pl.col("strategic_id"))["goal_id"]
    in_force = pl.col("strategic_id").is_in(strategic.implode()).fill_null(value=False)
    return goals.with_columns(in_force.alias("in_force"))


def _under(goals: pl.DataFrame) -> pl.DataFrame:
    """What is part of an open strategic goal, drafts left out."""
    return goals.filter("in_force", pl.col("status") != "draft", pl.col("goal_id") != pl.col("strategic_id"))


def _counts(goals: pl.DataFrame, by: str) -> pl.DataFrame:
    return goals.group_by(by).agg(
        pl.len().cast(pl.Int64).alias("goals"),
        pl.col("owner_id").drop_nulls().n_unique().cast(pl.Int64).alias("owners"),
        *((pl.col("status") == status).sum().cast(pl.Int64).alias(status) for status in COUNTED),
    )


def _from_elsewhere(hung: GoalTree, goals: pl.DataFrame) -> pl.DataFrame:
    """How many goals serve each strategic goal without being part of it."""
    alive = goals.filter(~pl.col("status").cast(pl.String).is_in(["draft", "abandoned"])).select("goal_id")
    return (
        hung.serves.filter("aligned")
        .join(alive, on="goal_id", how="semi")
        .group_by("strategic_id")
        .agg(pl.len().cast(pl.Int64).alias("aligned"))
    )


def _strategy(
    strategic: pl.DataFrame, under: pl.DataFrame, elsewhere: pl.DataFrame, progress: dict[str, float]
) -> pl.DataFrame:
    counts = _counts(under, "strategic_id")
    # The last of the columns from best to worst that counts anything.
    worst = pl.coalesce(pl.when(pl.col(status) > 0).then(pl.lit(status)) for status in reversed(_WORST))
    return (
        strategic.select("goal_id", "title", "perspective", "owner_id", "due_on", "status")
        .join(counts, left_on="goal_id", right_on="strategic_id", how="left")
        .join(_silence(under, "strategic_id"), left_on="goal_id", right_on="strategic_id", how="left")
        .join(elsewhere, left_on="goal_id", right_on="strategic_id", how="left")
        .with_columns(
            pl.col("goals", "owners", "aligned", *COUNTED).fill_null(0),
            pl.col("silent").fill_null(value=False),
        )
        .with_columns(
            worst.alias("worst"),
            pl.col("goal_id")
            .replace_strict(progress, default=None, return_dtype=pl.Float64)
            .alias("progress"),
            ((pl.col("goals") > pl.col("abandoned")) | (pl.col("aligned") > 0)).alias("taken_up"),
        )
        .select(
            "goal_id",
            "title",
            "perspective",
            "owner_id",
            "due_on",
            "status",
            "goals",
            "owners",
            *COUNTED,
            "worst",
            "progress",
            "aligned",
            "taken_up",
            "silent",
        )
        .sort("perspective", "title", "goal_id", nulls_last=True)
    )


def _branches(goals: pl.DataFrame, under: pl.DataFrame) -> pl.DataFrame:
    """What hangs directly below strategic goals, each with all below it."""
    # On the path from the root the branch is the goal after the strategic one.
    steps = (
        under.select("goal_id", "strategic_id", "path", "silent_days", "stale")
        .explode("path")
        .with_columns(pl.col("path").shift().over("goal_id").alias("_before"))
        .filter(pl.col("_before") == pl.col("strategic_id"))
        .rename({"path": "branch_id"})
    )
    named = goals.select(pl.col("goal_id").alias("branch_id"), "title", "department_id")
    return (
        steps.group_by("branch_id", "strategic_id")
        .agg(pl.len().cast(pl.Int64).alias("goals"))
        .join(_silence(steps, "branch_id"), on="branch_id", how="left")
        .join(named, on="branch_id", how="left")
        .select(
            pl.col("branch_id").alias("goal_id"),
            "title",
            "strategic_id",
            "department_id",
            "goals",
            "silent_days",
            pl.col("silent").fill_null(value=False),
        )
        .sort("strategic_id", "goal_id")
    )


def _silence(goals: pl.DataFrame, by: str) -> pl.DataFrame:
    """Whether anything that runs was updated in time."""
    running = goals.drop_nulls("silent_days")
    return running.group_by(by).agg(pl.col("silent_days").min(), pl.col("stale").all().alias("silent"))


def _progress(goals: pl.DataFrame) -> dict[str, float]:
    """Progress of every goal from what hangs below it, and its own where nothing does."""
    rows = goals.select("goal_id", "parent_id", "progress", "weight", "status").rows()
    ids = {row[0] for row in rows}
    parents = {row[0]: row[1] if row[1] in ids else None for row in rows}
    weights = {row[0]: row[3] for row in rows}
    counted = {row[0] for row in rows if row[4] not in ("draft", "abandoned")}
    own = {
        row[0]: min(max(row[2], 0.0), 1.0) if row[2] is not None else 1.0
        for row in rows
        if row[2] is not None or row[4] == "done"
    }
    summed: dict[str, float] = {}
    children = below(parents)
    for goal in reversed(list(downwards(parents))):
        parts = [one for one in children.get(goal, ()) if one in counted and one in summed]
        mean = weighted_mean([summed[one] for one in parts], [weights[one] for one in parts])
        if mean is None:
            mean = own.get(goal)
        if mean is not None:
            summed[goal] = mean
    return summed
