"""Who can be compared with whom?

Reads    one row per rating: rater_id, ratee_id.
Returns  per rater the group of raters they can be compared with, how many of their ratees somebody else
         rates too, and whether all of that hangs on one person; per group its size.

Two raters are linked when somebody was rated by both, in the same cycle or, after a move, in different
ones. Severity can be compared only along such links: belonging to the same department is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse
from scipy.sparse import csgraph

REFERENCE: Final = (
    "Abowd, Creecy & Kramarz (2002), connected sets; Kline, Saggio & Sølvsten (2020), Econometrica 88(5), "
    "leave-one-out connected set. doi:10.3982/ECTA16410"
)

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Linkage:
    """How the raters hang together.

    Attributes
    ----------
    raters
        One row per rater, sorted by ``rater_id``: ``component`` (1 is the largest), ``n_ratings``,
        ``n_ratees``, ``n_shared`` (ratees whom somebody else rates too) and ``hangs_on_one`` (without one
        single ratee this rater would be cut off from most of the component).
    components
        One row per component, sorted by ``component``: ``n_raters``, ``n_ratees``, ``n_ratings``.
    """

    raters: pl.DataFrame
    components: pl.DataFrame


def linkage(ratings: pl.DataFrame) -> Linkage:
    """Find the groups of raters that shared ratees connect.

    Parameters
    ----------
    ratings
        One row per rating with ``rater_id`` and ``ratee_id``; self-ratings must have been left out.

    Returns
    -------
    Linkage
        Per rater and per component; empty for no ratings.
    """
    pairs = (
        ratings.group_by("rater_id", "ratee_id").agg(pl.len().alias("n_ratings")).sort("rater_id", "ratee_id")
    )
    pairs = pairs.with_columns((pl.len().over("ratee_id") > 1).alias("shared"))
    raters = (
        pairs.group_by("rater_id")
        .agg(
            pl.col("n_ratings").sum().cast(pl.Int64),
            pl.len().cast(pl.Int64).alias("n_ratees"),
            pl.col("shared").sum().cast(pl.Int64).alias("n_shared"),
        )
        .sort("rater_id")
    )
    rater = pairs["rater_id"].rank("dense").to_numpy().astype(np.int64) - 1
    ratee = pairs["ratee_id"].rank("dense").to_numpy().astype(np.int64) - 1
    label, hangs = _graph(rater, ratee, raters.height)
    raters = raters.with_columns(
        pl.Series("label", label, dtype=pl.Int64), pl.Series("hangs_on_one", hangs, dtype=pl.Boolean)
    )
    people = pairs.join(raters.select("rater_id", "label"), on="rater_id").group_by("label")
    components = (
        raters.group_by("label")
        .agg(
            pl.len().cast(pl.Int64).alias("n_raters"),
            pl.col("n_ratings").sum(),
            pl.col("rater_id").min().alias("first"),
        )
        .join(people.agg(pl.col("ratee_id").n_unique().cast(pl.Int64).alias("n_ratees")), on="label")
        .sort(["n_raters", "n_ratings", "first"], descending=[True, True, False])
        .with_row_index("component", offset=1)
        .with_columns(pl.col("component").cast(pl.Int64))
    )
    return Linkage(
        raters=raters.join(components.select("label", "component"), on="label")
        .select("rater_id", "component", "n_ratings", "n_ratees", "n_shared", "hangs_on_one")
        .sort("rater_id"),
        components=components.select("component", "n_raters", "n_ratees", "n_ratings").sort("component"),
    )


def _graph(rater: Integers, ratee: Integers, raters: int) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Component of each rater, and whether one ratee alone ties it to most of its component.

    Tarjan's low points on a depth-first tree: a ratee cuts off the subtree of a child whose low point does
    not reach above the ratee.
    """
    if not rater.size:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_)
    nodes = raters + int(ratee.max()) + 1
    edges = sparse.coo_matrix((np.ones(rater.size), (rater, raters + ratee)), shape=(nodes, nodes))
    _, label = csgraph.connected_components(edges, directed=False)
    # A node above one rater of each component makes one tree of the forest.
    tops = np.unique(label[:raters], return_index=True)[1]
    above = np.full(tops.size, nodes)
    graph = sparse.csr_matrix(
        (
            np.ones(2 * (rater.size + tops.size)),
            (
                np.concatenate([rater, raters + ratee, tops, above]),
                np.concatenate([raters + ratee, rater, above, tops]),
            ),
        ),
        shape=(nodes + 1, nodes + 1),
    )
    order, parent = csgraph.depth_first_order(graph, nodes)
    place = np.empty(nodes + 1, dtype=np.int64)
    place[order] = np.arange(nodes + 1)
    reach = np.minimum.reduceat(place[graph.indices], graph.indptr[:-1])
    low, size, up = reach.tolist(), [1] * (nodes + 1), parent.tolist()
    for node in order[:0:-1].tolist():
        above_node = up[node]
        low[above_node] = min(low[above_node], low[node])
        size[above_node] += size[node]

    is_rater = order < raters
    before = np.concatenate([[0], np.cumsum(is_rater)])
    ends = place + np.array(size)
    start, end = place[tops], ends[tops]
    flips = np.zeros(nodes + 2, dtype=np.int64)
    children = np.flatnonzero((parent >= raters) & (parent < nodes))
    cut = children[np.array(low)[children] >= place[parent[children]]]
    inside = before[ends[cut]] - before[place[cut]]
    component = label[cut]
    total = before[end[component]] - before[start[component]]
    rest = total - np.bincount(parent[cut], inside, nodes + 1)[parent[cut]]
    for part, left, right, sign in (
        (2 * inside <= total, place[cut], ends[cut], 1),
        (2 * rest <= total, place[cut], ends[cut], -1),
    ):
        np.add.at(flips, left[part], sign)
        np.add.at(flips, right[part], -sign)
    # What is left with the ratee's own parent, once for each ratee.
    _, once = np.unique(parent[cut], return_index=True)
    whole = component[once][2 * rest[once] <= total[once]]
    np.add.at(flips, start[whole], 1)
    np.add.at(flips, end[whole], -1)
    hanging = np.cumsum(flips)[:-1] > 0
    return label[:raters].astype(np.int64), hanging[place[:raters]]
