"""The named reads: what a viewer may read, written once for every engine.

Each read takes the viewer, checks the permission it stands for, keeps to the people that permission
reaches, and returns a polars frame that ends in an explicit sort. The large tables are filtered and
joined inside the engine (the portable narwhals subset, see `data.engine`); only what one page needs
comes back.

The reads for models (``model_…``) look past the reach: a rater's severity is relative to everybody else's,
so it can only be computed on the whole company. They carry no names and are for computation; what is shown
of their results is narrowed by ``visible_raters`` and ``visible_ratees``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final, Literal

import narwhals as nw
import polars as pl

from data.access import Permission, Reach, Viewer
from data.contracts import TABLES
from data.contracts.ratings import OVERALL, PANEL
from data.engine import Engine, Tables
from data.problems import Problem

Stage = Literal["initial", "final"]
Lazy = nw.LazyFrame[Any]

TOLD: Final = frozenset({"column", "table", "least", "most", "low", "high", "choices", "levels", "n"})
"""Places of a reason that say what is expected; any other may quote what stood in a row."""
BLANK: Final = "…"
"""What stands where a value is not the viewer's to see."""

LEADER_SOURCES: Final = ("manager", "skip_level", "cross_department")
"""Sources in which somebody rates others' work as a leader; what severity is read from by default."""


class RefusedError(Problem):
    """The viewer lacks a permission; nothing was read."""


@dataclass(frozen=True)
class Departments:
    """The department tree as it stood on one day.

    Attributes
    ----------
    frame
        department_id, name, parent_id; one row per department, sorted by id. A parent that is not itself
        described counts as no parent.
    """

    frame: pl.DataFrame

    @cached_property
    def parents(self) -> dict[str, str | None]:
        """department → its parent, None at the top."""
        known = set(self.frame["department_id"])
        return {
            row["department_id"]: row["parent_id"] if row["parent_id"] in known else None
            for row in self.frame.iter_rows(named=True)
        }

    @cached_property
    def names(self) -> dict[str, str]:
        """department → its name."""
        return dict(zip(self.frame["department_id"], self.frame["name"], strict=True))

    @cached_property
    def children(self) -> dict[str | None, list[str]]:
        """parent → its departments, None for the tops."""
        found: dict[str | None, list[str]] = {}
        for department, parent in self.parents.items():
            found.setdefault(parent, []).append(department)
        return found

    def path(self, department: str) -> tuple[str, ...]:
        """From the top down to the department."""
        path = [department]
        while (parent := self.parents.get(path[-1])) is not None and parent not in path:
            path.append(parent)
        return tuple(reversed(path))

    def below(self, department: str) -> frozenset[str]:
        """The department and everything under it."""
        found = {department}
        queue = [department]
        while queue:
            for child in self.children.get(queue.pop(), []):
                if child not in found:
                    found.add(child)
                    queue.append(child)
        return frozenset(found)

    def outline(self) -> list[str]:
        """All departments, each under its parent, siblings by name."""
        ordered: list[str] = []

        def under(parent: str | None) -> list[str]:
            return sorted(self.children.get(parent, []), key=lambda d: (self.names[d], d), reverse=True)

        # A list of what is still to come: a chain of departments can be longer than calls may nest.
        coming = under(None)
        while coming:
            ordered.append(coming.pop())
            coming += under(ordered[-1])
        return ordered

    def branches(self, at: str | None) -> dict[str, str]:
        """department → the branch directly under ``at`` that holds it.

        ``at=None`` starts at the top; a single top is stepped through, so that a company that is one
        root department still falls into its parts. ``at`` itself stands for its own direct members.
        """
        tops = self.children.get(None, [])
        start = at if at is not None else (tops[0] if len(tops) == 1 else None)
        found = {} if start is None else {start: start}
        for branch in self.children.get(start, []):
            found.update(dict.fromkeys(self.below(branch), branch))
        return found


def cycles(engine: Engine) -> pl.DataFrame:
    """Review cycles with their scale, newest first: cycle_id, name, starts_on, ends_on, scale_id, n_ratings.

    Only cycles with ratings; how many there are of all sources is no secret.
    """

    def read(tables: Tables) -> Lazy:
        counted = tables("ratings").group_by("cycle_id").agg(nw.len().alias("n_ratings"))
        return (
            tables("review_cycles")
            .select("cycle_id", "name", "starts_on", "ends_on", "scale_id")
            .join(counted, on="cycle_id", how="inner")
        )

    return engine.query(read).sort("ends_on", "cycle_id", descending=True)


