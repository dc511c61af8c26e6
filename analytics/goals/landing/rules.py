"""Which goals count for which, by which rule, and in which order can they be rolled up?

Reads    one row per goal and one per goal and goal above it.
Returns  goals by level, each with what hangs below it as sparse rows, so that a batch of draws is rolled
         up by two products a level; goals in a loop are named, and go by their own chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from analytics.policy import HALF_OF_GOALS, UNSTATED_ROLLUP

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
"""Rules that may hold for a goal of which nobody said when it counts as reached."""

EVEN: Final = (1.0 / len(CANDIDATES),) * len(CANDIDATES)
"""Each of `CANDIDATES` as likely as any other."""


class Held(NamedTuple):
    """The rule by which each goal of a level is rolled up: by weight, by its own chance, or else by number.

    ``needed`` is a share of the weight or a number of goals.
    """

    by_weight: Flags
    own: Flags
    needed: Singles


@dataclass(frozen=True)
class Level:
    """Goals whose goals below have all been rolled up; edges are sorted by goal above.

    ``at`` and ``child`` are rows of goals, ``of`` the place of an edge's parent in ``at``, ``start`` the
    first edge of each; ``weight`` an edge's share of all weight below its parent. ``said`` is the rule
    somebody stated; where nobody did (``unsaid``, places in ``at``), ``likely`` has how likely each of
    `CANDIDATES` is.
    """

    at: Integers
    child: Integers
    of: Integers
    weight: Singles
    start: Integers
    size: Integers
    by_number: sparse.csr_array
    by_share: sparse.csr_array
    said: Held
    unsaid: Integers
    likely: Floats

    def held(self, chosen: Integers) -> Held:
        """The rules that hold when those nobody stated are ``chosen`` (places in `CANDIDATES`)."""
        if not len(self.unsaid):
            return self.said
        by_weight, own, needed = self.said.by_weight.copy(), self.said.own.copy(), self.said.needed.copy()
        names = np.array([rule.name for rule in CANDIDATES])[chosen]
        by_weight[self.unsaid], own[self.unsaid] = names == "weighted", names == "own"
        size = self.size[self.unsaid]
        table = np.stack(
            [
                np.full(len(size), rule.needed) if rule.name == "weighted" else number_needed(rule, size)
                for rule in CANDIDATES
            ]
        )
        needed[self.unsaid] = table[chosen, np.arange(len(size))]
        return Held(by_weight, own, needed)


@dataclass(frozen=True)
class Tree:
    """What is rolled up, and in which order; the rest by row of goals.

    ``rule`` is the rule's name (empty: nobody said), ``needed`` a share of the weight or a number of goals,
    ``by_itself`` how likely a goal lands by its own chance whatever is below it.
    """

    levels: tuple[Level, ...]
    loop: Flags
    rule: npt.NDArray[np.str_]
    needed: Floats
    by_itself: Floats


def checked(unstated: Mapping[str, Sequence[float]]) -> Mapping[str, Sequence[float]]:
    """How likely each of `CANDIDATES` is, by scope.

    Raises
    ------
    ValueError
        If a scope does not name a likelihood for each, or they do not add up to one.
    """
    for scope, likely in unstated.items():
        if len(likely) != len(CANDIDATES) or min(likely) < 0 or abs(sum(likely) - 1.0) > 1e-6:
            raise ValueError(
                f"unstated must give {len(CANDIDATES)} likelihoods that add up to 1; "
                f"got {likely} for {scope!r}"
            )
    return unstated


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


def grown(rows: pl.DataFrame, edges: pl.DataFrame, unstated: Mapping[str, Sequence[float]]) -> Tree:
    """Arrange goals level by level; only open goals outside of loops are rolled up.

    Parameters
    ----------
    rows
        Goals, a row each.
    edges
        What counts for what, by row, as of `edges_of`.
    unstated
        As of `checked`.
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
    rule, needed = _stated(rows, size)
    rule[loop] = "own"
    scopes = rows["scope"].cast(pl.String).to_list()
    likely = np.array([unstated.get(scope, EVEN) for scope in scopes]).reshape(n, len(CANDIDATES))
    unsaid = rule == ""
    depth = _depths(child, parent, n)
    share = _shares(parent, weight, n)
    levels = []
    for level in range(1, int(depth.max(initial=0)) + 1):
        mine = depth[parent] == level
        levels.append(_level(child[mine], parent[mine], share[mine], rule=rule, needed=needed, likely=likely))
    alone = np.where(unsaid, likely[:, CANDIDATES.index(Rule("own"))], rule == "own")
    return Tree(tuple(levels), loop, rule, needed, np.where(size > 0, alone, 1.0))


def _stated(rows: pl.DataFrame, size: Integers) -> tuple[npt.NDArray[np.str_], Floats]:
    """The rule somebody stated for each goal, and the share or number it needs."""
    rule, many = pl.col("rollup_rule").cast(pl.String), pl.col("_size").clip(lower_bound=1)
    stated = rows.with_columns(pl.Series("_size", size)).select(
        rule.alias("rule"),
        pl.when(rule == "weighted")
        .then((pl.col("rollup_needed") / 100).fill_null(UNSTATED_ROLLUP.value).clip(0.01, 1.0))
        .when(rule == "k_of_n")
        .then(pl.col("rollup_needed").fill_null((HALF_OF_GOALS.value * many).ceil()).clip(1, many))
        .when(rule == "all")
        .then(many)
        .alias("needed"),
    )
    return stated["rule"].fill_null("").to_numpy().astype(np.str_), stated["needed"].to_numpy().astype(
        np.float64
    )


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
    rule: npt.NDArray[np.str_],
    needed: Floats,
    likely: Floats,
) -> Level:
    at, of, size = np.unique(parent, return_inverse=True, return_counts=True)
    shape, start = (len(at), len(rule)), np.concatenate([[0], np.cumsum(size)])
    single = share.astype(np.float32)
    unsaid = np.flatnonzero(rule[at] == "")
    return Level(
        at=at,
        child=child,
        of=of,
        weight=single,
        start=start[:-1],
        size=size,
        by_number=sparse.csr_array((np.ones(len(child), dtype=np.float32), child, start), shape=shape),
        by_share=sparse.csr_array((single, child, start), shape=shape),
        said=Held(rule[at] == "weighted", rule[at] == "own", needed[at].astype(np.float32)),
        unsaid=unsaid,
        likely=likely[at[unsaid]],
    )


def number_needed(rule: Rule, size: Integers) -> Floats:
    """How many of the goals below a rule asks for."""
    share = 1.0 if rule.name == "all" else rule.needed
    number: Floats = np.clip(np.ceil(share * size - HAIR), 1, size)
    return number


def rolled_up(tree: Tree) -> Flags:
    """The goals whose chance comes from below, or may."""
    rolled: Flags = tree.by_itself < 1.0
    return rolled
