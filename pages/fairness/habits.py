"""How do managers use the rating scale?"""

from __future__ import annotations

from analytics.severity.habits import chart
from data.access import Permission
from pages.kit import cards, filters, load, load_severity, methods, reader, session, tables

viewer = session.require(Permission.SEE_LENIENCY)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="ratings")

head = cards.head()
scope = filters.leniency(t, version, viewer)
with cards.waiting():
    released = load_severity.habits(version, viewer, scope.sources, scope.department_id)
names = load.names(version, viewer)
departments = load.departments(version, released.as_of).names
said = chart.takeaway(released, t)
about = [*scope.words, t("all cycles up to {day}", day=t.day(released.as_of))]
key = (version, viewer, scope, t, mode)
with head:
    cards.title(t("How do managers use the rating scale?"), [*about, tables.judgements_counted(t, released)])
    cards.finding(said)
load.picture(
    lambda: chart.overview_figure(released, t, mode=mode, names=names), key=("habits", *key), alt=said
)
cards.remark(chart.kept_back(released, t))
footer = cards.footer(t, viewer, released, version, about)

cards.heading(t("Who stands out, and in what"))
habit = filters.pick(t("Habit"), {filters.EVERYTHING: t("All habits"), **chart.habit_names(t)}, key="habit")
if tables.habits(t, released, names, departments, habit).is_empty():
    cards.remark(t("Nobody stands out here."))
else:
    cards.table(
        t,
        lambda: tables.habits(t, released, names, departments, habit),
        name="habits",
        key=(habit, *key),
        footer=footer,
        alt=said,
    )

if not released.value.departments.is_empty():
    local = chart.departments_takeaway(released, t, names=departments)
    cards.section(t("A habit of one rater, or a custom of the department?"), local)
    load.picture(
        lambda: chart.departments_figure(released, t, mode=mode, names=departments),
        key=("customs", *key),
        alt=local,
    )
    cards.table(
        t,
        lambda: tables.customs(t, released, departments),
        name="customs",
        key=key,
        footer=footer,
        alt=local,
    )
cards.method(t, methods.habits(t, released))
session.record("looked", "habits")
