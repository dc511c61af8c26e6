"""Choices a reader makes; each is in the link, so that a colleague opens what the sender saw.

The link carries ids, not labels, so that it means the same in every language; a value the receiver may
not choose is dropped and the default taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import polars as pl
import streamlit as st

from analytics.disclosure import Refusal, Released, differing_groups, refuse_differencing
from analytics.distribution.chart import guidance_name
from analytics.distribution.guidance import PRESETS, Guidance
from analytics.distribution.shares import Distribution
from analytics.goals.chart import preset_words
from analytics.goals.warning_chart import kind_words
from analytics.language import Language
from analytics.policy import MINIMUM_GROUP
from analytics.severity.evidence_chart import kind_names
from data.access import Permission, Reach, Viewer
from pages.kit import load, load_severity, session
from pages.kit.load import RatingChoice

EVERYTHING: Final = ""
"""Stands for no choice: no id is empty, so that none can be taken for it."""

LISTED: Final = 300

_ALWAYS_IN_LINK: Final = ("rater", "goal")
"""Choices whose default differs from page to page: a link without them would mean somebody else."""
_PAGE: Final = "page"
_TAKEN_IN: Final = "taken_in"

POINTS: Final = "points"
LEVELS: Final = "levels"
"""What ratings count as: numbers, or levels of which only the order is known."""


def pick(label: str, options: Mapping[str, str], *, key: str, default: str | None = None) -> str:
    """One choice out of id → label, kept in the link under ``key`` and over pages.

    Parameters
    ----------
    default
        Taken when the link says nothing usable; the first option if None.
    """
    first = default if default is not None and default in options else next(iter(options))
    asked = st.query_params.get(key)
    fresh = asked is not None and asked != _taken_in().get(key)
    if asked in options and fresh:
        st.session_state[key] = asked
    elif st.session_state.get(key) not in options:
        st.session_state[key] = asked if asked in options else first
    chosen = st.selectbox(
        label,
        list(options),
        format_func=lambda option: options.get(option, option),
        key=key,
        persist_state="session",
    )
    return _in_link(key, chosen if chosen is not None and chosen in options else first, first)


def arrived(page: str) -> None:
    """Note which page is run: on arrival what its address says goes before what was chosen elsewhere."""
    if st.session_state.get(_PAGE) != page:
        st.session_state[_PAGE] = page
        st.session_state[_TAKEN_IN] = {}


def _taken_in() -> dict[str, str]:
    """What the address of this page said when it was last looked at, by key."""
    taken: dict[str, str] = st.session_state.setdefault(_TAKEN_IN, {})
    return taken


def _in_link(key: str, value: str, default: str) -> str:
    if value == default and key not in _ALWAYS_IN_LINK:
        st.query_params.pop(key, None)
        _taken_in().pop(key, None)
        return value
    if st.query_params.get(key) != value:
        st.query_params[key] = value
    _taken_in()[key] = value
    return value


def with_chosen(ordered: pl.DataFrame, column: str, *, key: str) -> pl.DataFrame:
    """The first of many rows to choose from, and the one the link or the reader has chosen.

    A list of thousands is slow to send and nobody scrolls it; the table on the page has all.
    """
    if ordered.height <= LISTED:
        return ordered
    chosen = st.session_state.get(key) or ""
    asked = st.query_params.get(key) or ""
    rest = ordered.slice(LISTED).filter(pl.col(column).is_in([chosen, asked]))
    return pl.concat([ordered.head(LISTED), rest])


def switch(label: str, options: Mapping[str, str], *, key: str) -> str:
    """One part of a page out of id → label, kept in the link under ``key``."""
    first = next(iter(options))
    if st.session_state.get(key) not in options:
        asked = st.query_params.get(key)
        st.session_state[key] = asked if asked in options else first
    chosen = st.segmented_control(
        label,
        list(options),
        format_func=lambda option: options.get(option, option),
        key=key,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    return _in_link(key, chosen if chosen is not None and chosen in options else first, first)


def clear(t: Language, *keys: str) -> None:
    """A button that takes every choice back to its default."""

    def forget() -> None:
        for key in keys:
            st.session_state.pop(key, None)
            st.query_params.pop(key, None)

    st.button(
        t("Clear"),
        on_click=forget,
        type="tertiary",
        disabled=not any(key in st.query_params for key in keys),
        key="clear_filters",
    )


def source_names(t: Language) -> dict[str, str]:
    """Sources as the reader calls them."""
    return {
        "manager": t("Manager"),
        "self": t("Self"),
        "peer": t("Peers"),
        "skip_level": t("Skip-level manager"),
        "cross_department": t("Cross-department"),
        "direct_report": t("Direct reports"),
        "customer": t("Customers"),
    }


def comparisons(t: Language) -> dict[str, str]:
    """What ratings can be compared by."""
    return {
        "department": t("Department"),
        "grade": t("Level"),
        "location": t("Location"),
        "job_family": t("Job family"),
        "rater": t("Rater"),
    }


@dataclass(frozen=True)
class RatingScope:
    """What of the ratings a page shows, with the words for it."""

    choice: RatingChoice
    words: tuple[str, ...]
    compared: str
    guidance: Guidance | None
    scale_id: str
    earlier: str | None
    cycle_names: Mapping[str, str]


@dataclass(frozen=True)
class LeniencyScope:
    """Whose ratings are compared, and of which department and cycle (None: all) raters are shown."""

    sources: tuple[str, ...]
    department_id: str | None
    cycle_id: str | None
    words: tuple[str, ...]


@dataclass(frozen=True)
class GoalScope:
    """Under which rule goals are judged, and of which department they are shown."""

    preset: str
    department_id: str | None
    words: tuple[str, ...]


@dataclass(frozen=True)
class WarningScope:
    """Early warnings of which department and kind (None: all) are shown, and from which day on as new."""

    department_id: str | None
    kind: str | None
    since: date
    words: tuple[str, ...]


@dataclass(frozen=True)
class AdjustedScope:
    """Whose ratings are read with an average rater's yardstick; ``levels`` are what levels are called."""

    cycle_id: str
    source: str
    sources: tuple[str, ...]
    department_id: str | None
    words: tuple[str, ...]
    names: tuple[tuple[int, str], ...]

    @property
    def levels(self) -> dict[int, str]:
        """Level → what it is called."""
        return dict(self.names)


