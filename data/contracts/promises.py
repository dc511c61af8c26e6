"""What tables promise each other: named facts no published version breaks.

A contract speaks about one row; a promise about rows of several tables, or about how rows of one table
hang together. References are derived from the contracts, the other promises are written here as the SQL that
selects the rows that break them. The importer rejects those rows; ``verify`` counts them.

A reference that leads nowhere costs the link, not the row, wherever the column may be null and null says only
that nothing is known: the row is kept with null there and the link is reported with its line. Where it is
part of the row's meaning (a rating without a ratee), or null would itself say something (nobody approved),
the row is rejected. A link is never led elsewhere instead: an assignment whose manager is not known has no
manager, whoever managed before.

Promises look only at their own table and at tables that come before it in ``TABLES``, so that one pass in
that order settles everything.

Loops need more than a query: who manages whom changes over time, and two people who managed each other
in different years are no loop. `links_in_loops` is that computation on a frame of links.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from data.contracts import TABLES, references
from data.contracts.ratings import PANEL
from data.problems import Problem


@dataclass(frozen=True)
class Promise:
    """A fact about a table and those before it.

    Attributes
    ----------
    name
        The fact, as a name.
    table
        Whose rows break it.
    column
        The column to show a person who has to mend the row.
    problem
        What is wrong with a row that breaks it, and what to do.
    sql
        Selects ``t.*`` of the rows of ``table`` that break it.
    cut
        Whether such a row is kept, with null in ``column``.
    """

    name: str
    table: str
    column: str
    problem: Problem
    sql: str
    cut: bool = False


@dataclass(frozen=True)
class NoLoops:
    """The fact that links from rows to a parent lead to a top at any time.

    Attributes
    ----------
    name
        The fact, as a name.
    table
        Where the links are.
    node, parent
        Columns: who, and linked to whom.
    since
        Column from when the link holds, or None if it always does.
    problem
        What is wrong with a link that closes a loop, and what became of it.
    """

    name: str
    table: str
    node: str
    parent: str
    since: str | None
    problem: Problem


YEAR: Final = "INTERVAL 1 YEAR"

APPROVALS: Final = frozenset({("goal_changes", "approved_by"), ("weight_schemes", "approved_by")})
"""References whose absence says that nobody approved: a row is rejected rather than kept without."""

PROMISES: Final[tuple[Promise, ...]] = (
    Promise(
        "nobody_is_their_own_manager",
        "assignments",
        "manager_id",
        Problem(
            "The person is named as their own manager, as some systems do for the head of the company; the "
            "manager was left empty and the rest of the row kept. Correct the export if it is somebody else."
        ),
        "SELECT t.* FROM assignments t WHERE t.manager_id = t.employee_id",
        cut=True,
    ),
    Promise(
        "no_level_is_off_its_scale",
        "scale_levels",
        "points",
        Problem("The level counts points outside the lowest and highest of its scale. Correct one of them."),
        """
        SELECT t.* FROM scale_levels t JOIN rating_scales s USING (scale_id)
        WHERE t.points NOT BETWEEN s.lowest AND s.highest
        """,
    ),
    Promise(
        "a_higher_level_counts_more",
        "scale_levels",
        "points",
        Problem("It counts no more points than a level below it. Level 1 is the lowest: mind the direction."),
        """
        SELECT t.* FROM scale_levels t
        WHERE EXISTS (SELECT 1 FROM scale_levels o
                      WHERE o.scale_id = t.scale_id AND o.level < t.level AND o.points >= t.points)
        """,
    ),
    Promise(
        "every_rater_is_an_employee_a_customer_or_a_panel",
        "ratings",
        "rater_id",
        Problem(
            "The rater is not among the employees. Load the roster that holds them, or correct the rater."
        ),
        f"""
        SELECT t.* FROM ratings t
        WHERE t.source <> 'customer' AND NOT starts_with(t.rater_id, '{PANEL}')
          AND t.rater_id NOT IN (SELECT employee_id FROM employees)
        """,
    ),
    Promise(
        "ratings_are_submitted_in_or_soon_after_their_cycle",
        "ratings",
        "submitted_at",
        Problem(
            "Submitted before the cycle began, or more than a year after it ended. Correct date or cycle."
        ),
        f"""
        SELECT t.* FROM ratings t JOIN review_cycles c USING (cycle_id)
        WHERE t.submitted_at < c.starts_on OR t.submitted_at >= c.ends_on + {YEAR} + INTERVAL 1 DAY
        """,
    ),
    Promise(
        "every_score_is_on_the_scale_of_its_cycle",
        "ratings",
        "score",
        Problem("The score is outside the scale of its cycle. Correct the score, or name the right scale."),
        """
        SELECT t.* FROM ratings t JOIN review_cycles c USING (cycle_id) JOIN rating_scales s USING (scale_id)
        WHERE t.score NOT BETWEEN s.lowest AND s.highest
        """,
    ),
    Promise(
        "every_level_is_on_the_scale_of_its_cycle",
        "ratings",
        "level",
        Problem("The scale of this cycle has no such level. Correct the level, or name the right scale."),
        """
        SELECT t.* FROM ratings t JOIN review_cycles c USING (cycle_id)
        WHERE t.level IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM scale_levels l WHERE l.scale_id = c.scale_id AND l.level = t.level)
        """,
    ),
    Promise(
        "calibration_stays_on_the_scale_of_its_cycle",
        "calibration_changes",
        "score_after",
        Problem("A score before or after calibration is outside the scale of its cycle. Correct it."),
        """
        SELECT t.* FROM calibration_changes t
        JOIN review_cycles c USING (cycle_id) JOIN rating_scales s USING (scale_id)
        WHERE t.score_before NOT BETWEEN s.lowest AND s.highest
           OR t.score_after NOT BETWEEN s.lowest AND s.highest
        """,
    ),
    Promise(
        "calibration_is_decided_in_or_soon_after_its_cycle",
        "calibration_changes",
        "decided_at",
        Problem("Decided before the cycle began, or more than a year after it ended. Correct date or cycle."),
        f"""
        SELECT t.* FROM calibration_changes t JOIN review_cycles c USING (cycle_id)
        WHERE t.decided_at < c.starts_on OR t.decided_at >= c.ends_on + {YEAR} + INTERVAL 1 DAY
        """,
    ),
    Promise(
        "an_appeal_is_filed_after_its_cycle_began",
        "appeals",
        "filed_on",
        Problem("Filed before the cycle began. Correct date or cycle."),
        """
        SELECT t.* FROM appeals t JOIN review_cycles c USING (cycle_id) WHERE t.filed_on < c.starts_on
        """,
    ),
)

LOOPS: Final[tuple[NoLoops, ...]] = (
    NoLoops(
        "the_department_tree_has_no_loops",
        "departments",
        "department_id",
        "parent_id",
        "valid_from",
        Problem(
            "This parent would put the department below itself. The department was kept without the parent."
        ),
    ),
    NoLoops(
        "nobody_manages_their_own_manager",
        "assignments",
        "employee_id",
        "manager_id",
        "valid_from",
        Problem(
            "This manager would make the person their own superior. "
            "The assignment was kept without the manager."
        ),
    ),
    NoLoops(
        "the_goal_tree_has_no_loops",
        "goals",
        "goal_id",
        "parent_id",
        None,
        Problem("This parent would put the goal below itself. The goal was kept without the parent."),
    ),
)


def is_cut(table: str, column: str) -> bool:
    """Whether a row stands without what this column refers to, if that cannot be found."""
    return TABLES[table].columns()[column].nullable and (table, column) not in APPROVALS


def reference_promises(table: str) -> tuple[Promise, ...]:
    """One promise per column of a table that must name a row elsewhere."""
    promises = []
    for column, target in references(table).items():
        (key, *_) = TABLES[target].primary_key()
        cut = is_cut(table, column)
        promises.append(
            Promise(
                f"every_{column.removesuffix('_id')}_is_among_the_{target}",
                table,
                column,
                Problem(
                    "There is no such row in {table}, so {column} was left empty and the rest of the row "
                    "kept. Load the export that holds it and then this file again, or correct the value.",
                    table=target,
                    column=column,
                )
                if cut
                else Problem(
                    "There is no such row in {table}. Load the export that holds it and then this file "
                    "again, or correct the value.",
                    table=target,
                ),
                f'SELECT t.* FROM "{table}" t WHERE t."{column}" IS NOT NULL '
                f'AND t."{column}" NOT IN (SELECT "{key}" FROM "{target}")',
                cut=cut,
            )
        )
    return tuple(promises)


def promises_of(table: str) -> tuple[Promise, ...]:
    """All promises the rows of a table keep, references first; loops apart, see ``LOOPS``."""
    return (*reference_promises(table), *(promise for promise in PROMISES if promise.table == table))


def links_in_loops(links: pl.DataFrame) -> pl.DataFrame:
    """The links that lie on a loop at some moment.

    Parameters
    ----------
    links
        One row per node and moment from which its link holds: ``node``, ``parent`` (null: a top) and
        ``since`` (any ordered type, without null; constant where links always hold). A link holds until
        the node's next row; the first one holds before, too.

    Returns
    -------
    DataFrame
        The rows of ``links`` on loops, and ``loop`` (Int64), which tells loops apart.
    """
    starts = pl.col("since").min().over("node") == pl.col("since")
    spans = links.sort("node", "since").with_columns(
        _from=pl.when(starts).then(None).otherwise(pl.col("since")),
        _until=pl.col("since").shift(-1).over("node"),
    )
    core = spans.filter(pl.col("parent").is_not_null())
    # Whoever is nobody's parent, or has a parent without one, is on no loop: what stays is small or empty.
    while True:
        smaller = core.join(core.select("parent"), left_on="node", right_on="parent", how="semi").join(
            core.select("node"), left_on="parent", right_on="node", how="semi"
        )
        if smaller.height == core.height:
            break
        core = smaller
    found: dict[tuple[int, ...], None] = {}
    core = core.sort("node", "since").with_row_index("_at")
    # `None` stands for the time before every first row.
    moments = [None, *core["_from"].drop_nulls().unique().sort()]
    for moment in moments if core.height else ():
        holds = (
            pl.col("_from").is_null()
            if moment is None
            else (pl.col("_from").is_null() | (pl.col("_from") <= moment))
            & (pl.col("_until").is_null() | (pl.col("_until") > moment))
        )
        now = core.filter(holds)
        for loop in _loops(dict(zip(now["node"], zip(now["parent"], now["_at"], strict=True), strict=True))):
            found.setdefault(loop)
    on_loops = pl.DataFrame(
        [(at, number) for number, loop in enumerate(found) for at in loop],
        schema={"_at": pl.UInt32, "loop": pl.Int64},
        orient="row",
    )
    return core.join(on_loops, on="_at").select(*links.columns, "loop").sort("loop", "node")


def _loops(parents: dict[object, tuple[object, int]]) -> list[tuple[int, ...]]:
    """Loops where each node has one parent: the positions of their links, sorted."""
    loops = []
    seen: set[object] = set()
    for start in parents:
        path: dict[object, int] = {}
        node = start
        while node in parents and node not in seen and node not in path:
            path[node] = len(path)
            node = parents[node][0]
        if node in path:
            members = [n for n, place in path.items() if place >= path[node]]
            loops.append(tuple(sorted(parents[n][1] for n in members)))
        seen.update(path)
    return loops