def levels(engine: Engine, scale_id: str) -> pl.DataFrame:
    """Levels of a scale, lowest first: level, code, label, points. Empty if the scale is continuous."""
    return engine.query(
        lambda tables: (
            tables("scale_levels")
            .filter(nw.col("scale_id") == scale_id)
            .select("level", "code", "label", "points")
        )
    ).sort("level")


def sources(engine: Engine, cycle_id: str) -> list[str]:
    """Sources with overall ratings in a cycle, most ratings first."""
    counted = engine.query(
        lambda tables: (
            tables("ratings")
            .filter(nw.col("cycle_id") == cycle_id, nw.col("dimension") == OVERALL)
            .group_by("source")
            .agg(nw.len().alias("n"))
        )
    )
    return counted.sort("n", "source", descending=[True, False])["source"].cast(pl.String).to_list()


def latest_day(engine: Engine) -> date | None:
    """The day the data are of: the last check-in or submission on record. None if nothing is dated.

    Where nobody has checked in, it is the day the import was said to be as of; else the last day that goals
    and their changes name up to the day of the import, else the end of a review cycle, else that day itself.
    A later submission holds against all of these.
    """
    stated, imported = _import_days(engine)
    # Clocks and calendars differ by a while; what lies a year ahead of the import is a slip of the pen, and
    # must not make all goals of the company overdue.
    ahead = None if imported is None else imported + _A_YEAR
    checked, submitted = (
        _latest(engine, table, column, up_to=ahead)
        for table, column in (("check_ins", "checked_at"), ("ratings", "submitted_at"))
    )
    if checked is not None:
        return _later(checked, submitted)
    if stated is not None:
        return _later(stated, submitted)
    of_goals = _later(*(_latest(engine, table, column, up_to=imported) for table, column in _GOAL_DAYS))
    ended = _latest(engine, "review_cycles", "ends_on", up_to=imported)
    return _later(submitted, of_goals) or ended or imported


_A_YEAR: Final = timedelta(days=366)
_GOAL_DAYS: Final = (
    ("goals", "start_on"),
    ("goals", "due_on"),
    ("goals", "agreed_on"),
    ("goals", "completed_on"),
    ("goal_changes", "changed_at"),
)


def _latest(engine: Engine, table: str, column: str, *, up_to: date | None = None) -> date | None:
    """The latest day in a column, none later than a limit."""

    def read(tables: Tables) -> Lazy:
        days = tables(table).select(nw.col(column).cast(nw.Date).alias("day"))
        kept = days if up_to is None else days.filter(nw.col("day") <= nw.lit(up_to))
        return kept.select(nw.col("day").max())

    found = engine.query(read)["day"].item()
    return found if isinstance(found, date) else None


def _later(*days: date | None) -> date | None:
    return max((day for day in days if day is not None), default=None)


def _import_days(engine: Engine) -> tuple[date | None, date | None]:
    """The day the last import was said to be as of, and the day it was made; neither for frames in memory."""
    try:
        books = engine.query(lambda tables: tables("_meta").select("as_of", "created_at"))
    except KeyError:
        return None, None
    stated, made = books["as_of"].max(), books["created_at"].max()
    return (
        stated if isinstance(stated, date) else None,
        made.date() if isinstance(made, datetime) else None,
    )


def departments(engine: Engine, *, on: date) -> Departments:
    """The department tree as described on a day; before the first description, the first holds."""

    def read(tables: Tables) -> Lazy:
        return _as_of(tables("departments"), "department_id", on).select("department_id", "name", "parent_id")

    return Departments(engine.query(read).sort("department_id"))


def standing(tables: Tables, on: date) -> Lazy:
    """Where everybody stood on a day; ``assumed`` where only a later assignment is known."""
    return _as_of(tables("assignments"), "employee_id", on).select(
        "employee_id",
        "department_id",
        "manager_id",
        "level",
        "job_family",
        "location",
        "employment_type",
        "assumed",
    )


def _as_of(table: Lazy, key: str, on: date) -> Lazy:
    past = nw.when(nw.col("valid_from") <= nw.lit(on)).then(nw.col("valid_from"))
    chosen = (
        table.with_columns(past.alias("past"))
        .group_by(key)
        .agg(nw.col("past").max().alias("latest"), nw.col("valid_from").min().alias("first"))
        .with_columns(
            nw.coalesce("latest", "first").alias("valid_from"), nw.col("latest").is_null().alias("assumed")
        )
        .select(key, "valid_from", "assumed")
    )
    return table.join(chosen, on=[key, "valid_from"], how="inner")


