"""What stands under one flag or one goal: the numbers, the people, and what else could explain it."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import streamlit as st

from analytics.disclosure import Released
from analytics.goals import chart as goal_chart
from analytics.goals.pace import GoalPace, urgent_first
from analytics.language import Language, decimals, interval, percent, signed
from analytics.severity import chart as severity_chart
from analytics.severity.linear import Severity
from analytics.theme import Mode
from data.access import Permission, Viewer
from pages.kit import cards, filters, load, tables


def rater(
    t: Language,
    released: Released[Severity],
    *,
    version: str,
    viewer: Viewer,
    names: Mapping[str, str],
    sources: tuple[str, ...],
) -> None:
    """One rater: the sentence, the numbers, everybody they rated beside what others gave."""
    ordered = filters.with_chosen(tables.raters_in_order(released), "rater_id", key="rater")
    if ordered.is_empty():
        return
    cards.heading(t("One rater"))
    words = tables.verdict_words(t)
    options = {
        rater_id: f"{names.get(rater_id, rater_id)} · {words[verdict or 'cannot_tell']}"
        for rater_id, verdict in ordered.select("rater_id", "verdict").iter_rows()
    }
    chosen = filters.pick(t("Rater"), options, key="rater")
    row = ordered.row(by_predicate=pl.col("rater_id") == chosen, named=True)
    with st.container(border=True):
        if row["severity"] is None:
            cards.say(tables.why_unknown(t, released, row))
            return
        name = names.get(chosen, chosen)
        cards.say(severity_chart.reading(row, t, name=name))
        digits = max(2, decimals(row["severity"], row["low"], row["high"]))
        cards.facts(
            {
                t(
                    "Severity (points)"
                ): f"{signed(row['severity'], digits)} {interval(row['low'], row['high'], digits)}",
                t("Chance of pointing the other way"): percent(row["false_sign_rate"], t),
                t("How well told apart"): percent(row["reliability"], t),
                t("People rated"): str(row["n_ratees"]),
                t("… also rated by others"): str(row["n_shared"]),
            }
        )
        if viewer.may(Permission.SEE_INDIVIDUAL_RATINGS):
            found = load.rater_evidence(version, viewer, chosen, sources)
            shared = found.drop_nulls("others")
            if not shared.is_empty():
                cards.remark(
                    t(
                        "Each person {name} rated, beside the mean of what others gave the same person in "
                        "any cycle.",
                        name=name,
                    )
                )
                cards.plain_table(
                    tables.beside_others(t, shared, names),
                    alt=t("People rated by {name}, with their ratings and those by others.", name=name),
                )
        cards.remark(
            t(
                "Besides leniency, this could be explained by: a team that did better than the same people "
                "did elsewhere, people who were moved here because they do well, or work others could not "
                "see. Talk before concluding."
            )
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
            cards.remark(t("Owner: {name}", name=names.get(owner, owner)))
        load.picture(
            lambda: goal_chart.pace_figure(history, t, mode),
            key=("goal", version, viewer, preset, chosen, t, mode),
            alt=said,
        )
