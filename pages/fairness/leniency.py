"""Do some managers rate more leniently, and can we tell?"""

from __future__ import annotations

import streamlit as st

from analytics.severity import chart
from data.access import Permission
from pages.kit import cards, evidence, filters, load, methods, reader, session, tables

viewer = session.require(Permission.SEE_LENIENCY)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="ratings")

head = cards.head()
scope = filters.leniency(t, version, viewer, one_cycle=True)
steps = filters.steps(t) if scope.cycle_id is None else filters.POINTS
with cards.waiting():
    released = (
        load.leniency(version, viewer, scope.sources, scope.department_id, scope.cycle_id)
        if steps == filters.POINTS
        else evidence.by_levels(t, version, viewer, scope)
    )
names = load.names(version, viewer)
departments = load.departments(version, released.as_of).names
said = chart.takeaway(released, t, names={**names, **departments})
cycle = None if scope.cycle_id is None else scope.words[-1]
said = said if cycle is None else evidence.of_cycle(t, said, cycle)
key = (version, viewer, scope, steps, t, mode)
with head:
    counted = tables.ratings_counted(t, released)
    cards.title(t("Do some managers rate more leniently?"), [*scope.words, counted])
    cards.finding(said)
    cards.remark(chart.caveats(released, t))

if released.value.identified:
    load.picture(lambda: chart.figure(released, t, mode=mode, names=names), key=("raters", *key), alt=said)
    if not released.value.departments.is_empty():
        cards.section(
            t("Do departments differ?"), t("Each department against the company, beyond the work itself.")
        )
        load.picture(
            lambda: chart.departments_figure(released, t, mode=mode, names=departments),
            key=("departments", *key),
            alt=said,
        )
footer = cards.footer(t, viewer, released, version, scope.words)
if steps != filters.POINTS:
    evidence.points_and_levels(
        t, version, viewer, scope, names=names, departments=departments, key=key, footer=footer
    )
lasting = None if cycle is None else load.leniency(version, viewer, scope.sources, scope.department_id)
evidence.one_rater(t, released, names=names, cycle=cycle, lasting=lasting)
told = released.value.raters["severity"].is_not_null()
if told.any():
    cards.heading(t("Raters the data can tell about"))
    cards.table(
        t,
        lambda: tables.raters(t, released, names, departments, one_cycle=cycle is not None),
        name="leniency",
        key=key,
        footer=footer,
        alt=said,
    )
if not told.all():
    cards.heading(t("Raters the data cannot tell about"))
    cards.table(
        t,
        lambda: tables.unknown_raters(t, released, names, departments),
        name="leniency-cannot-tell",
        key=key,
        footer=footer,
        alt=t("Raters, and why."),
        wide=t("Why the data cannot tell"),
    )
    st.page_link("pages/fairness/linkage.py", label=t("Who can be compared, and what would help"))
cards.method(t, methods.severity(t, released, cycle=cycle))
session.record("looked", "leniency")