def ratings(viewer: Viewer, engine: Engine, *, cycle_id: str, source: str, stage: Stage) -> pl.DataFrame:
    """Overall ratings of one cycle and source, with where the ratee stood when the cycle ended.

    Parameters
    ----------
    stage
        ``initial``: as the rater gave it. ``final``: the calibrated one where there is one.

    Returns
    -------
    polars.DataFrame
        One row per rating the viewer's permission to see distributions reaches: cycle_id, ratee_id,
        rater_id, source, score, level, department_id, grade, job_family, location, manager_id; sorted by
        ratee and rater. ``grade`` is the ratee's job level (``level`` is the rating's).
    """
    _require(viewer, Permission.SEE_DISTRIBUTIONS)
    ends_on = _cycle_end(engine, cycle_id)

    def read(tables: Tables) -> Lazy:
        stood = standing(tables, ends_on).rename(
            {"employee_id": "ratee_id", "level": "grade", "department_id": "stood_in"}
        )
        return (
            tables("ratings")
            .filter(
                nw.col("cycle_id") == cycle_id,
                nw.col("source") == source,
                nw.col("dimension") == OVERALL,
            )
            .select(
                "cycle_id",
                "ratee_id",
                "rater_id",
                "source",
                "stage",
                "score",
                "level",
                "department_id",
            )
            .join(stood, on="ratee_id", how="left")
            .with_columns(nw.coalesce("department_id", "stood_in").alias("department_id"))
            .drop("stood_in", "assumed", "employment_type")
        )

    found = engine.query(read).with_columns(pl.col("source", "stage").cast(pl.String))
    if stage == "initial":
        found = found.filter(pl.col("stage") == "initial")
    else:
        # "calibrated" sorts before "initial": the first of each pair is the later stage.
        found = found.sort("stage").unique(["ratee_id", "rater_id"], keep="first", maintain_order=True)
    return _within(viewer, Permission.SEE_DISTRIBUTIONS, engine, found, on=ends_on).sort(
        "ratee_id", "rater_id"
    )


def model_ratings(engine: Engine, *, cycle_ids: Sequence[str], rating_sources: Sequence[str]) -> pl.DataFrame:
    """Overall initial ratings of several cycles for the severity model: the whole company, no names.

    Averages of unnamed panels stay out: a panel is nobody's severity.

    Returns
    -------
    polars.DataFrame
        cycle_id, ratee_id, rater_id, source, department_id (the ratee's when the cycle ended), score, level
        (null on a continuous scale), scale_id; sorted by cycle, ratee, rater, source.
    """
    found = _model_rows(engine, cycle_ids, rating_sources, nw.col("dimension") == OVERALL)
    return found.drop("dimension").sort("cycle_id", "ratee_id", "rater_id", "source")


def model_dimension_ratings(
    engine: Engine, *, cycle_ids: Sequence[str], rating_sources: Sequence[str]
) -> pl.DataFrame:
    """What was judged one by one, as `model_ratings` has it, with the ``dimension``.

    Returns
    -------
    polars.DataFrame
        The columns of `model_ratings` and dimension, never the overall rating; sorted by cycle, ratee,
        rater, source, dimension.
    """
    found = _model_rows(engine, cycle_ids, rating_sources, nw.col("dimension") != OVERALL)
    return found.sort("cycle_id", "ratee_id", "rater_id", "source", "dimension")


