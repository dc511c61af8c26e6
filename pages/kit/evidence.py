"""What stands under one flag or one goal: the numbers, the people, and what else could explain it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import polars as pl
import streamlit as st

from analytics.disclosure import Released
from analytics.goals import chart as goal_chart
from analytics.goals.pace import GoalPace, urgent_first
from analytics.language import Language, interval, percent, signed
from analytics.severity import chart as severity_chart
from analytics.severity import drift_chart, levels_chart
from analytics.severity.drift import Drift
from analytics.severity.habits import chart as habits_chart
from analytics.severity.habits.profile import Profiles
from analytics.severity.linear import Severity
from analytics.severity.linkage import chart as linkage_chart
from analytics.theme import Mode
from data.access import Permission, Viewer
from pages.kit import cards, filters, load, load_severity, tables


def by_levels(t: Language, version: str, viewer: Viewer, scope: filters.LeniencyScope) -> Released[Severity]:
    """Severity by ordered levels, in rating points; saying that it takes a while."""
    with st.spinner(t("Comparing level by level; this takes some seconds, once for these data.")):
        found = load_severity.by_levels(version, viewer, scope.sources, scope.department_id)
    return levels_chart.in_rating_points(found)


def points_and_levels(
    t: Language,
    version: str,
    viewer: Viewer,
    scope: filters.LeniencyScope,
    *,
    names: Mapping[str, str],
    departments: Mapping[str, str],
    key: Hashable,
    footer: Sequence[str],
) -> None:
    """Whether rating points and levels say the same, and of whom they do not."""
    released = load_severity.level_disagreements(version, viewer, scope.sources, scope.department_id)
    said = levels_chart.agreement(released, t)
    cards.section(t("Do rating points and levels agree?"), said)
    if released.value.raters.is_empty():
        return
    cards.table(
        t,
        lambda: tables.disagreements(t, released, names, departments),
        name="points-and-levels",
        key=key,
        footer=footer,
        alt=said,
        wide=t("Likely why"),
    )


def raters_in_words(t: Language, released: Released[Severity], names: Mapping[str, str]) -> dict[str, str]:
    """Raters to choose from, flags first: name and verdict; see `filters.with_chosen`."""
    ordered = filters.with_chosen(tables.raters_in_order(released), "rater_id", key="rater")
    words = tables.verdict_words(t)
    return {
        rater_id: f"{names.get(rater_id, rater_id)} · {words[verdict or 'cannot_tell']}"
        for rater_id, verdict in ordered.select("rater_id", "verdict").iter_rows()
    }


def one_rater(
    t: Language,
    released: Released[Severity],
    *,
    names: Mapping[str, str],
    cycle: str | None = None,
    lasting: Released[Severity] | None = None,
) -> None:
    """A rater to choose, with the finding in a sentence and the way to everything known about them.

    Of one ``cycle``, named, it says beside it how the rater rates over all cycles, which is ``lasting``.
    """
    options = raters_in_words(t, released, names)
    if not options:
        return
    cards.heading(t("One rater"))
    chosen = filters.pick(t("Rater"), options, key="rater")
    with st.container(border=True):
        said = rater_reading(t, released, chosen, names)
        cards.say(said if cycle is None else of_cycle(t, said, cycle))
        if lasting is not None:
            whole = rater_reading(t, lasting, chosen, names)
            cards.remark(t("All cycles: {said}", said=whole) if whole else "")
        st.page_link(
            "pages/fairness/rater.py",
            label=t("History, habits, people and what an average rater would have given"),
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params={"rater": chosen},
        )


def of_cycle(t: Language, said: str, cycle: str) -> str:
    """What is said of one cycle, with its name."""
    return t("{cycle}: {said}", cycle=cycle, said=said)


def rater_reading(t: Language, released: Released[Severity], rater_id: str, names: Mapping[str, str]) -> str:
    """One rater in a sentence, or why the data cannot tell."""
    row = released.value.raters.row(by_predicate=pl.col("rater_id") == rater_id, named=True)
    return severity_chart.reading(row, t, name=names.get(rater_id, rater_id))


def stands_out(released: Released[Severity], rater_id: str) -> bool:
    """Whether a rater is flagged."""
    row = released.value.raters.row(by_predicate=pl.col("rater_id") == rater_id, named=True)
    return row["verdict"] in {"lenient", "severe"}


def rater_facts(t: Language, released: Released[Severity], rater_id: str) -> None:
    """The numbers under a severity, where there is one."""
    row = released.value.raters.row(by_predicate=pl.col("rater_id") == rater_id, named=True)
    if row["severity"] is None:
        return
    cards.facts(
        {
            t("Severity (points)"): f"{signed(row['severity'], 2)} {interval(row['low'], row['high'])}",
            t("Chance of pointing the other way"): percent(row["false_sign_rate"], t),
            t("How well told apart"): percent(row["reliability"], t),
            t("People rated"): str(row["n_ratees"]),
            t("… also rated by others"): str(row["n_shared"]),
        }
    )


def rater_finding(
    t: Language,
    found: Released[Severity],
    version: str,
    viewer: Viewer,
    scope: filters.LeniencyScope,
    *,
    rater_id: str,
    names: Mapping[str, str],
) -> str:
    """One rater in a sentence; where the data cannot tell, why, and which extra reviews would settle it."""
    reading = rater_reading(t, found, rater_id, names)
    row = found.value.raters.row(by_predicate=pl.col("rater_id") == rater_id, named=True)
    if row["severity"] is not None or row["reason"] not in {"alone", "island"}:
        return reading
    comparable = load_severity.comparable(version, viewer, scope.sources, scope.department_id)
    departments = load.departments(version, found.as_of).names
    helps = linkage_chart.what_would_help(
        comparable, t, rater_id=rater_id, names=names, departments=departments
    )
    return "\n".join([reading, helps])


def rater_history(
    t: Language,
    mode: Mode,
    released: Released[Drift],
    *,
    rater_id: str,
    cycles: Mapping[str, str],
    key: Hashable,
) -> None:
    """One rater's severity cycle by cycle; ``cycles`` are ids and names, oldest first."""
    said = drift_chart.takeaway(released, t, rater_id=rater_id, names=cycles)
    cards.section(t("Cycle by cycle"), said)
    if released.value.cycles.is_empty():
        return
    load.picture(
        lambda: drift_chart.figure(
            released, t, mode=mode, rater_id=rater_id, order=list(cycles), names=cycles
        ),
        key=("drift", key),
        alt=said,
    )


