"""Which goals count for which, by which rule, and in which order can they be rolled up?

Reads    one row per goal and one per goal and goal above it.
Returns  goals by level, each with what hangs below it as sparse rows, so that a batch of draws is rolled
         up by two products a level; goals in a loop are named, and go by their own chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from analytics.policy import HALF_OF_GOALS, UNSTATED_ROLLUP
from data.contracts.goals import ROLLUP_RULES

HAIR: Final = 1e-5
"""What rounding may take from a share."""

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Rule(NamedTuple):
    """When a goal counts as reached; ``needed`` is a share of the weight or of the number below it."""

    name: str
    needed: float = 1.0


UNSTATED: Final = Rule("weighted", UNSTATED_ROLLUP.value)
CANDIDATES: Final = (
    Rule("own"),
    Rule("all"),
    Rule("weighted", 0.6),
    Rule("weighted", 0.7),
    Rule("weighted", 0.8),
    Rule("weighted", 0.9),
    Rule("k_of_n", 0.5),
    Rule("k_of_n", 0.7),
)
"""Rules tried on every goal with goals below it."""


@dataclass(frozen=True)
class Level:
    """Goals whose goals below have all been rolled up; edges are sorted by goal above.

    ``at``, ``child`` and ``parent`` are rows of goals; ``of`` is the place of an edge's parent in ``at``.
    """

    at: Integers
    child: Integers
    of: Integers
    weight: Singles
    start: Integers
    size: Integers
    by_weight: Flags
    own: Flags
    needed: Singles
    by_number: sparse.csr_array
    by_share: sparse.csr_array


@dataclass(frozen=True)
class Tree:
    """What is rolled up, and in which order; the rest by row of goals.

    ``rule`` is the rule's name, ``needed`` a share of the weight or a number of goals.
    """

    levels: tuple[Level, ...]
    loop: Flags
    rule: npt.NDArray[np.object_]
    needed: Floats
    stated: Flags


def rules_by_scope(unstated: Rule | Mapping[str, Rule]) -> Mapping[str | None, Rule]:
    """The rule where nobody said one, by scope; under None for every other scope.

    Raises
    ------
    ValueError
        If a rule is unknown or asks for a share that does not lie between 0 and 1.
    """
    if isinstance(unstated, Rule):
        unstated = {"": unstated}
    rules: dict[str | None, Rule] = {scope or None: rule for scope, rule in unstated.items()}
    rules.setdefault(None, UNSTATED)
    for rule in rules.values():
        if rule.name not in ROLLUP_RULES or not 0 < rule.needed <= 1:
            raise ValueError(
                f"unstated must be one of {', '.join(ROLLUP_RULES)} with a needed share between 0 and 1; "
                f"got {rule}"
            )
    return rules


def edges_of(rows: pl.DataFrame, alignments: pl.DataFrame | None) -> pl.DataFrame:
    """What counts for what, each pair once, by row: ``child``, ``parent``, ``weight``; none to itself."""
    place = rows.select("goal_id", pl.int_range(pl.len(), dtype=pl.Int64).alias("_at"))
    named = [rows.select("goal_id", "parent_id", "weight")]
    if alignments is not None:
        named.append(
            alignments.select(
                "goal_id", pl.col("serves_goal_id").alias("parent_id"), pl.col("share").alias("weight")
            )
        )
    return (
        pl.concat([frame.cast({"weight": pl.Float64}) for frame in named])
        .drop_nulls("parent_id")
        .unique(["goal_id", "parent_id"], keep="first", maintain_order=True)
        .join(place.rename({"_at": "child"}), on="goal_id", maintain_order="left")
        .join(place.rename({"goal_id": "parent_id", "_at": "parent"}), on="parent_id", maintain_order="left")
        .filter(pl.col("child") != pl.col("parent"))
        .select("child", "parent", "weight")
        .sort("parent", "child")
    )


def grown(rows: pl.DataFrame, edges: pl.DataFrame, rules: Mapping[str | None, Rule]) -> Tree:
    """Arrange goals level by level; only open goals outside of loops are rolled up.

    Parameters
    ----------
    rows
        Goals, a row each.
    edges
        What counts for what, by row, as of `edges_of`.
    rules
        As of `rules_by_scope`.
    """
    n = rows.height
    child, parent = edges["child"].to_numpy(), edges["parent"].to_numpy()
    graph = sparse.csr_array((np.ones(len(child), dtype=np.int8), (child, parent)), shape=(n, n))
    _, component = sparse.csgraph.connected_components(graph, directed=True, connection="strong")
    loop = np.bincount(component, minlength=1)[component] > 1
    is_open = (rows["state"] == "open").to_numpy()
    counts = is_open[parent] & ~loop[parent]
    child, parent, weight = child[counts], parent[counts], edges["weight"].to_numpy()[counts]
    size = np.bincount(parent, minlength=n)
    names, needed, stated = _holding(rows, size, rules)
    names[loop & is_open] = "own"
    depth = _depths(child, parent, n)
    share = _shares(parent, weight, n)
    levels = []
    for level in range(1, int(depth.max(initial=0)) + 1):
        mine = depth[parent] == level
        levels.append(_level(child[mine], parent[mine], share[mine], names=names, needed=needed))
    return Tree(tuple(levels), loop, names, needed, stated)


def _holding(
    rows: pl.DataFrame, size: Integers, rules: Mapping[str | None, Rule]
) -> tuple[npt.NDArray[np.object_], Floats, Flags]:
    """The rule that holds for each goal: its name, the share or number needed, whether somebody said it."""
    scope, rule = pl.col("scope").cast(pl.String), pl.col("rollup_rule").cast(pl.String)
    usual = {name: value for name, value in rules.items() if name is not None}
    many = pl.col("_size").clip(lower_bound=1)
    held = rows.select(
        rule.is_not_null().alias("stated"),
        pl.coalesce(
            rule,
            scope.replace_strict(
                {key: value.name for key, value in usual.items()},
                default=rules[None].name,
                return_dtype=pl.String,
            ),
        ).alias("rule"),
        pl.when(rule == "weighted")
        .then((pl.col("rollup_needed").fill_null(100 * UNSTATED_ROLLUP.value) / 100).clip(0.01, 1.0))
        .when(rule == "k_of_n")
        .then(pl.col("rollup_needed"))
        .when(rule.is_null())
        .then(
            scope.replace_strict(
                {key: value.needed for key, value in usual.items()},
                default=rules[None].needed,
                return_dtype=pl.Float64,
            )
        )
        .alias("needed"),
        pl.Series("_size", size),
    )
    number = (
        pl.when(pl.col("rule") == "all")
        .then(many)
        .when("stated")
        .then(pl.col("needed").fill_null((HALF_OF_GOALS.value * many).ceil()))
        .otherwise((pl.col("needed") * many - HAIR).ceil())
        .clip(1, many)
    )
    held = held.with_columns(
        pl.when(pl.col("rule") == "weighted").then("needed").otherwise(number).alias("needed")
    )
    return held["rule"].to_numpy().astype(object), held["needed"].to_numpy(), held["stated"].to_numpy()


def _depths(child: Integers, parent: Integers, n: int) -> Integers:
    """The longest way down from each goal; there are no loops among the edges."""
    depth = np.zeros(n, dtype=np.int64)
    waiting = np.bincount(parent, minlength=n)
    up = np.argsort(child, kind="stable")
    first = np.searchsorted(child[up], np.arange(n + 1))
    ready = np.flatnonzero(waiting == 0)
    while ready.size:
        many = first[ready + 1] - first[ready]
        steps = np.repeat(first[ready] - np.cumsum(many) + many, many) + np.arange(many.sum())
        above, below = parent[up[steps]], np.repeat(ready, many)
        np.maximum.at(depth, above, depth[below] + 1)
        np.subtract.at(waiting, above, 1)
        above = np.unique(above)
        ready = above[waiting[above] == 0]
    return depth


def _shares(parent: Integers, weight: Floats, n: int) -> Floats:
    """Weights as shares of what hangs below a goal; equal where any is missing or all are nought."""
    total = np.bincount(parent, weight, minlength=n)[parent]
    size = np.bincount(parent, minlength=n)[parent]
    even = ~(total > 0)
    shares: Floats = np.where(even, 1.0 / np.maximum(size, 1), weight / np.where(even, 1.0, total))
    return shares


def _level(
    child: Integers,
    parent: Integers,
    share: Floats,
    *,
    names: npt.NDArray[np.object_],
    needed: Floats,
) -> Level:
    at, of, size = np.unique(parent, return_inverse=True, return_counts=True)
    shape, start = (len(at), len(names)), np.concatenate([[0], np.cumsum(size)])
    single = share.astype(np.float32)
    return Level(
        at,
        child,
        of,
        single,
        start[:-1],
        size,
        np.equal(names[at], "weighted"),
        np.equal(names[at], "own"),
        needed[at].astype(np.float32),
        sparse.csr_array((np.ones(len(child), dtype=np.float32), child, start), shape=shape),
        sparse.csr_array((single, child, start), shape=shape),
    )


def number_needed(rule: Rule, size: Integers) -> Floats:
    """How many of the goals below a rule asks for."""
    share = 1.0 if rule.name == "all" else rule.needed
    number: Floats = np.clip(np.ceil(share * size - HAIR), 1, size)
    return number


def rolled_up(tree: Tree, n: int) -> Flags:
    """The goals whose chance comes from below."""
    rolled = np.zeros(n, dtype=np.bool_)
    for level in tree.levels:
        rolled[level.at[~level.own]] = True
    return rolled