def _model_rows(
    engine: Engine, cycle_ids: Sequence[str], rating_sources: Sequence[str], judged: nw.Expr
) -> pl.DataFrame:
    """Initial ratings with where the ratee stood when the cycle ended and the scale it was on."""
    sources_wanted = list(rating_sources)
    frames: list[pl.DataFrame] = []
    for cycle_id in cycle_ids:
        ends_on = _cycle_end(engine, cycle_id)

        def read(tables: Tables, cycle_id: str = cycle_id, ends_on: date = ends_on) -> Lazy:
            stood = standing(tables, ends_on).select(
                nw.col("employee_id").alias("ratee_id"), nw.col("department_id").alias("stood_in")
            )
            scale = tables("review_cycles").select("cycle_id", "scale_id")
            return (
                tables("ratings")
                .filter(
                    nw.col("cycle_id") == cycle_id,
                    nw.col("source").is_in(sources_wanted),
                    judged,
                    nw.col("stage") == "initial",
                    ~nw.col("rater_id").str.starts_with(PANEL),
                )
                .select(
                    "cycle_id",
                    "ratee_id",
                    "rater_id",
                    "source",
                    "dimension",
                    "score",
                    "level",
                    "department_id",
                )
                .join(stood, on="ratee_id", how="left")
                .with_columns(nw.coalesce("department_id", "stood_in").alias("department_id"))
                .drop("stood_in")
                .join(scale, on="cycle_id", how="left")
            )

        frames.append(engine.query(read).with_columns(pl.col("source").cast(pl.String)))
    if not frames:
        raise ValueError("cycle_ids must name at least one cycle")
    return pl.concat(frames)


def model_goals(engine: Engine) -> pl.DataFrame:
    """Goals with an owner, of the whole company, as evidence beside ratings; no titles, no names.

    Returns
    -------
    polars.DataFrame
        As the contract has them without title, metric and data source; sorted by owner and goal.
    """
    return (
        engine.query(
            lambda tables: (
                tables("goals")
                .filter(~nw.col("owner_id").is_null())
                .drop("title", "metric", "data_source", "_source_id", "_line", strict=False)
            )
        )
        .with_columns(pl.col("scope", "framework", "perspective", "kind", "status").cast(pl.String))
        .sort("owner_id", "goal_id")
    )


def model_check_ins(engine: Engine) -> pl.DataFrame:
    """Check-ins of goals with an owner: goal_id, checked_at, value, target, confidence; sorted so."""

    def read(tables: Tables) -> Lazy:
        owned = tables("goals").filter(~nw.col("owner_id").is_null()).select("goal_id")
        return (
            tables("check_ins")
            .select("goal_id", "checked_at", "value", "target", "confidence")
            .join(owned, on="goal_id", how="semi")
        )

    return engine.query(read).sort("goal_id", "checked_at")


def model_goal_changes(engine: Engine) -> pl.DataFrame:
    """Changes to goals with an owner, as the contract has them; sorted by goal, moment, field."""

    def read(tables: Tables) -> Lazy:
        owned = tables("goals").filter(~nw.col("owner_id").is_null()).select("goal_id")
        return (
            tables("goal_changes")
            .drop("_source_id", "_line", strict=False)
            .join(owned, on="goal_id", how="semi")
        )

    return engine.query(read).sort("goal_id", "changed_at", "field")


def every_goal(engine: Engine) -> pl.DataFrame:
    """Every goal of the company without its title, for computation only; sorted by goal."""
    return (
        engine.query(lambda tables: tables("goals").drop("title", "_source_id", "_line", strict=False))
        .with_columns(
            pl.col("scope", "framework", "perspective", "kind", "status", "rollup_rule").cast(pl.String)
        )
        .sort("goal_id")
    )


def every_check_in(engine: Engine) -> pl.DataFrame:
    """Check-ins of every goal, for computation only: goal_id, checked_at, value, target, confidence."""
    return engine.query(
        lambda tables: tables("check_ins").select("goal_id", "checked_at", "value", "target", "confidence")
    ).sort("goal_id", "checked_at")


def every_goal_change(engine: Engine) -> pl.DataFrame:
    """Changes to every goal, for computation only; sorted by goal, moment, field."""
    return engine.query(lambda tables: tables("goal_changes").drop("_source_id", "_line", strict=False)).sort(
        "goal_id", "changed_at", "field"
    )


def every_goal_alignment(engine: Engine) -> pl.DataFrame:
    """Which further goals each goal serves, for computation only: goal_id, serves_goal_id, share; sorted."""
    return engine.query(
        lambda tables: tables("goal_alignments").drop("_source_id", "_line", strict=False)
    ).sort("goal_id", "serves_goal_id")


