"""How do goals hang together, from the strategy goals down?

Reads    one row per goal: goal_id, parent_id, scope.
Returns  one row per goal: its depth, its root, the goals above it, the strategic goal it serves, how many
         goals hang below it, and whether it is caught in a loop.

A strategic goal is a company goal that serves no other company goal. Loops are reported, never followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from analytics.disclosure import Cells


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
    """

    goals: pl.DataFrame

    cells: ClassVar[tuple[Cells, ...]] = ()  # Rows are goals, not statistics about people.


def tree(goals: pl.DataFrame) -> GoalTree:
    """Arrange goals below one another.

    Parameters
    ----------
    goals
        One row per goal: ``goal_id``, ``parent_id`` (null: serves none), ``scope``.

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
    return GoalTree(placed.join(gathered, on="goal_id", how="left").sort("goal_id"))


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
