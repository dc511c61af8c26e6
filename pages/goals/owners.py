"""Who over-promises, and who holds back: stated confidence against what became of the goals."""

from __future__ import annotations

from analytics.goals import owners_chart as chart
from data.access import Permission
from pages.kit import cards, filters, honesty, load, load_goals, reader, session

viewer = session.require(Permission.SEE_GOALS)
t, mode = reader.language(), reader.mode()
version = cards.opened(t, viewer, needs="goals")

head = cards.head()
scope = filters.goals_of(t, version, viewer)
with cards.waiting():
    released = load_goals.owners_within_reach(version, viewer, scope.department_id)
names = load.names(version, viewer)
said = chart.takeaway(released, t)
about = [*scope.words, t("as of {day}", day=t.day(released.as_of)), honesty.owners_counted(t, released)]
key = (version, viewer, scope, t, mode)
with head:
    cards.title(t("Who over-promises, who holds back?"), about)
    cards.finding(said)
    cards.remark(chart.caveats(released, t))
if released.value.untold is None:
    load.picture(lambda: chart.figure(released, t, mode=mode, names=names), key=("owners", *key), alt=said)
    honesty.one_owner(t, released, names, load_goals.known(version, viewer).goals)
footer = cards.footer(t, viewer, released, version, about)
told = released.value.owners["excess"].is_not_null()
if told.any():
    cards.heading(t("Owners the data can tell about"))
    cards.table(
        t, lambda: honesty.owners(t, released, names), name="owners", key=key, footer=footer, alt=said
    )
if not told.all():
    cards.heading(t("Owners the data cannot tell about"))
    cards.table(
        t,
        lambda: honesty.unknown_owners(t, released, names),
        name="owners-cannot-tell",
        key=key,
        footer=footer,
        alt=t("Owners, and how many of their goals came due."),
    )
cards.method(t, honesty.owners_method(t, released))
session.record("looked", "owners")
