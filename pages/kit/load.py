"""What pages show, computed once per version, viewer and choice: every cached read of the warehouse.

Every cached read takes the viewer, so that nobody is served what another may see; the one exception is
the whole-company severity fit, which no page shows before it is narrowed to the viewer's reach and
released. Results are frozen, so the cache hands out the object itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

import polars as pl
import streamlit as st

from analytics.disclosure import Released, release
from analytics.distribution.change import Change, change
from analytics.distribution.guidance import Guidance, GuidanceFit, guidance_fit
from analytics.distribution.shares import Distribution, distribution
from analytics.goals.pace import GoalHistory, GoalPace, history, pace
from analytics.goals.rollup import RollUp, rollup
from analytics.severity.design import SOURCES
from analytics.severity.drift import in_cycle
from analytics.severity.levels import LevelSeverity
from analytics.severity.linear import Severity, severity
from data import queries
from data.access import Permission, Reach, Viewer
from data.engine import Engine
from data.warehouse import Warehouse, home

Judged = TypeVar("Judged", Severity, LevelSeverity)
"""A severity, by points or by levels."""

CONFIG = {"displayModeBar": False, "showSendToCloud": False, "responsive": True}


@dataclass(frozen=True)
class RatingChoice:
    """What of the ratings is looked at.

    Attributes
    ----------
    cycle_id, source
        One review cycle and one source.
    department_id
        A department with all below it; None for everything within reach.
    by
        What is compared: department, grade, location, job_family or rater.
    stage
        ``initial`` or ``final``.
    """

    cycle_id: str
    source: str
    department_id: str | None = None
    by: str = "department"
    stage: queries.Stage = "final"


def warehouse() -> Warehouse:
    """The warehouse of this installation."""
    return Warehouse(home())


def version() -> str | None:
    """Id of the published version, None before the first import. Cheap: reads the pointer."""
    current = warehouse().current()
    return None if current is None else current.version_id


def opened_version() -> str | None:
    """The published version, opened: what cannot be opened is said here and not half-way down a page.

    Raises
    ------
    Problem
        If it was written by another release, or cannot be read.
    """
    current = version()
    if current is not None:
        engine(current)
    return current


def engine(version_id: str) -> Engine:
    """The engine on one published version."""
    return warehouse().open(version_id)


@st.cache_resource(max_entries=8, show_spinner=False)
def cycles(version_id: str) -> pl.DataFrame:
    """See `queries.cycles`."""
    return queries.cycles(engine(version_id))


@st.cache_resource(max_entries=32, show_spinner=False)
def levels(version_id: str, scale_id: str) -> pl.DataFrame:
    """See `queries.levels`."""
    return queries.levels(engine(version_id), scale_id)


@st.cache_resource(max_entries=64, show_spinner=False)
def sources(version_id: str, cycle_id: str) -> list[str]:
    """See `queries.sources`."""
    return queries.sources(engine(version_id), cycle_id)


@st.cache_resource(max_entries=8, show_spinner=False)
def rater_groups(version_id: str) -> dict[str, tuple[str, ...]]:
    """Which raters can be compared: group → its sources; the first is what a reader sees first."""
    rated = {
        source for cycle_id in cycles(version_id)["cycle_id"] for source in sources(version_id, cycle_id)
    }
    groups = {
        "leaders": queries.LEADER_SOURCES,
        "peers": (*queries.LEADER_SOURCES, "peer"),
        "everybody": SOURCES,
    }
    return {name: group for name, group in groups.items() if rated & set(group)} or groups


@st.cache_resource(max_entries=8, show_spinner=False)
def latest_day(version_id: str) -> date:
    """See `queries.latest_day`; a version without any dated row is of the day it was made."""
    return queries.latest_day(engine(version_id)) or warehouse().version(version_id).created_at.date()


@st.cache_resource(max_entries=32, show_spinner=False)
def departments(version_id: str, on: date) -> queries.Departments:
    """See `queries.departments`."""
    return queries.departments(engine(version_id), on=on)


@st.cache_resource(max_entries=64, show_spinner=False)
def names(version_id: str, viewer: Viewer) -> dict[str, str]:
    """See `queries.names`."""
    return queries.names(viewer, engine(version_id))


@st.cache_resource(max_entries=64, show_spinner=False)
def _cycle_ratings(
    version_id: str, viewer: Viewer, cycle_id: str, source: str, stage: queries.Stage
) -> pl.DataFrame:
    return queries.ratings(viewer, engine(version_id), cycle_id=cycle_id, source=source, stage=stage)


def rating_rows(version_id: str, viewer: Viewer, choice: RatingChoice) -> pl.DataFrame:
    """Ratings of a choice with the compared group in ``group``; see `queries.ratings`."""
    found = _cycle_ratings(version_id, viewer, choice.cycle_id, choice.source, choice.stage)
    tree = departments(version_id, _cycle(version_id, choice.cycle_id)["ends_on"])
    if choice.department_id is not None:
        found = found.filter(pl.col("department_id").is_in(list(tree.below(choice.department_id))))
    if choice.by == "department":
        branches = tree.branches(choice.department_id)
        group = pl.col("department_id").replace_strict(
            branches, default=pl.col("department_id"), return_dtype=pl.String
        )
    else:
        group = pl.col({"rater": "rater_id"}.get(choice.by, choice.by))
    return found.with_columns(group.alias("group"))


@st.cache_resource(max_entries=256, show_spinner=False)
def rating_distribution(
    version_id: str, viewer: Viewer, choice: RatingChoice, withhold: frozenset[str]
) -> Released[Distribution]:
    """Rating distribution of a choice, released."""
    cycle = _cycle(version_id, choice.cycle_id)
    found = distribution(
        rating_rows(version_id, viewer, choice), scale=levels(version_id, cycle["scale_id"]), by="group"
    )
    return release(found, as_of=cycle["ends_on"], withhold=withhold)


@st.cache_resource(max_entries=128, show_spinner=False)
def rating_change(
    version_id: str, viewer: Viewer, choice: RatingChoice, earlier_cycle_id: str, withhold: frozenset[str]
) -> Released[Change]:
    """Change of the same choice since an earlier cycle on the same scale, released."""
    cycle = _cycle(version_id, choice.cycle_id)
    before = rating_rows(version_id, viewer, replace(choice, cycle_id=earlier_cycle_id))
    found = change(
        pl.concat([before, rating_rows(version_id, viewer, choice)]),
        scale=levels(version_id, cycle["scale_id"]),
        by="group",
        before=earlier_cycle_id,
        after=choice.cycle_id,
    )
    return release(found, as_of=cycle["ends_on"], withhold=withhold)


@st.cache_resource(max_entries=128, show_spinner=False)
def rating_guidance(
    version_id: str, viewer: Viewer, choice: RatingChoice, guidance: Guidance, withhold: frozenset[str]
) -> Released[GuidanceFit]:
    """How the groups of a choice fit a distribution guidance, released; small departments pool upwards."""
    cycle = _cycle(version_id, choice.cycle_id)
    tree = departments(version_id, cycle["ends_on"])
    found = guidance_fit(
        rating_rows(version_id, viewer, choice),
        scale=levels(version_id, cycle["scale_id"]),
        by="group",
        guidance=guidance,
        tree=tree.parents if choice.by == "department" else None,
    )
    return release(found, as_of=cycle["ends_on"], withhold=withhold)


@st.cache_resource(max_entries=64, show_spinner=False)
def group_names(version_id: str, viewer: Viewer, choice: RatingChoice) -> Mapping[str, str]:
    """What to call the groups of a choice: departments and raters by name, others as they are."""
    if choice.by == "department":
        return departments(version_id, _cycle(version_id, choice.cycle_id)["ends_on"]).names
    return names(version_id, viewer) if choice.by == "rater" else {}


@st.cache_resource(max_entries=8, show_spinner=False)
def company_ratings(version_id: str, rating_sources: tuple[str, ...]) -> pl.DataFrame:
    """Overall ratings of all cycles for models, departments rolled up to the top branches."""
    rows = queries.model_ratings(
        engine(version_id), cycle_ids=_cycle_ids(version_id), rating_sources=rating_sources
    )
    return _in_branches(version_id, rows)


@st.cache_resource(max_entries=8, show_spinner=False)
def company_dimensions(version_id: str, rating_sources: tuple[str, ...]) -> pl.DataFrame:
    """What was judged one by one in all cycles, departments rolled up to the top branches."""
    rows = queries.model_dimension_ratings(
        engine(version_id), cycle_ids=_cycle_ids(version_id), rating_sources=rating_sources
    )
    return _in_branches(version_id, rows)


def _cycle_ids(version_id: str) -> tuple[str, ...]:
    return tuple(cycles(version_id)["cycle_id"])


def _in_branches(version_id: str, rows: pl.DataFrame) -> pl.DataFrame:
    """A team of one manager is no department to compare: the branches at the top are."""
    branches = departments(version_id, cycles(version_id)["ends_on"][0]).branches(None)
    branch = pl.col("department_id").replace_strict(
        branches, default=pl.col("department_id"), return_dtype=pl.String
    )
    return rows.with_columns(branch)


@st.cache_resource(max_entries=16, show_spinner=False)
def company_severity(version_id: str, rating_sources: tuple[str, ...]) -> Severity:
    """One fit over all cycles: moves between managers over time are what makes them comparable."""
    return severity(company_ratings(version_id, rating_sources), sources=rating_sources)


@st.cache_resource(max_entries=32, show_spinner=False)
def _cycle_severity(version_id: str, rating_sources: tuple[str, ...], cycle_id: str) -> Severity:
    rated = company_ratings(version_id, rating_sources).filter(pl.col("cycle_id") == cycle_id)
    return in_cycle(
        company_severity(version_id, rating_sources), cycle_id=cycle_id, raters=frozenset(rated["rater_id"])
    )


def raters_within_reach(version_id: str, viewer: Viewer, department_id: str | None) -> frozenset[str] | None:
    """Raters a viewer may look at, of one department and below if given; None means everybody."""
    opened, on = engine(version_id), cycles(version_id)["ends_on"][0]
    allowed = queries.visible_raters(viewer, opened, on=on)
    if department_id is None:
        return allowed
    inside = queries.people_in(opened, departments(version_id, on).below(department_id), on=on)
    return inside if allowed is None else allowed & inside


def departments_within_reach(version_id: str, viewer: Viewer, department_id: str | None) -> frozenset[str]:
    """Departments that lie wholly in what a viewer may look at, or wholly in the one chosen."""
    tree = departments(version_id, cycles(version_id)["ends_on"][0])
    chosen = frozenset(tree.names) if department_id is None else tree.below(department_id)
    if Reach.COMPANY in viewer.reaches(Permission.SEE_LENIENCY):
        return chosen
    return chosen & frozenset().union(*(tree.below(one) for one in viewer.departments))


def about_raters_within_reach(
    found: Judged, version_id: str, viewer: Viewer, department_id: str | None
) -> Judged:
    """What of a severity is about raters and whole departments a viewer may look at."""
    raters, groups = found.raters, found.departments
    allowed = raters_within_reach(version_id, viewer, department_id)
    if allowed is not None:
        raters = raters.filter(pl.col("rater_id").is_in(list(allowed)))
        own = departments_within_reach(version_id, viewer, department_id)
        groups = groups.filter(pl.col("department_id").is_in(list(own)))
    flags = raters.filter(pl.col("verdict").is_in(["lenient", "severe"]))
    return replace(
        found,
        raters=raters,
        departments=groups,
        expected_false_flags=float(flags["false_sign_rate"].sum()),
    )


@st.cache_resource(max_entries=256, show_spinner=False)
def leniency(
    version_id: str,
    viewer: Viewer,
    rating_sources: tuple[str, ...],
    department_id: str | None,
    cycle_id: str | None = None,
) -> Released[Severity]:
    """Severity of the raters a viewer may look at, over all cycles or in one, released.

    It is fitted on the whole company over all cycles in either case.
    """
    found = (
        company_severity(version_id, rating_sources)
        if cycle_id is None
        else _cycle_severity(version_id, rating_sources, cycle_id)
    )
    found = about_raters_within_reach(found, version_id, viewer, department_id)
    return release(found, as_of=cycles(version_id)["ends_on"][0])


@st.cache_resource(max_entries=256, show_spinner=False)
def rater_evidence(
    version_id: str, viewer: Viewer, rater_id: str, rating_sources: tuple[str, ...]
) -> pl.DataFrame:
    """See `queries.beside_others`."""
    return queries.beside_others(viewer, engine(version_id), rater_id=rater_id, rating_sources=rating_sources)


@st.cache_resource(max_entries=128, show_spinner=False)
def goal_pace(version_id: str, viewer: Viewer, preset: str, department_id: str | None) -> Released[GoalPace]:
    """Status of every goal the viewer reaches under a named preset, as of the latest day on record.

    A department's goals come with the strategy they serve, so that the tree above them stays whole.
    """
    as_of = latest_day(version_id)
    opened = engine(version_id)
    found = pace(
        queries.goals(viewer, opened),
        queries.check_ins(viewer, opened),
        as_of=as_of,
        preset=preset,
        changes=queries.goal_changes(viewer, opened),
        alignments=queries.goal_alignments(viewer, opened),
    )
    if department_id is not None:
        below = list(departments(version_id, as_of).below(department_id))
        kept = found.goals.filter(pl.col("department_id").is_in(below))
        found = replace(found, goals=kept)
    return release(found, as_of=as_of)


@st.cache_resource(max_entries=128, show_spinner=False)
def goal_rollup(version_id: str, viewer: Viewer, preset: str) -> Released[RollUp]:
    """What hangs below the strategy goals within reach, released; who took them up is the company's."""
    found = goal_pace(version_id, viewer, preset, None)
    whole = Reach.COMPANY in viewer.reaches(Permission.SEE_GOALS)
    taken_up = None if whole else _taken_up(version_id)
    return release(rollup(found.value, taken_up=taken_up), as_of=found.as_of)


