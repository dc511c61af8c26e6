"""Who can be compared with whom?

Reads    one row per rating: rater_id, ratee_id.
Returns  per rater the group of raters they can be compared with, how many of their ratees somebody else
         rates too, and whether all of that hangs on one person; per group its size. Beside it (`cuts`) the
         people whom links hang on, and the raters who stay linked whoever of them is taken away.

Two raters are linked when somebody was rated by both, in the same cycle or, after a move, in different
ones. Severity can be compared only along such links: belonging to the same department is none.

Kline, Saggio & Sølvsten (2020) reach the leave-one-out connected set by deleting the people whom links hang
on, with all their records, again and again, and keeping the largest part. Of firms that share workers little
is lost that way. Here somebody may have ten raters, only one of whom hangs on that person, and deleting
would also throw away what links the other nine. So the person is split instead, into one copy for each part
that they hold together: then no single person separates two raters of a part, and once is enough.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse
from scipy.sparse import csgraph

REFERENCE: Final = (
    "Abowd, Creecy & Kramarz (2002), connected sets; Kline, Saggio & Sølvsten (2020), Econometrica 88(5), "
    "leave-one-out connected set. doi:10.3982/ECTA16410; Tarjan (1972), SIAM J. Comput. 1(2), low points. "
    "doi:10.1137/0201010"
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


@dataclass(frozen=True)
class Cuts:
    """Where links hang on single people.

    Attributes
    ----------
    people
        One row per ratee without whom a component would fall apart, sorted by ``ratee_id``: ``n_cut_off``,
        how many raters who count would no longer be linked to the largest part that remains.
    lasting
        One row per rater of the largest set that stays linked whichever single ratee is taken away, sorted
        by ``rater_id``. Of sets of equal size, the one with the first rater.
    """

    people: pl.DataFrame
    lasting: pl.DataFrame


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
    walk = _walk(coded(pairs["rater_id"]), coded(pairs["ratee_id"]), raters.height)
    raters = raters.with_columns(
        pl.Series("label", walk.label[: raters.height], dtype=pl.Int64),
        pl.Series("hangs_on_one", _hanging(walk), dtype=pl.Boolean),
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


def cuts(ratings: pl.DataFrame, *, counted: Collection[str] | None = None) -> Cuts:
    """Find the people whom links hang on, and the raters who are linked without any one of them.

    Parameters
    ----------
    ratings
        As `linkage` reads them.
    counted
        Raters who count: among those cut off, and in which part is the largest. All if None; the others only
        pass links on.

    Returns
    -------
    Cuts
        People and raters; empty for no ratings.
    """
    pairs = ratings.select("rater_id", "ratee_id").unique().sort("rater_id", "ratee_id")
    raters, ratees = (pairs.select(name).unique().sort(name) for name in ("rater_id", "ratee_id"))
    rater, ratee = coded(pairs["rater_id"]), coded(pairs["ratee_id"])
    weight = np.ones(raters.height, dtype=np.int64)
    if counted is not None:
        weight = raters["rater_id"].is_in(list(counted)).to_numpy().astype(np.int64)
    walk = _walk(rater, ratee, raters.height, weight)
    parts = pl.DataFrame({"code": walk.person - raters.height, "inside": walk.inside, "rest": walk.rest})
    people = (
        parts.group_by("code")
        .agg(pl.col("inside").sum(), pl.col("inside").max().alias("most"), pl.col("rest").first())
        .with_columns(
            (pl.col("inside") + pl.col("rest") - pl.max_horizontal("most", "rest"))
            .cast(pl.Int64)
            .alias("n_cut_off")
        )
    )
    return Cuts(
        people=ratees.with_row_index("code")
        .with_columns(pl.col("code").cast(pl.Int64))
        .join(people, on="code")
        .select("ratee_id", "n_cut_off")
        .sort("ratee_id"),
        lasting=raters.filter(pl.Series(_lasting(walk, rater, ratee, weight), dtype=pl.Boolean)).sort(
            "rater_id"
        ),
    )


def coded(column: pl.Series) -> Integers:
    """Values in sorted order as 0, 1, ...; shape as the column, which must not hold nulls."""
    return column.rank("dense").to_numpy().astype(np.int64) - 1


class _Walk(NamedTuple):
    """A depth-first walk over raters and ratees, and the ratees at whom it can be cut.

    ``label`` is the component of each node, raters first. ``place`` and ``ends`` say where the subtree of a
    node begins and ends in the order of the walk. ``child`` heads a subtree that its parent ``person`` (a
    ratee) cuts off: ``inside`` raters who count, with ``rest`` left on the side of the person's own parent.
    ``start`` and ``end`` are the places of each component.
    """

    raters: int
    label: Integers
    place: Integers
    ends: Integers
    child: Integers
    person: Integers
    inside: Integers
    rest: Integers
    start: Integers
    end: Integers


def _walk(rater: Integers, ratee: Integers, raters: int, weight: Integers | None = None) -> _Walk:
    """Tarjan's low points: a ratee cuts off the subtree of a child whose low point is not above the ratee."""
    if not rater.size:
        none = np.empty(0, dtype=np.int64)
        return _Walk(0, *(none for _ in range(9)))
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

    counts = np.zeros(nodes + 1, dtype=np.int64)
    counts[:raters] = 1 if weight is None else weight
    before = np.concatenate([[0], np.cumsum(counts[order])])
    ends = place + np.array(size)
    start, end = place[tops], ends[tops]
    children = np.flatnonzero((parent >= raters) & (parent < nodes))
    cut = children[np.array(low)[children] >= place[parent[children]]]
    person = parent[cut].astype(np.int64)
    inside = before[ends[cut]] - before[place[cut]]
    total = (before[end] - before[start])[label[cut]]
    rest = total - np.bincount(person, inside, nodes + 1)[person].astype(np.int64)
    return _Walk(raters, label.astype(np.int64), place, ends, cut, person, inside, rest, start, end)


