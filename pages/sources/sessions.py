"""Who is signed in, and ending a session."""

from __future__ import annotations

from data.access import Permission
from pages.kit import cards, reader, records, session, tables

viewer = session.require(Permission.MANAGE_SESSIONS)
t = reader.language()

found = session.operations().sessions(viewer)
cards.title(t("Who is signed in?"))
cards.finding(tables.sessions_finding(t, found, local=session.is_local()))
if not found.is_empty():
    cards.plain_table(tables.sessions(t, found), alt=t("Sign-in sessions, latest first."))
    records.ending(t, viewer, found)
session.record("looked", "sessions")
