"""What is recorded about me: my ratings and my goals."""

from __future__ import annotations

from analytics.goals import chart
from data import queries
from data.access import Permission
from pages.kit import cards, load, methods, reader, session, tables

viewer = session.require(Permission.SEE_OWN)
t = reader.language()
version = cards.opened(t, viewer)

ratings = queries.own_ratings(viewer, load.engine(version))
released = load.own_pace(version, viewer, "remaining_work")
name = load.names(version, viewer).get(viewer.employee_id or "", viewer.name)
cards.title(t("What is recorded about me?"), [name, t("as of {day}", day=t.day(released.as_of))])
cards.finding(tables.own_finding(t, ratings, released))
if not ratings.is_empty():
    cards.heading(t("My ratings"))
    cards.plain_table(tables.own_ratings(t, ratings), alt=t("My overall ratings by cycle, newest first."))
if not released.value.goals.is_empty():
    cards.section(t("My goals"), chart.takeaway(released, t))
    cards.plain_table(tables.own_goals(t, released), alt=t("My goals by due date."))
cards.method(t, methods.mine(t))
session.record("looked", "mine")
