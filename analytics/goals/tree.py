"""How do goals hang together, from the strategy goals down?

Reads    one row per goal: goal_id, parent_id, scope; and, where kept, which further goals each one serves:
         goal_id, serves_goal_id, share.
Returns  one row per goal: its depth, its root, the goals above it, the strategic goal it is part of, how many
         goals hang below it, and whether it is caught in a loop; every link; every strategic goal that each
         goal serves, by its parents or through an alignment.

A goal is part of one goal and may serve several. A strategic goal is a company goal that is part of no other
company goal. Loops are reported, never followed: not by parents, and not by alignments that lead back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from analytics.disclosure import Cells

NO_ALIGNMENTS: Final = pl.DataFrame(
    schema={"goal_id": pl.String, "serves_goal_id": pl.String, "share": pl.Float64}
)
_BITS: Final = 62
"""Strategic goals that are followed at once, a bit of a whole number each."""


@dataclass(frozen=True)
class GoalTree:
    """Goals with their place.

    Attributes
    ----------
    goals
        Sorted by ``goal_id``: ``goal_id``, ``parent_id``, ``scope``; ``depth`` (0 at a root),
        ``path`` (ids from the root to the goal itself), ``root_id``, ``strategic_id`` (the strategic goal
        on the path; null if none), ``children`` and ``descendants`` (counts), ``parent_missing`` (the
        named parent is not among the goals), ``loop`` (number of the loop it is caught in or hangs
        below). Depth, path and root are null for goals in or below a loop.
    links
        One row per goal and goal directly above it, by ``above_id``, parts before what is aligned:
        ``goal_id``, ``above_id``, ``by`` (*parent* or *alignment*), ``share`` (per cent of the goal above;
        null by a parent or if nobody said), ``closes_circle`` (following it would lead back to the goal, so
        nothing is counted through it). Links to goals that are not among the goals are left out.
    serves
        One row per goal and strategic goal above it, whichever way up, sorted by both: ``goal_id``,
        ``strategic_id``, ``aligned`` (only through an alignment, its own or of a goal above it).
    circles
        Goals that lie on a circle of parents and alignments, sorted: ``circle`` (its number), ``goal_id``.
    """

    goals: pl.DataFrame
    links: pl.DataFrame
    serves: pl.DataFrame
    circles: pl.DataFrame

    cells: ClassVar[tuple[Cells, ...]] = ()  # Rows are goals, not statistics about people.


def tree(goals: pl.DataFrame, alignments: pl.DataFrame | None = None) -> GoalTree:
    """Arrange goals below one another.

    Parameters
    ----------
    goals
        One row per goal: ``goal_id``, ``parent_id`` (null: part of none), ``scope``.
    alignments
        ``goal_id``, ``serves_goal_id``, ``share`` (may be missing): further goals that a goal serves. None:
        not kept.

    Returns
    -------
    GoalTree
        One row per goal, loops included.
    """
    ids: list[str] = goals["goal_id"].to_list()
    named: dict[str, str | None] = dict(zip(ids, goals["parent_id"].to_list(), strict=True))
    scope: dict[str, str] = dict(zip(ids, goals["scope"].cast(pl.String).to_list(), strict=True))
    parents = {goal: parent if parent in named else None for goal, parent in named.items()}
    children = below(parents)
    paths: dict[str, tuple[str, ...]] = {}
    strategic: dict[str, str | None] = {}
    for goal in downwards(parents):
        parent = parents[goal]
        paths[goal] = (*(paths[parent] if parent is not None else ()), goal)
        inherited = strategic[parent] if parent is not None else None
        strategic[goal] = goal if inherited is None and scope[goal] == "company" else inherited
    descendants = dict.fromkeys(ids, 0)
    for goal in reversed(list(paths)):
        parent = parents[goal]
        if parent is not None:
            descendants[parent] += descendants[goal] + 1
    loops = _loops({goal: parent for goal, parent in parents.items() if goal not in paths})
    # Built flat and gathered: a list column made of one Python list per goal takes five times as long.
    steps = pl.DataFrame(
        {
            "goal_id": [goal for goal, path in paths.items() for _ in path],
            "path": [step for path in paths.values() for step in path],
        },
        schema={"goal_id": pl.String, "path": pl.String},
    )
    placed = pl.DataFrame(
        {
            "goal_id": ids,
            "parent_id": list(named.values()),
            "scope": list(scope.values()),
            "depth": [len(paths[goal]) - 1 if goal in paths else None for goal in ids],
            "root_id": [paths[goal][0] if goal in paths else None for goal in ids],
            "strategic_id": [strategic.get(goal) for goal in ids],
            "children": [len(children.get(goal, ())) for goal in ids],
            "descendants": [descendants[goal] for goal in ids],
            "parent_missing": [named[goal] is not None and named[goal] not in named for goal in ids],
            "loop": [loops.get(goal) for goal in ids],
        },
        schema={
            "goal_id": pl.String,
            "parent_id": pl.String,
            "scope": pl.String,
            "depth": pl.Int64,
            "root_id": pl.String,
            "strategic_id": pl.String,
            "children": pl.Int64,
            "descendants": pl.Int64,
            "parent_missing": pl.Boolean,
            "loop": pl.Int64,
        },
    )
    gathered = steps.group_by("goal_id", maintain_order=True).agg("path")
    links, circles = _links(placed, alignments if alignments is not None else NO_ALIGNMENTS)
    return GoalTree(
        placed.join(gathered, on="goal_id", how="left").sort("goal_id"),
        links,
        _serves(placed, links),
        circles,
    )


def below(parents: Mapping[str, str | None]) -> dict[str, list[str]]:
    """The goals directly below each goal that has any."""
    children: dict[str, list[str]] = {}
    for goal, parent in parents.items():
        if parent is not None:
            children.setdefault(parent, []).append(goal)
    return children


def downwards(parents: Mapping[str, str | None]) -> Iterator[str]:
    """Every goal that hangs from a root, parents before children; goals in or below loops are left out."""
    children = below(parents)
    level = [goal for goal, parent in parents.items() if parent is None or parent not in parents]
    while level:
        yield from level
        level = [child for goal in level for child in children.get(goal, ())]


def _loops(parents: Mapping[str, str | None]) -> dict[str, int]:
    """Number of the loop each goal leads up to, numbered by the smallest id on the loop."""
    leads_to: dict[str, frozenset[str]] = {}
    for start in parents:
        walked: list[str] = []
        seen: set[str] = set()
        goal = start
        while goal not in leads_to and goal not in seen:
            seen.add(goal)
            walked.append(goal)
            above = parents[goal]
            assert above is not None  # every goal here hangs from a loop, not from a root
            goal = above
        loop = leads_to.get(goal) or frozenset(walked[walked.index(goal) :])
        leads_to.update(dict.fromkeys(walked, loop))
    numbers = {loop: n for n, loop in enumerate(_in_order(set(leads_to.values())), start=1)}
    return {goal: numbers[loop] for goal, loop in leads_to.items()}


def _in_order(loops: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    return sorted(loops, key=min)


def _links(placed: pl.DataFrame, alignments: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Every link between goals that are there, and the circles they close."""
    known = placed.select("goal_id").with_row_index("_at")
    share = pl.col("share") if "share" in alignments.columns else pl.lit(None)
    parts = placed.drop_nulls("parent_id").select(
        "goal_id",
        pl.col("parent_id").alias("above_id"),
        pl.lit("parent").alias("by"),
        pl.lit(None, pl.Float64).alias("share"),
    )
    further = alignments.select(
        "goal_id",
        pl.col("serves_goal_id").alias("above_id"),
        pl.lit("alignment").alias("by"),
        share.cast(pl.Float64).alias("share"),
    )
    links = (
        pl.concat([parts, further])
        # An alignment with the goal it is part of anyway, or with itself, says nothing.
        .filter(pl.col("goal_id") != pl.col("above_id"))
        .unique(["goal_id", "above_id"], keep="first", maintain_order=True)
        .join(known, on="goal_id")
        .join(known.rename({"goal_id": "above_id", "_at": "_above"}), on="above_id")
    )
    low, high = links["_at"].to_numpy(), links["_above"].to_numpy()
    by_parents = (links["by"] == "parent").to_numpy()
    anyhow = _reachable_both_ways(low, high, placed.height)
    by_parents_only = _reachable_both_ways(low[by_parents], high[by_parents], placed.height)
    # Of a circle that an alignment closes, the alignments give way and the parents stay.
    closes = np.where(by_parents, by_parents_only[low] == by_parents_only[high], anyhow[low] == anyhow[high])
    circles = (
        known.with_columns(pl.Series("_part", anyhow, dtype=pl.Int64))
        .filter(pl.len().over("_part") > 1)
        .with_columns(pl.col("goal_id").min().over("_part").rank("dense").cast(pl.Int64).alias("circle"))
        .select("circle", "goal_id")
        .sort("circle", "goal_id")
    )
    return (
        links.with_columns(pl.Series("closes_circle", closes, dtype=pl.Boolean))
        .select("goal_id", "above_id", "by", "share", "closes_circle")
        .sort("above_id", "by", "goal_id", descending=[False, True, False]),
        circles,
    )