@dataclass(frozen=True)
class EvidenceScope:
    """Which ratings are set beside which kind of evidence."""

    sources: tuple[str, ...]
    kind: str
    department_id: str | None
    words: tuple[str, ...]


def ratings(t: Language, version_id: str, viewer: Viewer) -> RatingScope:
    """Cycle, department, source, comparison and guidance for pages about ratings."""
    cycles = load.cycles(version_id)
    cycle_names = dict(zip(cycles["cycle_id"], cycles["name"], strict=True))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        cycle_id = pick(t("Cycle"), cycle_names, key="cycle")
        position = cycles["cycle_id"].to_list().index(cycle_id)
        cycle = cycles.row(position, named=True)
        options = department_options(t, version_id, viewer, Permission.SEE_DISTRIBUTIONS, cycle["ends_on"])
        department = pick(t("Department"), options, key="department")
        known = source_names(t)
        available = {source: known[source] for source in load.sources(version_id, cycle_id)}
        source = pick(t("Rated by"), available, key="source", default="manager")
        by = pick(t("Compare"), comparisons(t), key="by", default="department")
        guidance = _guidance(t, load.levels(version_id, cycle["scale_id"]).height)
        clear(t, "cycle", "department", "source", "by", "guidance")
    earlier = cycles.slice(position + 1).filter(scale_id=cycle["scale_id"])["cycle_id"]
    return RatingScope(
        choice=RatingChoice(
            cycle_id=cycle_id,
            source=source,
            department_id=None if department == EVERYTHING else department,
            by=by,
        ),
        words=(cycle_names[cycle_id], options[department].strip(), available[source]),
        compared=comparisons(t)[by],
        guidance=guidance,
        scale_id=cycle["scale_id"],
        earlier=earlier[0] if len(earlier) else None,
        cycle_names=cycle_names,
    )


