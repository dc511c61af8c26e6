"""What the leniency pages show beyond the severity fit, computed once per version, viewer and choice.

As in `pages.kit.load`, every cached read takes the viewer, except fits on the whole company, which no page
shows before they are narrowed to the viewer's reach and released.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import date
from typing import Final

import polars as pl
import streamlit as st

from analytics.disclosure import Released, release
from analytics.policy import MINIMUM_RATEES
from analytics.severity.adjusted import Adjusted, adjusted
from analytics.severity.differential import Differential, differential
from analytics.severity.drift import Drift, drift
from analytics.severity.evidence import Evidence, attainment, evidence
from analytics.severity.facets import OVERALL, Facets, facets
from analytics.severity.habits.profile import Profiles, profiles, without_single_ratings
from analytics.severity.habits.progress import progress
from analytics.severity.levels import Disagreements, LevelSeverity, disagreements, severity_by_levels
from analytics.severity.linkage.comparability import Comparability, comparability
from analytics.severity.linkage.information import Variances
from analytics.severity.ranking import Standing, among_best, standing
from data import queries
from data.access import Permission, Reach, Viewer
from pages.kit import load


@st.cache_resource(max_entries=4, show_spinner=False)
def _company_levels(version_id: str, rating_sources: tuple[str, ...]) -> LevelSeverity:
    """The ordinal model of the whole company: exact, and slower than the one in rating points."""
    return severity_by_levels(load.company_ratings(version_id, rating_sources), sources=rating_sources)


@st.cache_resource(max_entries=64, show_spinner=False)
def by_levels(
    version_id: str, viewer: Viewer, rating_sources: tuple[str, ...], department_id: str | None
) -> Released[LevelSeverity]:
    """Severity by ordered levels of the raters a viewer may look at, released."""
    found = _company_levels(version_id, rating_sources)
    found = load.about_raters_within_reach(found, version_id, viewer, department_id)
    return release(found, as_of=load.cycles(version_id)["ends_on"][0])


@st.cache_resource(max_entries=64, show_spinner=False)
def level_disagreements(
    version_id: str, viewer: Viewer, rating_sources: tuple[str, ...], department_id: str | None
) -> Released[Disagreements]:
    """Of which raters within reach the two models say something else, released."""
    points = load.leniency(version_id, viewer, rating_sources, department_id)
    levels = by_levels(version_id, viewer, rating_sources, department_id)
    return release(disagreements(points.value, levels.value), as_of=points.as_of)


@st.cache_resource(max_entries=256, show_spinner=False)
def rater_drift(
    version_id: str, viewer: Viewer, rater_id: str, rating_sources: tuple[str, ...]
) -> Released[Drift]:
    """One rater's severity cycle by cycle, released; empty for a rater beyond the viewer's reach."""
    allowed = load.raters_within_reach(version_id, viewer, None)
    reached = [rater_id] if allowed is None or rater_id in allowed else []
    order = tuple(reversed(load.cycles(version_id)["cycle_id"]))
    found = drift(load.company_severity(version_id, rating_sources), raters=reached, order=order)
    return release(found, as_of=load.cycles(version_id)["ends_on"][0])


@st.cache_resource(max_entries=16, show_spinner=False)
def _company_profiles(version_id: str, rating_sources: tuple[str, ...]) -> Profiles:
    """How everybody uses the scale: what is usual takes the whole company."""
    opened = load.engine(version_id)
    return profiles(
        load.company_ratings(version_id, rating_sources),
        dimensions=load.company_dimensions(version_id, rating_sources),
        own=load.company_ratings(version_id, ("self",)),
        progress=progress(
            queries.model_goals(opened),
            queries.model_check_ins(opened),
            load.cycles(version_id),
            changes=queries.model_goal_changes(opened),
        ),
        severity=load.company_severity(version_id, rating_sources).raters,
    )


@st.cache_resource(max_entries=256, show_spinner=False)
def habits(
    version_id: str, viewer: Viewer, rating_sources: tuple[str, ...], department_id: str | None
) -> Released[Profiles]:
    """How the raters a viewer may look at use the scale, computed on the whole company, released."""
    found = _company_profiles(version_id, rating_sources)
    allowed = load.raters_within_reach(version_id, viewer, department_id)
    if allowed is not None:
        theirs = pl.col("rater_id").is_in(list(allowed))
        whole = pl.col("department_id").is_in(
            list(load.departments_within_reach(version_id, viewer, department_id))
        )
        found = replace(
            found,
            habits=found.habits.filter(theirs),
            likeness=found.likeness.filter(theirs),
            departments=found.departments.filter(whole),
        )
    if not viewer.may(Permission.SEE_INDIVIDUAL_RATINGS):
        found = without_single_ratings(found)
    return release(found, as_of=load.cycles(version_id)["ends_on"][0])


@st.cache_resource(max_entries=16, show_spinner=False)
def _company_comparability(
    version_id: str, rating_sources: tuple[str, ...], variances: Variances | None, *, secure: bool
) -> Comparability:
    """Who can be compared with whom in the whole company: links lead through people anywhere."""
    rows = load.company_ratings(version_id, rating_sources)
    newest = rows.filter(pl.col("cycle_id") == load.cycles(version_id)["cycle_id"][0])
    return comparability(
        rows,
        variances=variances,
        secure=secure,
        # Whoever took no part in the newest cycle may have left.
        present=frozenset(newest["rater_id"]) | frozenset(newest["ratee_id"]),
    )


@st.cache_resource(max_entries=256, show_spinner=False)
def comparable(
    version_id: str,
    viewer: Viewer,
    rating_sources: tuple[str, ...],
    department_id: str | None,
    *,
    secure: bool = False,
) -> Released[Comparability]:
    """Who of the raters a viewer may look at can be compared, and what would help, released.

    Of a suggested review the person reviewed is told by department where their name is not the viewer's to
    know; suggestions that help nobody within reach are left out. Who makes links one by one is only for those
    who may see individual ratings, of people within that reach.
    """
    fitted = load.leniency(version_id, viewer, rating_sources, None).value.variances
    found = _company_comparability(version_id, rating_sources, Variances.fitted(fitted), secure=secure)
    allowed = load.raters_within_reach(version_id, viewer, department_id)
    on = load.cycles(version_id)["ends_on"][0]
    if allowed is not None:
        found = _within(found, allowed)
    known = list(load.names(version_id, viewer))
    plan = found.reviews.with_columns(
        pl.when(pl.col(who).is_in(known)).then(pl.col(who)).alias(who) for who in ("rater_id", "ratee_id")
    )
    people = found.people
    if not viewer.may(Permission.SEE_INDIVIDUAL_RATINGS):
        people = people.clear()
    elif (reached := queries.visible_ratees(viewer, load.engine(version_id), on=on)) is not None:
        people = people.filter(pl.col("ratee_id").is_in(list(reached)))
    return release(replace(found, people=people, reviews=plan), as_of=on)


def _within(found: Comparability, allowed: frozenset[str]) -> Comparability:
    """What of it is about some raters: their departments, their bridges, and the plan that connects them."""
    raters = found.raters.filter(pl.col("rater_id").is_in(list(allowed)))
    departments, bridges = _own_bridges(found, raters)
    apart = raters.group_by("component").agg(
        pl.len().cast(pl.Int64).alias("n_joined"),
        (pl.col("n_ratees") >= MINIMUM_RATEES.value).sum().cast(pl.Int64).alias("n_told"),
    )
    connecting = (pl.col("purpose") != "strengthen") & pl.col("component").is_in(apart["component"].to_list())
    strengthening = (pl.col("purpose") == "strengthen") & pl.col("rater_id").is_in(list(allowed))
    joins = pl.col("purpose") == "connect"
    plan = (
        found.reviews.filter(connecting | strengthening)
        .drop("n_joined", "n_told")
        .join(apart, on="component", how="left", maintain_order="left")
        .with_columns(pl.when(joins).then(name).otherwise(0).alias(name) for name in ("n_joined", "n_told"))
        .with_columns(
            (pl.col("n_joined").cum_sum() + raters.filter(component=1).height).alias("n_connected"),
            pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("step"),
        )
        .select(found.reviews.columns)
    )
    return replace(
        found,
        raters=raters,
        departments=departments,
        bridges=bridges,
        people=found.people.filter(pl.col("ratee_id").is_in(list(allowed))),
        kinds=found.kinds.clear(),
        reviews=plan,
        n_raters=raters.height,
    )


def _own_bridges(found: Comparability, raters: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Departments most of whose raters are these, and their bridges; of those at the far ends the name.

    Whoever rated a few people of a department from outside is not one of its raters here.
    """
    enough = pl.col("n_ratees") >= MINIMUM_RATEES.value
    there = found.raters.filter(enough).group_by("department_id").agg(pl.len().alias("all"))
    here = raters.filter(enough).group_by("department_id").agg(pl.len().alias("n"))
    here = here.join(there, on="department_id")
    own = here.filter(2 * pl.col("n") >= pl.col("all"))["department_id"].to_list()
    mine = pl.col("department_id").is_in(own)
    bridges = found.bridges.filter(pl.col("one").is_in(own) | pl.col("other").is_in(own))
    ends = [*own, *bridges["one"], *bridges["other"]]
    departments = found.departments.filter(pl.col("department_id").is_in(ends)).with_columns(
        pl.when(mine).then(name).alias(name) for name in ("n_raters", "n_compared")
    )
    return departments, bridges