def model_ratee_groups(viewer: Viewer, engine: Engine, *, cycle_ids: Sequence[str]) -> pl.DataFrame:
    """Which groups everybody belonged to when each cycle ended, for comparing how groups are rated.

    Protected attributes come only for those whose role opens them for the whole company; for others their
    columns are null.

    Returns
    -------
    polars.DataFrame
        cycle_id, ratee_id, department_id, grade, job_family, location, gender; sorted by cycle and ratee.
    """
    _require(viewer, Permission.SEE_LENIENCY)
    opened = Reach.COMPANY in viewer.reaches(Permission.SEE_PROTECTED)
    frames: list[pl.DataFrame] = []
    for cycle_id in cycle_ids:
        ends_on = _cycle_end(engine, cycle_id)
        stood = engine.query(
            lambda tables, ends_on=ends_on: standing(tables, ends_on).select(  # type: ignore[misc]
                nw.col("employee_id").alias("ratee_id"),
                "department_id",
                nw.col("level").alias("grade"),
                "job_family",
                "location",
            )
        )
        frames.append(stood.select(pl.lit(cycle_id).alias("cycle_id"), pl.all()))
    if not frames:
        raise ValueError("cycle_ids must name at least one cycle")
    found = pl.concat(frames)
    if opened:
        protected = engine.query(
            lambda tables: tables("protected_attributes").select(
                nw.col("employee_id").alias("ratee_id"), "gender"
            )
        ).with_columns(pl.col("gender").cast(pl.String))
        found = found.join(protected, on="ratee_id", how="left")
    else:
        found = found.with_columns(pl.lit(None, dtype=pl.String).alias("gender"))
    return found.sort("cycle_id", "ratee_id")


def visible_raters(viewer: Viewer, engine: Engine, *, on: date) -> frozenset[str] | None:
    """Raters whose leniency the viewer may look at; None means everybody."""
    _require(viewer, Permission.SEE_LENIENCY)
    return _people(viewer, Permission.SEE_LENIENCY, engine, on=on)


def visible_ratees(viewer: Viewer, engine: Engine, *, on: date) -> frozenset[str] | None:
    """People whose ratings one by one the viewer may look at; None means everybody."""
    _require(viewer, Permission.SEE_INDIVIDUAL_RATINGS)
    return _people(viewer, Permission.SEE_INDIVIDUAL_RATINGS, engine, on=on)


def visible_goal_owners(viewer: Viewer, engine: Engine, *, on: date) -> frozenset[str] | None:
    """People whose goals one by one the viewer may look at; None means everybody."""
    _require(viewer, Permission.SEE_GOALS)
    return _people(viewer, Permission.SEE_GOALS, engine, on=on)


def beside_others(
    viewer: Viewer, engine: Engine, *, rater_id: str, rating_sources: Sequence[str]
) -> pl.DataFrame:
    """Everybody a rater rated, beside what others gave the same people: the evidence under a severity.

    Returns
    -------
    polars.DataFrame
        One row per ratee: ratee_id, n_given, given (mean overall score by this rater, initial stage),
        n_others, others (mean by all others, null if nobody else rated them); sorted by ratee. Averages of
        unnamed panels count on neither side.
    """
    _require(viewer, Permission.SEE_INDIVIDUAL_RATINGS)
    _require(viewer, Permission.SEE_LENIENCY)
    sources_wanted = list(rating_sources)

    def read(tables: Tables) -> Lazy:
        rows = tables("ratings").filter(
            nw.col("source").is_in(sources_wanted),
            nw.col("dimension") == OVERALL,
            nw.col("stage") == "initial",
            ~nw.col("rater_id").str.starts_with(PANEL),
        )
        given = (
            rows.filter(nw.col("rater_id") == rater_id)
            .group_by("ratee_id")
            .agg(nw.len().alias("n_given"), nw.col("score").mean().alias("given"))
        )
        others = (
            rows.filter(nw.col("rater_id") != rater_id)
            .group_by("ratee_id")
            .agg(nw.len().alias("n_others"), nw.col("score").mean().alias("others"))
        )
        return given.join(others, on="ratee_id", how="left").with_columns(
            nw.col("n_others").fill_null(0).alias("n_others")
        )

    found = engine.query(read)
    allowed = _people(viewer, Permission.SEE_INDIVIDUAL_RATINGS, engine, on=latest_day(engine) or date.max)
    if allowed is not None:
        found = found.filter(pl.col("ratee_id").is_in(list(allowed)))
    return found.sort("ratee_id")


def people_in(engine: Engine, department_ids: frozenset[str], *, on: date) -> frozenset[str]:
    """Who stood in any of the departments on a day; for narrowing what a viewer may already see."""
    stood = engine.query(lambda tables: standing(tables, on).select("employee_id", "department_id"))
    return frozenset(stood.filter(pl.col("department_id").is_in(list(department_ids)))["employee_id"])