@st.cache_resource(max_entries=2, show_spinner=False)
def _taken_up(version_id: str) -> frozenset[str]:
    """Strategic goals that anybody in the company has taken up; the rule of the statuses does not matter."""
    opened = engine(version_id)
    found = pace(
        queries.every_goal(opened).with_columns(pl.lit(None, pl.String).alias("title")),
        queries.every_check_in(opened),
        as_of=latest_day(version_id),
        changes=queries.every_goal_change(opened),
        alignments=queries.every_goal_alignment(opened),
    )
    return frozenset(rollup(found).strategy.filter("taken_up")["goal_id"])


@st.cache_resource(max_entries=256, show_spinner=False)
def goal_history(version_id: str, viewer: Viewer, preset: str, goal_id: str) -> Released[GoalHistory]:
    """How one goal went."""
    found = goal_pace(version_id, viewer, preset, None)
    points = queries.check_ins(viewer, engine(version_id), goal_ids=[goal_id])
    changes = queries.goal_changes(viewer, engine(version_id))
    return release(history(found.value, points, goal_id=goal_id, changes=changes), as_of=found.as_of)


@st.cache_resource(max_entries=64, show_spinner=False)
def own_pace(version_id: str, viewer: Viewer, preset: str) -> Released[GoalPace]:
    """Status of the viewer's own goals."""
    as_of = latest_day(version_id)
    opened = engine(version_id)
    found = pace(
        queries.own_goals(viewer, opened),
        queries.own_check_ins(viewer, opened),
        as_of=as_of,
        preset=preset,
    )
    return release(found, as_of=as_of)