def _hanging(walk: _Walk) -> npt.NDArray[np.bool_]:
    """Whether one ratee alone ties a rater to most of the component."""
    if not walk.raters:
        return np.empty(0, dtype=np.bool_)
    place, ends, cut = walk.place, walk.ends, walk.child
    component = walk.label[cut]
    total = np.bincount(walk.label[: walk.raters])[component]
    flips = np.zeros(place.size + 1, dtype=np.int64)
    for part, left, right, sign in (
        (2 * walk.inside <= total, place[cut], ends[cut], 1),
        (2 * walk.rest <= total, place[cut], ends[cut], -1),
    ):
        np.add.at(flips, left[part], sign)
        np.add.at(flips, right[part], -sign)
    # What is left with the ratee's own parent, once for each ratee.
    _, once = np.unique(walk.person, return_index=True)
    whole = component[once][2 * walk.rest[once] <= total[once]]
    np.add.at(flips, walk.start[whole], 1)
    np.add.at(flips, walk.end[whole], -1)
    hanging = np.cumsum(flips)[:-1] > 0
    return np.asarray(hanging[place[: walk.raters]])


def _lasting(walk: _Walk, rater: Integers, ratee: Integers, weight: Integers) -> npt.NDArray[np.bool_]:
    """Raters of the largest part that is left when people are split into a copy for each part they hold."""
    if not walk.raters:
        return np.empty(0, dtype=np.bool_)
    nodes = walk.place.size
    person = walk.raters + ratee
    # The cut-off subtree a rating lies in, if any: of the subtrees under this person the last that begins
    # no later than the rater's place, if it has not ended by then.
    order = np.argsort(walk.person * nodes + walk.place[walk.child])
    keys = (walk.person * nodes + walk.place[walk.child])[order]
    at = np.searchsorted(keys, person * nodes + walk.place[rater], side="right") - 1
    found = at >= 0
    head = np.zeros(rater.size, dtype=np.int64)
    head[found] = walk.child[order][at[found]]
    found[found] &= walk.person[order][at[found]] == person[found]
    found &= walk.place[rater] < walk.ends[head]
    copy = np.where(found, nodes + head, person)
    edges = sparse.coo_matrix((np.ones(rater.size), (rater, copy)), shape=(2 * nodes, 2 * nodes))
    _, label = csgraph.connected_components(edges, directed=False)
    sizes = np.bincount(label[: walk.raters], weight)
    largest = sizes[label[: walk.raters]].argmax()
    return np.asarray(label[: walk.raters] == label[largest])