def names(viewer: Viewer, engine: Engine) -> dict[str, str]:
    """employee → display name, for those the viewer may know by name.

    Two people of one name are told apart by their id: a finding must never fall on the wrong one.
    Who may see individual ratings or leniency of the whole company sees all names; everybody else those
    within reach, and their own. Somebody without a name on record goes by their id.
    """
    people = engine.query(lambda tables: tables("employees").select("employee_id", "display_name"))
    reached = frozenset[str]()
    on = latest_day(engine) or date.max
    for permission in (
        Permission.SEE_LENIENCY,
        Permission.SEE_INDIVIDUAL_RATINGS,
        Permission.SEE_GOALS,
        Permission.SEE_OWN,
    ):
        if viewer.may(permission):
            found = _people(viewer, permission, engine, on=on)
            if found is None:
                break
            reached |= found
    else:
        people = people.filter(pl.col("employee_id").is_in(list(reached)))
    called = pl.coalesce("display_name", "employee_id")
    apart = pl.format("{} ({})", called, "employee_id")
    shared = pl.col("display_name").is_not_null() & (pl.len().over(called) > 1)
    named = people.select("employee_id", pl.when(shared).then(apart).otherwise(called).alias("name"))
    return dict(named.sort("employee_id").iter_rows())


def goals(viewer: Viewer, engine: Engine) -> pl.DataFrame:
    """Goals the viewer reaches, as the contract has them; company goals are everybody's. Sorted by id."""
    _require(viewer, Permission.SEE_GOALS)
    found = engine.query(
        lambda tables: tables("goals").drop("_source_id", "_line", strict=False)
    ).with_columns(pl.col("scope", "framework", "perspective", "kind", "status").cast(pl.String))
    on = latest_day(engine)
    if on is None or Reach.COMPANY in viewer.reaches(Permission.SEE_GOALS):
        return found.sort("goal_id")
    people = _people(viewer, Permission.SEE_GOALS, engine, on=on) or frozenset()
    reached = _reached_departments(viewer, Permission.SEE_GOALS, engine, on=on)
    return found.filter(
        (pl.col("scope") == "company")
        | pl.col("owner_id").is_in(list(people))
        | pl.col("department_id").is_in(list(reached))
    ).sort("goal_id")


def check_ins(viewer: Viewer, engine: Engine, *, goal_ids: Sequence[str] | None = None) -> pl.DataFrame:
    """Check-ins of goals the viewer reaches: goal_id, checked_at, value, target, confidence; sorted so."""
    reached = goals(viewer, engine).select("goal_id")
    found = engine.query(
        lambda tables: tables("check_ins").select("goal_id", "checked_at", "value", "target", "confidence")
    ).join(reached, on="goal_id", how="semi")
    if goal_ids is not None:
        found = found.filter(pl.col("goal_id").is_in(list(goal_ids)))
    return found.sort("goal_id", "checked_at")


def any_goals(engine: Engine) -> bool:
    """Whether any goal is on record."""
    return bool(engine.query(lambda tables: tables("goals").select(nw.len().alias("n")))["n"].item())


def goal_changes(viewer: Viewer, engine: Engine) -> pl.DataFrame:
    """Changes to goals the viewer reaches, as the contract has them; sorted by goal, moment, field."""
    reached = goals(viewer, engine).select("goal_id")
    return (
        engine.query(lambda tables: tables("goal_changes").drop("_source_id", "_line", strict=False))
        .join(reached, on="goal_id", how="semi")
        .sort("goal_id", "changed_at", "field")
    )


def goal_alignments(viewer: Viewer, engine: Engine) -> pl.DataFrame:
    """Which further goals the goals within reach serve: goal_id, serves_goal_id, share; sorted by both."""
    reached = goals(viewer, engine).select("goal_id")
    return (
        engine.query(lambda tables: tables("goal_alignments").drop("_source_id", "_line", strict=False))
        .join(reached, on="goal_id", how="semi")
        .sort("goal_id", "serves_goal_id")
    )


