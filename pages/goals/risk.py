"""Which goals need more than the pace they had, and which does nobody look after?"""

from __future__ import annotations

from analytics.goals import chart
from data.access import Permission
from pages.kit import cards, evidence, filters, load, load_strategy, methods, reader, session, tables

viewer = session.require(Permission.SEE_GOALS)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="goals")

head = cards.head()
scope = filters.goals(t, version, viewer)
with cards.waiting():
    released = load.goal_pace(version, viewer, scope.preset, scope.department_id)
    strategy = load.goal_rollup(version, viewer, scope.preset)
    chances = load_strategy.delay_probabilities(version, viewer)
names = load.names(version, viewer)
departments = load.departments(version, released.as_of).names
said = chart.takeaway(released, t)
about = [*scope.words, t("as of {day}", day=t.day(released.as_of))]
key = (version, viewer, scope, t, mode)
with head:
    cards.title(t("Which goals are at risk?"), [*about, tables.goals_counted(t, released)])
    cards.finding(said)
cards.say(chart.disagreement(released, chances, t))
cards.remark(chart.warning(t))

strategic = chart.strategy_takeaway(strategy, t)
cards.section(t("From the strategy down"), strategic)
load.picture(lambda: chart.tree_figure(strategy, t, mode), key=("tree", *key), alt=strategic)
cards.section(t("Progress against time"), chart.elapsed_note(released, t))
load.picture(lambda: chart.elapsed_figure(released, t, mode), key=("elapsed", *key), alt=said)

evidence.goal(t, released, mode=mode, version=version, viewer=viewer, names=names, preset=scope.preset)
footer = cards.footer(t, viewer, released, version, about)
cards.heading(t("All open goals"))
cards.table(
    t,
    lambda: tables.goals(t, released, names, departments, chances),
    name="goals",
    key=key,
    footer=footer,
    alt=said,
)
cards.method(t, methods.goals(t, released, scope.preset))
session.record("looked", "goals")