def leniency(t: Language, version_id: str, viewer: Viewer, *, one_cycle: bool = False) -> LeniencyScope:
    """Whose ratings are compared, a department and, where ``one_cycle`` may be looked at, a cycle."""
    groups = load.rater_groups(version_id)
    words = {
        "leaders": t("Managers and other leaders"),
        "peers": t("Leaders and peers"),
        "everybody": t("Everybody but the person themselves"),
    }
    newest = load.cycles(version_id)["ends_on"][0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = department_options(t, version_id, viewer, Permission.SEE_LENIENCY, newest)
        department = pick(t("Department"), options, key="department")
        chosen = pick(t("Raters"), {group: words[group] for group in groups}, key="raters")
        cycles = {EVERYTHING: t("All: what lasts"), **_cycle_names(version_id)} if one_cycle else {}
        cycle = pick(t("Cycle"), cycles, key="when") if one_cycle else EVERYTHING
        clear(t, "department", "raters", *(["when"] if one_cycle else []))
    all_cycles = t("all cycles up to {day}", day=t.day(newest))
    span = (cycles[cycle] if cycle else all_cycles,) if one_cycle else ()
    return LeniencyScope(
        sources=groups[chosen],
        department_id=None if department == EVERYTHING else department,
        cycle_id=None if cycle == EVERYTHING else cycle,
        words=(options[department].strip(), words[chosen], *span),
    )


def steps(t: Language) -> str:
    """Whether ratings count as points or as ordered levels."""
    return switch(
        t("Ratings count as"),
        {POINTS: t("Rating points (fast)"), LEVELS: t("Ordered levels (slower)")},
        key="steps",
    )


def _cycle_names(version_id: str) -> dict[str, str]:
    return dict(load.cycles(version_id).select("cycle_id", "name").iter_rows())


def goals(t: Language, version_id: str, viewer: Viewer) -> GoalScope:
    """A department and the rule behind the words."""
    on = load.latest_day(version_id)
    words = preset_words(t)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = department_options(t, version_id, viewer, Permission.SEE_GOALS, on)
        department = pick(t("Department"), options, key="department")
        preset = pick(t("Rule"), words, key="rule", default="remaining_work")
        clear(t, "department", "rule")
    return GoalScope(
        preset=preset,
        department_id=None if department == EVERYTHING else department,
        words=(options[department].strip(), words[preset]),
    )


def goals_of(t: Language, version_id: str, viewer: Viewer) -> GoalScope:
    """A department, for pages about goals that judge by no rule of the reader's choice."""
    on = load.latest_day(version_id)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = department_options(t, version_id, viewer, Permission.SEE_GOALS, on)
        department = pick(t("Department"), options, key="department")
        clear(t, "department")
    return GoalScope(
        preset="remaining_work",
        department_id=None if department == EVERYTHING else department,
        words=(options[department].strip(),),
    )


def warnings(t: Language, version_id: str, viewer: Viewer) -> WarningScope:
    """A department, a kind of warning, and since when a warning is new."""
    on = load.latest_day(version_id)
    kinds = {EVERYTHING: t("All kinds"), **kind_words(t)}
    spans = {
        "7": t("The last week"),
        "14": t("The last two weeks"),
        "28": t("The last four weeks"),
        "91": t("The last quarter"),
    }
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = department_options(t, version_id, viewer, Permission.SEE_GOALS, on)
        department = pick(t("Department"), options, key="department")
        kind = pick(t("Kind of warning"), kinds, key="kind")
        days = pick(t("New is what arose in"), spans, key="since", default="14")
        clear(t, "department", "kind", "since")
    since = on - timedelta(days=int(days))
    return WarningScope(
        department_id=None if department == EVERYTHING else department,
        kind=None if kind == EVERYTHING else kind,
        since=since,
        words=(options[department].strip(), kinds[kind]),
    )


def department_options(
    t: Language, version_id: str, viewer: Viewer, permission: Permission, on: date
) -> dict[str, str]:
    """Departments within reach as an outline, everything first."""
    tree = load.departments(version_id, on)
    everybody = Reach.COMPANY in viewer.reaches(permission)
    allowed = frozenset(tree.names)
    if not everybody:
        allowed = frozenset().union(*(tree.below(department) for department in viewer.departments))
    options = {EVERYTHING: t("All departments") if everybody else t("All within my reach")}
    for department in tree.outline():
        if department in allowed:
            options[department] = "\u2003" * (len(tree.path(department)) - 1) + tree.names[department]
    return options


@dataclass(frozen=True)
class Protected:
    """A distribution with what must stay hidden, given all its viewer was shown before.

    Attributes
    ----------
    released
        The distribution.
    withhold
        Groups to withhold from other pictures of the same choice.
    refusal
        Why it must not be shown at all, if so.
    """

    released: Released[Distribution]
    withhold: frozenset[str]
    refusal: Refusal | None = None


def protected(version_id: str, viewer: Viewer, choice: RatingChoice) -> Protected:
    """The distribution of a choice, safe beside earlier ones of the same viewer.

    Refused where the choice as a whole, or what it hides as a whole, would single out a few people beside
    an earlier one; groups of it that would are withheld. Remembered is every set of people a figure was
    shown about, and what each picture hides, which is its total less what it shows.
    """
    # The same people in another cycle, from another source or in other data are other facts.
    about = f"ratings/{version_id}/{choice.cycle_id}/{choice.source}/{choice.stage}"
    settled: dict[object, Protected] = st.session_state.setdefault("protected", {})
    key = (viewer, about, choice)
    if key in settled:
        return settled[key]
    rows = load.rating_rows(version_id, viewer, choice)
    groups = {
        group: frozenset(people)
        for group, people in rows.group_by("group").agg("ratee_id").iter_rows()
        if group is not None
    }
    asked = frozenset(rows["ratee_id"])
    everybody = load.rating_rows(version_id, viewer, replace(choice, department_id=None))
    store, minimum = session.operations(), int(MINIMUM_GROUP.value)
    previous = store.recent_filters(viewer.subject, about=about)
    refusal = refuse_differencing(previous, asked, frozenset(everybody["ratee_id"]), minimum=minimum)
    withhold = differing_groups(previous, groups, minimum=minimum)
    released = load.rating_distribution(version_id, viewer, choice, withhold)
    shown = [groups[group] for group in released.value.groups.drop_nulls("people")["group"]]
    concealed = asked.difference(*shown)
    if refusal is None and concealed:
        refusal = refuse_differencing(previous, concealed, concealed, minimum=minimum)
    if refusal is not None:
        return Protected(released, withhold, refusal)
    store.remember_filters(viewer.subject, filter(None, [asked, concealed, *shown]), about=about)
    settled[key] = Protected(released, withhold)
    return settled[key]


def _guidance(t: Language, scale_levels: int) -> Guidance | None:
    """The distribution guidance to hold ratings against, out of those that fit the scale; none by default."""
    fitting = {preset.key: preset.on(scale_levels) for preset in PRESETS if preset.fits(scale_levels)}
    words = {key: guidance_name(found, t) for key, found in fitting.items()}
    return fitting.get(pick(t("Guidance"), {EVERYTHING: t("None"), **words}, key="guidance"))


def adjusted(t: Language, version_id: str, viewer: Viewer) -> AdjustedScope:
    """Cycle, department and source of ratings given by leaders."""
    cycles = load.cycles(version_id)
    cycle_names = dict(zip(cycles["cycle_id"], cycles["name"], strict=True))
    compared = next(iter(load.rater_groups(version_id).values()))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        cycle_id = pick(t("Cycle"), cycle_names, key="cycle")
        cycle = cycles.row(by_predicate=pl.col("cycle_id") == cycle_id, named=True)
        options = department_options(t, version_id, viewer, Permission.SEE_LENIENCY, cycle["ends_on"])
        if not viewer.may(Permission.SEE_INDIVIDUAL_RATINGS):
            # Counts of departments within each other could be subtracted from each other.
            branches = set(load.departments(version_id, cycle["ends_on"]).branches(None).values())
            options = {one: name for one, name in options.items() if one == EVERYTHING or one in branches}
        department = pick(t("Department"), options, key="department")
        known = source_names(t)
        there = [source for source in load.sources(version_id, cycle_id) if source in compared]
        available = {source: known[source] for source in there or compared}
        source = pick(t("Rated by"), available, key="source", default="manager")
        clear(t, "cycle", "department", "source", "rater", "first", "second", "best")
    return AdjustedScope(
        cycle_id=cycle_id,
        source=source,
        sources=compared,
        department_id=None if department == EVERYTHING else department,
        words=(cycle_names[cycle_id], options[department].strip(), available[source]),
        names=tuple(level_codes(version_id, cycle["scale_id"]).items()),
    )


def level_codes(version_id: str, scale_id: str) -> dict[int, str]:
    """What exports call the levels of a scale."""
    levels = load.levels(version_id, scale_id)
    return dict(levels.select("level", pl.coalesce("code", "label")).iter_rows())


def beside_evidence(t: Language, version_id: str, viewer: Viewer) -> EvidenceScope:
    """Whose ratings, of which department, beside what; goals only for whoever may see goals."""
    words = kind_names(t)
    if not viewer.may(Permission.SEE_GOALS):
        del words["goals"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = pick(t("Evidence"), words, key="evidence")
        scope = leniency(t, version_id, viewer)
    return EvidenceScope(
        sources=scope.sources,
        kind=kind,
        department_id=scope.department_id,
        words=(words[kind], *scope.words),
    )


@dataclass(frozen=True)
class YardstickScope:
    """Whose ratings are compared, of which department raters are shown, and by which groups of people."""

    sources: tuple[str, ...]
    department_id: str | None
    by: str
    words: tuple[str, ...]


def yardstick(t: Language, version_id: str, viewer: Viewer) -> YardstickScope:
    """Groups to compare, raters and department; only groups the viewer may know of."""
    words = {
        "gender": t("Gender"),
        "grade": t("Level"),
        "job_family": t("Job family"),
        "location": t("Location"),
        load_severity.BORDER: t("Own department or others"),
    }
    options = {by: words[by] for by in load_severity.group_choices(viewer)}
    scope = leniency(t, version_id, viewer)
    by = switch(t("Groups"), options, key="groups")
    return YardstickScope(
        sources=scope.sources,
        department_id=scope.department_id,
        by=by,
        words=(options[by], *scope.words),
    )


def people_of(t: Language, by: str, groups: Iterable[str]) -> dict[str, str]:
    """What to call the people of groups, as a noun that fits "rates … softer"."""
    known = {
        "gender": {"female": t("women"), "male": t("men")},
        load_severity.BORDER: {
            "own": t("people of their own department"),
            "outside": t("people of other departments"),
        },
    }
    if by in known:
        return {group: known[by].get(group, group) for group in groups}
    if by == "grade":
        return {group: t("people at level {level}", level=group) for group in groups}
    if by == "location":
        return {group: t("people in {place}", place=group) for group in groups}
    return {group: t("people in the job family {family}", family=group) for group in groups}


def others_of(t: Language, by: str, groups: Iterable[str]) -> dict[str, str]:
    """What to call those a group is compared with; all others where there are more than two groups."""
    found = list(groups)
    if len(found) == 1 and by in {"gender", load_severity.BORDER}:
        other = {"female": "male", "male": "female", "own": "outside", "outside": "own"}[found[0]]
        return {found[0]: people_of(t, by, [other])[other]}
    return {group: t("all others") for group in found}
