"""How the strategy is covered, how goals were set and how they were changed: cached per viewer and choice.

Whether anybody has taken up a strategic goal depends on the whole company, whoever looks; goals one by one,
and counts by department, come from what the viewer reaches.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import streamlit as st

from analytics.disclosure import Released, release
from analytics.goals.adjustment import Adjustment, adjustment
from analytics.goals.coverage import Coverage, coverage
from analytics.goals.pace import GoalPace, pace
from analytics.goals.setting import Setting, setting
from data import queries
from data.access import Permission, Reach, Viewer
from pages.kit import load, load_goals

_RULE = "remaining_work"


@st.cache_resource(max_entries=2, show_spinner=False)
def _company(version_id: str) -> GoalPace:
    """How every goal of the company stands, without the titles."""
    found = load_goals.company(version_id)
    return pace(
        found.goals.with_columns(pl.lit(None, pl.String).alias("title")),
        found.check_ins,
        as_of=found.as_of,
        preset=_RULE,
        changes=found.changes,
        alignments=found.alignments,
    )


def _branches(version_id: str, viewer: Viewer, department_id: str | None) -> dict[str, str]:
    """Department → the one it is counted under: the parts of what was chosen, or of what the viewer has."""
    departments = load.departments(version_id, load.latest_day(version_id))
    reaches = viewer.reaches(Permission.SEE_GOALS)
    if department_id is not None or Reach.COMPANY in reaches:
        return departments.branches(department_id)
    if Reach.DEPARTMENTS not in reaches:
        return {department: department for department in departments.names}
    return {
        department: branch
        for own in sorted(viewer.departments)
        for department, branch in departments.branches(own).items()
    }


def _reached(version_id: str, viewer: Viewer, department_id: str | None) -> pl.DataFrame:
    """Goals the viewer reaches, of one department and below if one is chosen."""
    found = queries.goals(viewer, load.engine(version_id))
    if department_id is None:
        return found
    below = load.departments(version_id, load.latest_day(version_id)).below(department_id)
    return found.filter(pl.col("department_id").is_in(list(below)))


@st.cache_resource(max_entries=64, show_spinner=False)
def strategy(version_id: str, viewer: Viewer, department_id: str | None) -> Released[Coverage]:
    """Who has taken up which strategic goal, and the holes within reach, released."""
    found = _company(version_id)
    reached = _reached(version_id, viewer, department_id)
    # Company goals are everybody's; so are their titles.
    titles = queries.goals(viewer, load.engine(version_id)).select("goal_id", "title")
    titled = found.goals.drop("title").join(titles, on="goal_id", how="left", maintain_order="left")
    covered = coverage(
        load_goals.company(version_id).goals,
        replace(found, goals=titled),
        branches=_branches(version_id, viewer, department_id),
        reached=frozenset(reached["goal_id"]),
    )
    return release(covered, as_of=found.as_of)


@st.cache_resource(max_entries=64, show_spinner=False)
def goal_setting(version_id: str, viewer: Viewer, department_id: str | None) -> Released[Setting]:
    """How the goals within reach were set, released."""
    paced = load.goal_pace(version_id, viewer, _RULE, department_id)
    found = setting(
        _reached(version_id, viewer, department_id),
        paced.value,
        branches=_branches(version_id, viewer, department_id),
    )
    return release(found, as_of=paced.as_of)


@st.cache_resource(max_entries=64, show_spinner=False)
def goal_adjustment(version_id: str, viewer: Viewer, department_id: str | None) -> Released[Adjustment]:
    """How the goals within reach were changed on the way, released."""
    as_of = load.latest_day(version_id)
    found = adjustment(
        _reached(version_id, viewer, department_id),
        queries.goal_changes(viewer, load.engine(version_id)),
        as_of=as_of,
        branches=_branches(version_id, viewer, department_id),
        said=load_goals.chances_within_reach(version_id, viewer).said,
    )
    return release(found, as_of=as_of)
