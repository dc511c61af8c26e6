"""Which goals need somebody now, what is to be done, and what were such warnings worth so far?"""

from __future__ import annotations

import streamlit as st

from analytics.goals import warning_chart as chart
from analytics.reports import digest
from data.access import Permission
from pages.kit import answering, cards, filters, load, load_goals, load_strategy, methods, reader, session

viewer = session.require(Permission.SEE_GOALS)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="goals")

head = cards.head()
scope = filters.warnings(t, version, viewer)
with cards.waiting():
    released = load_strategy.warnings_within_reach(version, viewer, scope.department_id, scope.kind)
    past = load_goals.lead_times_within_reach(version, viewer, scope.department_id)
known = load_goals.known(version, viewer)
departments = load.departments(version, released.as_of).names
answering.settle(t, viewer, version, released)
answers = answering.answers(t, released)
waiting = answering.waiting(released, answers)
rows = waiting.value.standing
said = chart.takeaway(released, t, known, day=scope.since, answered=frozenset(answers.standing))
about = [*scope.words, t("as of {day}", day=t.day(released.as_of))]
key = (version, viewer, scope, frozenset(answers.standing), t, mode)
with head:
    cards.title(t("Which goals need somebody now?"), [*about, chart.count_words(rows, t)])
    cards.finding(said)

new = chart.new_first(waiting, day=scope.since)
chances = load_strategy.delay_probabilities(version, viewer)
answering.overview(t, rows, chances=chances, known=known, day=scope.since)
answering.heaviest(t, viewer, new, answers, known=known, departments=departments)
footer = cards.footer(t, viewer, released, version, about)
if not rows.is_empty():
    cards.heading(t("All warnings that stand"))
    cards.table(
        t,
        lambda: digest.table(rows, t, known, departments).insert_column(
            1, answering.goal_links(t, rows["goal_id"])
        ),
        name="warnings",
        key=key,
        footer=footer,
        alt=said,
        wide=t("What to do"),
        columns=answering.link_column(t),
    )
    answering.letter(t, viewer, waiting, known=known, departments=departments, since=scope.since)
    answering.another(t, viewer, new, answers, known=known, departments=departments)
answering.acknowledged(t, viewer, released, answers, known=known)

worth = chart.worth(past, t)
cards.section(t("What were warnings of delay worth so far?"), worth)
if chart.can_tell(past):
    load.picture(lambda: chart.worth_figure(past, t, mode), key=("worth", *key), alt=worth)
    load.picture(lambda: chart.lead_figure(past, t, mode), key=("lead", *key), alt=worth)
    with st.expander(t("By quarter")):
        cards.table(
            t,
            lambda: chart.worth_table(past, t),
            name="past-warnings",
            key=("worth", *key),
            footer=footer,
            alt=worth,
        )
cards.method(t, methods.warnings(t, released, chart.limit_words(released.value, t)))
session.record("looked", "warnings")
