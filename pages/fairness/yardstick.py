"""Does everybody use the same yardstick for everybody?"""

from __future__ import annotations

from analytics.severity import differential_chart as chart
from data.access import Permission
from pages.kit import cards, filters, load, load_severity, methods, reader, session, tables

viewer = session.require(Permission.SEE_LENIENCY)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="ratings")

head = cards.head()
scope = filters.yardstick(t, version, viewer)
with cards.waiting():
    released = load_severity.yardstick(version, viewer, scope.sources, scope.by, scope.department_id)
names = load.names(version, viewer)
departments = load.departments(version, released.as_of).names
compared = released.value.groups["group"].to_list()
groups = filters.people_of(t, scope.by, compared)
rest = filters.others_of(t, scope.by, compared)
said = chart.takeaway(released, t, groups=groups)
about = [*scope.words, t("all cycles up to {day}", day=t.day(released.as_of))]
key = (version, viewer, scope, t, mode)
with head:
    cards.title(
        t("Does everybody use the same yardstick for everybody?"),
        [*about, tables.yardstick_counted(t, released)],
    )
    cards.finding(said)
footer = cards.footer(t, viewer, released, version, about)
if released.value.identified:
    options = {group: groups[group] for group in chart.in_order(released)}
    group = filters.pick(t("Group"), options, key="group") if len(options) > 1 else next(iter(options))
    load.picture(
        lambda: chart.figure(released, t, mode=mode, group=group, names=names, groups=groups),
        key=("yardstick", group, *key),
        alt=said,
    )
    cards.remark(t("Grey: where chance alone puts 19 of 20 raters. The higher a dot, the surer it is."))
    cards.remark(chart.beside_chance(released, t, group=group))
    cards.hidden(released, t)
    cards.table(
        t,
        lambda: tables.yardstick(t, released, names, departments, group=group, called=groups[group]),
        name="yardstick",
        key=(group, *key),
        footer=footer,
        alt=said,
    )
    cards.section(t("And the company as a whole?"), chart.company(released, t, groups=groups, rest=rest))
    if len(options) > 1:
        cards.table(
            t,
            lambda: tables.group_gaps(t, released, groups),
            name="groups",
            key=key,
            footer=footer,
            alt=t("Groups, and how they are rated throughout the company."),
        )
    if chart.any_flag(released):
        cards.section(t("What to do with a flag"), chart.advice(t))
cards.method(t, methods.yardstick(t, released))
session.record("looked", "yardstick")