def own_ratings(viewer: Viewer, engine: Engine) -> pl.DataFrame:
    """The viewer's own overall ratings, final stage, by their manager and themselves.

    Who of their peers said what is not theirs to see, so other sources stay out. Columns: cycle_id,
    cycle, ends_on, source, score, level, label; newest first.
    """
    _require(viewer, Permission.SEE_OWN)
    employee_id = viewer.employee_id or ""

    def read(tables: Tables) -> Lazy:
        return (
            tables("ratings")
            .filter(
                nw.col("ratee_id") == employee_id,
                nw.col("dimension") == OVERALL,
                nw.col("source").is_in(["manager", "self"]),
            )
            .select("cycle_id", "source", "stage", "score", "level")
            .join(
                tables("review_cycles").select(
                    "cycle_id", nw.col("name").alias("cycle"), "ends_on", "scale_id"
                ),
                on="cycle_id",
                how="inner",
            )
            .join(
                tables("scale_levels").select("scale_id", "level", "label"),
                on=["scale_id", "level"],
                how="left",
            )
        )

    return (
        engine.query(read)
        .with_columns(pl.col("source", "stage").cast(pl.String))
        .sort("stage")
        .unique(["cycle_id", "source"], keep="first", maintain_order=True)
        .drop("stage", "scale_id")
        .sort("ends_on", "source", descending=[True, False])
    )


def own_goals(viewer: Viewer, engine: Engine) -> pl.DataFrame:
    """The viewer's own goals, as the contract has them; sorted by due date."""
    _require(viewer, Permission.SEE_OWN)
    employee_id = viewer.employee_id or ""
    return (
        engine.query(
            lambda tables: (
                tables("goals")
                .filter(nw.col("owner_id") == employee_id)
                .drop("_source_id", "_line", strict=False)
            )
        )
        .with_columns(pl.col("scope", "framework", "perspective", "kind", "status").cast(pl.String))
        .sort("due_on", "goal_id")
    )


def own_check_ins(viewer: Viewer, engine: Engine) -> pl.DataFrame:
    """Check-ins of the viewer's own goals; columns and order as `check_ins`."""
    mine = own_goals(viewer, engine).select("goal_id")
    return (
        engine.query(
            lambda tables: tables("check_ins").select(
                "goal_id", "checked_at", "value", "target", "confidence"
            )
        )
        .join(mine, on="goal_id", how="semi")
        .sort("goal_id", "checked_at")
    )


def imports(viewer: Viewer, engine: Engine) -> pl.DataFrame:
    """What was loaded, newest first: file, sheet, source, profile, rows, accepted, rejected, imported_at."""
    _require(viewer, Permission.SEE_IMPORTS)
    return engine.query(lambda tables: tables("_sources").drop("digest", "mapping", "headers")).sort(
        "imported_at", "file", "sheet", descending=[True, False, False], nulls_last=True
    )


def rejected(viewer: Viewer, engine: Engine) -> pl.DataFrame:
    """What was not accepted: file, sheet, line, rule, column, value, and the reason as template and values.

    `data.acceptance.sentences` puts the reasons into words. What stood in rows the viewer may not read is
    left out, see `blanked`.
    """
    _require(viewer, Permission.SEE_IMPORTS)

    def read(tables: Tables) -> Lazy:
        files = tables("_sources").select("source_id", "file", "sheet")
        return tables("_rejected").drop("row").join(files, on="source_id", how="left")

    found = engine.query(read).sort("file", "sheet", "line", "rule", "column", nulls_last=True)
    return blanked(viewer, found)


def rejected_ratings(engine: Engine) -> int:
    """How many lines of ratings were not accepted; that there are some is no secret."""

    def read(tables: Tables) -> Lazy:
        return tables("_rejected").filter(nw.col("table") == "ratings").select("source_id", "line").unique()

    return engine.query(read).height


def blanked(viewer: Viewer, rows: pl.DataFrame) -> pl.DataFrame:
    """Rejected rows without what stood in those the viewer may not read.

    Parameters
    ----------
    rows
        table, value, and the reason as ``values`` (JSON); any other columns stay as they are.

    Returns
    -------
    polars.DataFrame
        The same rows and columns. Where `Viewer.reads_rows` says no, ``value`` is null, and of ``values``
        only what the contract says stays (`TOLD`); all else is `BLANK`.
    """
    closed = pl.col("table").is_in(
        [table for table in rows["table"].unique() if not viewer.reads_rows(table)]
    )
    reasons = rows.select("values").unique()
    told = reasons.with_columns(
        pl.Series("told", [_without_values(said) for said in reasons["values"]], dtype=pl.String)
    )
    return (
        rows.join(told, on="values", how="left", maintain_order="left")
        .with_columns(
            pl.when(~closed).then("value").alias("value"),
            pl.when(closed).then("told").otherwise("values").alias("values"),
        )
        .drop("told")
    )