def rater_habits(
    t: Language, mode: Mode, released: Released[Profiles], *, rater_id: str, name: str, key: Hashable
) -> None:
    """How one rater uses the scale: a picture, and each habit in a sentence."""
    said = habits_chart.readings(released, t, rater_id=rater_id, name=name)
    if not said:
        return
    cards.heading(t("How {name} uses the scale", name=name))
    load.picture(
        lambda: habits_chart.figure(released, t, mode=mode, rater_id=rater_id, name=name),
        key=("habits", key),
        alt=" ".join(said),
    )
    for line in said:
        cards.remark(line)


def rater_advice(
    t: Language, found: Released[Severity], habits: Released[Profiles], *, rater_id: str, name: str
) -> None:
    """What the rater might try next time, for a talk; nothing where nothing stands out."""
    row = found.value.raters.row(by_predicate=pl.col("rater_id") == rater_id, named=True)
    advice = habits_chart.advice(habits, t, rater_id=rater_id, name=name)
    lines = [line for line in (severity_chart.coaching(row, t, name=name), *advice) if line]
    if lines:
        cards.heading(t("For the talk"))
        with st.container(border=True):
            for line in lines:
                cards.say(line)


def people_beside_others(
    t: Language,
    *,
    version: str,
    viewer: Viewer,
    rater_id: str,
    names: Mapping[str, str],
    sources: tuple[str, ...],
) -> None:
    """Everybody a rater rated whom others rated too, with what each side gave; for those who may see it."""
    if not viewer.may(Permission.SEE_INDIVIDUAL_RATINGS):
        return
    shared = load.rater_evidence(version, viewer, rater_id, sources).drop_nulls("others")
    if shared.is_empty():
        return
    name = names.get(rater_id, rater_id)
    cards.heading(t("The people both rated"))
    cards.remark(
        t(
            "Each person {name} rated, beside the mean of what others gave the same person in any cycle.",
            name=name,
        )
    )
    cards.plain_table(
        tables.beside_others(t, shared, names),
        alt=t("People rated by {name}, with their ratings and those by others.", name=name),
    )


def goal(
    t: Language,
    released: Released[GoalPace],
    *,
    mode: Mode,
    version: str,
    viewer: Viewer,
    names: Mapping[str, str],
    preset: str,
) -> None:
    """One goal: the sentence and its way over time."""
    ordered = filters.with_chosen(urgent_first(released.value), "goal_id", key="goal")
    if ordered.is_empty():
        return
    cards.heading(t("One goal"))
    words = goal_chart.status_words(t)
    options = {
        goal_id: f"{words[status]} · {title}"
        for goal_id, status, title in ordered.select("goal_id", "status", "title").iter_rows()
    }
    chosen = filters.pick(t("Goal"), options, key="goal")
    history = load.goal_history(version, viewer, preset, chosen)
    said = goal_chart.goal_takeaway(history, t)
    owner = ordered.row(by_predicate=pl.col("goal_id") == chosen, named=True)["owner_id"]
    with st.container(border=True):
        cards.say(said)
        if owner is not None:
            cards.remark(t("Owner: {name}", name=names.get(owner, t("somebody beyond your reach"))))
        load.picture(
            lambda: goal_chart.pace_figure(history, t, mode),
            key=("goal", version, viewer, preset, chosen, t, mode),
            alt=said,
        )
        st.page_link(
            "pages/goals/goal.py",
            label=t("Its chance, forecast, drivers, goals below it and history"),
            icon=":material/arrow_forward:",
            icon_position="right",
            query_params={"goal": chosen},
        )
