"""Can our managers' ratings be compared at all?"""

from __future__ import annotations

from analytics.severity.linkage import chart
from data.access import Permission
from pages.kit import cards, filters, load, load_severity, methods, reader, session, tables

viewer = session.require(Permission.SEE_LENIENCY)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="ratings")

head = cards.head()
scope = filters.leniency(t, version, viewer)
secure = filters.switch(
    t("Reviews for each group"),
    {"one": t("One review for each group"), "two": t("Two, so that nothing hangs on one person")},
    key="links",
)
with cards.waiting():
    released = load_severity.comparable(
        version, viewer, scope.sources, scope.department_id, secure=secure == "two"
    )
names = load.names(version, viewer)
departments = load.departments(version, released.as_of).names
about = [*scope.words, t("all cycles up to {day}", day=t.day(released.as_of))]
key = (version, viewer, scope, secure, t, mode)
with head:
    cards.title(t("Can our managers' ratings be compared at all?"), about)
    cards.finding(chart.takeaway(released, t))

if released.value.departments.height > 1:
    said = chart.map_takeaway(released, t, names=departments)
    cards.section(t("Where are the bridges between departments?"), said)
    load.picture(
        lambda: chart.figure(released, t, mode=mode, names=departments), key=("bridges", *key), alt=said
    )
    cards.remark(chart.legend(released, t))
    cards.remark(chart.kinds_takeaway(released, t))
    cards.remark(chart.lasting_takeaway(released, t))
footer = cards.footer(t, viewer, released, version, about)
if not released.value.reviews.is_empty():
    cards.heading(t("What would help: extra reviews, the most useful first"))
    cards.table(
        t,
        lambda: tables.extra_reviews(t, released, names, departments),
        name="extra-reviews",
        key=key,
        footer=footer,
        alt=t("Who would rate whom, and what it does."),
    )
if not tables.hardly_comparable(released).is_empty():
    cards.heading(t("Who cannot be compared, or hardly"))
    cards.table(
        t,
        lambda: tables.not_comparable(t, released, names, departments),
        name="not-comparable",
        key=key,
        footer=footer,
        alt=t("Raters, why they cannot be compared, and what would help."),
        wide=t("What would help"),
    )
if not released.value.people.is_empty():
    cards.heading(t("The people who make the links"))
    cards.table(
        t,
        lambda: tables.linking_people(t, released, names, departments),
        name="linking-people",
        key=key,
        footer=footer,
        alt=t("People rated by several raters, those on whom most hangs first."),
    )
cards.method(t, methods.linkage(t, released))
session.record("looked", "linkage")