@st.cache_resource(max_entries=8, show_spinner=False)
def has_goals(version_id: str) -> bool:
    """Whether any goal is on record; that there are some is no secret."""
    return queries.any_goals(engine(version_id))


@st.cache_resource(max_entries=64, show_spinner=False)
def imports(version_id: str, viewer: Viewer) -> pl.DataFrame:
    """See `queries.imports`."""
    return queries.imports(viewer, engine(version_id))


@st.cache_resource(max_entries=512, show_spinner=False)
def _replayed(key: Hashable, _show: Callable[[], object]) -> None:
    del key
    _show()


def replayed(show: Callable[[], object], *, key: Hashable) -> None:
    """Show something without widgets once and play it back from then on.

    ``key`` must name all it depends on: version, viewer, choice, language, mode.
    """
    _replayed(key, show)


def picture(draw: Callable[[], Any], *, key: Hashable, alt: str) -> None:
    """Show a figure; ``key`` as in `replayed`."""

    def show() -> None:
        st.plotly_chart(draw(), width="stretch", theme=None, config=CONFIG, alt=alt)

    replayed(show, key=("picture", key, alt))


def _cycle(version_id: str, cycle_id: str) -> dict[str, Any]:
    return cycles(version_id).row(by_predicate=pl.col("cycle_id") == cycle_id, named=True)


def warm_up() -> None:
    """Compute what every first view waits for, before the first session; nothing if there is no data."""
    with contextlib.suppress(Exception):  # a warehouse that cannot be read is reported on the page
        if (current := version()) is not None and not cycles(current).is_empty():
            latest_day(current)
            company_severity(current, next(iter(rater_groups(current).values())))