def _reachable_both_ways(low: NDArray[np.int64], high: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """A number per goal, equal for goals that lead to each other."""
    if n == 0:
        return np.zeros(0, dtype=np.int64)
    links = coo_array((np.ones(len(low), dtype=np.int8), (low, high)), shape=(n, n)).tocsr()
    return np.asarray(connected_components(links, connection="strong")[1], dtype=np.int64)


def _serves(placed: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """The strategic goals above each goal, whichever way up."""
    own = placed.filter(pl.col("strategic_id").is_not_null()).select("goal_id", "strategic_id")
    if (links["by"] == "parent").all():
        served = own
    else:
        served = _all_ways_up(placed, links.filter(~pl.col("closes_circle")))
    part_of = own.with_columns(pl.lit(value=False).alias("aligned"))
    return (
        served.filter(pl.col("goal_id") != pl.col("strategic_id"))
        .join(part_of, on=["goal_id", "strategic_id"], how="left")
        .with_columns(pl.col("aligned").fill_null(value=True))
        .sort("goal_id", "strategic_id")
    )


def _all_ways_up(placed: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """Goal and strategic goal for every way up; the links close no circle."""
    known = placed.select("goal_id").with_row_index("_at")
    ways = links.join(known, on="goal_id").join(
        known.rename({"goal_id": "above_id", "_at": "_above"}), on="above_id"
    )
    low, high = ways["_at"].to_numpy(), ways["_above"].to_numpy()
    strategic = np.flatnonzero(
        (placed["goal_id"] == placed["strategic_id"]).fill_null(value=False).to_numpy()
    )
    goals: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
    served: list[NDArray[np.int64]] = [np.zeros(0, dtype=np.int64)]
    # A bit per strategic goal: all of a batch go down every link at once, until none has a new one.
    for first in range(0, len(strategic), _BITS):
        batch = strategic[first : first + _BITS]
        reaches = np.zeros(placed.height, dtype=np.int64)
        reaches[batch] = np.left_shift(1, np.arange(len(batch)))
        while True:
            before = reaches.copy()
            np.bitwise_or.at(reaches, low, before[high])
            if (reaches == before).all():
                break
        for bit, strategy in enumerate(batch):
            below_it = np.flatnonzero(reaches & np.left_shift(1, bit))
            goals.append(below_it)
            served.append(np.full(len(below_it), strategy))
    return pl.DataFrame(
        {
            "goal_id": placed["goal_id"].gather(np.concatenate(goals)),
            "strategic_id": placed["goal_id"].gather(np.concatenate(served)),
        }
    )
