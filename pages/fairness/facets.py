"""Which dimensions and sources are rated harder?"""

from __future__ import annotations

from analytics.severity import facets_chart as chart
from data.access import Permission
from pages.kit import cards, filters, load, load_severity, methods, reader, session, tables

viewer = session.require(Permission.SEE_LENIENCY)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="ratings")

head = cards.head()
scope = filters.leniency(t, version, viewer)
with cards.waiting():
    released = load_severity.ruler(version, viewer, scope.sources, scope.department_id)
people = load.names(version, viewer)
departments = load.departments(version, released.as_of).names
cycles = load.cycles(version)
names = {
    "source": filters.source_names(t),
    "cycle": dict(zip(cycles["cycle_id"], cycles["name"], strict=True)),
}
said = chart.takeaway(released, t, names=names)
about = [*scope.words, t("all cycles up to {day}", day=t.day(released.as_of))]
key = (version, viewer, scope, t, mode)
with head:
    cards.title(
        t("Which dimensions and sources are rated harder?"), [*about, tables.ruler_counted(t, released)]
    )
    cards.finding(said)
footer = cards.footer(t, viewer, released, version, about)
if released.value.identified:
    load.picture(lambda: chart.figure(released, t, mode=mode, names=names), key=("ruler", *key), alt=said)
    cards.table(
        t,
        lambda: tables.ruler(t, released, names),
        name="dimensions-sources",
        key=key,
        footer=footer,
        alt=said,
    )
    levels = load.levels(version, cycles["scale_id"][0])
    called = dict(levels.select("level", "label").iter_rows())
    cards.section(t("Does the scale work as a ladder?"), chart.ladder(released, t, levels=called))
if not chart.odd_raters(released).is_empty():
    cards.section(t("Raters with odd patterns"), chart.odd_takeaway(released, t))
    cards.table(
        t,
        lambda: tables.odd_raters(t, released, people, departments),
        name="odd-raters",
        key=key,
        footer=footer,
        alt=t("Raters whose ratings scatter far more or less than chance allows."),
    )
cards.method(t, methods.ruler(t, released))
session.record("looked", "facets")