@st.cache_resource(max_entries=16, show_spinner=False)
def _company_adjusted(version_id: str, rating_sources: tuple[str, ...], cycle_id: str) -> Adjusted:
    """Every rating of a cycle on an average rater's yardstick, which takes the whole company."""
    return adjusted(
        load.company_ratings(version_id, rating_sources),
        load.company_severity(version_id, rating_sources),
        sources=rating_sources,
        cycle_id=cycle_id,
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _company_standing(version_id: str, rating_sources: tuple[str, ...], cycle_id: str) -> Standing:
    """How well everybody rated in a cycle is known to work, which takes the whole company."""
    return standing(
        load.company_ratings(version_id, rating_sources),
        load.company_severity(version_id, rating_sources),
        cycle_id=cycle_id,
        sources=rating_sources,
    )


@st.cache_resource(max_entries=256, show_spinner=False)
def adjusted_ratings(
    version_id: str,
    viewer: Viewer,
    rating_sources: tuple[str, ...],
    cycle_id: str,
    *,
    source: str,
    department_id: str | None,
) -> Released[Adjusted]:
    """Ratings of one cycle and source on an average rater's yardstick, released.

    Only of people and by raters within reach; one by one only for who may see individual ratings.
    """
    found = _company_adjusted(version_id, rating_sources, cycle_id)
    raters = load.raters_within_reach(version_id, viewer, None)
    kept = pl.col("source") == source
    for column, allowed in (
        ("rater_id", raters),
        ("ratee_id", people_within_reach(version_id, viewer, cycle_id, department_id)),
    ):
        if allowed is not None:
            kept &= pl.col(column).is_in(list(allowed))
    narrowed = found.only(kept)
    if not viewer.may(Permission.SEE_INDIVIDUAL_RATINGS):
        groups = narrowed.departments
        if department_id is not None:
            groups = groups.filter(pl.col("department_id") == department_id)
        narrowed = replace(narrowed, ratings=narrowed.ratings.clear(), departments=groups)
    return release(narrowed, as_of=_ends_on(version_id, cycle_id))


@st.cache_resource(max_entries=256, show_spinner=False)
def standing_within(
    version_id: str,
    viewer: Viewer,
    rating_sources: tuple[str, ...],
    cycle_id: str,
    department_id: str | None,
) -> Released[Standing]:
    """How well the people of a department are known to work under average raters; only who may see them."""
    found = _company_standing(version_id, rating_sources, cycle_id)
    people = found.people
    allowed = people_within_reach(version_id, viewer, cycle_id, department_id)
    if not viewer.may(Permission.SEE_INDIVIDUAL_RATINGS):
        people = people.clear()
    elif allowed is not None:
        people = people.filter(pl.col("ratee_id").is_in(list(allowed)))
    return release(replace(found, people=people), as_of=_ends_on(version_id, cycle_id))


@st.cache_resource(max_entries=64, show_spinner=False)
def best_of(
    version_id: str,
    viewer: Viewer,
    rating_sources: tuple[str, ...],
    cycle_id: str,
    *,
    department_id: str | None,
    k: int,
) -> pl.DataFrame:
    """Who of a department is among the best ``k``, and how surely; see `among_best`."""
    known = standing_within(version_id, viewer, rating_sources, cycle_id, department_id).value
    return among_best(known, people=known.people["ratee_id"].to_list(), k=k, seed=_SEED)


def people_within_reach(
    version_id: str, viewer: Viewer, cycle_id: str, department_id: str | None
) -> frozenset[str] | None:
    """People whose ratings count for a viewer, as they stood when the cycle ended; None means everybody.

    Whoever may not see them one by one is shown counts of whole branches, about the raters within reach.
    """
    if not viewer.may(Permission.SEE_INDIVIDUAL_RATINGS):
        return None
    opened, on = load.engine(version_id), _ends_on(version_id, cycle_id)
    allowed = queries.visible_ratees(viewer, opened, on=on)
    if department_id is None:
        return allowed
    inside = queries.people_in(opened, load.departments(version_id, on).below(department_id), on=on)
    return inside if allowed is None else allowed & inside


def _ends_on(version_id: str, cycle_id: str) -> date:
    found: date = load.cycles(version_id).row(by_predicate=pl.col("cycle_id") == cycle_id, named=True)[
        "ends_on"
    ]
    return found


@st.cache_resource(max_entries=8, show_spinner=False)
def _company_evidence(version_id: str, rating_sources: tuple[str, ...], kind: str) -> Evidence:
    """Ratings beside goals or feedback, which takes the whole company."""
    opened, cycles = load.engine(version_id), load.cycles(version_id)
    return evidence(
        load.company_ratings(version_id, rating_sources),
        attained=attainment(
            queries.model_goals(opened),
            queries.model_check_ins(opened),
            cycles,
            changes=queries.model_goal_changes(opened),
        ),
        others=load.company_ratings(
            version_id, tuple(source for source in FEEDBACK if source not in rating_sources)
        ),
        sources=rating_sources,
        kinds=(kind,),
        without=load.company_severity(version_id, rating_sources),
    )


@st.cache_resource(max_entries=256, show_spinner=False)
def beside_evidence(
    version_id: str, viewer: Viewer, rating_sources: tuple[str, ...], kind: str, department_id: str | None
) -> Released[Evidence]:
    """Ratings beside one kind of evidence, released: people only for who may see their ratings and goals.

    Raises
    ------
    RefusedError
        If the evidence is goals and the viewer may not see any.
    """
    if kind == "goals" and not viewer.may(Permission.SEE_GOALS):
        raise queries.RefusedError(
            "{name} may not: {permission}.", name=viewer.name, permission=Permission.SEE_GOALS.value
        )
    found = _company_evidence(version_id, rating_sources, kind)
    newest = load.cycles(version_id)["ends_on"][0]
    allowed = load.raters_within_reach(version_id, viewer, department_id)
    this = pl.col("kind") == kind
    raters, groups, beside = (frame.filter(this) for frame in (found.raters, found.departments, found.beside))
    # Beside evidence that explains next to nothing, nobody is looked at one by one.
    telling = found.kinds.filter(this & pl.col("telling").fill_null(value=False)).height > 0
    people = found.people.filter(this) if telling else found.people.clear()
    if allowed is not None:
        theirs = pl.col("rater_id").is_in(list(allowed))
        raters, beside = raters.filter(theirs), beside.filter(theirs)
        # As on Leniency: a rater within reach does not open the whole department they rate in.
        whole = load.departments_within_reach(version_id, viewer, department_id)
        groups = groups.filter(pl.col("department_id").is_in(list(whole)))
    return release(
        replace(
            found,
            kinds=found.kinds.filter(this),
            people=_people_beside_evidence(version_id, viewer, people, department_id),
            departments=groups,
            raters=raters,
            beside=beside,
        ),
        as_of=newest,
    )


def _people_beside_evidence(
    version_id: str, viewer: Viewer, people: pl.DataFrame, department_id: str | None
) -> pl.DataFrame:
    """The people whose single ratings and goals the viewer may both look at, in the newest cycle."""
    if not (viewer.may(Permission.SEE_INDIVIDUAL_RATINGS) and viewer.may(Permission.SEE_GOALS)):
        return people.clear()
    newest = load.cycles(version_id).row(0, named=True)
    opened, on = load.engine(version_id), newest["ends_on"]
    raters = load.raters_within_reach(version_id, viewer, None)
    kept = pl.col("cycle_id") == newest["cycle_id"]
    for column, allowed in (
        ("rater_id", raters),
        ("ratee_id", people_within_reach(version_id, viewer, newest["cycle_id"], department_id)),
        ("ratee_id", queries.visible_goal_owners(viewer, opened, on=on)),
    ):
        if allowed is not None:
            kept &= pl.col(column).is_in(list(allowed))
    return people.filter(kept)


_SEED: Final = 20261122
"""Of the draws behind an order: the same question has the same answer."""

FEEDBACK: Final = ("peer", "direct_report", "customer", "cross_department", "skip_level")
"""Sources that can be evidence beside others they are not compared with."""


def only(released: Released[Adjusted], which: pl.Expr) -> Released[Adjusted]:
    """Released again about the ratings an expression chooses of those a viewer may see."""
    return release(released.value.only(which), as_of=released.as_of)


@st.cache_resource(max_entries=16, show_spinner=False)
def _company_facets(version_id: str, rating_sources: tuple[str, ...]) -> Facets:
    """Raters, dimensions, sources and cycles on one ruler, which takes the whole company."""
    whole = load.company_ratings(version_id, rating_sources).with_columns(pl.lit(OVERALL).alias("dimension"))
    single = load.company_dimensions(version_id, rating_sources)
    return facets(pl.concat([whole, single.select(whole.columns)]), sources=rating_sources)


@st.cache_resource(max_entries=256, show_spinner=False)
def ruler(
    version_id: str, viewer: Viewer, rating_sources: tuple[str, ...], department_id: str | None
) -> Released[Facets]:
    """Dimensions and sources of the whole company, and the raters a viewer may look at, released."""
    found = _company_facets(version_id, rating_sources)
    allowed = load.raters_within_reach(version_id, viewer, department_id)
    if allowed is not None:
        found = replace(found, raters=found.raters.filter(pl.col("rater_id").is_in(list(allowed))))
    return release(found, as_of=load.cycles(version_id)["ends_on"][0])


BORDER: Final = "border"
"""Stands for: people of the rater's own department, and others."""


def group_choices(viewer: Viewer) -> tuple[str, ...]:
    """By what raters' yardsticks can be compared: protected attributes only for whoever may see them."""
    opened = Reach.COMPANY in viewer.reaches(Permission.SEE_PROTECTED)
    return (*(("gender",) if opened else ()), "grade", "job_family", "location", BORDER)


@st.cache_resource(max_entries=64, show_spinner=False)
def _company_yardstick(
    version_id: str, viewer: Viewer, rating_sources: tuple[str, ...], by: str
) -> Differential:
    """How raters rate groups, which takes the whole company; the viewer decides which groups are known."""
    rows = load.company_ratings(version_id, rating_sources)
    cycle_ids = load.cycles(version_id)["cycle_id"].to_list()
    groups = queries.model_ratee_groups(viewer, load.engine(version_id), cycle_ids=cycle_ids)
    if by == BORDER:
        branches = load.departments(version_id, load.cycles(version_id)["ends_on"][0]).branches(None)
        homes = groups.select(
            "cycle_id",
            pl.col("ratee_id").alias("rater_id"),
            pl.col("department_id")
            .replace_strict(branches, default=None, return_dtype=pl.String)
            .alias("home"),
        )
        same = pl.col("home") == pl.col("department_id")
        rows = rows.join(homes, on=["cycle_id", "rater_id"], how="left").with_columns(
            pl.when(same).then(pl.lit("own")).when(~same).then(pl.lit("outside")).alias(by)
        )
    else:
        rows = rows.join(groups.select("cycle_id", "ratee_id", by), on=["cycle_id", "ratee_id"], how="left")
    return differential(rows, by=by, sources=rating_sources, unknown=("undisclosed",))


@st.cache_resource(max_entries=256, show_spinner=False)
def yardstick(
    version_id: str, viewer: Viewer, rating_sources: tuple[str, ...], by: str, department_id: str | None
) -> Released[Differential]:
    """How the raters a viewer may look at rate groups, released.

    Raises
    ------
    RefusedError
        If the viewer may not see groups of this kind.
    """
    if by not in group_choices(viewer):
        raise queries.RefusedError("{name} may not compare raters by {by}.", name=viewer.name, by=by)
    found = _company_yardstick(version_id, viewer, rating_sources, by)
    allowed = load.raters_within_reach(version_id, viewer, department_id)
    if allowed is not None:
        raters = found.raters.filter(pl.col("rater_id").is_in(list(allowed)))
        flags = raters.filter(pl.col("verdict") != "unremarkable")
        found = replace(found, raters=raters, expected_false_flags=float(flags["false_sign_rate"].sum()))
    return release(found, as_of=load.cycles(version_id)["ends_on"][0])


def warm_up() -> None:
    """Compute what the pages behind leniency wait longest for; after `load.warm_up`, which they rest on."""
    with contextlib.suppress(Exception):  # a warehouse that cannot be read is reported on the page
        if (current := load.version()) is not None and not load.cycles(current).is_empty():
            sources = next(iter(load.rater_groups(current).values()))
            _company_profiles(current, sources)
            _company_adjusted(current, sources, load.cycles(current)["cycle_id"][0])