def _without_values(said: str) -> str:
    places = json.loads(said)
    kept = {place: value if place in TOLD else BLANK for place, value in places.items()}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def reads_source(viewer: Viewer, engine: Engine, *, source_id: str) -> bool:
    """Whether everything that stood in a sheet is open to the viewer, columns nobody read included.

    Raises
    ------
    Problem
        If the version knows no such source.
    """
    _require(viewer, Permission.SEE_IMPORTS)
    found = engine.query(lambda tables: tables("_sources").filter(nw.col("source_id") == source_id))
    if found.is_empty():
        raise Problem("The current version has no source {source}.", source=source_id)
    refused = engine.query(
        lambda tables: tables("_rejected").filter(nw.col("source_id") == source_id).select("table")
    )
    matches = json.loads(found["mapping"].item(0) or "{}").get("matches", [])
    read = {header for header, _, _ in matches}
    held = {table for _, table, _ in matches} | set(refused["table"])
    unread = set(found["headers"].explode().drop_nulls()) - read
    return all(viewer.reads_rows(table) for table in (held | {""} if unread else held))


def row_counts(viewer: Viewer, engine: Engine) -> pl.DataFrame:
    """How many rows each table of the warehouse holds: table, rows; in the order of the contracts."""
    _require(viewer, Permission.SEE_IMPORTS)

    def counted(table: str) -> int:
        return int(engine.query(lambda tables: tables(table).select(nw.len().alias("n")))["n"].item())

    return pl.DataFrame({"table": list(TABLES), "rows": [counted(table) for table in TABLES]})


def _require(viewer: Viewer, permission: Permission) -> None:
    if not viewer.may(permission):
        raise RefusedError("{name} may not: {permission}.", name=viewer.name, permission=permission.value)


def _cycle_end(engine: Engine, cycle_id: str) -> date:
    found = engine.query(
        lambda tables: tables("review_cycles").filter(nw.col("cycle_id") == cycle_id).select("ends_on")
    )
    if found.is_empty():
        raise Problem("There is no review cycle {cycle}. Choose another one.", cycle=cycle_id)
    ends_on = found["ends_on"].item()
    assert isinstance(ends_on, date)
    return ends_on


def _within(
    viewer: Viewer, permission: Permission, engine: Engine, found: pl.DataFrame, *, on: date
) -> pl.DataFrame:
    reaches = viewer.reaches(permission)
    if Reach.COMPANY in reaches:
        return found
    people = _people(viewer, permission, engine, on=on) or frozenset()
    reached = _reached_departments(viewer, permission, engine, on=on)
    return found.filter(
        pl.col("ratee_id").is_in(list(people)) | pl.col("department_id").is_in(list(reached)).fill_null(False)
    )


def _reached_departments(
    viewer: Viewer, permission: Permission, engine: Engine, *, on: date
) -> frozenset[str]:
    if Reach.DEPARTMENTS not in viewer.reaches(permission):
        return frozenset()
    tree = departments(engine, on=on)
    return frozenset().union(*(tree.below(department) for department in viewer.departments))


def _people(viewer: Viewer, permission: Permission, engine: Engine, *, on: date) -> frozenset[str] | None:
    """Who the permission reaches on a day, None for everybody. A manager reaches all below them."""
    reaches = viewer.reaches(permission)
    if Reach.COMPANY in reaches:
        return None
    found: set[str] = set()
    if Reach.SELF in reaches or permission is Permission.SEE_OWN:
        found |= {viewer.employee_id} if viewer.employee_id else set()
    if Reach.DEPARTMENTS in reaches or Reach.REPORTS in reaches:
        stood = engine.query(
            lambda tables: standing(tables, on).select("employee_id", "department_id", "manager_id")
        )
        reached = _reached_departments(viewer, permission, engine, on=on)
        found |= set(stood.filter(pl.col("department_id").is_in(list(reached)))["employee_id"])
        if Reach.REPORTS in reaches and viewer.employee_id is not None:
            found |= _reports(stood, viewer.employee_id)
    return frozenset(found)


def _reports(stood: pl.DataFrame, manager_id: str) -> set[str]:
    """Everybody below a manager, level by level; a loop in the export ends the walk, not the page."""
    found: set[str] = set()
    above = [manager_id]
    while above:
        below = set(stood.filter(pl.col("manager_id").is_in(above))["employee_id"]) - found - {manager_id}
        found |= below
        above = sorted(below)
    return found
