"""What the leniency pages show beyond the severity fit, computed once per version, viewer and choice.

As in `pages.kit.load`, every cached read takes the viewer, except fits on the whole company, which no page
shows before they are narrowed to the viewer's reach and released.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import streamlit as st

from analytics.disclosure import Released, release
from analytics.severity.profile import Profiles, profiles
from analytics.severity.progress import progress
from data import queries
from data.access import Viewer
from pages.kit import load


def raters_within_reach(version_id: str, viewer: Viewer, department_id: str | None) -> frozenset[str] | None:
    """Raters a viewer may look at, of one department and below if given; None means everybody."""
    opened, on = load.engine(version_id), load.cycles(version_id)["ends_on"][0]
    allowed = queries.visible_raters(viewer, opened, on=on)
    if department_id is None:
        return allowed
    inside = queries.people_in(opened, load.departments(version_id, on).below(department_id), on=on)
    return inside if allowed is None else allowed & inside


@st.cache_resource(max_entries=16, show_spinner=False)
def _company_profiles(version_id: str, rating_sources: tuple[str, ...]) -> Profiles:
    """How everybody uses the scale: what is usual takes the whole company."""
    opened = load.engine(version_id)
    return profiles(
        load.company_ratings(version_id, rating_sources),
        dimensions=load.company_dimensions(version_id, rating_sources),
        own=load.company_ratings(version_id, ("self",)),
        progress=progress(
            queries.model_goals(opened), queries.model_check_ins(opened), load.cycles(version_id)
        ),
    )


@st.cache_resource(max_entries=256, show_spinner=False)
def habits(
    version_id: str, viewer: Viewer, rating_sources: tuple[str, ...], department_id: str | None
) -> Released[Profiles]:
    """How the raters a viewer may look at use the scale, computed on the whole company, released."""
    found = _company_profiles(version_id, rating_sources)
    allowed = raters_within_reach(version_id, viewer, department_id)
    if allowed is not None:
        theirs = pl.col("rater_id").is_in(list(allowed))
        likeness = found.likeness.filter(theirs)
        own = found.departments["department_id"].is_in(likeness["department_id"].unique().to_list())
        found = replace(
            found,
            habits=found.habits.filter(theirs),
            likeness=likeness,
            departments=found.departments.filter(own),
        )
    return release(found, as_of=load.cycles(version_id)["ends_on"][0])
